//! Sees when somebody touches what is the daemon's, or the accounts of this host (inotify(7)).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tpa_bus::names;
use zruntime::{AsyncIo, Shared, SharedRuntime};

/// Device and number of a folder.
type Folder = (u64, u64);

fn folder_at(path: &Path) -> Option<Folder> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// A folder that is watched.
#[derive(Debug)]
struct Over {
    path: PathBuf,
    /// Which one it is; `None` when there was none.
    folder: Option<Folder>,
    watch: Option<WatchDescriptor>,
}

/// What was touched, by the daemon itself or by anyone else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Touched {
    /// These files, or the rights of these folders.
    Files(BTreeSet<PathBuf>),
    /// What nobody could tell any more.
    Anything,
}

/// A watch over some folders.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncIo<Inotify, Shared>,
    over: Vec<Over>,
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

    /// Over the accounts and groups of this host: passwd(5) and group(5) are replaced by renaming
    /// (vipw(8), useradd(8)), which their folder sees.
    ///
    /// # Errors
    /// When the kernel gives no watch.
    pub fn over_accounts(runtime: &SharedRuntime) -> nix::Result<Self> {
        let renames = AddWatchFlags::IN_MOVED_TO;
        Self::over(runtime, &["/etc"], renames, |name| {
            name == "passwd" || name == "group"
        })
    }

    fn over(
        runtime: &SharedRuntime,
        folders: &[&str],
        changes: AddWatchFlags,
        matters: fn(&OsStr) -> bool,
    ) -> nix::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut over = Vec::new();
        for folder in folders {
            let path = PathBuf::from(folder);
            // Before it is watched: of one that is put in its place meanwhile, it is known.
            let folder = folder_at(&path);
            let watch = match inotify.add_watch(&path, changes | AddWatchFlags::IN_ONLYDIR) {
                Ok(watch) => Some(watch),
                Err(nix::Error::ENOENT) => None,
                Err(error) => return Err(error),
            };
            over.push(Over {
                path,
                folder,
                watch,
            });
        }
        let inotify = AsyncIo::new_nonblocking(runtime, inotify).map_err(|_| nix::Error::EIO)?;
        Ok(Self {
            inotify,
            over,
            matters,
        })
    }

    /// Whether the folders are those that are there now: a watch stays with a folder that another
    /// one took the place of.
    fn stands(&self) -> bool {
        let mut over = self.over.iter();
        over.all(|over| folder_at(&over.path) == over.folder)
    }

    /// Waits until something that matters is touched, by the daemon itself or by anyone else.
    pub async fn touched(&self) -> Touched {
        loop {
            let events = self
                .inotify
                .read_with(|inotify| inotify.read_events().map_err(std::io::Error::from))
                .await
                .unwrap_or_default();
            let mut files = BTreeSet::new();
            for event in events {
                let mut over = self.over.iter();
                let over = over.find(|over| over.watch == Some(event.wd));
                let is_attribute = event.mask.contains(AddWatchFlags::IN_ATTRIB);
                match (over, event.name) {
                    (_, Some(name)) if !(self.matters)(&name) => {}
                    (Some(over), Some(name)) => drop(files.insert(over.path.join(name))),
                    // Whom a folder admits, and who owns it.
                    (Some(over), None) if is_attribute => drop(files.insert(over.path.clone())),
                    // A folder is gone, or events were lost.
                    _ => return Touched::Anything,
                }
            }
            if !files.is_empty() {
                return Touched::Files(files);
            }
        }
    }
}

/// Since when a watch sees what is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Since {
    /// It was open.
    Before,
    /// It was opened: what was touched before that was not seen.
    Now,
    /// There is none.
    Never,
}

/// A watch that is there as soon as the kernel has one to give: what it is for goes on without.
#[derive(Debug)]
pub struct Watching {
    over: &'static str,
    open: fn(&SharedRuntime) -> nix::Result<Watch>,
    watch: Option<Watch>,
    told: bool,
}

