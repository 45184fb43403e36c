//! What is waited for, and whether it can still come.

/// What `wait` and `request` wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Goal {
    /// The request is approved.
    Approved,
    /// Access has begun.
    Active,
    /// Access is over.
    Ended,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It has come.
    Reached,
    /// It can still come.
    Waiting,
    /// It will never come.
    Unreachable,
}

impl Goal {
    /// Where a request in this state stands. A state that this version does not know is waited
    /// through.
    pub fn progress(self, state: &str) -> Progress {
        use Progress::{Reached, Unreachable, Waiting};
        match state {
            "scheduled" if self == Self::Approved => Reached,
            // An approved extension has its time in the grant it extends, and no end of its own.
            "active" | "approved" if self != Self::Ended => Reached,
            "expired" | "revoked" | "ended" if self != Self::Active => Reached,
            "approved" | "expired" | "revoked" | "ended" | "denied" | "withdrawn" | "lapsed" => {
                Unreachable
            }
            _ => Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_knows_every_state() {
        use Progress::{Reached as R, Unreachable as U, Waiting as W};
        for (state, approved, active, ended) in [
            ("pending", W, W, W),
            ("denied", U, U, U),
            ("withdrawn", U, U, U),
            ("lapsed", U, U, U),
            ("approved", R, R, U),
            ("scheduled", R, W, W),
            ("active", R, R, W),
            ("expired", R, U, R),
            ("revoked", R, U, R),
            ("ended", R, U, R),
        ] {
            assert_eq!(
                Goal::Approved.progress(state),
                approved,
                "approved, {state}"
            );
            assert_eq!(Goal::Active.progress(state), active, "active, {state}");
            assert_eq!(Goal::Ended.progress(state), ended, "ended, {state}");
        }
    }

    #[test]
    fn an_unknown_state_is_waited_through() {
        assert_eq!(Goal::Approved.progress("pondered"), Progress::Waiting);
    }
}
