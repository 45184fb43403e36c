//! What becomes of a request, one sentence a story.

use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use super::properties::{groups, now, person, policy, session};
use super::*;
use crate::clock::Now;
use crate::policy::Policy;

const ALICE: usize = 0;
const CAROL: usize = 2;
const DAVE: usize = 3;

/// A ledger, and what people do to it.
struct Ledger {
    state: State,
    policy: Policy,
    now: Now,
    filed: u8,
}

impl Ledger {
    fn new() -> Self {
        Self {
            state: State::default(),
            policy: policy(),
            now: now(0),
            filed: 0,
        }
    }

    fn caller(who: usize) -> Caller {
        Caller {
            identity: Identity::of(person(who), groups(who)),
            uid: person(who).uid,
            login: None,
            proof: Proof::Uid,
        }
    }

    fn record(&mut self, who: Option<usize>, events: Vec<Event>) {
        for event in events {
            self.state.apply(&Envelope {
                at: self.now.wall_s,
                actor: who.map(person),
                actor_uid: who.map(|who| person(who).uid),
                actor_login: None,
                proof: None,
                event,
            });
        }
    }

    fn command(&mut self, caller: &Caller, who: usize, command: &Command) -> Result<(), Refused> {
        let decided = decide(&self.state, &self.policy, caller, command, &self.now);
        let (events, outcome) = match decided {
            Ok(events) => (events, Ok(())),
            Err(refused) => {
                let record = refused.record.clone();
                (
                    record.into_iter().map(|event| *event).collect(),
                    Err(refused),
                )
            }
        };
        self.record(Some(who), events);
        outcome
    }

    fn does(&mut self, who: usize, command: &Command) -> Result<(), Refused> {
        self.command(&Self::caller(who), who, command)
    }

    fn fresh(&mut self) -> Id {
        self.filed += 1;
        Id::from_random([0, 0, 0, 1, self.filed])
    }

    fn asks(&mut self, who: usize, role: &str) -> Result<Id, Refused> {
        let id = self.fresh();
        let asked = Asked {
            command: None,
            user: Identity::of(person(who), groups(who)),
            role: role.to_owned(),
            reason: "because".to_owned(),
            ticket: None,
            duration_s: Some(600),
            until: None,
            at: None,
        };
        self.does(who, &Command::Ask(id, Box::new(asked)))
            .map(|()| id)
    }

    fn extends(&mut self, who: usize, grant: Id) -> Result<Id, Refused> {
        let id = self.fresh();
        let reason = "not done".to_owned();
        let command = Command::Extend {
            id,
            grant,
            seconds: 60,
            reason,
        };
        self.does(who, &command).map(|()| id)
    }

    fn approves(&mut self, who: usize, id: Id) -> Result<(), Refused> {
        let command = Command::Approve {
            id,
            duration_s: None,
            comment: None,
        };
        self.does(who, &command)
    }

    fn revokes(&mut self, who: usize, id: Id) -> Result<(), Refused> {
        let reason = "enough".to_owned();
        self.does(who, &Command::Revoke { id, reason })
    }

    fn granted(&mut self, role: &str) -> Id {
        let id = self.asks(ALICE, role).unwrap();
        self.approves(CAROL, id).unwrap();
        id
    }

    fn is(&self, id: Id) -> &str {
        self.state.requests[&id].state().word()
    }

    fn pass(&mut self, seconds: u32) {
        self.now.wall_s += i64::from(seconds);
        self.now.boottime_ms += u64::from(seconds) * 1_000;
        let events = due(&self.state, &self.now);
        self.record(None, events);
    }
}

#[test]
fn more_of_a_grant_that_is_over_is_no_longer_waited_for() {
    let mut ledger = Ledger::new();
    let grant = ledger.granted("one");
    let more = ledger.extends(ALICE, grant).unwrap();
    ledger.revokes(CAROL, grant).unwrap();
    ledger.pass(0);
    assert_eq!(ledger.is(more), "lapsed");
}

