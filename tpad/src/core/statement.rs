//! Signed statements: what was said elsewhere is decided here.

use tpa_statement::statement::Statement;

use super::{Core, Result};
use crate::ledger::{Caller, Event, Request, command_of};

impl Core {
    /// Whether a statement with these bytes was taken before.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn was_said(&self, digest: &str) -> anyhow::Result<bool> {
        let known = self.state.statements.contains_key(digest);
        Ok(known || self.store.knows_statement(digest)?)
    }

    /// Does what a statement says, whose signer is the caller.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn say(&mut self, caller: &Caller, statement: &Statement) -> Result<Request> {
        self.ensure_loaded(statement.id)?;
        let named = self.state.requests.get(&statement.id);
        if let Some(grant) = named.and_then(|request| request.extends) {
            self.ensure_loaded(grant)?;
        }
        if let Some(said) = caller.proof.said()
            && self.was_said(&said.digest)?
        {
            let (digest, expires) = (said.digest.clone(), said.expires);
            self.state.statements.insert(digest, expires);
        }
        let fresh = self.fresh_id()?;
        let policy = std::sync::Arc::clone(&self.policy);
        match command_of(&self.state, &policy, caller, statement, fresh) {
            Ok(command) => self.act(caller, &command),
            Err(refused) => {
                let now = self.tick()?;
                Err(self.refuse(caller, refused, &now)?.into())
            }
        }
    }

    /// Records that a statement was not taken, by whom it was brought.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn statement_refused(&mut self, carrier: &Caller, refused: Event) -> Result<()> {
        let now = self.tick()?;
        Ok(self.record(Some(carrier), vec![refused], &now)?)
    }
}
