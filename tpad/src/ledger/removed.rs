//! What the end of access on the host comes to.

use tpa_bus::id::Id;

use super::{Event, LookedFor, Removal, Session, State, reassign_sessions};

/// What was done on the host to end a grant, and what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The grant.
    pub id: Id,
    /// How many processes were killed.
    pub killed: u32,
    /// What is still there, as `812 sleep`. Empty: the end is proven.
    pub survivors: Vec<String>,
    /// What that was looked for by.
    pub looked_for: LookedFor,
    /// Whether the person's logins were to end with it.
    pub with_logins: bool,
}

/// The events: sessions that went with it or go on under another grant, and the end itself. An end
/// that is not proven is told once, however often it is tried.
#[must_use]
pub fn removed(state: &State, removed: Removed) -> Vec<Event> {
    let Removed {
        id,
        killed,
        survivors,
        looked_for,
        with_logins,
    } = removed;
    let Some(request) = state.requests.get(&id) else {
        return Vec::new();
    };
    if !survivors.is_empty() {
        return match request.removal {
            Removal::Failed => Vec::new(),
            Removal::None | Removal::Due | Removal::Confirmed => vec![Event::RemovalFailed {
                id,
                killed,
                survivors,
                looked_for,
            }],
        };
    }
    let gone = |session: &&Session| {
        if with_logins {
            session.user.uid == request.user.uid
        } else {
            session.grant == id && session.is_sudo()
        }
    };
    let sessions = state.sessions.values().filter(gone).cloned();
    let moved = if with_logins {
        Vec::new()
    } else {
        reassign_sessions(state, id)
    };
    let confirmed = Event::RemovalConfirmed {
        id,
        killed,
        looked_for,
    };
    sessions
        .map(Event::SessionKilled)
        .chain(moved)
        .chain([confirmed])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{now, request, session};
    use crate::ledger::{Closed, Deadline, Person, Request, Stage};

    fn ended(n: u8) -> Request {
        Request {
            stage: Stage::Closed {
                how: Closed::Revoked,
                at: 1_000_010,
                by: None,
                why: None,
                since: Some(1_000_000),
                not_after: Some(1_003_600),
            },
            removal: Removal::Due,
            ..request(n, "alice")
        }
    }

    fn live(n: u8, seconds: u64) -> Request {
        Request {
            stage: Stage::Active {
                since: 1_000_000,
                deadline: Deadline::after(&now(0), seconds),
            },
            ..request(n, "alice")
        }
    }

    fn sudo(grant: Id, user: Person, pid: u32) -> Session {
        Session {
            service: "sudo".to_owned(),
            class: "sudo".to_owned(),
            ..session(grant, user, pid)
        }
    }

    fn state(
        requests: impl IntoIterator<Item = Request>,
        sessions: impl IntoIterator<Item = Session>,
    ) -> State {
        State {
            requests: requests.into_iter().map(|one| (one.id, one)).collect(),
            sessions: sessions.into_iter().map(|one| (one.key(), one)).collect(),
            ..State::default()
        }
    }

    fn end(id: Id, with_logins: bool, survivors: &[&str]) -> Removed {
        Removed {
            id,
            killed: 2,
            survivors: survivors.iter().map(ToString::to_string).collect(),
            looked_for: LookedFor::default(),
            with_logins,
        }
    }

    fn codes(events: &[Event]) -> Vec<&'static str> {
        events.iter().map(|event| event.code().1).collect()
    }

    #[test]
    fn an_end_that_takes_logins_takes_every_session_of_its_person_and_nobody_else_s() {
        let grant = ended(1);
        let (alice, bob) = (grant.user.clone(), request(9, "bob").user);
        let other = request(9, "bob").id;
        let sessions = [
            session(grant.id, alice.clone(), 1),
            sudo(grant.id, alice, 2),
            session(other, bob, 3),
        ];
        let events = removed(&state([grant.clone()], sessions), end(grant.id, true, &[]));
        let names = ["session-killed", "session-killed", "removal-confirmed"];
        assert_eq!(codes(&events), names);
    }

    #[test]
    fn logins_that_were_left_go_on_under_the_grant_that_lasts_longest() {
        let (grant, shorter, longer) = (ended(1), live(2, 600), live(3, 1_200));
        let alice = grant.user.clone();
        let sessions = [
            session(grant.id, alice.clone(), 1),
            sudo(grant.id, alice.clone(), 2),
            sudo(longer.id, alice, 3),
        ];
        let state = state([grant.clone(), shorter, longer.clone()], sessions);
        let events = removed(&state, end(grant.id, false, &[]));
        let names = ["session-killed", "session-moved", "removal-confirmed"];
        assert_eq!(codes(&events), names);
        let moved = events.iter().find_map(|event| match event {
            Event::SessionMoved { session, .. } => Some(session.grant),
            _ => None,
        });
        assert_eq!(moved, Some(longer.id));
    }

    #[test]
    fn what_is_left_is_told_once_and_the_proof_comes_when_nothing_is() {
        let mut grant = ended(1);
        let told = |grant: &Request, survivors: &[&str]| {
            let state = state([grant.clone()], []);
            codes(&removed(&state, end(grant.id, true, survivors))).join(" ")
        };
        assert_eq!(told(&grant, &["812 sleep"]), "removal-failed");
        grant.removal = Removal::Failed;
        assert_eq!(told(&grant, &["812 sleep"]), "");
        assert_eq!(told(&grant, &[]), "removal-confirmed");
    }

    #[test]
    fn the_end_of_a_grant_that_nobody_knows_any_more_tells_nothing() {
        assert!(removed(&State::default(), end(ended(1).id, true, &["1 x"])).is_empty());
    }
}
