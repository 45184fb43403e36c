//! The small files that others go by: the state files of the gate and the reaper, the gate file,
//! and what a shell prompt shows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use tpa_bus::groups::KnownGroups;
use tpa_bus::id::Id;
use tpa_bus::offline::{self, GateFile, OfflineGrant, StateFile};

use crate::clock;
use crate::host::Report;
use crate::host::folder::{Folder, Found};
use crate::host::managed_dir::{At, ManagedDir};
use crate::host::manifest::Manifest;
use crate::host::paths::Paths;
use crate::plan::Ending;

/// What the gate file is, for people.
const GATE: &str = "gate file";

/// Its name among what was made.
const GATE_MADE: &str = "gate";

/// Name of the file that tells what is known of groups.
const GROUPS: &str = "groups";

/// Whoever holds a grant may search the folder of prompt files, and nobody may list it.
const PROMPTS_MODE: u32 = 0o710;

/// Of a file that its person alone may read, beside us ([`Folder::write_for`]).
const PROMPT_MODE: u32 = 0o640;

/// State, prompt and gate files.
#[derive(Debug)]
pub struct States {
    files: ManagedDir,
    prompts: ManagedDir,
    /// What the gate file was last made to say.
    gate: Option<String>,
    /// What the `tpad` before this one made the files say.
    before: Manifest,
}

impl Default for States {
    fn default() -> Self {
        Self {
            files: ManagedDir::new("state file", 0o600, grants_of_state),
            prompts: ManagedDir::new("prompt file", PROMPT_MODE, grant_of_prompt)
                .read_by(|name| name.parse().ok()),
            gate: None,
            before: Manifest::default(),
        }
    }
}

impl States {
    /// The files as the `tpad` before this one may have left them.
    #[must_use]
    pub fn after(before: &Manifest) -> Self {
        let states = Self::default();
        Self {
            files: states.files.after(before),
            prompts: states.prompts.after(before),
            before: before.clone(),
            ..states
        }
    }

    /// Tells what they were made to say.
    pub fn tell(&self, manifest: &mut Manifest) {
        self.files.tell(manifest);
        self.prompts.tell(manifest);
        if let Some(gate) = &self.gate {
            manifest.add(GATE, GATE_MADE, gate);
        }
    }

    /// Makes the files those of the live grants, and keeps the grants whose end is not proven as
    /// ended ones: the gate lets nobody in on them, and the reaper still finds them should `tpad`
    /// die before it is done. `known` are the grants that there were.
    pub fn apply(
        &mut self,
        paths: &Paths,
        live: &BTreeMap<u32, StateFile>,
        unproven: &[Ending],
        known: &BTreeSet<Id>,
        (boot_id, at): (&str, &At),
    ) -> Vec<Report> {
        let states = with_endings(live, unproven, boot_id)
            .into_iter()
            .map(|(uid, state)| (uid.to_string(), state.render()))
            .collect();
        let prompts = live
            .iter()
            .filter_map(|(uid, state)| Some((uid.to_string(), prompt(state)?)))
            .collect();
        let folder =
            Folder::create(&paths.run, 0o700).and_then(|_| Folder::create(&paths.state, 0o700));
        let mut reports = match folder {
            Ok(folder) => self.files.apply(&folder, &states, known, at),
            Err(error) => vec![Report::failed("state file", &error)],
        };
        let folder = Folder::create(&paths.prompt, PROMPTS_MODE).and_then(|folder| {
            folder.admit(live.keys().copied())?;
            Ok(folder)
        });
        reports.extend(match folder {
            Ok(folder) => self.prompts.apply(&folder, &prompts, known, at),
            Err(error) => vec![Report::failed("prompt file", &error)],
        });
        reports
    }
}

impl States {
    /// Tells the gate whom it concerns, for when `tpad` cannot be asked. When that cannot be
    /// written, the old one holds. Costs nothing where it was told that and nobody touched it.
    pub fn write_gate(&mut self, paths: &Paths, gate: &GateFile, at: &At) -> Vec<Report> {
        let right = gate.render();
        let folder = paths.gate.parent();
        let is_touched = match at {
            At::Everything => true,
            At::Changed(files) => files
                .iter()
                .any(|file| *file == paths.gate || Some(file.as_path()) == folder),
        };
        if !is_touched && self.gate.as_ref() == Some(&right) {
            return Vec::new();
        }
        match self.put_gate(paths, right) {
            Ok(report) => report.into_iter().collect(),
            Err(error) => {
                self.gate = None;
                vec![Report::failed("gate file", &error)]
            }
        }
    }

