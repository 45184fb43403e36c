//! A folder whose files are derived: what is there, what should be there, the difference.
//!
//! The difference between files is all there is to know, so a crash needs no repair of its own.
//! What was last written is remembered only to tell our own changes from somebody else's, and kept
//! ([`Manifest`]) to tell them also from those made while there was no `tpad`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use tpa_bus::id::Id;

use crate::host::Report;
use crate::host::folder::{Folder, Found};
use crate::host::manifest::Manifest;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum At {
    /// Every file.
    Everything,
    /// What is to say something else than it was made to say, and these files, which somebody
    /// touched.
    Changed(BTreeSet<PathBuf>),
}

/// One step towards the folder as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// The file is missing, or says something else.
    Write {
        /// Its name.
        name: String,
        /// What it should say.
        text: String,
        /// Somebody else changed or removed it.
        drift: bool,
    },
    /// The file should not be there.
    Remove {
        /// Its name.
        name: String,
        /// We never wrote it.
        drift: bool,
    },
}

/// The files of one folder.
#[derive(Debug)]
pub struct ManagedDir {
    /// What the files are, for people: `rule`, `state file`.
    kind: &'static str,
    /// Permission bits of the files.
    mode: u32,
    /// Who may read a file of this name beside us.
    reader: fn(&str) -> Option<u32>,
    /// The grants that a file of this name and text was written for; none when we write no such
    /// file. At the first look it tells a remnant of ours from somebody's file.
    grants: fn(&str, &str) -> Vec<Id>,
    /// What we last made the files say, or found them saying as they should. `None` before the
    /// first look.
    written: Option<BTreeMap<String, String>>,
    /// What the `tpad` before this one made the files say.
    before: Manifest,
}

impl ManagedDir {
    /// Files of this kind, with this mode, which are written for these grants.
    #[must_use]
    pub fn new(kind: &'static str, mode: u32, grants: fn(&str, &str) -> Vec<Id>) -> Self {
        Self {
            kind,
            mode,
            reader: |_| None,
            grants,
            written: None,
            before: Manifest::default(),
        }
    }

    /// The same, each file with somebody who may read it, told by its name. Their mode is 0640.
    #[must_use]
    pub fn read_by(self, reader: fn(&str) -> Option<u32>) -> Self {
        Self { reader, ..self }
    }

    /// Such files, as the `tpad` before this one may have left them.
    #[must_use]
    pub fn after(self, before: &Manifest) -> Self {
        let before = before.clone();
        Self { before, ..self }
    }

    /// Tells what the files were made to say.
    pub fn tell(&self, manifest: &mut Manifest) {
        for (name, text) in self.written.iter().flatten() {
            manifest.add(self.kind, name, text);
        }
    }

