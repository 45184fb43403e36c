//! PURE: the live grants and the time in, the host as it should be out.
//!
//! What is on disk is derived: rules, state files, timers and scopes' limits are computed here
//! from *all* grants of a person, never edited grant by grant. [`crate::host`] makes it so.
#![forbid(unsafe_code)]

mod compute;
mod follow;
mod hold;
mod looked;
mod report;

pub(crate) use compute::RETRY_MS;
pub use compute::{NoticeSent, Plan, PlanInputs, plan};
pub use follow::{AGAIN_MS, Due, Followed};
pub use hold::{Facts, Held, Part, Place, SlicePart, Why, belongs_to, hold};
pub use looked::{looked_at, not_looked_at};
pub use report::Report;

use std::collections::{BTreeMap, BTreeSet};

use tpa_bus::id::Id;
use tpa_bus::offline::StateFile;

use crate::ledger::Person;
use crate::policy::SudoRule;

/// The host as it should be now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Sudoers drop-ins, one for each live grant that gives sudo. No others may exist.
    pub rules: BTreeMap<Id, Rule>,
    /// State files for the gate without `tpad`, by uid. No others may exist.
    pub states: BTreeMap<u32, StateFile>,
    /// One reaper timer for each live grant. No others may exist.
    pub reapers: BTreeMap<Id, End>,
    /// Latest end of each person's login, by uid: no scope of theirs may have a later limit, and
    /// an earlier one is moved up to it.
    pub login_ends: BTreeMap<u32, End>,
    /// Grants that have ended and whose end is not proven yet.
    pub endings: Vec<Ending>,
    /// Grants that are on or were, as far back as the ledger's state goes: files that were written
    /// for them are what a crash left, files for others are somebody else's.
    pub known: BTreeSet<Id>,
    /// Lines due on the terminals of a person.
    pub notices: Vec<Notice>,
}

/// When a grant ends: whichever of the two clocks gets there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Wall clock, in seconds since 1970.
    pub not_after: i64,
    /// `CLOCK_BOOTTIME`, in milliseconds.
    pub deadline_ms: u64,
}

/// What a drop-in says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The grant.
    pub id: Id,
    /// Whose: the number alone stands in the rule, the name in a comment.
    pub uid: u32,
    /// Their name.
    pub user: String,
    /// The grant's role, for the comment.
    pub role: String,
    /// End, in seconds since 1970.
    pub not_after: i64,
    /// What they may run.
    pub sudo: Vec<SudoRule>,
    /// sudo records input and output.
    pub record: bool,
}

#[cfg(test)]
impl Rule {
    /// One of alice's, which lets her run this.
    pub(crate) fn sample(sudo: Vec<SudoRule>) -> Self {
        Self {
            id: Id::parse("7H2KM4QX").unwrap(),
            uid: 1001,
            user: "alice".into(),
            role: "web-ops".into(),
            not_after: 1_795_493_870,
            sudo,
            record: false,
        }
    }
}

/// A grant whose end has come: what must be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The grant.
    pub id: Id,
    /// Whose.
    pub uid: u32,
    /// Their name.
    pub user: String,
    /// What goes with it.
    pub takes: Takes,
    /// When it began, in milliseconds of `CLOCK_BOOTTIME`: 0 when that was before this boot, or is
    /// not known.
    pub began_ms: u64,
    /// The accounts that its rules ran commands as, other than root and the person, as far as their
    /// uids are known.
    pub accounts: Vec<Person>,
    /// The names of all accounts that its rules ran commands as.
    pub runs_as: Vec<String>,
    /// Its rule let nothing run but one command, which has to be claimed of `tpad` first: to have
    /// called sudo before the end gives nothing behind it.
    pub once: bool,
}

/// What the end of a grant takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Takes {
    /// What sudo started under it: the login is another grant's, or the person's own.
    Commands,
    /// The logins that grants gave as well. The person needs none by now, and what they begin
    /// without one is their own.
    Logins,
    /// Everything that is theirs: no other grant gives them a login, and they need one.
    Everything,
}

impl Takes {
    /// Whether logins end.
    #[must_use]
    pub fn logins(self) -> bool {
        match self {
            Self::Commands => false,
            Self::Logins | Self::Everything => true,
        }
    }
}

/// Lines for the terminals of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The grant they are about.
    pub id: Id,
    /// Whose terminals.
    pub uid: u32,
    /// The line, without line ends.
    pub line: String,
}