    fn put_gate(&mut self, paths: &Paths, right: String) -> anyhow::Result<Option<Report>> {
        let parent = paths.gate.parent().context("the gate file has no folder")?;
        let name = paths
            .gate
            .file_name()
            .and_then(std::ffi::OsStr::to_str)
            .context("the gate file has no name")?;
        // The gate stands in programs that run as other users too, and it holds no secret.
        let (folder, mode) = (Folder::create(parent, 0o755)?, 0o644);
        let found = folder.read(name).unwrap_or(Some(Found::Other));
        let text = right.clone();
        if found == Some(Found::File { text, mode }) {
            self.gate = Some(right);
            return Ok(None);
        }
        folder.write(name, &right, mode)?;
        let drifted = match &self.gate {
            Some(gate) => *gate == right,
            None => self.before.says(GATE, GATE_MADE, &right),
        };
        self.gate = Some(right);
        let what = GATE.to_owned();
        Ok(drifted.then_some(Report::Drift { what, id: None }))
    }
}

/// Writes what is known of groups beside the gate file, and as readable.
///
/// # Errors
/// When it cannot be written: then the old one holds.
pub fn write_groups(paths: &Paths, groups: &KnownGroups) -> anyhow::Result<()> {
    let parent = paths.gate.parent().context("the gate file has no folder")?;
    Folder::create(parent, 0o755)?.write(GROUPS, &groups.render(), 0o644)
}

/// The end and the id of the grant that lasts longest.
fn prompt(state: &StateFile) -> Option<String> {
    let last = state.grants.iter().max_by_key(|grant| grant.not_after)?;
    Some(format!("{} {}\n", last.not_after, last.id.as_str()))
}

/// The grants of a state file that is whole and its owner's; otherwise none.
fn grants_of_state(name: &str, text: &str) -> Vec<Id> {
    let state = StateFile::parse(text).ok();
    let state = state.filter(|state| state.uid.to_string() == name);
    let grants = state.map(|state| state.grants).unwrap_or_default();
    grants.iter().map(|grant| grant.id).collect()
}

fn grant_of_prompt(name: &str, text: &str) -> Vec<Id> {
    let id = text.trim_end().split(' ').next_back();
    let id = id.filter(|_| name.parse::<u32>().is_ok());
    id.and_then(|id| Id::parse(id).ok()).into_iter().collect()
}

fn with_endings(
    live: &BTreeMap<u32, StateFile>,
    unproven: &[Ending],
    boot_id: &str,
) -> BTreeMap<u32, StateFile> {
    let mut states = live.clone();
    for ending in unproven {
        let state = states.entry(ending.uid).or_insert_with(|| StateFile {
            uid: ending.uid,
            user: ending.user.clone(),
            boot_id: boot_id.to_owned(),
            end_logins: ending.takes.logins(),
            grants: Vec::new(),
        });
        state.grants.retain(|grant| grant.id != ending.id);
        state.grants.push(OfflineGrant {
            id: ending.id,
            login: ending.takes.logins(),
            sudo: true,
            deadline_ms: 0,
            not_after: 0,
            role: "-".to_owned(),
            began_ms: ending.began_ms,
        });
    }
    // A file for uid 0 would not read back, and root needs none.
    states.remove(&0);
    states
}

/// The state files, by uid, for the reaper. One that cannot be read as such is `None`.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn read_all(paths: &Paths) -> anyhow::Result<BTreeMap<u32, Option<StateFile>>> {
    let Some(folder) = existing(paths)? else {
        return Ok(BTreeMap::new());
    };
    let mut states = BTreeMap::new();
    for name in folder.names().context("list the state files")? {
        let Ok(uid) = name.parse::<u32>() else {
            continue;
        };
        let state = read(&folder, uid).ok().flatten();
        states.insert(uid, state.filter(|state| state.uid == uid));
    }
    Ok(states)
}

/// Leaves word for the gate that the rules of a grant are gone, for whoever called sudo while they
/// stood: once a grant, before its state file stops telling of it as one that lives.
///
/// # Errors
/// When that cannot be told, or not be written.
pub fn mark_end(paths: &Paths, uid: u32, id: Id) -> anyhow::Result<()> {
    if told(paths, uid, id)?.is_some_and(|grant| grant.deadline_ms == 0 || !grant.sudo) {
        return Ok(());
    }
    let ended_ms = clock::boottime_ms().context("read the clock")?;
    let text = offline::render_end(ended_ms);
    Folder::create(&paths.ended, 0o700)?.write(&uid.to_string(), &text, 0o600)
}