    /// What must happen: removals first, since they end access. What is right, and at the
    /// first look what is there, is kept in mind. `known` are the grants that there were.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn diff(
        &mut self,
        folder: &Folder,
        desired: &BTreeMap<String, String>,
        known: &BTreeSet<Id>,
        at: &At,
    ) -> anyhow::Result<Vec<Change>> {
        let scope = self.scope(folder, desired, at);
        let names = match &scope {
            Some(scope) => scope.iter().cloned().collect(),
            None => folder
                .names()
                .with_context(|| format!("list {}", folder.path().display()))?,
        };
        let is_in = |name: &str| scope.as_ref().is_none_or(|scope| scope.contains(name));
        let mut present = BTreeMap::new();
        for name in names {
            // What cannot be read is as good as foreign.
            if let Some(found) = folder.read(&name).unwrap_or(Some(Found::Other)) {
                present.insert(name, found);
            }
        }
        let removals = present
            .iter()
            .filter(|(name, _)| !desired.contains_key(*name))
            .map(|(name, found)| Change::Remove {
                name: name.clone(),
                drift: !is_remnant(name) && !self.may_be_ours(name, found, known),
            });
        let writes = desired
            .iter()
            .filter(|(name, text)| is_in(name) && !self.is_right(present.get(*name), text))
            .map(|(name, text)| Change::Write {
                name: name.clone(),
                text: text.clone(),
                drift: match &self.written {
                    // What is gone when it was to change anyhow is what the reaper has ended.
                    Some(written) => written.get(name).is_some_and(|written| {
                        let found = present.get(name);
                        (found.is_some() || written == text) && !self.is_right(found, written)
                    }),
                    None => self.before.says(self.kind, name, text),
                },
            });
        let changes = removals.chain(writes).collect();
        let first = self.written.is_none();
        let written = self.written.get_or_insert_default();
        written.retain(|name, _| {
            !is_in(name) || desired.contains_key(name) || present.contains_key(name)
        });
        for (name, found) in present {
            if let (Some(right), Found::File { text, .. }) = (desired.get(&name), found)
                && (first || *right == text)
            {
                written.insert(name, text);
            }
        }
        Ok(changes)
    }

    /// The names of the files to look at; `None` for all. At the first look it is all of them.
    fn scope(
        &self,
        folder: &Folder,
        desired: &BTreeMap<String, String>,
        at: &At,
    ) -> Option<BTreeSet<String>> {
        let (At::Changed(touched), Some(written)) = (at, &self.written) else {
            return None;
        };
        let touched = touched
            .iter()
            .filter(|file| file.parent() == Some(folder.path()))
            .filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()));
        let anew = desired
            .iter()
            .filter(|(name, text)| written.get(*name) != Some(*text))
            .map(|(name, _)| name.clone());
        let over = written.keys().filter(|name| !desired.contains_key(*name));
        Some(touched.chain(anew).chain(over.cloned()).collect())
    }

    /// Makes the folder as it should be. Each file for itself: one failure leaves the others.
    pub fn apply(
        &mut self,
        folder: &Folder,
        desired: &BTreeMap<String, String>,
        known: &BTreeSet<Id>,
        at: &At,
    ) -> Vec<Report> {
        let changes = match self.diff(folder, desired, known, at) {
            Ok(changes) => changes,
            Err(error) => return vec![Report::failed(self.kind, &error)],
        };
        let mut reports = Vec::new();
        for change in changes {
            match change {
                Change::Remove { name, drift } => {
                    reports.extend(self.remove(folder, &name, drift));
                }
                Change::Write { name, text, drift } => {
                    reports.extend(drift.then(|| self.drift(&name)));
                    let write = || match (self.reader)(&name) {
                        Some(reader) => folder.write_for(reader, &name, &text),
                        None => folder.write(&name, &text, self.mode),
                    };
                    let written = write().or_else(|_| {
                        // What the old text gives may be over, so it goes rather than stays; and
                        // on a full disk its place may do for the new one.
                        folder.remove(&name)?;
                        write()
                    });
                    self.remember(&name, written.is_ok().then_some(text));
                    if let Err(error) = written {
                        reports.push(Report::failed(self.kind, &error));
                    }
                }
            }
        }
        reports
    }

    /// Removes a file that should not be there.
    pub fn remove(&mut self, folder: &Folder, name: &str, drift: bool) -> Option<Report> {
        self.remember(name, None);
        match folder.remove(name) {
            Ok(_) => drift.then(|| self.drift(name)),
            Err(error) => {
                let error = anyhow::Error::new(error)
                    .context(format!("remove {}", folder.path().join(name).display()));
                Some(Report::failed(self.kind, &error))
            }
        }
    }

    /// Keeps in mind what a file was made to say; `None` when that failed.
    pub fn remember(&mut self, name: &str, text: Option<String>) {
        match (text, &mut self.written) {
            (Some(text), written) => {
                written
                    .get_or_insert_default()
                    .insert(name.to_owned(), text);
            }
            (None, Some(written)) => {
                written.remove(name);
            }
            (None, None) => {}
        }
    }

    /// Whether we made the file: in this run, or, at the first look, in one before, for grants
    /// that there were.
    fn may_be_ours(&self, name: &str, found: &Found, known: &BTreeSet<Id>) -> bool {
        match (&self.written, found) {
            (Some(written), _) => written.contains_key(name),
            (None, Found::File { text, .. }) => {
                let grants = (self.grants)(name, text);
                !grants.is_empty() && grants.iter().all(|id| known.contains(id))
            }
            (None, Found::Other) => false,
        }
    }

    /// Says that somebody else touched the file.
    #[must_use]
    pub fn drift(&self, name: &str) -> Report {
        Report::Drift {
            what: format!("{} {}", self.kind, tpa_bus::text::one_line(name, 80)),
            id: Id::parse(name).ok(),
        }
    }

    /// Permission bits of the files.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode
    }

    fn is_right(&self, found: Option<&Found>, should: &str) -> bool {
        matches!(found, Some(Found::File { text, mode }) if text == should && *mode == self.mode)
    }
}

