//! `/var/lib/tpa/ends.owed`: ends that the database did not take, where they outlive a power cut.
//!
//! A database that is full takes nothing, and a file that would have to grow neither. So this one has
//! its whole length from the beginning: what is written into it takes no room that is not there. It is
//! used only while the database takes nothing, and holds line feeds otherwise.
//!
//! ```text
//! end DATABASE {"at":…,"event":{"closed":…}}
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tpa_bus::id::Id;

use crate::host::folder::{Folder, Found};
use crate::ledger::{End, Envelope, Event};

/// Its name, beside the database. Whoever watches that folder for the gate file goes by no name with a
/// dot.
pub const NAME: &str = "ends.owed";

/// Permission bits.
const MODE: u32 = 0o600;

/// How long it is, in bytes: room for some six hundred ends.
const LENGTH: u64 = 256 * 1_024;

/// The file.
#[derive(Debug)]
pub struct OwedFile {
    folder: PathBuf,
    /// Name of the database that lacks what stands in it.
    database: String,
    /// What stood in it.
    found: BTreeMap<Id, End>,
    /// How many bytes of it are in use.
    used: u64,
    /// It is there and has its length.
    is_made: bool,
}

impl OwedFile {
    /// What stands in the file in this folder for this database, and what is wrong with it.
    #[must_use]
    pub fn read(folder: &Path, database: &str) -> (Self, Option<String>) {
        let mut file = Self {
            folder: folder.to_owned(),
            database: database.to_owned(),
            found: BTreeMap::new(),
            used: 0,
            is_made: false,
        };
        let found = Folder::open(folder).and_then(|folder| Ok(folder.read(NAME)?));
        let problem = match found {
            Ok(None) => None,
            Ok(Some(Found::File { text, mode: MODE })) => file.take_in(&text),
            Ok(Some(_)) => Some("it is not a file of root's alone".to_owned()),
            Err(error) => Some(format!("{error:#}")),
        };
        (file, problem)
    }

    /// Takes in what it says; what of it cannot be understood.
    fn take_in(&mut self, text: &str) -> Option<String> {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.is_made = length == LENGTH;
        self.used = u64::try_from(text.trim_end().len()).unwrap_or(LENGTH);
        let lines = text.lines().filter(|line| !line.is_empty());
        let (mut ends, mut bad) = (BTreeMap::new(), 0_u32);
        for line in lines {
            match end_in(line) {
                // Of a database that was here before.
                Some((database, _, _)) if database != self.database => {}
                Some((_, id, end)) => drop(ends.insert(id, end)),
                None => bad = bad.saturating_add(1),
            }
        }
        self.found = ends;
        (bad > 0).then(|| format!("{bad} of its lines cannot be read"))
    }

    /// What stood in it when it was read.
    #[must_use]
    pub fn found(&self) -> &BTreeMap<Id, End> {
        &self.found
    }

