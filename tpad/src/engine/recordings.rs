//! Reading what is recorded, for those who may.

use std::collections::BTreeMap;

use tpa_bus::access::{Piece, RECORDINGS_MAX, Recording};
use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use super::Engine;
use crate::core::{Error, Result};
use crate::ledger::{Caller, Event, audit_only, not_open};
use crate::recordings::{self, Closed, Digest, Opened};

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

/// Most recordings that one call checks.
const CHECKED: u32 = 20;

/// Most events that say that recordings of a grant were closed, in one reading.
const EVENTS: u32 = 1_000;

/// What a piece of the trail says of recordings, held against what is there.
#[derive(Debug, Default)]
pub struct Checked {
    /// The last event that was looked at; what comes next is behind it.
    pub last: u64,
    /// How many recordings are as they were when they were closed.
    pub whole: u64,
    /// How many went because they were kept for long enough.
    pub gone: u64,
    /// Those that are not.
    pub bad: Vec<Bad>,
    /// Whether there is nothing behind it.
    pub done: bool,
}

/// A recording that is not what it was.
#[derive(Debug)]
pub struct Bad {
    /// The event that says what it was.
    pub seq: u64,
    /// Its grant.
    pub id: Id,
    /// Its name.
    pub recording: String,
    /// What is wrong.
    pub problem: String,
}

impl Engine {
    /// Records what each recording of a grant is that is over and not in the trail yet.
    ///
    /// # Errors
    /// When they cannot be read, or that cannot be recorded.
    pub(crate) async fn close_recordings(
        &self,
        id: Id,
        known: &mut BTreeMap<Id, Closed>,
    ) -> Result<()> {
        let mut closed = match known.remove(&id) {
            Some(closed) => closed,
            None => Closed::of(self.closed_recordings(id).await?),
        };
        let mut after = closed.through().to_owned();
        let mut all_so_far = true;
        loop {
            let pids = self.with(|core| core.sudo_pids(id));
            let listed = self.recordings.list(id, after.clone(), pids).await?;
            let Some(last) = listed.last() else { break };
            last.name.clone_into(&mut after);
            let is_last = listed.len() < RECORDINGS_MAX;
            for one in listed {
                all_so_far &= !one.live;
                if !one.live && !closed.has(&one.name) {
                    let name = one.name.clone();
                    let digest = self.recordings.digest(id, name.clone()).await?;
                    if let Some(Digest { sha256, bytes }) = digest {
                        let what = (name.clone(), sha256, bytes);
                        self.with(|core| core.closed_recording(id, what))?;
                        closed.add(name);
                    }
                }
                if all_so_far {
                    closed.all_through(&one.name);
                }
            }
            if is_last {
                break;
            }
        }
        known.insert(id, closed);
        Ok(())
    }

    /// The recordings of a grant that the trail has.
    async fn closed_recordings(&self, id: Id) -> Result<Vec<String>> {
        let (mut names, mut after) = (Vec::new(), 0);
        loop {
            let code = Event::RECORDING_CLOSED;
            let records = self.with_code(code, Some(id), after, EVENTS).await?;
            let Some(last) = records.last() else {
                return Ok(names);
            };
            after = last.seq;
            names.extend(records.iter().filter_map(|record| match record.event()? {
                Event::RecordingClosed { recording, .. } => Some(recording.clone()),
                _ => None,
            }));
        }
    }

    /// Lets recordings go that were kept for long enough.
    ///
    /// # Errors
    /// When they cannot be listed, set aside or removed, or that cannot be recorded.
    pub(crate) async fn let_recordings_go(&self) -> Result<()> {
        if self.policy().audit_keep_recordings_s.is_none() {
            return Ok(());
        }
        // What a crash left between setting it aside and removing it goes first.
        let (there, aside) = self.recordings.grants().await?;
        for id in aside {
            self.remove_recordings(id).await?;
        }
        for id in there {
            match self.with(|core| core.may_recordings_go(id)) {
                Ok(false) => {}
                Ok(true) => {
                    self.recordings.set_aside(id).await?;
                    self.remove_recordings(id).await?;
                }
                Err(error) => tracing::error!("recordings of {id} stay: {error}"),
            }
        }
        Ok(())
    }

    /// Removes what was set aside of a grant, once the trail says so.
    async fn remove_recordings(&self, id: Id) -> Result<()> {
        self.with(|core| core.recordings_go(id))?;
        Ok(self.recordings.remove(id).await?)
    }

    /// Holds recordings against what the trail says of them, the next few behind an event.
    ///
    /// # Errors
    /// When the caller may not, or the trail cannot be read.
    pub async fn check_recordings(&self, caller: &Caller, after: u64) -> Result<Checked> {
        audit_only(caller)?;
        let code = Event::RECORDING_CLOSED;
        let closed = self.with_code(code, None, after, CHECKED).await?;
        let mut checked = Checked {
            last: after,
            done: closed.len() < CHECKED as usize,
            ..Checked::default()
        };
        for record in closed {
            checked.last = record.seq;
            let Some(Event::RecordingClosed {
                id,
                recording,
                sha256,
                ..
            }) = record.event()
            else {
                continue;
            };
            let found = self.recordings.digest(*id, recording.clone()).await;
            let problem = match found {
                Ok(Some(digest)) if digest.sha256 == *sha256 => {
                    checked.whole = checked.whole.saturating_add(1);
                    continue;
                }
                Ok(Some(_)) => "it is not what it was when it was closed".to_owned(),
                Ok(None) => {
                    let code = Event::RECORDINGS_REMOVED;
                    let removed = self.with_code(code, Some(*id), record.seq, 1).await?;
                    if !removed.is_empty() {
                        checked.gone = checked.gone.saturating_add(1);
                        continue;
                    }
                    "it is missing".to_owned()
                }
                Err(error) => format!("it cannot be read: {error}"),
            };
            checked.bad.push(Bad {
                seq: record.seq,
                id: *id,
                recording: recording.clone(),
                problem,
            });
        }
        Ok(checked)
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
