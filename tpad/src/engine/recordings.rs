//! Reading what is recorded, for those who may.

use tpa_bus::access::{Piece, Recording};
use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use super::Engine;
use crate::core::{Error, Result};
use crate::ledger::{Caller, not_open};
use crate::recordings::{self, Opened};

impl Engine {
    /// What is recorded under a grant, by name, behind this name.
    ///
    /// # Errors
    /// A refusal, or what keeps it from being read.
    pub async fn recordings(
        &self,
        caller: &Caller,
        id: Id,
        after: String,
    ) -> Result<Vec<Recording>> {
        let pids = self.with(|core| core.watchable(caller, id))?;
        Ok(self.recordings.list(id, after, pids).await?)
    }

    /// Begins to read a recording, and records that; the number that it is read by.
    ///
    /// # Errors
    /// A refusal, or what keeps it from being recorded.
    pub async fn open_recording(&self, caller: &Caller, id: Id, name: String) -> Result<u64> {
        let pids = self.with(|core| core.watchable(caller, id))?;
        let found = self.recordings.find(id, name, pids).await?;
        let name = found.name.clone();
        self.with(|core| core.opens(caller, id, name, found.live))?;
        Ok(self.recordings.open(Opened {
            reader: reader(caller),
            id,
            name: found.name,
        }))
    }

    /// Reads a piece of one that was opened, for whoever opened it and still may.
    ///
    /// # Errors
    /// A refusal, or what keeps it from being read.
    pub async fn read_recording(
        &self,
        runtime: &SharedRuntime,
        caller: &Caller,
        (opened, part, offset): (u64, &str, u64),
        wait: bool,
    ) -> Result<Piece> {
        let found = self.recordings.opened(opened, reader(caller));
        let found = found.ok_or_else(not_open)?;
        let pids = self.with(|core| core.watchable(caller, found.id))?;
        let at = (part, offset);
        let piece = self.recordings.piece(runtime, &found, at, pids, wait);
        Ok(piece.await?)
    }
}

fn reader(caller: &Caller) -> recordings::Reader {
    (caller.person().uid, caller.uid)
}

impl From<recordings::Error> for Error {
    fn from(error: recordings::Error) -> Self {
        match error {
            recordings::Error::Refused(refused) => Self::Refused(refused),
            recordings::Error::Failed(error) => Self::Failed(error),
        }
    }
}
