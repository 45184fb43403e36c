//! `/run/tpa/boot-record`: what this boot has seen of the trail ([`crate::ledger::BootRecord`]).
//! It is root's alone, outlives tpad, and goes with the boot.
//!
//! Lines are added, one write each, so that an event costs the same however many ended before it:
//!
//! ```text
//! tpa boot record 1 BOOT-ID
//! newest DATABASE SEQ HASH
//! end OVER-MS {"at":…,"event":{"closed":…}}
//! alarm AT TEXT
//! ```
//!
//! The last `newest` counts. The file is written anew, whole, when it has grown to twice what it
//! needs, and when it is not as it was left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use tpa_bus::id::Id;

use crate::host::folder::{Folder, Found};
use crate::ledger::{BootRecord, End, Envelope, Event, Newest};

/// Its name in `/run/tpa`.
pub const NAME: &str = "boot-record";

/// Permission bits.
const MODE: u32 = 0o600;

/// The first words of the file.
const TITLE: &str = "tpa boot record 1";

/// Longest file that is read, in bytes: many times what ten thousand ends take.
const MAX_READ: u64 = 64 << 20;

/// So many lines more than it needs, and the file is written anew.
const SPARE_LINES: usize = 256;

/// So many bytes are kept free for the file, so that some hundred ends find room in it when `/run`
/// is full.
const RESERVED: u64 = 64 * 1_024;

/// The file, and what it says.
#[derive(Debug)]
pub struct BootFile {
    run: PathBuf,
    boot_id: String,
    record: BootRecord,
    /// What was wrong with the database in this boot: when, in seconds since 1970, and what.
    alarms: Vec<(i64, String)>,
    /// Ends that may not be in the database yet. The others are of use until the grant would be
    /// over by itself.
    unrecorded: BTreeSet<Id>,
    /// How long the file was left, in bytes; none when it has to be written whole.
    length: Option<u64>,
    /// Lines added since it was written whole.
    added: usize,
}

impl BootFile {
    /// What the tpad before this one kept in this boot, and what of it cannot be read.
    #[must_use]
    pub fn read(run: PathBuf, boot_id: &str) -> (Self, Option<String>) {
        let mut file = Self {
            run,
            boot_id: boot_id.to_owned(),
            record: BootRecord::default(),
            alarms: Vec::new(),
            unrecorded: BTreeSet::new(),
            length: None,
            added: 0,
        };
        if !file.run.exists() {
            return (file, None);
        }
        let found =
            Folder::open(&file.run).and_then(|folder| Ok(folder.read_up_to(NAME, MAX_READ)?));
        let problem = match found {
            Ok(None) => None,
            Ok(Some(Found::File { text, mode: MODE })) => file.take_in(&text),
            Ok(Some(_)) => Some("it is not a file of root's alone".to_owned()),
            Err(error) => Some(format!("{error:#}")),
        };
        (file, problem)
    }

    /// Takes in what a file says; what of it cannot be understood.
    fn take_in(&mut self, text: &str) -> Option<String> {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default();
        let Some(boot_id) = title.strip_prefix(TITLE) else {
            return Some("it is of another version of tpad".to_owned());
        };
        if boot_id.trim() != self.boot_id {
            // Left over where `/run` outlives the boot.
            return None;
        }
        let bad = lines.filter(|line| self.take_in_line(line).is_none());
        let bad = bad.count();
        (bad > 0).then(|| format!("{bad} of its lines cannot be read"))
    }

    fn take_in_line(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        match kind {
            "newest" => {
                let mut words = rest.split(' ');
                self.record.newest = Some(Newest {
                    database: words.next()?.to_owned(),
                    seq: words.next()?.parse().ok()?,
                    hash: words.next()?.to_owned(),
                });
            }
            "end" => {
                let (over_ms, envelope) = rest.split_once(' ')?;
                let envelope: Envelope = serde_json::from_str(envelope).ok()?;
                let Event::Closed { id, .. } = &envelope.event else {
                    return None;
                };
                let over_ms = over_ms.parse().ok()?;
                self.record.ends.insert(*id, End { envelope, over_ms });
            }
            "alarm" => {
                let (at, what) = rest.split_once(' ')?;
                self.alarms.push((at.parse().ok()?, what.to_owned()));
            }
            _ => return None,
        }
        Some(())
    }

    /// What is kept.
    #[must_use]
    pub fn record(&self) -> &BootRecord {
        &self.record
    }

    /// Keeps ends that may not be in the database yet, and those before them for which there was no
    /// room.
    ///
    /// # Errors
    /// When they stand nowhere but in memory.
    pub fn remember(&mut self, ends: BTreeMap<Id, End>) -> anyhow::Result<()> {
        let is_behind = self.length.is_none() && !self.unrecorded.is_empty();
        if ends.is_empty() && !is_behind {
            return Ok(());
        }
        let lines = ends
            .values()
            .map(end_line)
            .collect::<anyhow::Result<String>>();
        self.unrecorded.extend(ends.keys());
        self.record.ends.extend(ends);
        self.put(&lines?)
    }

