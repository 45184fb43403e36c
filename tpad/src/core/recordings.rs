//! Letting people look at what is recorded, and recording that they did.

use tpa_bus::id::Id;

use super::{Core, Result};
use crate::ledger::{Caller, Event, Refused, Session, may_watch};

impl Core {
    /// That the caller may look at what is recorded under a grant; the processes of its open sudo
    /// commands.
    ///
    /// # Errors
    /// A refusal, or what keeps the grant from being read.
    pub fn watchable(&mut self, caller: &Caller, id: Id) -> Result<Vec<u32>> {
        self.ensure_loaded(id)?;
        let request = self.state.requests.get(&id);
        let request = request.ok_or_else(|| Refused::unknown_id(id.as_str()))?;
        may_watch(&self.policy, caller, request)?;
        let commands = self.state.sessions_of(id).filter(|one| one.is_sudo());
        Ok(commands.map(|session: &Session| session.pid).collect())
    }

    /// Records that somebody began to look at a recording, which may be `live`.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn opens(&mut self, caller: &Caller, id: Id, recording: String, live: bool) -> Result<()> {
        let now = self.tick()?;
        self.ensure_loaded(id)?;
        let event = Event::RecordingOpened {
            id,
            recording,
            live,
        };
        Ok(self.record(Some(caller), vec![event], &now)?)
    }
}
