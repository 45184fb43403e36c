//! Letting people look at what is recorded, and recording that they did.

use tpa_bus::id::Id;

use super::{Core, Result};
use crate::ledger::{Caller, Event, Refused, Session, Stage, may_watch};

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
        Ok(self.sudo_pids(id))
    }

    /// The processes of the open sudo commands of a grant.
    pub fn sudo_pids(&self, id: Id) -> Vec<u32> {
        let commands = self.state.sessions_of(id).filter(|one| one.is_sudo());
        commands.map(|session: &Session| session.pid).collect()
    }

    /// Records that a recording is over, and what it is: its name, the SHA-256 over it, and its bytes.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn closed_recording(
        &mut self,
        id: Id,
        (recording, sha256, bytes): (String, String, u64),
    ) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.ensure_loaded(id)?;
        let event = Event::RecordingClosed {
            id,
            recording,
            sha256,
            bytes,
        };
        self.record(None, vec![event], &now)
    }

    /// Whether what was recorded under a grant is to go: the grant ended longer ago than recordings are
    /// kept.
    ///
    /// # Errors
    /// When the grant cannot be read.
    pub fn may_recordings_go(&mut self, id: Id) -> Result<bool> {
        let Some(keep_s) = self.policy.audit_keep_recordings_s else {
            return Ok(false);
        };
        let now = self.tick()?;
        if self.state.wall_clock.is_unsettled(&now) {
            // A clock that is set ahead by mistake for a moment must not cost them.
            return Ok(false);
        }
        self.ensure_loaded(id)?;
        let ended = match self.state.requests.get(&id).map(|request| &request.stage) {
            Some(Stage::Closed { at, .. }) => *at,
            _ => return Ok(false),
        };
        Ok(ended.saturating_add_unsigned(keep_s) <= now.wall_s)
    }

    /// Records that what was recorded under a grant goes.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn recordings_go(&mut self, id: Id) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.ensure_loaded(id)?;
        self.record(None, vec![Event::RecordingsRemoved { id }], &now)
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
