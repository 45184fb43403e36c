//! Somebody at the gate: what they hear, and what the trail tells of it.

use tpa_bus::offline::Class;

use super::{
    AccessDecision, AccessQuery, CommandLine, Deadline, Event, Fit, Person, Place, Request,
    Session, Stage, State, SudoCall, UNLISTED_SERVICE, Why, is_outside_role, is_undecided_or_on,
    judge,
};
use crate::clock::Now;

/// Someone whom PAM is about to let in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who.
    pub user: Person,
    /// To do what.
    pub class: Class,
    /// Where.
    pub place: Place,
    /// Start time of the process (proc(5)), which with its pid names it.
    pub started: u64,
    /// As whom a sudo command is to run.
    pub target: Option<String>,
    /// They come in whatever the ledger says.
    pub exempt: bool,
    /// They need no grant: one counts where it may be what gives the command, and nothing is told of
    /// the rest.
    pub ungated: bool,
    /// The command line of sudo as it was typed; nothing for a login.
    pub command: CommandLine,
}

/// The gate's answer.
#[derive(Debug, Clone)]
#[must_use]
pub enum Answer {
    /// In, on this grant, until then.
    Allow {
        /// The grant.
        grant: Box<Request>,
        /// Its end.
        deadline: Deadline,
        /// The moment of the answer.
        now: Now,
    },
    /// Out, and the request that explains most, when there is one.
    Deny {
        /// Why.
        why: Why,
        /// About which request.
        about: Option<Box<Request>>,
    },
}

/// The account phase, and what is to be recorded of it.
pub fn account(state: &State, arrival: &Arrival, now: &Now) -> (Answer, Vec<Event>) {
    let (answer, mut events) = answer(state, arrival, now);
    match &answer {
        Answer::Allow { grant, .. } if arrival.class == Class::Login => {
            let (id, place) = (grant.id, arrival.place.clone());
            events.push(Event::LoginAllowed { id, place });
        }
        // A sudo command is recorded when it begins.
        Answer::Allow { .. } => {}
        Answer::Deny { why, .. } => events.push(denied(arrival, why)),
    }
    (answer, events)
}

/// What the account phase would answer: nothing is recorded, and no grant begins.
pub fn preview(state: &State, arrival: &Arrival, now: &Now) -> Answer {
    answer(state, arrival, now).0
}

/// The session phase: the same question again, and a session when the answer is yes. Who is exempt
/// comes in on no grant, whatever they hold, and was told of in the account phase.
pub fn open_session(state: &State, arrival: &Arrival, now: &Now) -> (Answer, Vec<Event>) {
    let (answer, mut events) = answer(state, arrival, now);
    let is_free = arrival.ungated && matches!(answer, Answer::Deny { .. });
    if arrival.exempt || is_free {
        return (answer, Vec::new());
    }
    match &answer {
        Answer::Allow { grant, .. } => {
            let mut session = arrival.session(grant, now);
            session.outside_role = is_outside_role(state, &arrival.query(), now);
            events.push(Event::SessionOpened(session));
        }
        Answer::Deny { why, .. } => events.push(denied(arrival, why)),
    }
    (answer, events)
}

/// The end of a session, when it was one under a grant.
#[must_use]
pub fn close_session(state: &State, arrival: &Arrival) -> Option<Event> {
    let is_it = |session: &&Session| {
        session.pid == arrival.place.pid
            && session.started == arrival.started
            && session.service == arrival.place.service
    };
    let closed = state.sessions.values().find(is_it).cloned();
    closed.map(Event::SessionClosed)
}

/// Somebody at the gate, who has these other names as well, by the name under which they hold or want
/// access: their own before another, and the other only while the same uid has both.
#[must_use]
pub fn known_as(state: &State, user: Person, others: &[String]) -> Person {
    let on = || state.requests.values().filter(|r| is_undecided_or_on(r));
    let mut theirs = on().map(|request| &request.user);
    if theirs.any(|other| *other == user) {
        return user;
    }
    let other = on().find(|r| r.user.uid == user.uid && others.contains(&r.user.name));
    other.map_or(user, |request| request.user.clone())
}

