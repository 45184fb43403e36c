//! What a window leaves behind: when the host is looked at, for whom, and what was found.
//!
//! A look decides nothing and changes nothing. Nobody is ever told that nothing is left: what was
//! looked for is told, and what was found.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;

use super::watching::decides_or_audits;
use super::{Appeared, Caller, Person, Refused, Removal, Request, Stage, State};
use crate::policy::Policy;

/// How thoroughly the host is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// The lists of what starts programs and lets people in, and what runs.
    Short,
    /// All local file systems as well.
    Deep,
}

impl Depth {
    /// The word that stands in lines and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Deep => "deep",
        }
    }
}

/// The note of what was there when a grant began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginningNote {
    /// The SHA-256 of its file, in hexadecimal; nothing where none could be taken.
    pub sha256: Option<String>,
    /// When it was taken, in seconds since 1970.
    pub at: i64,
    /// What could not be noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_noted: Vec<String>,
}

/// What is known of a grant's looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Looks {
    /// The note of its beginning, once it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<BeginningNote>,
    /// What was found at its end, in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// By uid, which other grant gave commands as that account at the same time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shared: BTreeMap<u32, Id>,
    /// What appeared of its run-as accounts, until it is recorded what became of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appeared: Vec<Appeared>,
}

/// What was found, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Certainly of the grant's person.
    pub certain: u64,
    /// Of others perhaps.
    pub doubtful: u64,
    /// Everything that was to be looked for was.
    pub complete: bool,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was not there at the beginning.
    New,
    /// It was there, and is another.
    Changed,
    /// It was there, and is not any more.
    Gone,
    /// It runs.
    Runs,
}

impl Change {
    /// The word that stands in lines and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Runs => "runs",
        }
    }
}

/// Whose doing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sure {
    /// The grant's person's, by the kernel's or the package manager's own record.
    Certain,
    /// Theirs perhaps, somebody else's or the host's own: nothing tells.
    Doubtful,
}

impl Sure {
    /// The word that stands in lines and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Doubtful => "doubtful",
        }
    }
}

/// One thing that is other than it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Whose doing it is.
    pub sure: Sure,
    /// What kind of thing, as a word that stays: `account`, `key`, `cron`.
    pub kind: String,
    /// Which; cleaned and cut, since people name such things.
    pub what: String,
    /// What became of it.
    pub change: Change,
    /// Whose it is, or who did it, and how that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a look at the end came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// How thorough it was.
    pub depth: Depth,
    /// What was looked for.
    pub looked: Vec<String>,
    /// What was not, and why.
    pub not_looked: Vec<String>,
    /// Everything that was to be looked for was.
    pub complete: bool,
    /// When the note of the beginning was taken; nothing where there is none.
    pub noted_at: Option<i64>,
    /// The look's own time, in seconds since 1970.
    pub looked_at: i64,
    /// What was found, the certain first.
    pub findings: Vec<Finding>,
    /// How many findings more there are than are listed.
    pub more: u64,
    /// What of that is to be removed, or stays where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appeared: Vec<Appeared>,
}

/// Most findings that are kept of one look.
pub const FINDINGS_MAX: usize = 300;

impl Residue {
    /// A look that did not take place.
    #[must_use]
    pub fn not_looked(depth: Depth, why: &str, now_s: i64) -> Self {
        Self {
            depth,
            looked: Vec::new(),
            not_looked: vec![format!("anything: {why}")],
            complete: false,
            noted_at: None,
            looked_at: now_s,
            findings: Vec::new(),
            more: 0,
            appeared: Vec::new(),
        }
    }

    /// It in numbers.
    #[must_use]
    pub fn found(&self) -> Found {
        let of = |sure: Sure| self.findings.iter().filter(|one| one.sure == sure).count() as u64;
        Found {
            certain: of(Sure::Certain),
            doubtful: of(Sure::Doubtful).saturating_add(self.more),
            complete: self.complete,
        }
    }
}