#[test]
fn a_role_that_becomes_break_glass_extends_nothing_that_was_approved() {
    let mut ledger = Ledger::new();
    let grant = ledger.granted("one");
    ledger
        .policy
        .roles
        .get_mut("one")
        .unwrap()
        .gives
        .break_glass = true;
    let more = ledger.extends(ALICE, grant).unwrap();
    assert_eq!(ledger.is(more), "pending");
}

#[test]
fn a_break_glass_grant_that_is_extended_is_reviewed_anew() {
    let mut ledger = Ledger::new();
    let grant = ledger.asks(ALICE, "glass").unwrap();
    let review = Command::Review {
        id: grant,
        comment: "seen".to_owned(),
    };
    let own = ledger.does(ALICE, &review).unwrap_err();
    assert_eq!(own.kind, Kind::NotPermitted);
    ledger.does(CAROL, &review).unwrap();
    assert!(!ledger.state.requests[&grant].awaits_review());
    ledger.extends(ALICE, grant).unwrap();
    assert!(ledger.state.requests[&grant].awaits_review());
    ledger.does(DAVE, &review).unwrap();
    assert_eq!(ledger.does(DAVE, &review).unwrap_err().kind, Kind::NoChange);
}

#[test]
fn with_its_role_gone_a_grant_is_revoked_by_who_approved_it_and_reviewed_by_root() {
    let mut ledger = Ledger::new();
    let grant = ledger.granted("one");
    let glass = ledger.asks(ALICE, "glass").unwrap();
    ledger.policy.roles.clear();
    assert_eq!(
        ledger.revokes(DAVE, grant).unwrap_err().kind,
        Kind::UnknownId,
        "he neither decides nor has decided on it, and sees no such grant"
    );
    ledger.revokes(CAROL, grant).unwrap();
    let review = Command::Review {
        id: glass,
        comment: "seen".to_owned(),
    };
    assert!(ledger.does(CAROL, &review).is_err());
    let as_root = Caller {
        uid: 0,
        ..Ledger::caller(CAROL)
    };
    ledger.command(&as_root, CAROL, &review).unwrap();
    assert_eq!(
        ledger.state.requests[&glass].reviewed.as_ref().unwrap().by,
        person(CAROL)
    );
    ledger.pass(600);
    assert_eq!(ledger.is(glass), "expired");
}

#[test]
fn an_approver_who_leaves_keeps_the_yes_given_and_gives_no_other() {
    let mut ledger = Ledger::new();
    let id = ledger.asks(ALICE, "two").unwrap();
    ledger.approves(CAROL, id).unwrap();
    let twice = ledger.approves(CAROL, id).unwrap_err();
    assert_eq!(
        twice.kind,
        Kind::NoChange,
        "carol is in both groups, and one person"
    );
    let left = Caller {
        identity: Identity::of(person(CAROL), groups(ALICE)),
        ..Ledger::caller(CAROL)
    };
    let command = Command::Approve {
        id,
        duration_s: None,
        comment: None,
    };
    assert_eq!(
        ledger.command(&left, CAROL, &command).unwrap_err().kind,
        Kind::NotPermitted
    );
    ledger.approves(DAVE, id).unwrap();
    assert_eq!(ledger.is(id), "active");
}

#[test]
fn every_attempt_is_told_or_counted() {
    let mut ledger = Ledger::new();
    let id = ledger.asks(ALICE, "one").unwrap();
    let attempts = (0..20).map(|_| ledger.approves(ALICE, id).unwrap_err().record.unwrap());
    let alice = person(ALICE);
    let what = attempts.map(|event| Repeated::of(&event, Some(&alice)).unwrap());
    let what: std::collections::BTreeSet<_> = what.collect();
    assert_eq!(what.len(), 1, "they count together");
    ledger.approves(CAROL, id).unwrap();
    let late = ledger.approves(DAVE, id).unwrap_err();
    assert_eq!((late.kind, late.record.is_some()), (Kind::NoChange, true));
}

