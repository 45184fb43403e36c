//! What is waited for, and whether it can still come.

use tpa_bus::access::Request;
use tpa_bus::state::State;

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
    /// How far a request is. A state that this version does not know is waited through.
    pub fn progress(self, request: &Request) -> Progress {
        use Progress::{Reached, Unreachable, Waiting};
        use State::{
            Active, Denied, Ended, Expired, Extended, Lapsed, Pending, Revoked, Scheduled, Unused,
            Withdrawn,
        };
        let Some(state) = request.standing() else {
            return Waiting;
        };
        match self {
            Self::Approved => match state {
                Pending => Waiting,
                Denied | Withdrawn | Lapsed => Unreachable,
                Unused | Scheduled | Active | Extended | Expired | Revoked | Ended => Reached,
            },
            Self::Active => match state {
                Pending | Unused | Scheduled => Waiting,
                // An approved extension has its time in the grant it extends.
                Active | Extended => Reached,
                Denied | Withdrawn | Lapsed | Expired | Revoked | Ended => Unreachable,
            },
            Self::Ended => match state {
                Pending | Unused | Scheduled | Active => Waiting,
                Expired | Revoked | Ended => Reached,
                // What never began has no end, nor has an extension one of its own.
                Denied | Withdrawn | Lapsed | Extended => Unreachable,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_knows_every_state() {
        use Progress::{Reached as R, Unreachable as U, Waiting as W};
        let grant = Some("7H2KM4QX".to_owned());
        for (state, extends, approved, active, ended) in [
            ("pending", None, W, W, W),
            ("denied", None, U, U, U),
            ("withdrawn", None, U, U, U),
            ("lapsed", None, U, U, U),
            ("approved", None, R, W, W),
            ("approved", grant, R, R, U),
            ("scheduled", None, R, W, W),
            ("active", None, R, R, W),
            ("expired", None, R, U, R),
            ("revoked", None, R, U, R),
            ("ended", None, R, U, R),
            ("pondered", None, W, W, W),
        ] {
            let request = Request {
                state: state.to_owned(),
                extends,
                ..Request::default()
            };
            let progress =
                [Goal::Approved, Goal::Active, Goal::Ended].map(|goal| goal.progress(&request));
            assert_eq!(progress, [approved, active, ended], "{request:?}");
        }
    }
}
