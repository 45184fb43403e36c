//! Whether the host has to be looked at again.
//!
//! Most of what is recorded asks nothing new of the host: a refusal, a login, a request, a decision
//! against one. What such an event costs must not depend on how many grants live. So what the host
//! was made last is kept, and it is looked at again when it is to be something else, when somebody
//! touched it, when the last look did not get everything done, and within the hour.

use super::Desired;
use crate::clock::Now;

/// How long others' changes that nothing tells of (a timer of PID 1's that was stopped, say) may go
/// unnoticed while nothing else has the host looked at, in milliseconds.
pub const AGAIN_MS: u64 = 3_600_000;

/// Whether to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// The host is as it should be.
    Nothing,
    /// At what is to be otherwise, and at what somebody touched: all else is as it should be.
    Changes,
    /// At everything: nobody knows.
    Look,
}

/// What the host was made at the last look, for as long as nothing speaks against its being so.
///
/// `S` is what can be seen from outside of what others may change, without a look at each file.
#[derive(Debug)]
pub struct Followed<S> {
    last: Option<Last<S>>,
}

#[derive(Debug)]
struct Last<S> {
    /// Without what is done once: ends, and what is said.
    desired: Desired,
    outside: S,
    /// `CLOCK_BOOTTIME` in milliseconds at which it is too old.
    until_ms: u64,
}

impl<S> Default for Followed<S> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<S: PartialEq> Followed<S> {
    /// Whether the host is to be looked at now that it should be as `desired`, and `touched` tells
    /// whether somebody touched files that are known.
    pub fn due(&self, desired: &Desired, touched: bool, outside: &S, now: &Now) -> Due {
        let known = |last: &&Last<S>| now.boottime_ms < last.until_ms && last.outside == *outside;
        let Some(last) = self.last.as_ref().filter(known) else {
            return Due::Look;
        };
        let once = !desired.endings.is_empty() || !desired.notices.is_empty();
        if touched || once || last.desired != *desired {
            Due::Changes
        } else {
            Due::Nothing
        }
    }

    /// Everything was looked at, beginning `now`: nothing failed and nothing is left to be done.
    pub fn looked(&mut self, desired: &Desired, outside: S, now: &Now) {
        self.last = Some(Last {
            desired: lasting(desired),
            outside,
            until_ms: now.boottime_ms.saturating_add(AGAIN_MS),
        });
    }

    /// The same of what was to be otherwise or was touched.
    pub fn followed(&mut self, desired: &Desired, outside: S) {
        if let Some(last) = &mut self.last {
            last.desired = lasting(desired);
            last.outside = outside;
        }
    }

    /// It may be otherwise by now: the next look is due.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Milliseconds until it is due without any event; `None` where nothing is kept on the host.
    #[must_use]
    pub fn again_ms(&self, desired: &Desired, now: &Now) -> Option<u64> {
        let left = |last: &Last<S>| last.until_ms.saturating_sub(now.boottime_ms);
        let left = self.last.as_ref().map(left).filter(|left| *left > 0);
        (*desired != Desired::default()).then(|| left.unwrap_or(AGAIN_MS))
    }
}

fn lasting(desired: &Desired) -> Desired {
    Desired {
        endings: Vec::new(),
        notices: Vec::new(),
        ..desired.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::now;
    use crate::plan::{End, Ending, Notice, Takes};
    use tpa_bus::id::Id;

    fn id() -> Id {
        Id::parse("7H2KM4QX").unwrap()
    }

    fn desired() -> Desired {
        let end = End {
            not_after: 9,
            deadline_ms: 9,
        };
        Desired {
            reapers: [(id(), end)].into(),
            ..Desired::default()
        }
    }

    fn ending() -> Ending {
        Ending {
            id: id(),
            uid: 1001,
            user: "alice".into(),
            takes: Takes::Commands,
            began_ms: 0,
            accounts: vec![],
            runs_as: vec![],
            once: false,
        }
    }

    fn followed() -> Followed<u8> {
        let mut followed = Followed::default();
        followed.looked(&desired(), 1, &now(0));
        followed
    }

    #[test]
    fn a_host_that_is_as_it_should_be_is_not_looked_at_again() {
        let due = followed().due(&desired(), false, &1, &now(3_599));
        assert_eq!(due, Due::Nothing);
    }

    #[test]
    fn what_is_to_be_otherwise_or_was_touched_is_looked_at_alone() {
        let due = |desired: &Desired, touched| followed().due(desired, touched, &1, &now(1));
        assert_eq!(due(&Desired::default(), false), Due::Changes);
        assert_eq!(due(&desired(), true), Due::Changes);
    }

    #[test]
    fn everything_is_looked_at_at_first_and_when_nobody_knows_what_was_touched() {
        let look = |followed: &Followed<u8>, outside: u8| {
            for touched in [false, true] {
                let due = followed.due(&desired(), touched, &outside, &now(1));
                assert_eq!(due, Due::Look);
            }
        };
        look(&Followed::default(), 1);
        look(&followed(), 2);
        let mut touched = followed();
        touched.forget();
        look(&touched, 1);
    }

    #[test]
    fn what_is_to_end_or_to_be_said_is_never_put_off() {
        let ends = Desired {
            endings: vec![ending()],
            ..desired()
        };
        let says = Desired {
            notices: vec![Notice {
                id: id(),
                uid: 1001,
                line: "ended".into(),
            }],
            ..desired()
        };
        for once in [ends, says] {
            let mut followed = followed();
            let due = |followed: &Followed<u8>, desired| followed.due(desired, false, &1, &now(2));
            assert_eq!(due(&followed, &once), Due::Changes);
            followed.looked(&once, 1, &now(1));
            assert_eq!(due(&followed, &once), Due::Changes, "not done yet");
            assert_eq!(due(&followed, &desired()), Due::Nothing, "done");
        }
    }

    #[test]
    fn within_the_hour_it_is_looked_at_whatever_happens() {
        let mut followed = followed();
        assert_eq!(followed.due(&desired(), false, &1, &now(3_600)), Due::Look);
        assert_eq!(followed.again_ms(&desired(), &now(3_000)), Some(600_000));
        assert_eq!(followed.again_ms(&desired(), &now(3_600)), Some(AGAIN_MS));
        let nothing = Desired::default();
        assert_eq!(followed.again_ms(&nothing, &now(0)), None);
        // What is looked at meanwhile because it changes puts that off by nothing.
        followed.followed(&desired(), 1);
        assert_eq!(followed.due(&desired(), false, &1, &now(3_600)), Due::Look);
    }
}