#[test]
fn a_person_files_so_many_requests_an_hour_and_no_more() {
    let mut ledger = Ledger::new();
    let filed = (0..200)
        .take_while(|_| match ledger.asks(ALICE, "one") {
            Ok(id) => ledger.does(ALICE, &Command::Withdraw(id)).is_ok(),
            Err(refused) => {
                assert_eq!(refused.kind, Kind::Limit);
                false
            }
        })
        .count();
    assert_eq!(filed, 100);
    let (day_ago, now) = (ledger.now.wall_s - 86_400, ledger.now.wall_s);
    ledger.state.forget(day_ago, now);
    assert!(
        ledger.asks(ALICE, "one").is_err(),
        "forgetting does not help"
    );
    ledger.pass(3_600);
    ledger.state.forget(day_ago, ledger.now.wall_s);
    assert!(ledger.state.requests.is_empty(), "nothing is kept for it");
    ledger.asks(ALICE, "one").unwrap();
}

#[test]
fn a_grant_that_waits_for_its_first_use_is_begun_when_nothing_else_gives_what_is_used() {
    let mut ledger = Ledger::new();
    let live = ledger.granted("one");
    let waiting = ledger.granted("first-use");
    let as_postgres = |request: &mut Request| request.gives.sudo[0].run_as = "postgres".to_owned();
    as_postgres(ledger.state.requests.get_mut(&waiting).unwrap());
    let at = |target: &str| AccessQuery {
        user: person(ALICE),
        class: Class::Sudo,
        sudo: Some(SudoCall {
            target: Some(target.to_owned()),
            words: vec!["/usr/bin/id".to_owned()],
            ..SudoCall::default()
        }),
    };
    let judged = |target| judge(&ledger.state, &at(target), &ledger.now);
    assert!(
        matches!(judged("root"), AccessDecision::Allow { grant, first_use: None, .. } if grant == live)
    );
    assert!(
        matches!(judged("postgres"), AccessDecision::Allow { grant, first_use: Some(_), .. } if grant == waiting)
    );
}

#[test]
fn of_the_grants_that_give_a_command_the_one_that_ends_first_holds_it_and_the_last_holds_the_login()
{
    let mut ledger = Ledger::new();
    let first = ledger.granted("one");
    ledger.pass(60);
    let last = ledger.granted("one");
    let run = |text: &str| vec![text.to_owned()];
    let mut gives = |id: Id, text: &str| {
        ledger.state.requests.get_mut(&id).unwrap().gives.sudo[0].run = run(text);
    };
    gives(first, "/bin/bash");
    gives(last, "/usr/bin/sleep 5");
    let run_as = ledger.state.requests[&first].gives.sudo[0].run_as.clone();
    let holds = |class: Class, line: &str| {
        let sudo = (class == Class::Sudo).then(|| SudoCall {
            target: Some(run_as.clone()),
            words: line.split(' ').map(str::to_owned).collect(),
            ..SudoCall::default()
        });
        let user = person(ALICE);
        match judge(
            &ledger.state,
            &AccessQuery { user, class, sudo },
            &ledger.now,
        ) {
            AccessDecision::Allow { grant, .. } => grant,
            AccessDecision::Deny(why) => panic!("{why:?}"),
        }
    };
    for line in ["bash", "/usr/bin/bash", "bash sleep 5", "-p sleep bash"] {
        assert_eq!(holds(Class::Sudo, line), first, "{line}");
    }
    assert_eq!(holds(Class::Sudo, "-n /bin/sleep 5"), last);
    assert_eq!(holds(Class::Login, ""), last);
}

#[test]
fn what_was_cut_off_on_the_host_is_revoked_whether_it_lives_or_is_to_come() {
    let mut ledger = Ledger::new();
    let live = ledger.granted("one");
    let to_come = ledger.granted("one");
    let from = ledger.now.wall_s + 600;
    let stage = Stage::Waiting { from, use_by: None };
    ledger.state.requests.get_mut(&to_come).unwrap().stage = stage;
    let pending = ledger.asks(ALICE, "one").unwrap();
    let events = super::cut_off(&ledger.state, "cut off");
    let ids: Vec<_> = events.iter().filter_map(Event::request_id).collect();
    assert_eq!(ids.len(), 2, "{events:?}");
    assert!(ids.contains(&live) && ids.contains(&to_come) && !ids.contains(&pending));
    assert!(events.iter().all(Event::ends_access));
}

