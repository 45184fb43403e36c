//! One look at every process and where it stands, for all that ends at a moment.
//!
//! What it costs is a few files a process. Control groups are looked at only as far as processes
//! stand in them: anybody may make any number of empty ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tpa_bus::id::Id;

use crate::host::cgroup::{self, Cgroup};
use crate::host::paths::Paths;
use crate::host::process::{self, Process};
use crate::ledger::Named;
use crate::plan::{Ending, Facts, Held, Part, Place, SlicePart, Takes, hold};

/// What the name of a grant's group begins with.
const GRANT: &str = "tpa-";

/// Everything that runs, but for the first process and this one.
#[derive(Debug)]
pub struct Look {
    /// The processes.
    pub processes: Vec<Seen>,
    /// The control group that this process is in.
    own: Option<PathBuf>,
}

/// A process, and where it stands.
#[derive(Debug)]
pub struct Seen {
    /// The process.
    pub process: Process,
    /// What is judged by.
    pub facts: Facts,
    /// The part of its path in the tree that root alone made: above that, nobody moves it.
    folder: PathBuf,
}

impl Look {
    /// Looks.
    #[must_use]
    pub fn take(paths: &Paths) -> Self {
        let mut known = BTreeMap::new();
        let mut processes: Vec<Seen> = process::scan(&paths.proc)
            .into_iter()
            .map(|process| {
                let path = path_of(paths, &process.pid.to_string()).unwrap_or_default();
                let (place, folder) = known
                    .entry(path)
                    .or_insert_with_key(|path| place(paths, path))
                    .clone();
                let facts = process.facts(place);
                Seen {
                    process,
                    facts,
                    folder,
                }
            })
            .collect();
        know_units(&mut processes);
        let own = path_of(paths, "self").map(|path| paths.cgroup.join(path));
        Self { processes, own }
    }

    /// What ends with this grant.
    pub fn doomed<'a>(&'a self, ending: &'a Ending) -> impl Iterator<Item = &'a Seen> {
        self.processes
            .iter()
            .filter(|seen| hold(&seen.facts, ending) == Held::Ends)
    }

    /// The groups of which all that is in them ends with this grant. One that this process is in is
    /// not among them: `tpad reap` may be run by hand.
    pub fn groups(&self, paths: &Paths, ending: &Ending) -> BTreeSet<PathBuf> {
        let groups = self
            .doomed(ending)
            .filter_map(|seen| seen.group(paths, ending));
        groups
            .filter(|group| !self.own.as_ref().is_some_and(|own| own.starts_with(group)))
            .collect()
    }
}

impl Seen {
    /// The largest group that it is in and that ends as a whole.
    fn group(&self, paths: &Paths, ending: &Ending) -> Option<PathBuf> {
        let slice = match self.facts.place.part {
            Part::Slice { uid, .. } if uid == ending.uid => match ending.takes {
                Takes::Everything => Some(2),
                Takes::Logins => Some(3),
                Takes::Commands => None,
            },
            Part::Slice { .. } | Part::Unit { .. } | Part::Unknown => None,
        };
        let parts: Vec<_> = self
            .folder
            .strip_prefix(&paths.cgroup)
            .ok()?
            .iter()
            .collect();
        let length = slice.or_else(|| {
            let own = format!("{GRANT}{}", ending.id.as_str());
            let found = parts.iter().position(|part| *part == own.as_str())?;
            found.checked_add(1)
        })?;
        let group = parts.get(..length)?.iter().collect::<PathBuf>();
        Some(paths.cgroup.join(group))
    }

    /// Whether it is in this group.
    #[must_use]
    pub fn is_in(&self, group: &Path) -> bool {
        self.folder.starts_with(group)
    }
}

/// The path of a process's control group below the root.
#[must_use]
pub fn path_of(paths: &Paths, pid: &str) -> Option<PathBuf> {
    let path = paths.cgroup_mount.join(cgroup::path_of(&paths.proc, pid)?);
    Some(path.strip_prefix(&paths.cgroup).ok()?.to_owned())
}

/// What a control group is, by its path below the root, and the part of it that root alone made.
fn place(paths: &Paths, path: &Path) -> (Place, PathBuf) {
    let roots = cgroup::roots_part(&paths.cgroup, path);
    let names: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let within = roots
        .strip_prefix(&paths.cgroup)
        .map_or(0, |own| own.iter().count());
    let grants = names
        .iter()
        .take(within)
        .filter_map(|name| Id::parse(name.strip_prefix(GRANT)?).ok())
        .collect();
    // A name is given by whoever may make groups in the one above.
    let made_by_root = names.get(..names.len().min(within.saturating_add(1)));
    let made_by_root = made_by_root.unwrap_or_default();
    let part = part(paths, made_by_root);
    let folder = paths.cgroup.join(made_by_root.iter().collect::<PathBuf>());
    (Place { grants, part }, folder)
}

