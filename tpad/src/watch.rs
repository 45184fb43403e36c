//! Sees when somebody touches what is the daemon's, or the accounts of this host (inotify(7)).

use std::ffi::{OsStr, OsString};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tpa_bus::names;
use zruntime::{AsyncIo, Shared, SharedRuntime};

/// A watch over some folders.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncIo<Inotify, Shared>,
    matters: fn(&OsStr) -> bool,
}

impl Watch {
    /// Over the folders that the daemon derives. One that is not there is not watched.
    ///
    /// # Errors
    /// When the kernel gives no watch.
    pub fn over_ours(runtime: &SharedRuntime) -> nix::Result<Self> {
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB;
        let folders = [
            names::SUDOERS_DIR,
            names::STATE_DIR,
            names::PROMPT_DIR,
            names::GATE_DIR,
        ];
        Self::over(runtime, &folders, changes, |name| !is_unfinished(name))
    }

    /// Over the accounts of this host: passwd(5) is replaced by renaming (vipw(8), useradd(8)),
    /// which its folder sees.
    ///
    /// # Errors
    /// When the kernel gives no watch.
    pub fn over_accounts(runtime: &SharedRuntime) -> nix::Result<Self> {
        let renames = AddWatchFlags::IN_MOVED_TO;
        Self::over(runtime, &["/etc"], renames, |name| name == "passwd")
    }

    fn over(
        runtime: &SharedRuntime,
        folders: &[&str],
        changes: AddWatchFlags,
        matters: fn(&OsStr) -> bool,
    ) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        for folder in folders {
            match inotify.add_watch(Path::new(folder), changes | AddWatchFlags::IN_ONLYDIR) {
                Ok(_) | Err(nix::Error::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        let inotify = AsyncIo::new_nonblocking(runtime, inotify).map_err(|_| nix::Error::EIO)?;
        Ok(Self { inotify, matters })
    }

    /// Waits until something that matters is touched, by the daemon itself or by anyone else.
    pub async fn touched(&self) {
        loop {
            let events = self
                .inotify
                .read_with(|inotify| inotify.read_events().map_err(std::io::Error::from))
                .await
                .unwrap_or_default();
            // An event without a name is about a folder, or tells that events were lost.
            let matters = |name: &OsString| (self.matters)(name);
            if events
                .iter()
                .any(|event| event.name.as_ref().is_none_or(matters))
            {
                return;
            }
        }
    }
}

/// A file that is being written, by the daemon or anyone else: sudo reads no name with a dot.
fn is_unfinished(name: &OsStr) -> bool {
    name.to_string_lossy().contains('.')
}
