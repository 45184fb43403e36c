//! Whether the host has room for what a grant needs. Asked before anything is recorded: a grant
//! whose rule and state file cannot be written would look alive and give nothing, and the reaper
//! would not know it.

use crate::host::folder::Folder;
use crate::host::paths::Paths;

/// Many times what a grant takes of `/run`, in bytes: its rule, twice while it is tried together
/// with all others, its state and prompt files, and PID 1's units for its timer.
const ROOM: usize = 64 * 1_024;

/// Writes so much, and takes it away again.
///
/// # Errors
/// When it cannot be written.
pub fn for_a_grant(paths: &Paths) -> anyhow::Result<()> {
    let folder = Folder::create(&paths.run, 0o700)?;
    folder.stage("room", &" ".repeat(ROOM), 0o600).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_room_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        for_a_grant(&paths).unwrap();
        assert_eq!(std::fs::read_dir(&paths.run).unwrap().count(), 0);
    }

    #[test]
    fn where_nothing_can_be_written_there_is_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        std::fs::write(&paths.run, "not a folder").unwrap();
        assert!(for_a_grant(&paths).is_err());
    }
}