impl Watching {
    /// See [`Watch::over_ours`].
    #[must_use]
    pub fn over_ours() -> Self {
        Self::over("rules, state files and the gate file", Watch::over_ours)
    }

    /// See [`Watch::over_accounts`].
    #[must_use]
    pub fn over_accounts() -> Self {
        Self::over("accounts and groups", Watch::over_accounts)
    }

    fn over(over: &'static str, open: fn(&SharedRuntime) -> nix::Result<Watch>) -> Self {
        Self {
            over,
            open,
            watch: None,
            told: false,
        }
    }

    /// Opens it, unless it is open over the folders that are there. That the kernel has none to give
    /// is told once.
    pub fn open(&mut self, runtime: &SharedRuntime) -> Since {
        if self.watch.as_ref().is_some_and(Watch::stands) {
            return Since::Before;
        }
        self.watch = None;
        match (self.open)(runtime) {
            Ok(watch) => {
                if std::mem::take(&mut self.told) {
                    tracing::info!("{} are watched again", self.over);
                }
                self.watch = Some(watch);
                Since::Now
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    tracing::error!(
                        "{} are not watched (inotify: {}): what others change there is noticed \
                         late; raise fs.inotify.max_user_instances",
                        self.over,
                        error.desc()
                    );
                }
                Since::Never
            }
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.watch.is_some()
    }

    /// Waits until something is touched; for ever where there is no watch.
    pub async fn touched(&self) -> Touched {
        match &self.watch {
            Some(watch) => watch.touched().await,
            None => std::future::pending().await,
        }
    }
}

/// A file that is being written, by the daemon or anyone else: sudo reads no name with a dot.
fn is_unfinished(name: &OsStr) -> bool {
    name.to_string_lossy().contains('.')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn where_the_kernel_has_no_watch_to_give_it_is_tried_again_and_nothing_fails() {
        let runtime = SharedRuntime::new().unwrap();
        let mut watching = Watching::over("tests", |_| Err(nix::Error::EMFILE));
        for _ in 0..2 {
            assert_eq!(watching.open(&runtime), Since::Never);
        }
        assert!(!watching.is_open() && watching.told);
        watching.open =
            |runtime| Watch::over(runtime, &["/"], AddWatchFlags::IN_MOVED_TO, |_| true);
        assert_eq!(watching.open(&runtime), Since::Now);
        assert!(watching.is_open() && !watching.told);
        assert_eq!(watching.open(&runtime), Since::Before);
    }

    #[test]
    fn a_watch_over_a_folder_that_another_took_the_place_of_is_opened_anew() {
        let runtime = SharedRuntime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        let open = || {
            let path = path.to_str().unwrap();
            Watch::over(&runtime, &[path], AddWatchFlags::IN_MOVED_TO, |_| true).unwrap()
        };
        let missing = open();
        std::fs::create_dir(&path).unwrap();
        let there = open();
        assert!(!missing.stands() && there.stands());
        std::fs::rename(&path, dir.path().join("away")).unwrap();
        assert!(!there.stands());
        std::fs::create_dir(&path).unwrap();
        assert!(!there.stands() && open().stands());
    }

    #[test]
    fn the_files_that_were_touched_are_told_and_of_a_folder_that_it_is_gone() {
        let runtime = SharedRuntime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        let matters = |name: &OsStr| !is_unfinished(name);
        let changes =
            AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ATTRIB;
        let folder = path.to_str().unwrap();
        let watch = Watch::over(&runtime, &[folder], changes, matters).unwrap();
        for name in ["one", ".two.tmp", "three"] {
            std::fs::write(path.join(name), "").unwrap();
        }
        let files = ["one", "three"].map(|name| path.join(name)).into();
        assert_eq!(runtime.block_on(watch.touched()), Touched::Files(files));
        let wide = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&path, wide).unwrap();
        let folder = BTreeSet::from([path.clone()]);
        assert_eq!(runtime.block_on(watch.touched()), Touched::Files(folder));
        std::fs::remove_dir_all(&path).unwrap();
        assert_eq!(runtime.block_on(watch.touched()), Touched::Anything);
    }
}
