//! Whether somebody else wrote to the files of the database, or put others in their place.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// How the database and its log of what is not in it yet (`-wal`) were left: which files they are,
/// how long, and when they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp([Option<[i128; 5]>; 2]);

impl Stamp {
    /// Looks at them: two system calls.
    pub fn of(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self([look(database), look(Path::new(&log))])
    }
}

fn look(path: &Path) -> Option<[i128; 5]> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some([
        found.dev().into(),
        found.ino().into(),
        found.size().into(),
        found.mtime().into(),
        found.mtime_nsec().into(),
    ])
}