    /// Keeps ends that the database did not take. When this returns, they are on the disk.
    ///
    /// # Errors
    /// When they are not.
    pub fn keep(&mut self, ends: &BTreeMap<Id, End>) -> anyhow::Result<()> {
        let mut lines = String::new();
        for end in ends.values() {
            let envelope = serde_json::to_string(&end.envelope).context("tell of an end")?;
            writeln!(lines, "end {} {envelope}", self.database)?;
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.put(&lines)
            .with_context(|| format!("write {}", self.folder.join(NAME).display()))
    }

    fn put(&mut self, lines: &str) -> anyhow::Result<()> {
        ensure!(self.is_made, "there was no room for it beforehand");
        // A line that a power cut broke off ends before the next one begins.
        let text = format!("\n{lines}");
        let length = u64::try_from(text.len())?;
        let end = self.used.saturating_add(length);
        ensure!(end <= LENGTH, "it is full");
        let folder = Folder::open(&self.folder)?;
        folder.overwrite(NAME, MODE, LENGTH, (self.used, &text))?;
        self.used = end;
        Ok(())
    }

    /// The database has everything: nothing is owed. Makes the file where it is not there.
    ///
    /// # Errors
    /// When the file is not as it should be then. What still stands in it does no harm.
    pub fn clear(&mut self) -> anyhow::Result<()> {
        self.found.clear();
        if self.is_made && self.used == 0 {
            return Ok(());
        }
        let folder = Folder::open(&self.folder)?;
        if self.is_made {
            let blank = "\n".repeat(usize::try_from(self.used)?);
            folder.overwrite(NAME, MODE, LENGTH, (0, &blank))?;
        } else {
            folder.write(NAME, &"\n".repeat(usize::try_from(LENGTH)?), MODE)?;
            self.is_made = true;
        }
        self.used = 0;
        Ok(())
    }
}

fn end_in(line: &str) -> Option<(&str, Id, End)> {
    let (database, envelope) = line.strip_prefix("end ")?.split_once(' ')?;
    let envelope: Envelope = serde_json::from_str(envelope).ok()?;
    let Event::Closed { id, .. } = &envelope.event else {
        return None;
    };
    // By the clock of a boot that may be over.
    let over_ms = 0;
    Some((database, *id, End { envelope, over_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Closed, Person};

    fn end(n: u8) -> BTreeMap<Id, End> {
        let id = Id::from_random([0, 0, 0, 0, n]);
        let event = Event::Closed {
            id,
            how: Closed::Revoked,
            why: Some("a \"reason\"\nof two lines".to_owned()),
        };
        let envelope = Envelope {
            at: 1_000_000,
            actor: Some(Person::root()),
            actor_uid: Some(0),
            actor_login: None,
            proof: None,
            event,
        };
        let over_ms = 0;
        BTreeMap::from([(id, End { envelope, over_ms })])
    }

    fn made(folder: &Path) -> OwedFile {
        let (mut file, problem) = OwedFile::read(folder, "d0");
        assert_eq!(problem, None);
        file.clear().unwrap();
        file
    }

    fn read(folder: &Path, database: &str) -> (BTreeMap<Id, End>, Option<String>) {
        let (file, problem) = OwedFile::read(folder, database);
        (file.found().clone(), problem)
    }

    #[test]
    fn what_was_kept_is_there_until_the_database_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = made(dir.path());
        assert!(read(dir.path(), "d0").0.is_empty());
        file.keep(&end(1)).unwrap();
        file.keep(&end(2)).unwrap();
        let both: BTreeMap<_, _> = end(1).into_iter().chain(end(2)).collect();
        assert_eq!(read(dir.path(), "d0"), (both, None));
        let (mut next, _) = OwedFile::read(dir.path(), "d0");
        next.keep(&end(3)).unwrap();
        assert_eq!(read(dir.path(), "d0").0.len(), 3);
        assert!(read(dir.path(), "another").0.is_empty());
        next.clear().unwrap();
        assert!(read(dir.path(), "d0").0.is_empty());
    }

    #[test]
    fn it_never_grows_and_what_finds_no_room_in_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = made(dir.path());
        let kept = (0..2_000).take_while(|_| file.keep(&end(1)).is_ok());
        assert!(kept.count() > 500);
        let length = std::fs::metadata(dir.path().join(NAME)).unwrap().len();
        assert_eq!(length, LENGTH);
        file.clear().unwrap();
        file.keep(&end(1)).unwrap();
    }

    #[test]
    fn a_line_that_a_power_cut_broke_off_costs_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = made(dir.path());
        file.keep(&end(1)).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let part = (file.used, "\nend d0 {\"at\":1");
        folder.overwrite(NAME, MODE, LENGTH, part).unwrap();
        let (mut file, problem) = OwedFile::read(dir.path(), "d0");
        assert_eq!(problem.as_deref(), Some("1 of its lines cannot be read"));
        file.keep(&end(2)).unwrap();
        assert_eq!(read(dir.path(), "d0").0.len(), 2);
    }

    #[test]
    fn without_the_file_nothing_is_kept_and_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (mut never, _) = OwedFile::read(dir.path(), "d0");
        assert!(never.keep(&end(1)).is_err());
        let mut file = made(dir.path());
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        assert!(file.keep(&end(1)).is_err());
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join(NAME)).unwrap();
        assert!(file.keep(&end(1)).is_err());
        assert!(OwedFile::read(dir.path(), "d0").1.is_some());
    }
}
