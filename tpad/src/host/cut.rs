//! The mark that `tpad reap --all` leaves: everything granted up to now was cut off.
//!
//! The reaper ends access without the database, which goes on to say that grants live. A `tpad` that
//! runs, hangs or comes back later goes by the mark before anything else, or it would give them all
//! again. The mark is an empty file: that fits on a disk that is full.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use tpa_bus::names;

use crate::host::folder::Folder;

/// Its name, beside the database and where this boot's files are.
const NAME: &str = "cut-off";

/// Where the mark is left: where it outlives a reboot, and where it can be written when the disk
/// cannot.
#[derive(Debug, Clone)]
pub struct Marks {
    lasting: PathBuf,
    folders: [PathBuf; 2],
}

impl Default for Marks {
    fn default() -> Self {
        Self::below(Path::new(names::GATE_DIR), Path::new(names::RUN_DIR))
    }
}

impl Marks {
    /// Marks in these two folders, the lasting one first.
    #[must_use]
    pub fn below(lasting: &Path, run: &Path) -> Self {
        Self {
            lasting: lasting.to_owned(),
            folders: [lasting.to_owned(), run.to_owned()],
        }
    }

    /// Leaves the mark, in every place that there is.
    ///
    /// # Errors
    /// When it would not outlive a reboot. Where there is no database, nothing can come back.
    pub fn leave(&self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for folder in self.folders.iter().filter(|folder| folder.is_dir()) {
            let left = Folder::open(folder).and_then(|folder| folder.write(NAME, "", 0o600));
            if let Err(error) = left
                && *folder == self.lasting
            {
                outcome = Err(error);
            }
        }
        outcome.context("leave the mark that makes tpad revoke what was ended")
    }

    /// When it was left, as `2026-11-24T04:17:50Z`; nothing when there is no mark.
    #[must_use]
    pub fn left_at(&self) -> Option<String> {
        let found = self.folders.iter().find_map(|folder| {
            let metadata = std::fs::symlink_metadata(folder.join(NAME)).ok()?;
            metadata.modified().ok()
        })?;
        Some(DateTime::<Utc>::from(found).to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// Takes it away: what it says is recorded.
    ///
    /// # Errors
    /// When it stays.
    pub fn clear(&self) -> anyhow::Result<()> {
        for folder in self.folders.iter().filter(|folder| folder.is_dir()) {
            Folder::open(folder)?.remove(NAME)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_there_until_it_is_cleared_and_in_either_place() {
        let dir = tempfile::tempdir().unwrap();
        let [lasting, run] = ["var", "run"].map(|name| dir.path().join(name));
        let marks = Marks::below(&lasting, &run);
        marks.leave().unwrap();
        assert_eq!(marks.left_at(), None, "there is no database");
        std::fs::create_dir(&lasting).unwrap();
        std::fs::create_dir(&run).unwrap();
        marks.leave().unwrap();
        assert!(marks.left_at().unwrap().ends_with('Z'));
        for place in [&lasting, &run] {
            marks.leave().unwrap();
            std::fs::remove_file(place.join(NAME)).unwrap();
            assert!(marks.left_at().is_some());
        }
        marks.clear().unwrap();
        assert_eq!(marks.left_at(), None);
        marks.clear().unwrap();
    }

    #[test]
    fn a_mark_that_would_not_outlive_a_reboot_is_left_all_the_same_and_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let [lasting, run] = ["var", "run"].map(|name| dir.path().join(name));
        // Something of the name that no file can take the place of.
        std::fs::create_dir_all(lasting.join(NAME).join("x")).unwrap();
        std::fs::create_dir(&run).unwrap();
        let marks = Marks::below(&lasting, &run);
        assert!(marks.leave().is_err());
        assert!(run.join(NAME).exists());
    }
}
