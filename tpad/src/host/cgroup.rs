//! Control groups, cgroups(7) version 2: who is in one, and ending all of them at once.
//!
//! Gone is what the group says, not what a call answered.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use zruntime::{AsyncIo, SharedRuntime};

/// One group with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The group at this path below the root, when it is there.
    #[must_use]
    pub fn at(root: &Path, relative: &str) -> Option<Self> {
        let path = root.join(relative);
        path.is_dir().then_some(Self { path })
    }

    /// All groups of this name in the part of the tree that root alone may change. What is
    /// delegated to a person is not entered: a name proves nothing there, and they can make as
    /// many folders as they like, to keep whoever looks into each of them busy.
    #[must_use]
    pub fn find(root: &Path, name: &str) -> Vec<Self> {
        let mut found = Vec::new();
        for path in children(root).into_iter().filter(|path| is_roots(path)) {
            if path.file_name().is_some_and(|own| own == name) {
                found.push(Self { path });
            } else {
                found.extend(Self::find(&path, name));
            }
        }
        found
    }

    /// The processes in it. Those that have ended and were not waited for are not among them.
    /// Below a group without processes nothing is looked at, however many folders there are.
    #[must_use]
    pub fn pids(&self) -> BTreeSet<i32> {
        let mut pids = BTreeSet::new();
        if !self.is_populated() {
            return pids;
        }
        // A group of threads refuses the first file; its processes stand in the group above.
        if let Ok(text) = fs::read_to_string(self.path.join("cgroup.procs")) {
            // A process outside our own namespace reads as 0.
            pids.extend(
                text.lines()
                    .filter_map(|line| line.parse::<i32>().ok())
                    .filter(|pid| *pid > 0),
            );
        }
        for path in children(&self.path) {
            pids.extend(Self { path }.pids());
        }
        pids
    }

    /// Whether any process is in it. A group that is gone holds none.
    #[must_use]
    pub fn is_populated(&self) -> bool {
        fs::read_to_string(self.path.join("cgroup.events"))
            .is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
    }

    /// Kills everything in it in one go: nothing can fork its way out.
    ///
    /// # Errors
    /// Where the kernel has no `cgroup.kill` (before 5.14).
    pub fn kill(&self) -> io::Result<()> {
        // Not `fs::write`: on a kernel without the file, that would try to make it.
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(self.path.join("cgroup.kill"))?;
        io::Write::write_all(&mut file, b"1")
    }

    /// Waits until nothing is in it, or it is gone.
    ///
    /// The kernel tells of an emptied group some milliseconds later, and of one that was removed
    /// meanwhile, as systemd does at once, never: so its removal is watched for as well.
    ///
    /// # Errors
    /// When the kernel does not let us watch it.
    pub async fn emptied(&self, runtime: &SharedRuntime) -> io::Result<()> {
        let events = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let removed = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let above = self.path.parent().unwrap_or(&self.path);
        let watched = events.add_watch(above, removed).and_then(|_| {
            let changes = AddWatchFlags::IN_MODIFY;
            events.add_watch(&self.path.join("cgroup.events"), changes)
        });
        if let Err(error) = watched {
            return if self.is_populated() {
                Err(error.into())
            } else {
                Ok(())
            };
        }
        let events = AsyncIo::new_nonblocking(runtime, events)?;
        // Looked at after the watches stand, so that no change falls between.
        while self.is_populated() {
            events.read_with(|events| Ok(events.read_events()?)).await?;
        }
        Ok(())
    }

    /// Removes the group and those below it. One that is not empty stays.
    pub fn remove(&self) {
        for path in children(&self.path) {
            Self { path }.remove();
        }
        // Fails while it is not empty, and when the owner of the session was faster.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Whether root alone makes groups in it and moves processes there: delegating gives away the
/// folder or its files (cgroups(7), "Cgroups v2 delegation"). The module goes by the same.
fn is_roots(path: &Path) -> bool {
    [path, &path.join("cgroup.procs")].iter().all(|path| {
        fs::symlink_metadata(path).is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0)
    })
}

