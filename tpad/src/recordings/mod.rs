//! What sudo recorded under grants: its input/output logs, sudoers(5), read for those who may.
//!
//! On threads of their own, few at a time, in pieces: how much there is, others choose. Every folder
//! on the way is checked to be root's alone to write, and no link is followed.

mod closed;
mod digest;
mod header;
mod opened;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tpa_bus::access::{Piece, Recording};
use tpa_bus::id::Id;
use tpa_bus::names::RECORDINGS_DIR;
use zruntime::lock::Semaphore;
use zruntime::{AsyncIo, SharedRuntime};

use crate::aside::aside;
use crate::ledger::{Refused, no_recording, too_many_watch};
pub use closed::Closed;
pub use digest::Digest;
use opened::OpenedRecordings;
pub use opened::{Opened, Reader};
use shelf::Shelf;

/// Most readings at once; others wait.
const MOST: usize = 4;

/// Most who wait for more at once: each takes an inotify instance, of which root has 128 by default.
const MOST_WAITING: usize = 16;

/// How long more is waited for. Whoever watches asks again.
const WAIT: Duration = Duration::from_secs(10);

/// Why a piece is not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or too many wait.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// It cannot be read.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// The recordings of this host.
#[derive(Debug)]
pub struct Recordings {
    shelf: Shelf,
    readings: Arc<Semaphore>,
    waiting: Semaphore,
    opened: Mutex<OpenedRecordings>,
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            shelf: Shelf::new(PathBuf::from(RECORDINGS_DIR), PathBuf::from("/proc")),
            readings: Arc::new(Semaphore::new(MOST)),
            waiting: Semaphore::new(MOST_WAITING),
            opened: Mutex::default(),
        }
    }
}

impl Recordings {
    /// The next of a grant's behind this name. `pids` are the processes of its open sudo commands.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(
        &self,
        id: Id,
        after: String,
        pids: Vec<u32>,
    ) -> Result<Vec<Recording>, Error> {
        self.read(move |shelf| shelf.list(id, &after, &pids)).await
    }

    /// Looks a recording up, and keeps its number for whoever reads it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn find(&self, id: Id, name: String, pids: Vec<u32>) -> Result<Recording, Error> {
        let refused = no_recording(id, &name);
        let found = self.read(move |shelf| shelf.find(id, &name, &pids)).await?;
        Ok(found.ok_or(refused)?)
    }

    /// A number for whoever reads a recording that was found.
    pub fn open(&self, opened: Opened) -> u64 {
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        all.open(opened)
    }

    /// What somebody reads by this number.
    pub fn opened(&self, number: u64, reader: Reader) -> Option<Opened> {
        let all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        all.find(number, reader)
    }

    /// The next piece of a file of a recording, from an offset on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn piece(
        &self,
        runtime: &SharedRuntime,
        opened: &Opened,
        (part, offset): (&str, u64),
        pids: Vec<u32>,
        wait: bool,
    ) -> Result<Piece, Error> {
        let read = || {
            let (opened, part, pids) = (opened.clone(), part.to_owned(), pids.clone());
            self.read(move |shelf| shelf.piece(opened.id, &opened.name, (&part, offset), &pids))
        };
        let unknown = || no_recording(opened.id, &opened.name);
        let piece = read().await?.ok_or_else(unknown)?;
        if !wait || !piece.live || !piece.data.is_empty() {
            return Ok(piece);
        }
        let _permit = self.waiting.try_acquire().ok_or_else(too_many_watch)?;
        let watch = Watch::over(runtime, &self.shelf.file(opened.id, &opened.name, part))?;
        // What came before the watch stood is seen now.
        let piece = read().await?.ok_or_else(unknown)?;
        if !piece.live || !piece.data.is_empty() {
            return Ok(piece);
        }
        let _ = runtime.timeout(WAIT, watch.changed()).await;
        Ok(read().await?.ok_or_else(unknown)?)
    }

    /// What a recording is; `None` where there is none of this name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn digest(&self, id: Id, name: String) -> Result<Option<Digest>, Error> {
        self.read(move |shelf| shelf.digest(id, &name)).await
    }

    /// The grants that something is recorded of, and those of which it is set aside.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn grants(&self) -> Result<(Vec<Id>, Vec<Id>), Error> {
        self.read(Shelf::grants).await
    }

    /// Sets aside what was recorded under a grant, all at once: it is to be removed.
    ///
    /// # Errors
    /// When it stays where it is.
    pub async fn set_aside(&self, id: Id) -> Result<(), Error> {
        self.read(move |shelf| shelf.set_aside(id)).await
    }

    /// Removes what was set aside of a grant.
    ///
    /// # Errors
    /// When something of it stays.
    pub async fn remove(&self, id: Id) -> Result<(), Error> {
        self.read(move |shelf| shelf.remove(id)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shelf) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.readings.acquire_arc().await;
        let place = self.shelf.clone();
        let reading = aside(move || {
            // Kept until the reading is over, also when nobody waits for it any more.
            let _permit = permit;
            read(&place)
        });
        Ok(reading.await??)
    }
}

/// Tells when a file is written to or closed (inotify(7)).
struct Watch(AsyncIo<Inotify, zruntime::Shared>);

impl Watch {
    fn over(runtime: &SharedRuntime, path: &Path) -> anyhow::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .context("cannot wait for more (inotify); raise fs.inotify.max_user_instances")?;
        let changes = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DONT_FOLLOW;
        inotify
            .add_watch(path, changes)
            .with_context(|| format!("watch {}", path.display()))?;
        Ok(Self(AsyncIo::new_nonblocking(runtime, inotify)?))
    }

    async fn changed(&self) {
        let _ = self
            .0
            .read_with(|inotify| inotify.read_events().map_err(std::io::Error::from))
            .await;
    }
}