/// Whether a person's state file tells of a grant, as one that lives.
#[must_use]
pub fn names(paths: &Paths, uid: u32, id: Id) -> bool {
    let told = told(paths, uid, id).ok().flatten();
    told.is_some_and(|grant| grant.deadline_ms > 0)
}

/// A grant as a person's state file has it.
fn told(paths: &Paths, uid: u32, id: Id) -> anyhow::Result<Option<OfflineGrant>> {
    let Some(folder) = existing(paths)? else {
        return Ok(None);
    };
    let grants = read(&folder, uid)?.map(|state| state.grants);
    let mut grants = grants.into_iter().flatten();
    Ok(grants.find(|grant| grant.id == id))
}

/// A person's state file; `None` where there is none that can be read as such.
fn read(folder: &Folder, uid: u32) -> anyhow::Result<Option<StateFile>> {
    Ok(match folder.read(&uid.to_string())? {
        Some(Found::File { text, .. }) => StateFile::parse(&text).ok(),
        _ => None,
    })
}

/// Takes grants out of a person's state file; the file goes with the last of them.
///
/// # Errors
/// When it cannot be written or removed.
pub fn forget(paths: &Paths, uid: u32, ended: &[Id]) -> anyhow::Result<()> {
    let Some(folder) = existing(paths)? else {
        return Ok(());
    };
    let name = uid.to_string();
    // Read anew: `tpad` may have written it since.
    let kept = read(&folder, uid)?
        .map(|mut state| {
            state.grants.retain(|grant| !ended.contains(&grant.id));
            state
        })
        .filter(|state| !state.grants.is_empty());
    if let Some(state) = kept {
        return folder.write(&name, &state.render(), 0o600);
    }
    folder.remove(&name)?;
    if paths.prompt.exists() {
        Folder::create(&paths.prompt, PROMPTS_MODE)?.remove(&name)?;
    }
    Ok(())
}