/// Whose end is looked at, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The grant.
    pub id: Id,
    /// How thoroughly.
    pub depth: Depth,
    /// Whose it was.
    pub user: Person,
    /// The accounts that its rules ran commands as, other than root and the person.
    pub accounts: Vec<Person>,
    /// Those of them of which what appeared meanwhile is to be removed.
    pub tidy: Vec<Person>,
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// The same in milliseconds of `CLOCK_BOOTTIME`, in the boot that `boot_id` names.
    pub boottime_ms: u64,
    /// The boot in which that counts.
    pub boot_id: String,
    /// The note of its beginning.
    pub note: Option<BeginningNote>,
}

/// The grants that began, and whose beginning is not noted yet.
#[must_use]
pub fn notes_due(state: &State) -> Vec<Id> {
    let due = |request: &&Request| {
        let unnoted = request
            .looks
            .as_ref()
            .is_some_and(|looks| looks.note.is_none());
        unnoted && matches!(request.stage, Stage::Active { .. })
    };
    let all = state.requests.values().filter(due);
    all.map(|request| request.id).collect()
}

/// Of the grants whose end is to be looked at so thoroughly and is not yet, the one that ended first. What
/// is left of it has been killed by then, or that was tried. `depth_of` is asked of those alone that are due.
#[must_use]
pub fn look_due(
    state: &State,
    depth: Depth,
    depth_of: &dyn Fn(&Request) -> Depth,
) -> Option<Subject> {
    let due = state.requests.values().filter_map(|request| {
        let looks = request.looks.as_ref()?;
        let Stage::Closed {
            at,
            since: Some(since),
            ..
        } = request.stage
        else {
            return None;
        };
        let tried = matches!(request.removal, Removal::Confirmed | Removal::Failed);
        let is_due = tried && looks.found.is_none() && depth_of(request) == depth;
        is_due.then_some((at, since, request))
    });
    let (_, since, request) = due.min_by_key(|(at, _, request)| (*at, request.id))?;
    let gave = request.gave.as_ref();
    Some(Subject {
        id: request.id,
        depth,
        user: request.user.clone(),
        accounts: gave.map_or_else(Vec::new, |gave| gave.accounts.clone()),
        tidy: gave.map_or_else(Vec::new, |gave| gave.tidy.clone()),
        since,
        boottime_ms: gave.map_or(0, |gave| gave.boottime_ms),
        boot_id: gave.map_or_else(String::new, |gave| gave.boot_id.clone()),
        note: request.looks.as_ref().and_then(|looks| looks.note.clone()),
    })
}

/// The notes that a look to come needs, by their SHA-256.
#[must_use]
pub fn notes_needed(state: &State) -> BTreeSet<String> {
    let looks = state.requests.values().filter_map(|one| one.looks.as_ref());
    looks
        .filter(|looks| looks.found.is_none())
        .filter_map(|looks| looks.note.as_ref()?.sha256.clone())
        .collect()
}

/// That the caller may read what a grant left behind: those who decide on its role, or have decided on
/// it, and those who may read the trail.
///
/// # Errors
/// A refusal for everybody else; also for whoever held it.
pub fn may_read_residue(
    policy: &Policy,
    caller: &Caller,
    request: &Request,
) -> Result<(), Refused> {
    if decides_or_audits(policy, caller, request) {
        return Ok(());
    }
    let why = format!("you may not read what {} left behind", request.id);
    Err(Refused::not_permitted(why)
        .next("ask one of its approvers, or of the group tpa-audit, to look at it"))
}

/// Nothing was looked for at the end of this grant, or not yet.
#[must_use]
pub fn no_residue(request: &Request) -> Refused {
    let id = request.id;
    match (&request.stage, &request.looks) {
        (Stage::Closed { since: Some(_), .. }, Some(_)) => {
            Refused::no_change(format!("{id} has ended, and is still being looked at"))
                .next(format!("try again in a while: tpactl residue {id}"))
        }
        (Stage::Closed { since: Some(_), .. }, None) => {
            Refused::no_change(format!("{id} began before tpad looked for what is left"))
                .next(format!("see what it did: tpactl report {id}"))
        }
        (Stage::Closed { .. }, _) => Refused::no_change(format!(
            "{id} never gave access: it left nothing to look for"
        ))
        .next(format!("see what became of it: tpactl show {id}")),
        _ => Refused::no_change(format!("{id} has not ended: it is looked at then"))
            .next(format!("wait for its end: tpactl wait {id} --for ended")),
    }
}