/// How long a no is told at each login on another grant, in seconds.
const TOLD_FOR_S: i64 = 60 * 60;

/// The last no of others to anything else of theirs since the grant began that they come in on: they
/// get in, so no refusal tells them.
#[must_use]
pub fn no_meanwhile<'a>(state: &'a State, grant: &Request, now: &Now) -> Option<&'a Request> {
    let since = match grant.stage {
        Stage::Active { since, .. } => since,
        _ => now.wall_s,
    };
    let from = since.max(now.wall_s.saturating_sub(TOLD_FOR_S));
    let theirs = state.requests.values().filter(|r| r.user == grant.user);
    let told = theirs.filter_map(|request| {
        let closed = request.closed_at().filter(|(at, _)| *at >= from)?;
        request.no_of_others()?;
        Some((closed, request))
    });
    told.max_by_key(|(closed, _)| *closed)
        .map(|(_, request)| request)
}

/// Someone who needs a grant was refused at a service that is in no list.
#[must_use]
pub fn unlisted(user: Person, place: Place) -> Event {
    let why = UNLISTED_SERVICE.to_owned();
    Event::LoginDenied { user, place, why }
}

fn answer(state: &State, arrival: &Arrival, now: &Now) -> (Answer, Vec<Event>) {
    let known = |id| state.requests.get(&id).cloned().map(Box::new);
    let deny = |why, about| (Answer::Deny { why, about }, Vec::new());
    match judge(state, &arrival.query(), now) {
        AccessDecision::Allow {
            grant,
            deadline,
            first_use,
        } => {
            let Some(grant) = known(grant) else {
                return deny(Why::NoGrant, None);
            };
            if arrival.ungated && (first_use.is_some() || !may_give(&grant, arrival)) {
                return deny(Why::OtherUse(grant.id), None);
            }
            let now = now.clone();
            let answer = Answer::Allow {
                grant,
                deadline,
                now,
            };
            (answer, first_use.into_iter().map(|event| *event).collect())
        }
        AccessDecision::Deny(why) => {
            let about = why.about().and_then(known);
            deny(why, about)
        }
    }
}

/// Whether a grant may be what gives the command that sudo was called to run.
fn may_give(grant: &Request, arrival: &Arrival) -> bool {
    let call = arrival.sudo_call();
    call.is_some_and(|call| call.fit(&grant.gives) == Fit::Command)
}

fn denied(arrival: &Arrival, why: &Why) -> Event {
    Event::LoginDenied {
        user: arrival.user.clone(),
        place: arrival.place.clone(),
        why: why.as_str().to_owned(),
    }
}

impl Arrival {
    /// That they come in whatever the ledger says.
    #[must_use]
    pub fn exempted(&self) -> Event {
        Event::ExemptLogin {
            user: self.user.clone(),
            place: self.place.clone(),
        }
    }

    fn query(&self) -> AccessQuery {
        AccessQuery {
            user: self.user.clone(),
            class: self.class,
            sudo: self.sudo_call(),
        }
    }

    /// What sudo was called to run; nothing for a login.
    fn sudo_call(&self) -> Option<SudoCall> {
        let words = &self.command.words;
        // By the name of sudoedit(8) it edits, whatever comes behind (sudo(8)).
        let edits = words.first().is_some_and(|name| name.ends_with("edit"));
        let edit = edits.then(|| "-e".to_owned());
        (self.class == Class::Sudo).then(|| SudoCall {
            target: self.target.clone(),
            words: edit
                .into_iter()
                .chain(words.iter().skip(1).cloned())
                .collect(),
            cut: self.command.cut,
        })
    }