/// The groups right below. None when the folder is gone, as it may be at any time.
fn children(path: &Path) -> Vec<PathBuf> {
    let Ok(device) = fs::symlink_metadata(path).map(|metadata| metadata.dev()) else {
        return Vec::new();
    };
    fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|metadata| metadata.dev() == device)
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::paths::Paths;
    use std::process::{Child, Command};

    /// A group of this test in the real tree, where the test may make one.
    struct Real(Cgroup);

    impl Real {
        fn new(name: &str) -> Option<Self> {
            let own = format!("tpa-test-{}-{name}", std::process::id());
            let path = Paths::default().cgroup.join(own);
            fs::create_dir(&path).ok()?;
            path.join("cgroup.kill")
                .exists()
                .then_some(Self(Cgroup { path }))
        }

        fn run(&self, below: &str) -> Child {
            let path = self.0.path.join(below);
            fs::create_dir_all(&path).unwrap();
            let child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
            fs::write(path.join("cgroup.procs"), child.id().to_string()).unwrap();
            child
        }
    }

    impl Drop for Real {
        fn drop(&mut self) {
            let _ = self.0.kill();
            self.0.remove();
        }
    }

    #[test]
    fn everything_in_a_group_and_below_ends_and_the_end_is_seen() {
        let Some(real) = Real::new("kill") else {
            return;
        };
        let mut children = [real.run("tpa-7H2KM4QX"), real.run("other/tpa-7H2KM4QX")];
        assert_eq!(real.0.pids().len(), 2);
        assert_eq!(Cgroup::find(&real.0.path, "tpa-7H2KM4QX").len(), 2);
        assert!(real.0.is_populated());
        let runtime = SharedRuntime::new().unwrap();
        real.0.kill().unwrap();
        runtime.block_on(real.0.emptied(&runtime)).unwrap();
        assert!(real.0.pids().is_empty());
        for child in &mut children {
            assert!(!child.wait().unwrap().success());
        }
        real.0.remove();
        assert!(!real.0.path.exists());
    }

    #[test]
    fn what_is_delegated_to_a_person_is_not_entered() {
        let root = nix::unistd::geteuid().is_root();
        let dir = tempfile::tempdir().unwrap();
        let group = |below: &str| {
            let path = dir.path().join(below);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("cgroup.procs"), "").unwrap();
            path
        };
        for own in ["slice", "slice/user", "slice/files"] {
            group(own);
            group(&format!("{own}/tpa-7H2KM4QX"));
        }
        let found = || Cgroup::find(dir.path(), "tpa-7H2KM4QX").len();
        assert_eq!(found(), if root { 3 } else { 0 });
        if root {
            use std::os::unix::fs::chown;
            chown(dir.path().join("slice/user"), Some(1001), None).unwrap();
            assert_eq!(found(), 2);
            chown(
                dir.path().join("slice/files/cgroup.procs"),
                Some(1001),
                None,
            )
            .unwrap();
            assert_eq!(found(), 1);
        }
    }

    #[test]
    fn a_group_that_is_removed_as_soon_as_it_is_empty_is_seen_to_be() {
        let runtime = SharedRuntime::new().unwrap();
        for round in 0..20 {
            let Some(real) = Real::new(&format!("removed-{round}")) else {
                return;
            };
            let mut child = real.run("");
            let path = real.0.path.clone();
            // As systemd does: it waits for the process, and removes the group.
            let owner = std::thread::spawn(move || {
                child.wait().unwrap();
                while fs::remove_dir(&path).is_err() {}
            });
            real.0.kill().unwrap();
            let emptied = real.0.emptied(&runtime);
            let limit = std::time::Duration::from_secs(10);
            runtime
                .block_on(async { runtime.timeout(limit, emptied).await })
                .unwrap()
                .unwrap();
            owner.join().unwrap();
        }
    }

    #[test]
    fn a_group_that_is_gone_is_empty() {
        let gone = Cgroup {
            path: "/nowhere".into(),
        };
        assert!(gone.pids().is_empty() && !gone.is_populated());
        let runtime = SharedRuntime::new().unwrap();
        runtime.block_on(gone.emptied(&runtime)).unwrap();
        assert!(gone.kill().is_err());
        assert_eq!(Cgroup::at(Path::new("/nowhere"), "x"), None);
    }
}
