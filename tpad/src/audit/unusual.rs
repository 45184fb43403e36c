//! PURE: which events someone on call should look at, and why.

use tpa_bus::offline::SUDO_SERVICES;

use crate::ledger::{Event, UNLISTED_SERVICE};

/// So many refusals of one person in a row stand out.
const REFUSED_MOST: u32 = 3;

/// Services that start what was left to run, again and again.
const JOBS: [&str; 3] = ["cron", "crond", "atd"];

/// What is known of the person that an event is about, from before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often they were refused since they were last let in, or since the daemon began.
    pub refused: u32,
    /// Whether they have come from this address before.
    pub address: bool,
}

/// The word that marks the event, in the field `unusual`; none for what is usual.
#[must_use]
pub fn mark(event: &Event, seen: Seen) -> Option<&'static str> {
    match event {
        Event::LoginAllowed { place, .. } => {
            let elsewhere = place.rhost.is_some() && !seen.address;
            elsewhere.then_some("new-address")
        }
        Event::LoginDenied { place, why, .. } => {
            let sudo = SUDO_SERVICES.contains(&place.service.as_str());
            let refused = seen.refused.saturating_add(1);
            if sudo && why == "other-use" {
                Some("sudo-refused")
            } else if JOBS.contains(&place.service.as_str()) {
                // Nobody tries again there: a job comes back each minute, and is told of once.
                (refused == REFUSED_MOST).then_some("refused-in-a-row")
            } else if why == UNLISTED_SERVICE {
                Some("unlisted-service")
            } else {
                (refused >= REFUSED_MOST).then_some("refused-in-a-row")
            }
        }
        Event::Repeated { what, .. } => match what.of.as_str() {
            "login-denied"
                if SUDO_SERVICES.contains(&what.at.as_str()) && what.why == "other-use" =>
            {
                Some("sudo-refused")
            }
            // A job comes back each minute, and was marked once.
            "login-denied" if JOBS.contains(&what.at.as_str()) => None,
            "login-denied" if what.why == UNLISTED_SERVICE => Some("unlisted-service"),
            "login-denied" => Some("refused-in-a-row"),
            "exempt-login" => Some("exempt"),
            _ => None,
        },
        Event::SessionOpened(session) if session.outside_role => Some("outside-role"),
        Event::BreakGlassUsed { .. } => Some("break-glass"),
        Event::ExemptLogin { .. } => Some("exempt"),
        Event::HostDrift { .. } => Some("drift"),
        Event::ClockJump { .. } => Some("clock-jump"),
        Event::RemovalFailed { .. } => Some("survivors"),
        Event::Residue { residue, .. } if !residue.findings.is_empty() => Some("residue"),
        Event::ChainBroken { .. } => Some("chain-broken"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Person, Place, Session, properties};
    use tpa_bus::id::Id;

    fn place(service: &str, rhost: Option<&str>) -> Place {
        Place {
            service: service.into(),
            rhost: rhost.map(Into::into),
            ..Place::default()
        }
    }

    fn denied(service: &str, why: &str) -> Event {
        Event::LoginDenied {
            user: Person::root(),
            place: place(service, None),
            why: why.into(),
        }
    }

    #[test]
    fn the_first_login_from_an_address_is_marked_and_no_later_one() {
        let id = Id::from_random([0; 5]);
        let from = |rhost| Event::LoginAllowed {
            id,
            place: place("sshd", rhost),
        };
        let known = Seen {
            address: true,
            ..Seen::default()
        };
        let there = Some("192.0.2.7");
        assert_eq!(mark(&from(there), Seen::default()), Some("new-address"));
        assert_eq!(mark(&from(there), known), None);
        assert_eq!(mark(&from(None), Seen::default()), None, "a console");
    }

    #[test]
    fn the_third_refusal_in_a_row_is_marked_and_each_after_it() {
        let marks = (0..4).map(|refused| {
            let seen = Seen {
                refused,
                ..Seen::default()
            };
            mark(&denied("sshd", "no-grant"), seen)
        });
        let marked = Some("refused-in-a-row");
        assert_eq!(marks.collect::<Vec<_>>(), [None, None, marked, marked]);
    }

    #[test]
    fn a_job_that_comes_back_each_minute_is_marked_once() {
        let marks = (0..100).filter_map(|refused| {
            let seen = Seen {
                refused,
                ..Seen::default()
            };
            mark(&denied("cron", "no-grant"), seen)
        });
        assert_eq!(marks.collect::<Vec<_>>(), ["refused-in-a-row"]);
    }

    #[test]
    fn a_refusal_at_a_service_that_nobody_listed_is_marked_at_once() {
        let mark = |event| mark(&event, Seen::default());
        assert_eq!(
            mark(denied("cockpit", UNLISTED_SERVICE)),
            Some("unlisted-service")
        );
    }

    #[test]
    fn sudo_refused_while_a_grant_lives_is_marked_at_once() {
        let mark = |event| mark(&event, Seen::default());
        assert_eq!(mark(denied("sudo", "other-use")), Some("sudo-refused"));
        assert_eq!(mark(denied("sudo", "ended")), None);
        assert_eq!(mark(denied("sshd", "other-use")), None);
    }

    #[test]
    fn a_command_that_no_grant_gives_is_marked() {
        let opened = |outside_role| {
            let session = Session {
                service: "sudo".into(),
                class: "sudo".into(),
                target: Some("root".into()),
                command: Some("sudo id".into()),
                outside_role,
                ..properties::session(Id::from_random([0; 5]), Person::root(), 1)
            };
            mark(&Event::SessionOpened(session), Seen::default())
        };
        assert_eq!(opened(true), Some("outside-role"));
        assert_eq!(opened(false), None);
    }
}
