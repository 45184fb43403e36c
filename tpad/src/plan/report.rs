//! What was done on the host to make it as planned.

use tpa_bus::id::Id;

use crate::ledger::LookedFor;

/// What a reconcile did or met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A drop-in was written, and sudo finds it good.
    RuleWritten {
        /// The grant.
        id: Id,
    },
    /// A drop-in cannot be written as it should be. Told once for each reason.
    RuleRejected {
        /// The grant.
        id: Id,
        /// What stands against it.
        why: String,
    },
    /// Somebody else changed or removed something of ours, or put something into a folder of
    /// ours. It was put right.
    Drift {
        /// What it was.
        what: String,
        /// The grant it belongs to, when one can be told.
        id: Option<Id>,
    },
    /// A grant's rule and processes were taken away.
    Ended {
        /// The grant.
        id: Id,
        /// How many processes were killed.
        killed: usize,
        /// What is still there, as `812 sleep`. Empty: the end is proven.
        survivors: Vec<String>,
        /// What that was looked for by.
        looked_for: LookedFor,
    },
    /// A line was said to a person; it must not be said again.
    Notified {
        /// The grant it was about.
        id: Id,
        /// On how many of their terminals. 0 when they have none.
        terminals: usize,
    },
    /// Something did not work. The next reconcile tries again.
    Failed {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

impl Report {
    pub(crate) fn failed(what: &str, why: &anyhow::Error) -> Self {
        Self::Failed {
            what: what.to_owned(),
            why: format!("{why:#}"),
        }
    }
}
