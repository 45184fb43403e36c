//! Sees when somebody touches what is the daemon's, or the accounts of this host (inotify(7)).

use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tpa_bus::names;
use zruntime::{AsyncIo, Shared, SharedRuntime};

/// What was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// A folder that the daemon derives: by the daemon itself, or by somebody else.
    Ours,
    /// `/etc/passwd`: someone may have gone.
    Accounts,
}

/// A watch over the daemon's folders and the accounts.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncIo<Inotify, Shared>,
    etc: WatchDescriptor,
}

impl Watch {
    /// Begins to watch. Folders that are not there are not watched.
    ///
    /// # Errors
    /// When the kernel gives no watch.
    pub fn new(runtime: &SharedRuntime) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        for folder in [names::SUDOERS_DIR, names::STATE_DIR] {
            match inotify.add_watch(Path::new(folder), changes) {
                Ok(_) | Err(nix::Error::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        // passwd is replaced by renaming (vipw(8), useradd(8)): the folder sees that.
        let etc = inotify.add_watch(
            Path::new("/etc"),
            AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR,
        )?;
        let inotify = AsyncIo::new_nonblocking(runtime, inotify).map_err(|_| nix::Error::EIO)?;
        Ok(Self { inotify, etc })
    }

    /// Waits until something that matters is touched.
    pub async fn touched(&self) -> Touched {
        loop {
            let events = self
                .inotify
                .read_with(|inotify| inotify.read_events().map_err(std::io::Error::from))
                .await
                .unwrap_or_default();
            let accounts = events.iter().any(|event| {
                event.wd == self.etc && event.name.as_deref().is_some_and(|name| name == "passwd")
            });
            if accounts {
                return Touched::Accounts;
            }
            let ours = events.iter().any(|event| {
                event.wd != self.etc && !event.name.as_deref().is_some_and(is_unfinished)
            });
            if ours {
                return Touched::Ours;
            }
        }
    }
}

/// A file that is being written, by the daemon or anyone else: sudo reads no name with a dot.
fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().contains('.')
}
