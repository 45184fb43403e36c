//! One command, approved as it was typed, and its one run.

use tpa_bus::id::Id;

use super::{Core, Result};
use crate::ledger::{
    Asked, Caller, Named, OneCommand, Runner, SeenProgram, approved, may_be_asked, may_file, over,
    running, start, told,
};

impl Core {
    /// Whether a command may be asked for, as far as its words and the role tell. `run_as` is whom it
    /// names; where it names nobody, the one account of the role. Tells as whom it is to run.
    ///
    /// # Errors
    /// A refusal, before anything is looked at on the host.
    pub fn may_ask_to_run(
        &mut self,
        caller: &Caller,
        asked: &Asked,
        (argv, directory, run_as): (&[String], &str, Option<&str>),
    ) -> Result<String> {
        let now = self.tick()?;
        may_file(&self.state, &self.policy, caller, asked, &now)?;
        let role = self.policy.roles.get(&asked.role);
        let only = role.and_then(|role| match role.exact.as_ref()?.run_as.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        });
        let run_as = run_as.or(only).unwrap_or_default();
        if let Some(role) = role {
            may_be_asked(role, argv, directory, run_as)?;
        }
        Ok(run_as.to_owned())
    }

    /// The approved command of a grant, for who is to run it.
    ///
    /// # Errors
    /// Why they may not.
    pub fn approved_command(&mut self, id: Id, by: &Runner) -> Result<OneCommand> {
        self.ensure_loaded(id)?;
        let now = self.tick()?;
        Ok(approved(&self.state, id, by, &now)?.clone())
    }

    /// Begins its one run: recorded before the answer, so nobody is answered twice.
    ///
    /// # Errors
    /// Why it may not begin, or that it could not be recorded.
    pub fn start_command(&mut self, id: Id, by: &Runner, seen: &SeenProgram) -> Result<OneCommand> {
        let command = self.approved_command(id, by)?;
        let now = self.tick()?;
        match start(&self.state, id, by, seen, &now) {
            Ok(event) => self.record(None, vec![event], &now)?,
            Err(mut refused) => {
                if let Some(event) = refused.record.take() {
                    self.record(None, vec![*event], &now)?;
                }
                return Err(refused.into());
            }
        }
        Ok(command)
    }

    /// The end of the run, as its process tells.
    ///
    /// # Errors
    /// When it is not that process.
    pub fn end_command(&mut self, id: Id, by: Named, exit_code: i32) -> Result<()> {
        self.ensure_loaded(id)?;
        let now = self.tick()?;
        let event = told(&self.state, id, by, exit_code, &now)?;
        Ok(self.record(None, vec![event], &now)?)
    }

    /// The runs that are not over, each with the process of sudo's to wait for.
    #[must_use]
    pub fn commands_running(&self) -> Vec<(Id, Named)> {
        running(&self.state).collect()
    }

    /// sudo's process for a run has ended.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn command_is_over(&mut self, id: Id) -> anyhow::Result<()> {
        let now = self.tick()?;
        let events = over(&self.state, id, &now);
        if events.is_empty() {
            return Ok(());
        }
        self.record(None, events, &now)
    }
}