fn part(paths: &Paths, names: &[String]) -> Part {
    if let [users, slice, rest @ ..] = names
        && users == "user.slice"
        && let Some(uid) = cgroup::uid_of_slice(slice)
    {
        let of = rest
            .first()
            .map_or(SlicePart::Rest, |unit| login(paths, unit));
        return Part::Slice { uid, of };
    }
    let unit = names
        .iter()
        .find(|name| name.strip_suffix(".slice").is_none());
    match unit {
        Some(name) if is_unit(name) => Part::Unit {
            name: name.clone(),
            transient: paths.transient.join(name).exists(),
            began_ms: u64::MAX,
            owner: None,
        },
        Some(_) | None => Part::Unknown,
    }
}

/// PID 1 names no unit otherwise; of a scope it keeps the file for as long as it is there.
fn is_unit(name: &str) -> bool {
    [".service", ".scope"]
        .iter()
        .any(|kind| name.strip_suffix(kind).is_some())
}

/// Whether a login was let in on a grant: only then the module gives it a limit.
fn login(paths: &Paths, unit: &str) -> SlicePart {
    if !(unit.starts_with("session-") && is_unit(unit)) {
        return SlicePart::Rest;
    }
    match fs::read_to_string(paths.transient.join(unit)) {
        Ok(text) if has_limit(&text) => SlicePart::Limited,
        Ok(_) => SlicePart::Unlimited,
        // Nobody can tell.
        Err(_) => SlicePart::Rest,
    }
}

fn has_limit(unit: &str) -> bool {
    let mut limits = unit
        .lines()
        .filter_map(|line| line.trim().strip_prefix("RuntimeMaxSec="));
    limits.next_back().is_some_and(|limit| limit != "infinity")
}

/// Completes what is known of units by all that is in them.
fn know_units(processes: &mut [Seen]) {
    let mut units: BTreeMap<String, (u64, Option<u32>)> = BTreeMap::new();
    for seen in &*processes {
        if let Part::Unit { name, .. } = &seen.facts.place.part {
            let (began, [uid, ..]) = (seen.facts.began_ms, seen.facts.uids);
            let unit = units.entry(name.clone()).or_insert((began, Some(uid)));
            unit.0 = unit.0.min(began);
            unit.1 = unit.1.filter(|owner| *owner == uid);
        }
    }
    for seen in processes {
        if let Part::Unit {
            name,
            began_ms,
            owner,
            ..
        } = &mut seen.facts.place.part
            && let Some(unit) = units.get(name)
        {
            (*began_ms, *owner) = *unit;
        }
    }
}

/// Removes what is left of the groups of these grants: all of it, in one walk.
pub fn remove_groups(paths: &Paths, endings: &[Ending]) {
    let names: BTreeSet<String> = endings.iter().map(|ending| group_of(ending.id)).collect();
    for group in Cgroup::find(&paths.cgroup, &names) {
        group.remove();
    }
}

/// The name of a grant's group.
fn group_of(id: Id) -> String {
    format!("{GRANT}{}", id.as_str())
}

/// Puts a process that has started nothing yet where the end of this grant finds it, and all that it
/// starts from then on.
///
/// # Errors
/// When it has ended, or does not stand there afterwards.
pub fn enter_group(paths: &Paths, process: Named, id: Id) -> io::Result<()> {
    if process::started(&paths.proc, process.pid) != Some(process.started) {
        return Err(io::Error::other("it has ended"));
    }
    cgroup::enter(&paths.cgroup, &paths.proc, process.pid, &group_of(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_a_limit_by_what_its_file_says_last() {
        assert!(has_limit("[Scope]\nRuntimeMaxSec=5min\n"));
        assert!(!has_limit("[Scope]\nSlice=user-1001.slice\n"));
        assert!(!has_limit("RuntimeMaxSec=5min\nRuntimeMaxSec=infinity\n"));
    }

    fn names(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_place_is_told_by_the_names_that_pid_1_gives() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        for (unit, text) in [
            ("session-3.scope", "RuntimeMaxSec=1h\n"),
            ("session-4.scope", "Slice=user-1001.slice\n"),
            ("app.service", "User=alice\n"),
        ] {
            fs::write(paths.transient.join(unit), text).unwrap();
        }
        let slice = |of| Part::Slice { uid: 1001, of };
        let unit = |name: &str, transient| Part::Unit {
            name: name.to_owned(),
            transient,
            began_ms: u64::MAX,
            owner: None,
        };
        for (path, expected) in [
            (
                "user.slice/user-1001.slice/session-3.scope",
                slice(SlicePart::Limited),
            ),
            (
                "user.slice/user-1001.slice/session-4.scope/x",
                slice(SlicePart::Unlimited),
            ),
            (
                "user.slice/user-1001.slice/session-5.scope",
                slice(SlicePart::Rest),
            ),
            (
                "user.slice/user-1001.slice/user@1001.service",
                slice(SlicePart::Rest),
            ),
            ("user.slice/user-1001.slice", slice(SlicePart::Rest)),
            ("system.slice/app.service", unit("app.service", true)),
            (
                "system.slice/system-pg.slice/pg@15.service/x",
                unit("pg@15.service", false),
            ),
            (
                "system.slice/user-1001.slice/x.service",
                unit("x.service", false),
            ),
            ("user.slice", Part::Unknown),
            ("docker/4711", Part::Unknown),
        ] {
            assert_eq!(part(&paths, &names(path)), expected, "{path}");
        }
    }
}
