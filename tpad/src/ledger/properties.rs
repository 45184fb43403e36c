//! What no sequence of commands, in any order, at any time, by anyone, can bring about.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tpa_bus::id::Id;
use tpa_bus::offline::{Class, GateFile, Who};

use super::*;
use crate::clock::Now;
use crate::policy::{AuditFormat, Gives, OnEnd, Policy, Role, SudoRule};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const ROLES: [&str; 5] = ["one", "two", "auto", "glass", "first-use"];

pub(crate) fn person(index: usize) -> Person {
    Person {
        uid: 1001 + u32::try_from(index).unwrap(),
        name: PEOPLE[index].to_owned(),
    }
}

/// carol, dave and erin decide; carol is on two of the lists.
pub(crate) fn groups(index: usize) -> Vec<String> {
    let lists: &[&str] = match index {
        2 => &["engineers", "oncall", "leads"],
        3 => &["engineers", "oncall"],
        4 => &["leads"],
        _ => &["engineers"],
    };
    lists.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn role(name: &str) -> Role {
    let group = |name: &str| Who::Group(name.to_owned());
    Role {
        name: name.to_owned(),
        description: String::new(),
        requesters: vec![group("engineers")],
        default_s: 600,
        max_s: 3_600,
        reason_min: 3,
        ticket_required: false,
        ticket_pattern: None,
        lapse_s: 1_800,
        approvers: vec![group("oncall"), group("leads")],
        needed: match name {
            "two" => 2,
            "glass" => 0,
            _ => 1,
        },
        proof: crate::policy::ProofLevel::Session,
        auto: if name == "auto" {
            vec![Who::User("dave".into())]
        } else {
            Vec::new()
        },
        use_within_s: (name == "first-use").then_some(1_200),
        exact: None,
        gives: Gives {
            login: true,
            record: false,
            break_glass: name == "glass",
            on_end: OnEnd::Kill,
            sudo: vec![SudoRule {
                run_as: "root".into(),
                run_as_group: None,
                run: vec!["/usr/bin/id".into()],
                edit: Vec::new(),
                password: false,
                tidy: false,
            }],
        },
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        revision: "0".into(),
        gate: GateFile::default(),
        pending_per_user: 5,
        warn_before: vec![300, 60],
        audit_format: AuditFormat::Kv,
        audit_keep_s: None,
        audit_keep_recordings_s: None,
        notify: Vec::new(),
        roles: ROLES
            .iter()
            .map(|name| ((*name).to_owned(), role(name)))
            .collect(),
        signers: None,
        seen: crate::policy::danger::Seen::default(),
    }
}

/// So many seconds after the beginning of the world.
pub(crate) fn now(seconds: u32) -> Now {
    Now {
        wall_s: 1_000_000 + i64::from(seconds),
        boottime_ms: 50_000 + u64::from(seconds) * 1_000,
        boot_id: "boot-0".into(),
    }
}

/// An undecided request of this person.
pub(crate) fn request(n: u8, user: &str) -> Request {
    let user = person(PEOPLE.iter().position(|name| *name == user).unwrap());
    Request {
        id: Id::from_random([0, 0, 0, 0, n]),
        requested_by: user.clone(),
        requested_login: None,
        digest: None,
        others: BTreeSet::new(),
        user,
        entry: None,
        requested_at: 1_000_000,
        role: "one".into(),
        reason: "because".into(),
        ticket: None,
        duration_s: 600,
        at: None,
        until: None,
        needed: 1,
        lapses_at: 1_001_800,
        reminded: false,
        extends: None,
        gives: role("one").gives,
        approvals: Vec::new(),
        stage: Stage::Pending,
        reviewed: None,
        gave: None,
        command: None,
        looks: None,
        removal: Removal::None,
        closed_nth: 0,
    }
}

/// Records an event at second 7, on a host like this: with what it gives, where access begins.
pub(crate) fn record_on(state: &mut State, event: Event, host: &Host<'_>) {
    let event = event.with_what_it_gives(state, host, &now(7));
    state.apply(&Envelope {
        at: now(7).wall_s,
        actor: None,
        actor_uid: None,
        actor_login: None,
        proof: None,
        event,
    });
}

/// A login that began on this grant.
pub(crate) fn session(grant: Id, user: Person, pid: u32) -> Session {
    Session {
        grant,
        user,
        service: "sshd".into(),
        class: "login".into(),
        pid,
        started: 1,
        tty: None,
        rhost: None,
        target: None,
        command: None,
        command_digest: None,
        outside_role: false,
        opened_at: 1,
    }
}

/// One thing that happens: someone commands, or comes to the gate, or a clock moves.
#[derive(Debug, Clone, Copy)]
enum Step {
    Command { who: usize, root: bool, what: What },
    Gate { who: usize },
    Pass { ms: u64 },
    SetClock { wall_s: i64 },
    Reboot { away_s: u64 },
}

#[derive(Debug, Clone, Copy)]
enum What {
    Ask {
        user: usize,
        role: usize,
        seconds: Option<u64>,
        until: Option<i64>,
        at: Option<i64>,
    },
    Extend {
        nth: usize,
        seconds: u64,
    },
    Approve {
        nth: usize,
        shorter: Option<u64>,
    },
    Deny {
        nth: usize,
    },
    Withdraw {
        nth: usize,
    },
    End {
        nth: usize,
    },
    Revoke {
        nth: usize,
    },
    Review {
        nth: usize,
    },
}

fn what() -> impl Strategy<Value = What> {
    let nth = 0..12usize;
    let span = prop_oneof![1..=4_000u64, Just(0), Just(u64::MAX)];
    let time = prop::option::weighted(0.2, 999_000..1_010_000i64);
    prop_oneof![
        4 => (0..5usize, 0..5usize, prop::option::of(span.clone()), time.clone(), time)
            .prop_map(|(user, role, seconds, until, at)| What::Ask { user, role, seconds, until, at }),
        2 => (nth.clone(), span.clone()).prop_map(|(nth, seconds)| What::Extend { nth, seconds }),
        6 => (nth.clone(), prop::option::weighted(0.3, span))
            .prop_map(|(nth, shorter)| What::Approve { nth, shorter }),
        1 => nth.clone().prop_map(|nth| What::Deny { nth }),
        1 => nth.clone().prop_map(|nth| What::Withdraw { nth }),
        1 => nth.clone().prop_map(|nth| What::End { nth }),
        1 => nth.clone().prop_map(|nth| What::Revoke { nth }),
        1 => nth.prop_map(|nth| What::Review { nth }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..5usize, prop::bool::weighted(0.2), what())
            .prop_map(|(who, root, what)| Step::Command { who, root, what }),
        3 => (0..5usize).prop_map(|who| Step::Gate { who }),
        4 => (0..2_000_000u64).prop_map(|ms| Step::Pass { ms }),
        1 => (0..2_000_000i64).prop_map(|wall_s| Step::SetClock { wall_s }),
        1 => (0..5_000u64).prop_map(|away_s| Step::Reboot { away_s }),
    ]
}

/// A ledger with a clock, and what a suspicious observer remembers of it.
struct World {
    state: State,
    policy: Policy,
    /// What the clocks show.
    now: Now,
    /// What is not believed of it.
    doubt: Option<Doubt>,
    ids: Vec<Id>,
    /// Milliseconds for which each grant has been on in this boot, by a clock that nobody can set.
    /// Across boots only the wall clock is left, and whoever sets that back and reboots is root.
    used_ms: BTreeMap<Id, u64>,
}

impl World {
    fn new() -> Self {
        let now = Now {
            wall_s: 1_000_000,
            boottime_ms: 50_000,
            boot_id: "boot-0".into(),
        };
        let mut world = Self {
            state: State::default(),
            policy: policy(),
            now,
            doubt: None,
            ids: Vec::new(),
            used_ms: BTreeMap::new(),
        };
        world.starts();
        world
    }

    /// The moment to go by. That the clock was set is recorded, as the daemon does.
    fn moment(&mut self) -> Now {
        let reading = read(&self.state, self.doubt, &self.now);
        self.doubt = reading.doubt;
        if let Some(event) = reading.jump {
            self.state.apply(&Envelope {
                at: reading.now.wall_s,
                actor: None,
                actor_uid: None,
                actor_login: None,
                proof: None,
                event,
            });
        }
        reading.now
    }

    fn starts(&mut self) {
        let now = self.moment();
        let version = String::new();
        self.record(None, vec![Event::DaemonStarted { now, version }]);
    }

    /// Records events as the daemon does, and watches every request move along the arrows.
    fn record(&mut self, caller: Option<&Caller>, events: Vec<Event>) {
        let now = self.moment();
        for event in events {
            let before = event
                .request_id()
                .and_then(|id| self.state.requests.get(&id))
                .cloned();
            self.state.apply(&Envelope {
                at: now.wall_s,
                actor: caller.map(|c| c.person().clone()),
                actor_uid: caller.map(|c| c.uid),
                actor_login: caller.and_then(Caller::login_person),
                proof: None,
                event,
            });
            if let Some(before) = before {
                let after = &self.state.requests[&before.id];
                assert!(
                    is_an_arrow(&before.stage, &after.stage),
                    "{before:?} -> {after:?}"
                );
            }
        }
    }

    fn tick(&mut self) {
        let now = self.moment();
        let events = due(&self.state, &now);
        self.record(None, events);
        assert!(
            due(&self.state, &now).is_empty(),
            "time brings things about once"
        );
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Command { who, root, what } => self.command(who, root, what),
            Step::Gate { who } => {
                let now = self.moment();
                let at = AccessQuery {
                    user: person(who),
                    class: Class::Login,
                    sudo: None,
                };
                if let AccessDecision::Allow {
                    grant, first_use, ..
                } = judge(&self.state, &at, &now)
                {
                    assert_eq!(self.state.requests[&grant].user, at.user);
                    self.record(None, first_use.into_iter().map(|event| *event).collect());
                    assert!(self.state.requests[&grant].is_live(&now));
                }
            }
            Step::Pass { ms } => self.pass(ms),
            Step::SetClock { wall_s } => self.now.wall_s = wall_s,
            Step::Reboot { away_s } => {
                self.now.wall_s += i64::try_from(away_s).unwrap();
                self.now.boottime_ms = 1_000;
                self.used_ms.clear();
                self.now.boot_id.push('+');
                self.doubt = None;
                self.starts();
            }
        }
        self.tick();
        self.check();
    }

    fn pass(&mut self, ms: u64) {
        let now = self.moment();
        for request in self.state.requests.values() {
            if let Some(deadline) = request.deadline() {
                *self.used_ms.entry(request.id).or_default() += ms.min(deadline.remaining_ms(&now));
            }
        }
        self.now.boottime_ms += ms;
        self.now.wall_s += i64::try_from(ms / 1_000).unwrap();
    }

    fn command(&mut self, who: usize, root: bool, what: What) {
        let now = self.moment();
        let person_uid = person(who).uid;
        let caller = Caller {
            identity: Identity::of(person(who), groups(who)),
            uid: if root { 0 } else { person_uid },
            login: None,
            proof: if root { Proof::Login } else { Proof::Uid },
        };
        let fresh = Id::from_random([0, 0, 0, 0, u8::try_from(self.ids.len()).unwrap_or(255)]);
        let nth = |nth: usize| {
            self.ids
                .get(nth % self.ids.len().max(1))
                .copied()
                .unwrap_or(fresh)
        };
        let reason = || "because".to_owned();
        let command = match what {
            What::Ask {
                user,
                role,
                seconds,
                until,
                at,
            } => Command::Ask(
                fresh,
                Box::new(Asked {
                    command: None,
                    user: Identity::of(person(user), groups(user)),
                    role: ROLES[role].to_owned(),
                    reason: reason(),
                    ticket: None,
                    duration_s: seconds,
                    until,
                    at,
                }),
            ),
            What::Extend { nth: n, seconds } => Command::Extend {
                id: fresh,
                grant: nth(n),
                seconds,
                reason: reason(),
            },
            What::Approve { nth: n, shorter } => Command::Approve {
                id: nth(n),
                duration_s: shorter,
                comment: None,
            },
            What::Deny { nth: n } => Command::Deny {
                id: nth(n),
                reason: reason(),
            },
            What::Withdraw { nth: n } => Command::Withdraw(nth(n)),
            What::End { nth: n } => Command::End(nth(n)),
            What::Revoke { nth: n } => Command::Revoke {
                id: nth(n),
                reason: reason(),
            },
            What::Review { nth: n } => Command::Review {
                id: nth(n),
                comment: reason(),
            },
        };
        let filed =
            self.ids.len() < 255 && matches!(command, Command::Ask(..) | Command::Extend { .. });
        if let Ok(events) = decide(&self.state, &self.policy, &caller, &command, &now) {
            assert!(!events.is_empty(), "what is not refused changes something");
            self.record(Some(&caller), events);
            if filed {
                self.ids.push(fresh);
            }
        }
    }

    fn check(&self) {
        for request in self.state.requests.values() {
            let role = &self.policy.roles[&request.role];
            let mut people = BTreeSet::new();
            for approval in &request.approvals {
                assert!(
                    people.insert(approval.by.uid),
                    "people count once: {request:?}"
                );
                assert!(
                    !request.is_of(approval.by.uid),
                    "nobody decides their own: {request:?}"
                );
                let index = usize::try_from(approval.by.uid - 1001).unwrap();
                assert!(index >= 2, "only approvers approve: {request:?}");
            }
            let by_itself = request.gives.break_glass
                || (request.role == "auto"
                    && request.user.name == "dave"
                    && request.requested_by == request.user);
            let covered = by_itself || people.len() >= usize::try_from(role.needed).unwrap();
            let granted = request.was_active()
                || matches!(request.stage, Stage::Waiting { .. } | Stage::Approved);
            assert!(
                !granted || covered,
                "no access without approval: {request:?}"
            );
            if let Stage::Active { since, deadline } = &request.stage {
                let length = deadline.not_after - since;
                assert!(
                    length <= i64::try_from(role.max_s).unwrap(),
                    "within the maximum: {request:?}"
                );
            }
            let used = self.used_ms.get(&request.id).copied().unwrap_or(0);
            assert!(used <= role.max_s * 1_000, "on for {used} ms: {request:?}");
        }
    }
}

fn is_an_arrow(before: &Stage, after: &Stage) -> bool {
    before == after
        || match (before, after) {
            (Stage::Pending, to) => !matches!(
                to,
                Stage::Closed {
                    how: Closed::Expired | Closed::Revoked | Closed::Ended,
                    ..
                }
            ),
            (Stage::Waiting { .. } | Stage::Active { .. }, Stage::Active { .. }) => true,
            (Stage::Waiting { .. }, Stage::Closed { how, .. }) => {
                matches!(how, Closed::Lapsed | Closed::Revoked | Closed::Ended)
            }
            (Stage::Active { .. }, Stage::Closed { how, .. }) => {
                matches!(how, Closed::Expired | Closed::Revoked | Closed::Ended)
            }
            _ => false,
        }
}

proptest! {
    // Thirty steps a case: with PROPTEST_CASES=40000 more than a million of them.
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000), ..ProptestConfig::default() })]
    #[test]
    fn no_sequence_of_commands_makes_access_that_no_approval_covers(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
    }
}