    /// The database has everything up to this event, and all ends that are kept. `now_ms` is the
    /// time by `CLOCK_BOOTTIME`, in milliseconds.
    ///
    /// # Errors
    /// When that could not be written down: the next time it is tried again.
    pub fn recorded(&mut self, newest: Newest, now_ms: u64) -> anyhow::Result<()> {
        let line = newest_line(&newest);
        self.record.newest = Some(newest);
        self.unrecorded.clear();
        if !self.is_short() {
            self.record.ends.retain(|_, end| end.over_ms > now_ms);
        }
        self.put(&line)
    }

    /// Keeps what was wrong with the database for whoever looks after the host.
    pub fn alarm(&mut self, at: i64, what: &str) {
        self.alarms.push((at, tpa_bus::text::one_line(what, 1_000)));
        self.length = None;
    }

    /// Whether it has few lines that it does not need.
    fn is_short(&self) -> bool {
        self.added < self.record.ends.len().saturating_add(SPARE_LINES)
    }

    /// Adds lines of what is in memory by now.
    fn put(&mut self, lines: &str) -> anyhow::Result<()> {
        let put = Folder::create(&self.run, 0o700).and_then(|folder| self.put_into(&folder, lines));
        if put.is_err() {
            self.length = None;
        }
        put.with_context(|| format!("write {}", self.run.join(NAME).display()))
    }

    fn put_into(&mut self, folder: &Folder, lines: &str) -> anyhow::Result<()> {
        let short = self.is_short();
        if short && self.append(folder, lines) {
            return Ok(());
        }
        let text = self.whole()?;
        if let Err(error) = folder.write(NAME, &text, MODE) {
            // It may only be longer than it has to be, with no room for a second one.
            let added = !short && self.append(folder, lines);
            return if added { Ok(()) } else { Err(error) };
        }
        self.length = u64::try_from(text.len()).ok();
        self.added = 0;
        if let Err(error) = folder.reserve(NAME, RESERVED) {
            tracing::debug!("no room is kept for {NAME}: {error}");
        }
        Ok(())
    }

    fn append(&mut self, folder: &Folder, lines: &str) -> bool {
        let Some(length) = self.length else {
            return false;
        };
        let appended = folder.append(NAME, lines, MODE, length);
        if let Err(error) = &appended {
            tracing::debug!("cannot add to {NAME}: {error}");
            return false;
        }
        let more = u64::try_from(lines.len()).unwrap_or(0);
        self.length = Some(length.saturating_add(more));
        self.added = self.added.saturating_add(lines.lines().count());
        true
    }

    fn whole(&self) -> anyhow::Result<String> {
        let mut text = format!("{TITLE} {}\n", self.boot_id);
        if let Some(newest) = &self.record.newest {
            text += &newest_line(newest);
        }
        for end in self.record.ends.values() {
            text += &end_line(end)?;
        }
        for (at, what) in &self.alarms {
            let _ = writeln!(text, "alarm {at} {what}");
        }
        Ok(text)
    }
}

fn newest_line(newest: &Newest) -> String {
    format!(
        "newest {} {} {}\n",
        newest.database, newest.seq, newest.hash
    )
}

