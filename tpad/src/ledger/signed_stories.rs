//! What people say with their key, one sentence a story; and that nothing comes of it that the same
//! people could not have done on the host.

use proptest::prelude::*;
use tpa_bus::id::Id;
use tpa_statement::statement::{Digest, Statement};

use super::properties::{groups, now, person, policy};
use super::*;
use crate::clock::Now;
use crate::policy::{Policy, ProofLevel};

const ALICE: usize = 0;
const CAROL: usize = 2;
const DAVE: usize = 3;

/// A host that is brought statements.
struct Desk {
    state: State,
    policy: Policy,
    now: Now,
    /// Ids that the host draws.
    drawn: u8,
}

/// A key, by what it tells.
const PLAIN: (bool, bool) = (false, false);
const TOUCHED: (bool, bool) = (true, false);
const PIN: (bool, bool) = (true, true);

/// As it stands in a statement.
fn time(at: i64) -> String {
    let time = chrono::DateTime::from_timestamp(at, 0).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The bytes that somebody signs.
fn bytes(who: usize, id: Id, at: i64, rest: &str) -> String {
    let (by, id) = (&person(who).name, id.as_str());
    let (at, expires) = (time(at), time(at + 86_400));
    format!(
        r#"{{"v":1,"id":"{id}","by":"{by}","hosts":["web-01"],"at":"{at}","expires":"{expires}",{rest}}}"#
    )
}

fn asks(role: &str) -> String {
    format!(r#""verb":"request","role":"{role}","duration":"10m","reason":"because""#)
}

fn approves(of: &str) -> String {
    let of = Digest::of(of.as_bytes());
    format!(r#""verb":"approve","of":"{}""#, of.as_str())
}

/// The signer as the host knows them.
fn signer(who: usize, bytes: &str, (touched, verified): (bool, bool)) -> (Caller, Statement) {
    let statement = Statement::parse(bytes.as_bytes()).unwrap();
    let said = Said {
        key: Key {
            fingerprint: format!("SHA256:{who}"),
            touched,
            verified,
        },
        digest: Digest::of(bytes.as_bytes()).as_str().to_owned(),
        at: statement.at,
        expires: statement.expires,
        others: statement.others(&["web-01"]),
        paper: None,
    };
    let caller = Caller {
        identity: Identity::of(person(who), groups(who)),
        uid: person(who).uid,
        login: None,
        proof: Proof::Statement(Box::new(said)),
    };
    (caller, statement)
}

fn id(n: u8) -> Id {
    Id::from_random([0, 0, 0, 9, n])
}

impl Desk {
    fn new() -> Self {
        Self {
            state: State::default(),
            policy: policy(),
            now: now(0),
            drawn: 0,
        }
    }

    fn apply(&mut self, caller: &Caller, events: Vec<Event>) {
        for event in events {
            self.state.apply(&Envelope {
                at: self.now.wall_s,
                actor: Some(caller.person().clone()),
                actor_uid: Some(caller.uid),
                actor_login: None,
                proof: Some(caller.proof.clone()),
                event,
            });
        }
    }

    fn brought(&mut self, who: usize, bytes: &str, key: (bool, bool)) -> Result<Id, Refused> {
        let (caller, statement) = signer(who, bytes, key);
        self.drawn += 1;
        let fresh = Id::from_random([0, 0, 0, 8, self.drawn]);
        let command = command_of(&self.state, &self.policy, &caller, &statement, fresh)?;
        let decided = decide(&self.state, &self.policy, &caller, &command, &self.now);
        match decided {
            Ok(events) => self.apply(&caller, events),
            Err(refused) => {
                let record = refused.record.clone().map(|event| *event);
                self.apply(&caller, record.into_iter().collect());
                return Err(refused);
            }
        }
        Ok(command.about())
    }

    fn why(&mut self, who: usize, bytes: &str) -> String {
        let before = self.state.clone();
        let refused = self.brought(who, bytes, PIN).unwrap_err();
        assert_eq!(self.state.requests, before.requests, "nothing is changed");
        assert!(refused.next.is_some(), "{refused}");
        refused.why
    }

    fn ends_at(&self, id: Id) -> i64 {
        let request = self.state.requests.get(&id).unwrap();
        let deadline = request.deadline();
        deadline.unwrap_or_else(|| panic!("{request:?}")).not_after
    }
}

/// Seconds behind the beginning of the world.
fn at(seconds: u32) -> i64 {
    now(seconds).wall_s
}

#[test]
fn a_request_and_its_approval_are_what_they_would_be_on_the_host() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    let yes = bytes(CAROL, id(1), at(0), &approves(&request));
    assert_eq!(desk.brought(CAROL, &yes, PLAIN), Ok(id(1)));
    assert_eq!(desk.ends_at(id(1)), at(600));
    let own = bytes(ALICE, id(2), at(0), &asks("one"));
    desk.brought(ALICE, &own, PLAIN).unwrap();
    let own_yes = bytes(ALICE, id(2), at(0), &approves(&own));
    assert!(desk.why(ALICE, &own_yes).contains("your own request"));
}

#[test]
fn a_grant_begins_when_its_yes_was_signed_and_not_when_that_came() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    let yes = bytes(CAROL, id(1), at(100), &approves(&request));
    desk.now = now(500);
    desk.brought(CAROL, &yes, PLAIN).unwrap();
    assert_eq!(desk.ends_at(id(1)), at(700));
    let late = bytes(ALICE, id(2), at(0), &asks("one"));
    desk.now = now(10);
    desk.brought(ALICE, &late, PLAIN).unwrap();
    let yes = bytes(CAROL, id(2), at(10), &approves(&late));
    desk.now = now(610);
    assert!(desk.why(CAROL, &yes).contains("its time is over"));
    // A clock that is ahead lengthens nothing.
    let early = bytes(CAROL, id(2), at(660), &approves(&late));
    desk.brought(CAROL, &early, PLAIN).unwrap();
    assert_eq!(desk.ends_at(id(2)), at(610 + 600));
}

#[test]
fn what_the_role_gives_at_once_begins_when_it_was_signed_too() {
    for role in ["glass", "auto"] {
        let mut desk = Desk::new();
        desk.now = now(200);
        let request = bytes(DAVE, id(1), at(0), &asks(role));
        desk.brought(DAVE, &request, PLAIN).unwrap();
        assert_eq!(desk.ends_at(id(1)), at(600), "{role}");
        desk.now = now(700);
        let request = bytes(DAVE, id(2), at(0), &asks(role));
        assert!(
            desk.why(DAVE, &request).contains("its time is over"),
            "{role}"
        );
    }
    let mut desk = Desk::new();
    desk.now = now(1_800);
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    assert!(desk.why(ALICE, &request).contains("it would have lapsed"));
}

#[test]
fn nothing_is_taken_twice() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    assert!(desk.why(ALICE, &request).contains("was taken before"));
    let withdrawn = bytes(ALICE, id(1), at(1), r#""verb":"withdraw""#);
    desk.brought(ALICE, &withdrawn, PLAIN).unwrap();
    assert!(desk.why(ALICE, &withdrawn).contains("was taken before"));
    // Nor under an id that somebody else's request has.
    let other = bytes(ALICE, id(1), at(2), &asks("one"));
    assert!(desk.why(ALICE, &other).contains("there is a request"));
    desk.state.forget(at(100_000), at(90_000));
    assert!(desk.state.statements.is_empty(), "the store has them");
}

#[test]
fn a_refusal_takes_nothing_from_what_comes_again_when_it_can_be_done() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    let yes = bytes(CAROL, id(1), at(0), &approves(&request));
    assert!(desk.why(CAROL, &yes).contains("no request"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    desk.brought(CAROL, &yes, PLAIN).unwrap();
}

#[test]
fn a_yes_is_to_the_very_bytes_that_were_asked_with() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    let shown = bytes(ALICE, id(1), at(0), &asks("one").replace("10m", "5m"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    for verb in ["approve", "deny"] {
        let says = approves(&shown).replace("approve", verb);
        let reason = if verb == "deny" {
            r#","reason":"no""#
        } else {
            ""
        };
        let moved = bytes(CAROL, id(1), at(0), &format!("{says}{reason}"));
        assert!(
            desk.why(CAROL, &moved).contains("another request"),
            "{verb}"
        );
    }
}

#[test]
fn a_decision_is_for_the_hosts_of_its_request_or_fewer() {
    let on = |hosts: &str, text: String| text.replace("[\"web-01\"]", hosts);
    let mut desk = Desk::new();
    let asked = on(
        r#"["web-01","web-02"]"#,
        bytes(ALICE, id(1), at(0), &asks("one")),
    );
    desk.brought(ALICE, &asked, PLAIN).unwrap();
    let no = approves(&asked).replace("approve", "deny") + r#","reason":"no""#;
    for says in [&approves(&asked), &no] {
        let more = on(r#"["web-01","web-03"]"#, bytes(CAROL, id(1), at(0), says));
        let why = desk.why(CAROL, &more);
        assert!(
            why.contains("is for web-03 too, which the request is not"),
            "{why}"
        );
    }
    // Whoever may not see it learns nothing of that either.
    let more = on(
        r#"["web-01","web-03"]"#,
        bytes(1, id(1), at(0), &approves(&asked)),
    );
    assert!(desk.why(1, &more).contains("no request"));
    let fewer = on(
        r#"["WEB-01"]"#,
        bytes(CAROL, id(1), at(0), &approves(&asked)),
    );
    assert_eq!(desk.brought(CAROL, &fewer, PLAIN), Ok(id(1)));
}

#[test]
fn what_was_asked_on_the_host_is_approved_by_key_and_named_by_what_was_asked() {
    let mut desk = Desk::new();
    let alice = Caller {
        proof: Proof::Uid,
        ..signer(ALICE, &bytes(ALICE, id(1), at(0), &asks("one")), PLAIN).0
    };
    let asked = Asked {
        user: alice.identity.clone(),
        role: "one".to_owned(),
        reason: "because".to_owned(),
        ticket: None,
        duration_s: Some(60),
        until: None,
        at: None,
        command: None,
    };
    let ask = Command::Ask(id(1), Box::new(asked));
    let events = decide(&desk.state, &desk.policy, &alice, &ask, &desk.now).unwrap();
    desk.apply(&alice, events);
    let digest = desk.state.requests[&id(1)].digest();
    let yes = bytes(
        CAROL,
        id(1),
        at(0),
        &format!(r#""verb":"approve","of":"{digest}""#),
    );
    desk.brought(CAROL, &yes, PLAIN).unwrap();
    assert_eq!(desk.ends_at(id(1)), at(60));
    assert_eq!(
        desk.state.requests[&id(1)].digest(),
        digest,
        "whatever becomes of it"
    );
}

#[test]
fn more_time_is_decided_by_the_grants_id_and_what_was_asked_with() {
    let mut desk = Desk::new();
    let request = bytes(ALICE, id(1), at(0), &asks("one"));
    desk.brought(ALICE, &request, PLAIN).unwrap();
    let yes = bytes(CAROL, id(1), at(0), &approves(&request));
    desk.brought(CAROL, &yes, PLAIN).unwrap();
    let more = r#""verb":"extend","duration":"5m","reason":"not done""#;
    let more = bytes(ALICE, id(1), at(10), more);
    let extension = desk.brought(ALICE, &more, PLAIN).unwrap();
    assert_ne!(extension, id(1));
    let yes = bytes(CAROL, id(1), at(20), &approves(&more));
    assert_eq!(desk.brought(CAROL, &yes, PLAIN), Ok(extension));
    assert_eq!(desk.ends_at(id(1)), at(900));
}

#[test]
fn a_role_takes_a_yes_only_by_as_sure_a_proof_as_it_asks_for() {
    let by_session = |desk: &Desk, request: &str| {
        let session = Caller {
            proof: Proof::Uid,
            ..signer(CAROL, request, PLAIN).0
        };
        let yes = Command::Approve {
            id: id(1),
            duration_s: None,
            comment: None,
        };
        decide(&desk.state, &desk.policy, &session, &yes, &desk.now)
    };
    for (level, takes) in [
        (ProofLevel::Session, [true, true, true, true]),
        (ProofLevel::Key, [false, true, true, true]),
        (ProofLevel::Touch, [false, false, true, true]),
        (ProofLevel::Pin, [false, false, false, true]),
    ] {
        let mut desk = Desk::new();
        desk.policy.roles.get_mut("one").unwrap().proof = level;
        let request = bytes(ALICE, id(1), at(0), &asks("one"));
        desk.brought(ALICE, &request, PLAIN).unwrap();
        let session = by_session(&desk, &request);
        assert_eq!(session.is_ok(), takes[0], "{level:?}");
        if let Err(refused) = session {
            assert_eq!(refused.kind, Kind::NotPermitted);
            assert!(refused.record.is_some(), "it stands in the trail");
            assert!(
                refused.next.unwrap().contains("tpactl approve"),
                "{level:?}"
            );
        }
        for (key, taken) in [PLAIN, TOUCHED, PIN].into_iter().zip(&takes[1..]) {
            let mut desk = Desk {
                state: desk.state.clone(),
                policy: desk.policy.clone(),
                ..Desk::new()
            };
            let yes = bytes(CAROL, id(1), at(0), &approves(&request));
            assert_eq!(
                desk.brought(CAROL, &yes, key).is_ok(),
                *taken,
                "{level:?} {key:?}"
            );
        }
    }
}

#[test]
fn whoever_is_approved_at_once_is_so_only_by_as_sure_a_proof() {
    let mut desk = Desk::new();
    desk.policy.roles.get_mut("auto").unwrap().proof = ProofLevel::Touch;
    let request = bytes(DAVE, id(1), at(0), &asks("auto"));
    desk.brought(DAVE, &request, PLAIN).unwrap();
    assert!(desk.state.requests[&id(1)].is_pending());
    let request = bytes(DAVE, id(2), at(0), &asks("auto"));
    desk.brought(DAVE, &request, TOUCHED).unwrap();
    assert_eq!(desk.ends_at(id(2)), at(600));
}

#[test]
fn break_glass_and_taking_away_need_no_more_than_ever() {
    let mut desk = Desk::new();
    for role in desk.policy.roles.values_mut() {
        role.proof = ProofLevel::Pin;
    }
    let session = |who| Caller {
        proof: Proof::Uid,
        ..signer(who, &bytes(who, id(1), at(0), &asks("glass")), PLAIN).0
    };
    let (_, statement) = signer(ALICE, &bytes(ALICE, id(1), at(0), &asks("glass")), PLAIN);
    let glass = command_of(
        &desk.state,
        &desk.policy,
        &session(ALICE),
        &statement,
        id(9),
    )
    .unwrap();
    let events = decide(
        &desk.state,
        &desk.policy,
        &session(ALICE),
        &glass,
        &desk.now,
    )
    .unwrap();
    desk.apply(&session(ALICE), events);
    let comment = "seen".to_owned();
    let reason = "enough".to_owned();
    for command in [
        Command::Review { id: id(1), comment },
        Command::Revoke { id: id(1), reason },
    ] {
        decide(
            &desk.state,
            &desk.policy,
            &session(CAROL),
            &command,
            &desk.now,
        )
        .unwrap();
    }
}

/// What somebody signs, and how long it is on its way.
#[derive(Debug, Clone, Copy)]
struct Saying {
    who: usize,
    verb: usize,
    id: u8,
    of: u8,
    seconds: u32,
    delay: u32,
}

fn sayings() -> impl Strategy<Value = Vec<Saying>> {
    let one = (
        0..5_usize,
        0..10_usize,
        1..5_u8,
        1..5_u8,
        1..2_000_u32,
        0..900_u32,
    );
    let one = one.prop_map(|(who, verb, id, of, seconds, delay)| Saying {
        who,
        verb,
        id,
        of,
        seconds,
        delay,
    });
    proptest::collection::vec(one, 1..40)
}

/// The last second in which what these events give may still be on; `until` is the end asked for.
fn latest_end(events: &[Event], until: Option<i64>) -> Option<i64> {
    let ends = events.iter().filter_map(|event| match event {
        Event::GrantActivated { deadline, .. } | Event::GrantExtended { deadline, .. } => {
            Some(deadline.not_after)
        }
        // It begins later, or with its first use.
        Event::ApprovalRecorded {
            next: Some(Stage::Waiting { from, use_by }),
            duration_s,
            ..
        } => {
            let end = use_by.unwrap_or(*from).saturating_add_unsigned(*duration_s);
            Some(until.map_or(end, |until| end.min(until)))
        }
        _ => None,
    });
    ends.max()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Each statement that is taken is one that the same person could have made on the host, when it
    /// came or when it was signed, and gives no longer than it would have given then.
    #[test]
    fn no_statements_make_access_that_the_same_people_could_not_have_made_on_the_host(
        sayings in sayings(), role in 0..5_usize
    ) {
        let role = ["one", "two", "auto", "glass", "first-use"][role];
        let mut desk = Desk::new();
        let mut requests: std::collections::BTreeMap<u8, String> = std::collections::BTreeMap::new();
        let mut clock = 0;
        for said in sayings {
            clock += said.seconds / 20;
            let signed = at(clock);
            desk.now = now(clock + said.delay);
            let of = requests.get(&said.of).cloned().unwrap_or_default();
            let duration = said.seconds;
            let rest = match said.verb {
                0 | 1 => {
                    let then = time(signed + i64::from(duration));
                    let when = match said.of {
                        1 => format!(r#""until":"{then}""#),
                        2 => format!(r#""duration":"10m","start":"{then}""#),
                        _ => format!(r#""duration":"{duration}s""#),
                    };
                    format!(r#""verb":"request","role":"{role}","reason":"because",{when}"#)
                }
                2 | 3 => approves(&of),
                4 => format!(r#""verb":"extend","duration":"{duration}s","reason":"because""#),
                5 => r#""verb":"end""#.to_owned(),
                6 => approves(&of).replace("approve", "deny") + r#","reason":"because""#,
                7 => r#""verb":"revoke","reason":"because""#.to_owned(),
                8 => r#""verb":"review","comment":"because""#.to_owned(),
                _ => r#""verb":"withdraw""#.to_owned(),
            };
            let text = bytes(said.who, id(said.id), signed, &rest);
            let (caller, statement) = signer(said.who, &text, PIN);
            desk.drawn += 1;
            let fresh = Id::from_random([0, 0, 0, 7, desk.drawn]);
            for event in due(&desk.state, &desk.now) {
                desk.state.apply(&Envelope {
                    at: desk.now.wall_s,
                    actor: None,
                    actor_uid: None,
                    actor_login: None,
                    proof: None,
                    event,
                });
            }
            let Ok(command) = command_of(&desk.state, &desk.policy, &caller, &statement, fresh) else {
                continue;
            };
            let signed = decide(&desk.state, &desk.policy, &caller, &command, &desk.now);
            let Ok(events) = signed else { continue };
            let here = Caller { proof: Proof::Uid, ..caller.clone() };
            // A start that lies in the past by now did not when it was signed.
            let on_host = decide(&desk.state, &desk.policy, &here, &command, &desk.now)
                .or_else(|_| decide(&desk.state, &desk.policy, &here, &command, &now(clock)));
            prop_assert!(on_host.is_ok(), "{command:?}: {on_host:?}");
            let on_host = on_host.unwrap_or_default();
            let until = desk.state.requests.get(&command.about()).and_then(|it| it.until);
            let end = |events| latest_end(events, until);
            prop_assert!(end(&events) <= end(&on_host), "{command:?}");
            if statement.says.verb() == "request" {
                requests.insert(said.id, text.clone());
            }
            desk.apply(&caller, events);
            let again = command_of(&desk.state, &desk.policy, &caller, &statement, fresh);
            prop_assert!(again.is_err(), "taken twice: {text}");
        }
    }
}
