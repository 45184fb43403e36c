//! Control groups, cgroups(7) version 2: where a process stands, and ending all of a group at once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// One group with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The group of this folder, when it is there.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let path = path.to_owned();
        path.is_dir().then_some(Self { path })
    }

    /// All groups of these names in the part of the tree that root alone may change. What is
    /// delegated to a person is not entered: a name proves nothing there, and they can make as
    /// many folders as they like, to keep whoever looks into each of them busy.
    #[must_use]
    pub fn find(root: &Path, names: &BTreeSet<String>) -> Vec<Self> {
        let mut found = Vec::new();
        for path in children(root).into_iter().filter(|path| is_roots(path)) {
            let own = path.file_name().and_then(OsStr::to_str);
            if own.is_some_and(|own| names.contains(own)) {
                found.push(Self { path });
            } else {
                found.extend(Self::find(&path, names));
            }
        }
        found
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

    /// Removes the group and those below it. One that is not empty stays.
    pub fn remove(&self) {
        for path in children(&self.path) {
            Self { path }.remove();
        }
        // Fails while it is not empty, and when the owner of the session was faster.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Puts a process into the group of this name below where it stands, as far as root alone changes that
/// part of the tree: there an end finds it, and all that it starts from then on. Nothing happens where
/// it stands in one of that name. The module does the same with itself.
///
/// # Errors
/// When it does not stand there afterwards.
pub fn enter(root: &Path, proc: &Path, pid: u32, name: &str) -> io::Result<()> {
    let pid = pid.to_string();
    let stands = || path_of(proc, &pid).ok_or_else(|| io::Error::other("it stands nowhere"));
    let folder = roots_part(root, &stands()?);
    let is_in = |path: &Path| path.iter().any(|part| part == OsStr::new(name));
    if folder.strip_prefix(root).is_ok_and(is_in) {
        return Ok(());
    }
    let group = folder.join(name);
    match fs::create_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_roots(&group) {
        return Err(io::Error::other("its group is not root's alone"));
    }
    let mut processes = fs::OpenOptions::new()
        .write(true)
        .open(group.join("cgroup.procs"))?;
    io::Write::write_all(&mut processes, pid.as_bytes())?;
    if root.join(stands()?) == group {
        Ok(())
    } else {
        Err(io::Error::other("it does not stay in its group"))
    }
}

/// Whose slice it is, by its name: `user-1001.slice` (user@.service(5)).
#[must_use]
pub fn uid_of_slice(slice: &str) -> Option<u32> {
    let uid = slice.strip_prefix("user-")?.strip_suffix(".slice")?;
    uid.parse().ok()
}

/// The path of a process's group below the root of the version 2 tree. `None` when the process is
/// gone, or stands outside of the tree that is seen from here.
#[must_use]
pub fn path_of(proc: &Path, pid: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(proc.join(pid).join("cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let outside = path.split('/').any(|part| part == "..");
    (!outside).then(|| path.into())
}

/// The longest beginning of a path below `root` in which root alone makes groups and moves
/// processes, as a folder.
#[must_use]
pub fn roots_part(root: &Path, path: &Path) -> PathBuf {
    let mut folder = root.to_owned();
    for part in path {
        let next = folder.join(part);
        if !is_roots(&next) {
            break;
        }
        folder = next;
    }
    folder
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
    fn everything_in_a_group_and_below_ends_and_nothing_keeps_the_group() {
        let Some(real) = Real::new("kill") else {
            return;
        };
        let mut children = [real.run("tpa-7H2KM4QX"), real.run("other/tpa-7H2KM4QX")];
        let name = BTreeSet::from(["tpa-7H2KM4QX".to_owned()]);
        assert_eq!(Cgroup::find(&real.0.path, &name).len(), 2);
        real.0.kill().unwrap();
        for child in &mut children {
            assert!(!child.wait().unwrap().success());
        }
        real.0.remove();
        assert!(!real.0.path.exists());
    }

    #[test]
    fn a_process_is_put_into_a_group_below_its_own_once() {
        let Some(real) = Real::new("enter") else {
            return;
        };
        let mut child = real.run("session");
        let root = Paths::default().cgroup;
        for _ in 0..2 {
            enter(&root, Path::new("/proc"), child.id(), "tpa-7H2KM4QX").unwrap();
            let stands = path_of(Path::new("/proc"), &child.id().to_string()).unwrap();
            assert_eq!(root.join(stands), real.0.path.join("session/tpa-7H2KM4QX"));
        }
        real.0.kill().unwrap();
        child.wait().unwrap();
        let gone = enter(&root, Path::new("/proc"), child.id(), "tpa-7H2KM4QX");
        assert!(gone.is_err());
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
        let name = BTreeSet::from(["tpa-7H2KM4QX".to_owned()]);
        let found = || Cgroup::find(dir.path(), &name).len();
        let part = |path: &str| roots_part(dir.path(), Path::new(path));
        assert_eq!(found(), if root { 3 } else { 0 });
        if root {
            use std::os::unix::fs::chown;
            let theirs = "slice/user/tpa-7H2KM4QX";
            assert_eq!(part(theirs), dir.path().join(theirs));
            chown(dir.path().join("slice/user"), Some(1001), None).unwrap();
            assert_eq!(found(), 2);
            assert_eq!(part(theirs), dir.path().join("slice"));
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
    fn a_group_that_is_gone_cannot_be_killed() {
        let gone = Cgroup {
            path: "/nowhere".into(),
        };
        assert!(gone.kill().is_err());
        assert_eq!(Cgroup::at(Path::new("/nowhere/x")), None);
    }

    #[test]
    fn where_a_process_stands_is_told_but_for_what_is_outside() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        let told = |text: &str| {
            fs::write(dir.path().join("7/cgroup"), text).unwrap();
            path_of(dir.path(), "7")
        };
        let both = "1:cpu:/x\n0::/user.slice/session-3.scope\n";
        assert_eq!(told(both), Some("user.slice/session-3.scope".into()));
        assert_eq!(told("0::/a (deleted)\n"), Some("a".into()));
        assert_eq!(told("0::/../../a\n"), None);
        assert_eq!(told("1:cpu:/x\n"), None);
        assert_eq!(path_of(dir.path(), "8"), None);
    }
}