#[test]
fn a_login_goes_on_under_the_grant_that_is_left() {
    let mut ledger = Ledger::new();
    let first = ledger.granted("one");
    let second = ledger.granted("one");
    let session = session(first, person(ALICE), 10);
    ledger.record(None, vec![Event::SessionOpened(session.clone())]);
    ledger.revokes(CAROL, first).unwrap();
    let events = reassign_sessions(&ledger.state, first);
    ledger.record(None, events);
    assert_eq!(ledger.state.sessions_of(second).count(), 1);
    ledger.revokes(CAROL, second).unwrap();
    assert!(
        reassign_sessions(&ledger.state, second).is_empty(),
        "nothing is left to go on under"
    );
}

/// Why alice is kept out.
fn why_not(ledger: &Ledger, class: Class) -> Why {
    let at = AccessQuery {
        user: person(ALICE),
        class,
        sudo: None,
    };
    match judge(&ledger.state, &at, &ledger.now) {
        AccessDecision::Deny(why) => why,
        let_in @ AccessDecision::Allow { .. } => panic!("{let_in:?}"),
    }
}

#[test]
fn whoever_was_denied_or_lost_a_grant_before_its_first_use_is_told_so_at_the_gate() {
    let mut ledger = Ledger::new();
    let denied = ledger.asks(ALICE, "one").unwrap();
    let reason = "not today".to_owned();
    ledger
        .does(CAROL, &Command::Deny { id: denied, reason })
        .unwrap();
    assert_eq!(why_not(&ledger, Class::Login), Why::Declined(denied));
    ledger.pass(1);
    let revoked = ledger.granted("first-use");
    ledger.revokes(CAROL, revoked).unwrap();
    assert_eq!(why_not(&ledger, Class::Login), Why::Declined(revoked));
    ledger.pass(1);
    let withdrawn = ledger.asks(ALICE, "one").unwrap();
    ledger.does(ALICE, &Command::Withdraw(withdrawn)).unwrap();
    assert_eq!(why_not(&ledger, Class::Login), Why::Declined(revoked));
    // Of what was decided hours ago the gate still tells, within a day.
    ledger.pass(7_200);
    let now = ledger.now.wall_s;
    ledger.state.forget(now - 86_400, now);
    assert_eq!(why_not(&ledger, Class::Login), Why::Declined(revoked));
    ledger.state.forget(now, now);
    assert_eq!(why_not(&ledger, Class::Login), Why::NoGrant);
}

#[test]
fn of_two_decisions_within_one_second_the_newest_is_told_at_the_gate() {
    let mut ledger = Ledger::new();
    // In both orders, so that it goes by none that ids have.
    for reversed in [false, true] {
        let mut asked = [(); 2].map(|()| ledger.asks(ALICE, "one").unwrap());
        if reversed {
            asked.reverse();
        }
        for id in asked {
            let reason = "not today".to_owned();
            ledger.does(CAROL, &Command::Deny { id, reason }).unwrap();
        }
        assert_eq!(why_not(&ledger, Class::Login), Why::Declined(asked[1]));
    }
}

#[test]
fn a_grant_for_first_use_that_gives_something_else_is_not_said_to_start_later() {
    let mut ledger = Ledger::new();
    ledger
        .policy
        .roles
        .get_mut("first-use")
        .unwrap()
        .gives
        .sudo
        .clear();
    let id = ledger.granted("first-use");
    assert_eq!(ledger.is(id), "approved");
    assert_eq!(why_not(&ledger, Class::Sudo), Why::OtherUse(id));
}

#[test]
fn what_lapses_says_what_nobody_did_in_time() {
    let mut ledger = Ledger::new();
    let undecided = ledger.asks(ALICE, "one").unwrap();
    let unused = ledger.granted("first-use");
    ledger.pass(2_000);
    for (id, said) in [
        (undecided, "nobody decided in time"),
        (unused, "nobody used it in time"),
    ] {
        let stage = &ledger.state.requests[&id].stage;
        assert!(
            matches!(stage, Stage::Closed { how: Closed::Lapsed, why: Some(why), .. } if why == said),
            "{stage:?}"
        );
    }
}