fn existing(paths: &Paths) -> anyhow::Result<Option<Folder>> {
    if paths.state.exists() {
        Folder::create(&paths.state, 0o700).map(Some)
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Takes;
    use tpa_bus::offline::Class;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn live() -> BTreeMap<u32, StateFile> {
        let grant = |name, not_after| OfflineGrant {
            id: id(name),
            login: true,
            sudo: true,
            deadline_ms: 5_000,
            not_after,
            role: "web".into(),
            began_ms: 0,
        };
        let state = StateFile {
            uid: 1001,
            user: "alice".into(),
            boot_id: "boot".into(),
            end_logins: true,
            grants: vec![grant("00000001", 900), grant("00000002", 1_000)],
        };
        BTreeMap::from([(1001, state)])
    }

    fn known() -> BTreeSet<Id> {
        [id("00000001"), id("00000002")].into()
    }

    fn ending(name: &str, uid: u32) -> Ending {
        Ending {
            id: id(name),
            uid,
            user: "bob".into(),
            takes: Takes::Everything,
            began_ms: 0,
            accounts: vec![],
            runs_as: vec![],
            once: false,
        }
    }

    #[test]
    fn live_grants_are_told_to_the_gate_and_to_the_prompt() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        let mut states = States::default();
        assert_eq!(
            states.apply(&paths, &live(), &[], &known(), ("boot", &At::Everything)),
            []
        );
        assert_eq!(
            read_all(&paths).unwrap().get(&1001),
            Some(&live().remove(&1001))
        );
        let prompt = std::fs::read_to_string(paths.prompt.join("1001")).unwrap();
        assert_eq!(prompt, "1000 00000002\n");
        assert_eq!(
            states.apply(
                &paths,
                &BTreeMap::new(),
                &[],
                &known(),
                ("boot", &At::Everything)
            ),
            []
        );
        assert!(read_all(&paths).unwrap().is_empty());
        assert!(!paths.prompt.join("1001").exists());
    }

    #[test]
    fn what_is_left_of_a_grant_goes_without_a_word_and_what_somebody_put_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        let left = |known: &BTreeSet<Id>| {
            States::default().apply(&paths, &live(), &[], known, ("boot", &At::Everything));
            States::default().apply(
                &paths,
                &BTreeMap::new(),
                &[],
                known,
                ("boot", &At::Everything),
            )
        };
        assert_eq!(left(&known()), []);
        let drift = |what: &str| Report::Drift {
            what: what.to_owned(),
            id: None,
        };
        let one = [id("00000001")].into();
        let said = [drift("state file 1001"), drift("prompt file 1001")];
        assert_eq!(left(&one), said);
    }

    #[test]
    fn an_ending_grant_stays_for_the_reaper_and_lets_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        let endings = [ending("00000009", 1002)];
        States::default().apply(
            &paths,
            &live(),
            &endings,
            &known(),
            ("boot", &At::Everything),
        );
        let states = read_all(&paths).unwrap();
        let state = states[&1002].as_ref().unwrap();
        assert_eq!(state.grants[0].id, id("00000009"));
        assert_eq!(state.live_grant(Class::Login, "bob", "boot", 0, 0), None);
        assert!(!paths.prompt.join("1002").exists());
    }

    #[test]
    fn an_end_is_marked_once_a_grant_and_anew_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        let mark = paths.ended.join("1002");
        let apply = |unproven: &[Ending]| {
            let at = ("boot", &At::Everything);
            States::default().apply(&paths, &live(), unproven, &known(), at);
        };
        apply(&[]);
        mark_end(&paths, 1002, id("00000009")).unwrap();
        let first = std::fs::read_to_string(&mark).unwrap();
        let ended_ms = offline::parse_end(&first).unwrap();
        assert!(ended_ms <= clock::boottime_ms().unwrap());
        // Its end is tried again and again, while others call sudo.
        apply(&[ending("00000009", 1002)]);
        std::fs::write(&mark, "7\n").unwrap();
        mark_end(&paths, 1002, id("00000009")).unwrap();
        assert_eq!(std::fs::read_to_string(&mark).unwrap(), "7\n");
        mark_end(&paths, 1002, id("00000008")).unwrap();
        assert_ne!(std::fs::read_to_string(&mark).unwrap(), "7\n");
    }

    #[test]
    fn a_grant_is_forgotten_alone_and_the_file_with_the_last_one() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        States::default().apply(&paths, &live(), &[], &known(), ("boot", &At::Everything));
        forget(&paths, 1001, &[id("00000001")]).unwrap();
        let left = read_all(&paths).unwrap().remove(&1001).flatten().unwrap();
        assert_eq!(left.grants.len(), 1);
        forget(&paths, 1001, &[id("00000002")]).unwrap();
        assert!(read_all(&paths).unwrap().is_empty());
        assert!(!paths.prompt.join("1001").exists());
    }

    #[test]
    fn the_gate_file_reads_back_and_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        let (mut states, gate) = (States::default(), GateFile::default());
        let read = || GateFile::parse(&std::fs::read_to_string(&paths.gate).unwrap());
        for _ in 0..2 {
            assert_eq!(states.write_gate(&paths, &gate, &At::Everything), []);
            assert_eq!(read(), Ok(GateFile::default()));
        }
        let what = "gate file".to_owned();
        let drift = [Report::Drift { what, id: None }];
        std::fs::write(&paths.gate, "nobody").unwrap();
        assert_eq!(states.write_gate(&paths, &gate, &At::Everything), drift);
        std::fs::remove_file(&paths.gate).unwrap();
        let untouched = At::Changed(BTreeSet::new());
        assert_eq!(states.write_gate(&paths, &gate, &untouched), []);
        assert!(!paths.gate.exists(), "nobody looks at it");
        let folder = paths.gate.parent().unwrap().to_owned();
        for touched in [paths.gate.clone(), folder] {
            let at = At::Changed([touched].into());
            assert_eq!(states.write_gate(&paths, &gate, &at), drift);
            assert_eq!(read(), Ok(GateFile::default()));
            std::fs::remove_file(&paths.gate).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_not_whole_or_not_its_owners_is_known_as_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        States::default().apply(&paths, &live(), &[], &known(), ("boot", &At::Everything));
        let text = std::fs::read_to_string(paths.state.join("1001")).unwrap();
        std::fs::write(paths.state.join("1002"), &text).unwrap();
        std::fs::write(paths.state.join("1003"), &text[..40]).unwrap();
        let states = read_all(&paths).unwrap();
        assert_eq!((&states[&1002], &states[&1003]), (&None, &None));
        assert!(states[&1001].is_some());
    }
}
