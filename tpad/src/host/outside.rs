//! What can be seen from outside of what others may change, in a number of system calls that does
//! not depend on how many files there are: which sudo it is, and which folders.
//!
//! inotify(7) tells of what is changed in a folder, not of another one put in its place, and not of
//! another sudo.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::host::paths::Paths;

/// Compares equal for as long as nobody changed which files these are, nor what the folders list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside([Option<Stamp>; 5]);

/// Device, number, mode, owner and time of change of a file.
type Stamp = (u64, u64, u32, u32, i64, i64);

impl Outside {
    /// Looks.
    #[must_use]
    pub fn of(paths: &Paths) -> Self {
        Self([
            stamp(&paths.sudo),
            stamp(&paths.visudo),
            stamp(&paths.sudoers),
            stamp(&paths.state),
            stamp(&paths.prompt),
        ])
    }
}

/// Of the file behind links: the alternatives of Debian are two of them.
fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.mode(),
        found.uid(),
        found.ctime(),
        found.ctime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sudo_another_folder_and_another_file_in_a_folder_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Paths::below(dir.path());
        paths.sudo = dir.path().join("sudo");
        std::fs::create_dir_all(&paths.sudoers).unwrap();
        std::os::unix::fs::symlink("/bin/true", &paths.sudo).unwrap();
        let mut before = Outside::of(&paths);
        assert_eq!(before, Outside::of(&paths));
        let mut is_seen = |what: &str, paths: &Paths| {
            let after = Outside::of(paths);
            assert_ne!(before, after, "{what}");
            before = after;
        };
        std::fs::remove_file(&paths.sudo).unwrap();
        std::os::unix::fs::symlink("/bin/sleep", &paths.sudo).unwrap();
        is_seen("sudo", &paths);
        std::fs::write(paths.sudoers.join("7H2KM4QX"), "").unwrap();
        is_seen("a file", &paths);
        std::fs::rename(&paths.sudoers, dir.path().join("away")).unwrap();
        is_seen("no folder", &paths);
        std::fs::create_dir(&paths.sudoers).unwrap();
        is_seen("another folder", &paths);
    }
}