    pub(crate) fn session(&self, grant: &Request, now: &Now) -> Session {
        let shown = &self.command.shown;
        Session {
            grant: grant.id,
            user: self.user.clone(),
            service: self.place.service.clone(),
            class: self.class.as_str().to_owned(),
            pid: self.place.pid,
            started: self.started,
            tty: self.place.tty.clone(),
            rhost: self.place.rhost.clone(),
            target: self.target.clone(),
            command: (!shown.text.is_empty()).then(|| shown.text.clone()),
            command_digest: shown.digest.clone(),
            outside_role: false,
            opened_at: now.wall_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{now, request};
    use crate::ledger::{Closed, Envelope};

    fn alice(class: Class, words: &[&str]) -> Arrival {
        Arrival {
            user: request(1, "alice").user,
            class,
            place: Place {
                service: "sshd".to_owned(),
                pid: 7,
                ..Place::default()
            },
            started: 3,
            target: Some("root".to_owned()),
            exempt: false,
            ungated: false,
            command: CommandLine {
                words: words.iter().map(ToString::to_string).collect(),
                ..CommandLine::default()
            },
        }
    }

    #[test]
    fn whoever_comes_by_another_name_of_their_uid_is_the_one_who_holds_access() {
        let mut state = State::default();
        let alice = request(1, "alice");
        let alias = Person {
            name: "alias1".to_owned(),
            ..alice.user.clone()
        };
        let both = ["alice".to_owned()];
        assert_eq!(
            known_as(&state, alias.clone(), &both),
            alias,
            "holds nothing"
        );
        state.requests.insert(alice.id, alice.clone());
        assert_eq!(known_as(&state, alias.clone(), &both), alice.user);
        // The uid is somebody else's by now, or the name is another uid's.
        assert_eq!(known_as(&state, alias.clone(), &[]), alias);
        let other = Person {
            uid: 7,
            ..alias.clone()
        };
        assert_eq!(known_as(&state, other.clone(), &both), other);
        let own = Request {
            user: alias.clone(),
            ..request(2, "alice")
        };
        state.requests.insert(own.id, own);
        assert_eq!(known_as(&state, alias.clone(), &both), alias);
    }

    fn holding(stage: Stage) -> State {
        let grant = Request {
            stage,
            ..request(1, "alice")
        };
        State {
            requests: [(grant.id, grant)].into(),
            ..State::default()
        }
    }

    fn live() -> State {
        holding(Stage::Active {
            since: now(0).wall_s,
            deadline: Deadline::after(&now(0), 600),
        })
    }

    fn names(events: &[Event]) -> Vec<&'static str> {
        events.iter().map(|event| event.code().1).collect()
    }

    #[test]
    fn a_login_is_told_when_it_is_allowed_and_a_command_when_it_begins() {
        let login = alice(Class::Login, &[]);
        let sudo = alice(Class::Sudo, &["sudo", "id"]);
        let told = |arrival| names(&account(&live(), arrival, &now(1)).1).join(" ");
        let opened = |arrival| names(&open_session(&live(), arrival, &now(1)).1).join(" ");
        assert_eq!(
            (told(&login), opened(&login)),
            ("login-allowed".into(), "session-opened".into())
        );
        assert_eq!(
            (told(&sudo), opened(&sudo)),
            (String::new(), "sudo-opened".into())
        );
    }

    #[test]
    fn whoever_is_refused_is_told_of_at_each_phase_and_nothing_is_at_a_preview() {
        let (nothing, login) = (State::default(), alice(Class::Login, &[]));
        for phase in [account, open_session] {
            let (answer, events) = phase(&nothing, &login, &now(1));
            assert!(matches!(
                answer,
                Answer::Deny {
                    why: Why::NoGrant,
                    about: None
                }
            ));
            assert_eq!(names(&events), ["login-denied"]);
        }
        assert!(matches!(
            preview(&nothing, &login, &now(1)),
            Answer::Deny { .. }
        ));
    }

    #[test]
    fn the_first_use_of_a_grant_begins_it_before_anything_else_is_told() {
        let waiting = holding(Stage::Waiting {
            from: now(0).wall_s,
            use_by: Some(now(900).wall_s),
        });
        let (answer, events) = account(&waiting, &alice(Class::Login, &[]), &now(1));
        assert_eq!(names(&events), ["grant-activated", "login-allowed"]);
        assert!(matches!(answer, Answer::Allow { grant, .. } if grant.is_waiting()));
    }

    #[test]
    fn whoever_is_exempt_opens_no_session_on_a_grant_that_they_hold() {
        let exempt = Arrival {
            exempt: true,
            ..alice(Class::Login, &[])
        };
        assert!(open_session(&live(), &exempt, &now(1)).1.is_empty());
        assert_eq!(exempt.exempted().code().1, "exempt-login");
    }

    #[test]
    fn what_may_be_a_grant_s_is_held_by_it_of_whoever_needs_none_and_the_rest_is_not_told() {
        let ungated = |words: &[&str]| Arrival {
            ungated: true,
            ..alice(Class::Sudo, words)
        };
        let held = |state: &State, words: &[&str]| {
            let arrival = ungated(words);
            let (answer, events) = open_session(state, &arrival, &now(1));
            let is_held = matches!(answer, Answer::Allow { .. });
            assert_eq!(is_held, !events.is_empty(), "{words:?}");
            let before = preview(state, &arrival, &now(1));
            assert_eq!(is_held, matches!(before, Answer::Allow { .. }));
            is_held
        };
        assert!(held(&live(), &["sudo", "/usr/bin/id"]));
        assert!(held(&live(), &["sudo", "id"]));
        assert!(held(&live(), &["sudo", "-s"]), "any shell may be a rule's");
        assert!(!held(&live(), &["sudo", "/usr/bin/passwd"]));
        assert!(!held(&State::default(), &["sudo", "id"]));
        let waiting = holding(Stage::Waiting {
            from: now(0).wall_s,
            use_by: Some(now(900).wall_s),
        });
        assert!(!held(&waiting, &["sudo", "id"]), "it has no rules yet");
    }

    #[test]
    fn whoever_gets_in_hears_the_last_no_since_their_grant_began_for_an_hour() {
        let mut state = live();
        let grant = request(1, "alice");
        let grant = state.requests.get(&grant.id).unwrap().clone();
        let said = |state: &State, after| {
            let no = no_meanwhile(state, &grant, &now(after));
            no.map(|request| request.id)
        };
        let closed = |number, user: &str, after: u32, how| Request {
            stage: Stage::Closed {
                at: now(after).wall_s,
                since: None,
                how,
                by: Some(request(1, "carol").user),
                why: Some("not today".to_owned()),
                not_after: None,
            },
            ..request(number, user)
        };
        let add = |state: &mut State, request: Request| {
            let id = request.id;
            state.requests.insert(id, request);
            id
        };
        assert_eq!(said(&state, 5), None);
        add(&mut state, closed(2, "alice", 3, Closed::Withdrawn));
        add(&mut state, closed(3, "bob", 3, Closed::Denied));
        assert_eq!(said(&state, 5), None, "no no of others to her");
        let first = add(&mut state, closed(5, "alice", 3, Closed::Denied));
        assert_eq!(said(&state, 5), Some(first));
        let second = add(&mut state, closed(4, "alice", 4, Closed::Revoked));
        assert_eq!(said(&state, 5), Some(second), "the newest");
        assert_eq!(said(&state, 3_605), None);
    }

    #[test]
    fn a_command_that_no_grant_is_certain_to_give_is_marked_and_sudoedit_is_no_command() {
        let outside = |words: &[&str]| {
            let (_, events) = open_session(&live(), &alice(Class::Sudo, words), &now(1));
            events
                .iter()
                .any(|event| matches!(event, Event::SessionOpened(one) if one.outside_role))
        };
        assert!(!outside(&["sudo", "/usr/bin/id"]));
        assert!(outside(&["sudo", "/usr/bin/passwd"]));
        assert!(outside(&["sudoedit", "/usr/bin/id"]));
    }

    #[test]
    fn a_session_ends_by_the_process_that_opened_it_and_by_no_other_of_its_number() {
        let mut state = live();
        let login = alice(Class::Login, &[]);
        for event in open_session(&state.clone(), &login, &now(1)).1 {
            let at = now(1).wall_s;
            state.apply(&Envelope {
                at,
                actor: None,
                actor_uid: None,
                actor_login: None,
                proof: None,
                event,
            });
        }
        assert_eq!(state.sessions.values().count(), 1);
        let later = Arrival {
            started: 4,
            ..login.clone()
        };
        assert_eq!(close_session(&state, &later), None);
        let closed = close_session(&state, &login);
        assert!(matches!(closed, Some(Event::SessionClosed(_))));
    }
}