/// What a crash in the middle of [`Folder::write`] leaves.
fn is_remnant(name: &str) -> bool {
    name.strip_prefix('.')
        .is_some_and(|rest| rest.strip_suffix(".tmp").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        _dir: tempfile::TempDir,
        folder: Folder,
        managed: ManagedDir,
    }

    impl Rig {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::create(&dir.path().join("f"), 0o700).unwrap();
            let managed = ManagedDir::new("file", 0o600, |name, _| {
                Id::parse(name).into_iter().collect()
            });
            Self {
                _dir: dir,
                folder,
                managed,
            }
        }

        fn apply(&mut self, desired: &[(&str, &str)]) -> Vec<Report> {
            let desired = desired
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect();
            let known = ["00000001", "00000002"]
                .map(|id| Id::parse(id).unwrap())
                .into();
            let all = At::Everything;
            let reports = self.managed.apply(&self.folder, &desired, &known, &all);
            let settled = self.managed.diff(&self.folder, &desired, &known, &all);
            assert_eq!(settled.unwrap(), []);
            reports
        }

        /// Looks at what is to change and at what was touched, and nothing else.
        fn follow(&mut self, desired: &[(&str, &str)], touched: &[&str]) -> Vec<Report> {
            let desired = desired
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect();
            let touched = touched.iter().map(|name| self.folder.path().join(name));
            let at = At::Changed(touched.collect());
            self.managed
                .apply(&self.folder, &desired, &BTreeSet::new(), &at)
        }

        fn put(&self, name: &str, text: &str) {
            self.folder.write(name, text, 0o600).unwrap();
        }
    }

    fn drift(name: &str) -> Vec<Report> {
        let (what, id) = (format!("file {name}"), Id::parse(name).ok());
        vec![Report::Drift { what, id }]
    }

    #[test]
    fn our_own_changes_are_no_drift() {
        let mut rig = Rig::new();
        assert!(
            rig.apply(&[("00000001", "a"), ("00000002", "b")])
                .is_empty()
        );
        assert!(rig.apply(&[("00000001", "a2")]).is_empty());
        assert_eq!(rig.folder.names().unwrap(), ["00000001"]);
    }

    #[test]
    fn what_is_to_change_and_what_was_touched_is_looked_at_and_nothing_else() {
        let mut rig = Rig::new();
        assert!(
            rig.follow(&[("00000001", "a"), ("00000002", "b")], &[])
                .is_empty(),
            "at first it is everything"
        );
        let read = |rig: &Rig, name: &str| {
            std::fs::read_to_string(rig.folder.path().join(name)).unwrap_or_default()
        };
        rig.put("00000001", "widened");
        rig.put("theirs", "x");
        let desired = [("00000001", "a"), ("00000003", "c")];
        assert!(rig.follow(&desired, &[]).is_empty());
        assert_eq!(
            rig.folder.names().unwrap(),
            ["00000001", "00000003", "theirs"]
        );
        assert_eq!(read(&rig, "00000001"), "widened", "nobody looked there");
        assert_eq!(rig.follow(&desired, &["00000001"]), drift("00000001"));
        assert_eq!(rig.follow(&desired, &["theirs", "gone"]), drift("theirs"));
        rig.folder.remove("00000003").unwrap();
        assert_eq!(rig.follow(&desired, &["00000003"]), drift("00000003"));
        assert_eq!(
            (read(&rig, "00000001"), read(&rig, "00000003")),
            ("a".into(), "c".into())
        );
        assert_eq!(rig.apply(&desired), [], "and all is as it should be");
    }

    #[test]
    fn what_others_change_remove_or_add_is_put_right_and_said() {
        let mut rig = Rig::new();
        assert!(rig.apply(&[("00000001", "a")]).is_empty());
        rig.put("00000001", "b");
        assert_eq!(rig.apply(&[("00000001", "a")]), drift("00000001"));
        rig.folder.remove("00000001").unwrap();
        assert_eq!(rig.apply(&[("00000001", "a")]), drift("00000001"));
        rig.folder.write("00000001", "a", 0o644).unwrap();
        assert_eq!(rig.apply(&[("00000001", "a")]), drift("00000001"));
        for name in ["theirs", "00000002"] {
            rig.put(name, "x");
            assert_eq!(rig.apply(&[("00000001", "a")]), drift(name));
        }
    }

    #[test]
    fn what_the_reaper_took_away_of_what_ends_is_no_drift() {
        let mut rig = Rig::new();
        assert!(
            rig.apply(&[("00000001", "live"), ("00000002", "live")])
                .is_empty()
        );
        rig.folder.remove("00000001").unwrap();
        rig.folder.remove("00000002").unwrap();
        assert!(rig.apply(&[("00000001", "over")]).is_empty());
        assert!(rig.apply(&[]).is_empty());
        let again = [("00000001", "live"), ("00000002", "live")];
        assert!(rig.apply(&again).is_empty(), "what comes after is new");
    }

    #[test]
    fn what_was_right_from_the_beginning_is_ours_from_then_on() {
        let mut rig = Rig::new();
        rig.put("00000001", "a");
        assert!(rig.apply(&[("00000001", "a")]).is_empty());
        rig.put("00000001", "b");
        assert_eq!(rig.apply(&[("00000001", "a")]), drift("00000001"));
        assert!(rig.apply(&[]).is_empty());
    }

    #[test]
    fn what_a_crash_left_is_removed_or_finished_without_a_word() {
        let mut rig = Rig::new();
        rig.put("00000001", "old");
        rig.put("00000002", "ended meanwhile");
        std::fs::write(rig.folder.path().join(".00000003.tmp"), "ha").unwrap();
        assert!(
            rig.apply(&[("00000001", "new"), ("00000003", "c")])
                .is_empty()
        );
        assert_eq!(rig.folder.names().unwrap(), ["00000001", "00000003"]);
    }

    #[test]
    fn what_was_there_before_and_belongs_to_no_grant_is_removed_and_said() {
        for name in ["theirs", "00000009"] {
            let mut rig = Rig::new();
            rig.put(name, "x");
            rig.put("00000002", "ended meanwhile");
            assert_eq!(rig.apply(&[("00000001", "a")]), drift(name));
            assert_eq!(rig.folder.names().unwrap(), ["00000001"]);
        }
    }

    #[test]
    fn what_others_changed_or_removed_while_nobody_was_there_is_said_and_nothing_else() {
        let mut rig = Rig::new();
        let right = [("00000001", "a"), ("00000002", "b")];
        assert!(rig.apply(&right).is_empty());
        let mut manifest = Manifest::default();
        rig.managed.tell(&mut manifest);
        let mut anew = |change: &dyn Fn(&Rig), desired: &[(&str, &str)]| {
            rig.managed = ManagedDir::new("file", 0o600, rig.managed.grants).after(&manifest);
            change(&rig);
            rig.apply(desired)
        };
        assert!(anew(&|_| (), &right).is_empty());
        let widen = |rig: &Rig| rig.put("00000001", "all");
        assert_eq!(anew(&widen, &right), drift("00000001"));
        let remove = |rig: &Rig| rig.folder.remove("00000002").map(|_| ()).unwrap();
        assert_eq!(anew(&remove, &right), drift("00000002"));
        // Something has happened since: the one before did not get to it, or the reaper did.
        assert!(anew(&widen, &[("00000001", "a2"), ("00000002", "b")]).is_empty());
    }

    #[test]
    fn a_link_in_a_files_place_is_replaced_and_its_target_left() {
        let mut rig = Rig::new();
        std::os::unix::fs::symlink("/etc/passwd", rig.folder.path().join("00000001")).unwrap();
        assert!(rig.apply(&[("00000001", "a")]).is_empty());
        assert!(
            std::fs::symlink_metadata(rig.folder.path().join("00000001"))
                .unwrap()
                .is_file()
        );
    }
}