/// JSON has no line feed in it.
fn end_line(end: &End) -> anyhow::Result<String> {
    let envelope = serde_json::to_string(&end.envelope).context("tell of an end")?;
    Ok(format!("end {} {envelope}\n", end.over_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Closed, Person};

    const BOOT: &str = "0b9f";

    struct Rig {
        dir: tempfile::TempDir,
    }

    impl Rig {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn run(&self) -> PathBuf {
            self.dir.path().join("tpa")
        }

        fn read(&self, boot_id: &str) -> (BootFile, Option<String>) {
            BootFile::read(self.run(), boot_id)
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.run().join(NAME)).unwrap()
        }
    }

    fn end(n: u8, over_ms: u64) -> BTreeMap<Id, End> {
        let id = Id::from_random([0, 0, 0, 0, n]);
        let envelope = Envelope {
            at: 1_000_000,
            actor: Some(Person::root()),
            actor_uid: Some(0),
            actor_login: None,
            proof: None,
            event: Event::Closed {
                id,
                how: Closed::Revoked,
                why: Some("a \"reason\"\nof two lines".to_owned()),
            },
        };
        BTreeMap::from([(id, End { envelope, over_ms })])
    }

    fn newest(seq: u64) -> Newest {
        Newest {
            database: "d0".to_owned(),
            seq,
            hash: "ab".to_owned(),
        }
    }

    #[test]
    fn it_is_where_doctor_looks_for_it() {
        let path = std::path::Path::new(tpa_bus::names::RUN_DIR).join(NAME);
        assert_eq!(path.to_str(), Some(tpa_bus::names::BOOT_RECORD));
    }

    #[test]
    fn what_was_kept_is_there_for_the_next_tpad_of_this_boot_and_for_no_other() {
        let rig = Rig::new();
        let (mut file, problem) = rig.read(BOOT);
        assert_eq!((file.record(), problem), (&BootRecord::default(), None));
        file.recorded(newest(3), 0).unwrap();
        file.remember(end(1, 500)).unwrap();
        file.recorded(newest(4), 0).unwrap();
        file.remember(end(2, 600)).unwrap();
        let (read, problem) = rig.read(BOOT);
        assert_eq!(problem, None);
        assert_eq!(read.record(), file.record());
        assert_eq!(read.record().newest, Some(newest(4)));
        assert_eq!(read.record().ends.len(), 2);
        assert_eq!(rig.read("another").0.record(), &BootRecord::default());
    }

    #[test]
    fn an_end_that_the_database_has_goes_when_its_grant_would_be_over_and_no_other() {
        let rig = Rig::new();
        let (mut file, _) = rig.read(BOOT);
        let pass = |file: &mut BootFile, now_ms| {
            for seq in 0..1_000 {
                file.recorded(newest(seq), now_ms).unwrap();
            }
            file.record().ends.len()
        };
        file.remember(end(1, 500)).unwrap();
        assert_eq!(pass(&mut file, 499), 1);
        for n in 0..200 {
            file.remember(end(n, 500)).unwrap();
            file.remember(end(n, 500)).unwrap();
        }
        assert_eq!(file.record().ends.len(), 200, "the database lacks them");
        assert_eq!(pass(&mut file, 499), 200);
        assert_eq!(pass(&mut file, 500), 0);
    }

    #[test]
    fn however_many_events_there_are_the_file_stays_short() {
        let rig = Rig::new();
        let (mut file, _) = rig.read(BOOT);
        for seq in 0..2_000 {
            file.recorded(newest(seq), 0).unwrap();
            assert!(rig.text().lines().count() <= SPARE_LINES + 2);
        }
        assert_eq!(rig.read(BOOT).0.record().newest, Some(newest(1_999)));
    }

    #[test]
    fn a_file_that_is_gone_or_was_changed_meanwhile_is_written_anew() {
        let rig = Rig::new();
        let (mut file, _) = rig.read(BOOT);
        file.remember(end(1, 500)).unwrap();
        std::fs::remove_file(rig.run().join(NAME)).unwrap();
        file.remember(end(2, 500)).unwrap();
        assert_eq!(rig.read(BOOT).0.record().ends.len(), 2);
        std::fs::write(rig.run().join(NAME), "nonsense").unwrap();
        file.recorded(newest(9), 0).unwrap();
        assert_eq!(rig.read(BOOT).0.record(), file.record());
    }

    #[test]
    fn what_makes_no_sense_is_told_and_the_rest_counts() {
        let rig = Rig::new();
        let (mut file, _) = rig.read(BOOT);
        file.remember(end(1, 500)).unwrap();
        let good = rig.text();
        let folder = Folder::open(&rig.run()).unwrap();
        for bad in [
            "end 5 {}\n",
            "newest d0\n",
            "\n",
            "word\n",
            "end 7 {\"at\":1",
        ] {
            folder.write(NAME, &format!("{good}{bad}"), MODE).unwrap();
            let (file, problem) = rig.read(BOOT);
            assert_eq!(problem.as_deref(), Some("1 of its lines cannot be read"));
            assert_eq!(file.record().ends.len(), 1);
        }
        folder
            .write(NAME, "tpa boot record 2 0b9f\n", MODE)
            .unwrap();
        assert!(rig.read(BOOT).1.unwrap().contains("another version"));
        folder.write(NAME, &good, 0o644).unwrap();
        assert!(rig.read(BOOT).1.unwrap().contains("root's alone"));
        std::fs::remove_file(rig.run().join(NAME)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", rig.run().join(NAME)).unwrap();
        assert!(rig.read(BOOT).1.is_some());
    }

    #[test]
    fn an_alarm_stands_there_for_the_rest_of_the_boot() {
        let rig = Rig::new();
        let (mut file, _) = rig.read(BOOT);
        file.recorded(newest(1), 0).unwrap();
        file.alarm(1_000_000, "an older copy\nwas put back");
        file.recorded(newest(2), 0).unwrap();
        let line = "\nalarm 1000000 an older copy";
        assert!(rig.text().contains(line), "{}", rig.text());
        let (mut next, problem) = rig.read(BOOT);
        assert_eq!(problem, None);
        next.recorded(newest(3), 0).unwrap();
        assert!(rig.text().contains(line));
    }

    #[test]
    fn where_nothing_can_be_written_that_is_told_and_nothing_is_forgotten() {
        let rig = Rig::new();
        std::fs::write(rig.run(), "not a folder").unwrap();
        let (mut file, _) = rig.read(BOOT);
        assert!(file.remember(end(1, 500)).is_err());
        std::fs::remove_file(rig.run()).unwrap();
        file.recorded(newest(1), 0).unwrap();
        assert_eq!(rig.read(BOOT).0.record().ends.len(), 1);
    }
}
