//! What becomes of access when its host is in trouble, all of it in memory but the database.

use tempfile::TempDir;
use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use super::pretended::Pretended;
use super::*;
use crate::ledger::properties::{groups, person, policy};
use crate::ledger::{
    Answer, Appeared, Arrival, Asked, Caller, CameTo, Closed, Command, CommandLine, Depth,
    Identity, Logins, LookedFor, Named, Person, Place, Proof, Request, Residue, Runner,
    SeenProgram, Stage, Typed,
};
use crate::plan::Report;
use crate::policy::danger::SeenFile;
use crate::policy::exact::Exact;

const ALICE: usize = 0;
const CAROL: usize = 2;
const DAVE: usize = 3;

/// A host that runs tpad.
struct Story {
    folder: TempDir,
    host: Pretended,
    core: Option<Core>,
}

impl Story {
    fn new() -> Self {
        let mut story = Self {
            folder: tempfile::tempdir().unwrap(),
            host: Pretended::new(),
            core: None,
        };
        story.restart();
        story
    }

    /// tpad starts, after it was killed where it ran.
    fn restart(&mut self) {
        self.core = None;
        let store = Store::open(&self.folder.path().join("tpa.db")).unwrap();
        self.core = Some(self.host.start(store, policy()).unwrap());
    }

    fn core(&mut self) -> &mut Core {
        self.core.as_mut().unwrap()
    }

    /// The disk takes nothing more, or takes it again.
    fn is_full(&mut self, full: bool) {
        self.core().store.refuse_writes(full);
    }

    fn asks(&mut self, who: usize, role: &str, seconds: u64) -> Result<Id> {
        let asked = Asked {
            command: None,
            user: caller(who).identity,
            role: role.to_owned(),
            reason: "because".to_owned(),
            ticket: None,
            duration_s: Some(seconds),
            until: None,
            at: None,
        };
        Ok(self.core().ask(&caller(who), asked)?.id)
    }

    fn approves(&mut self, who: usize, id: Id) -> Result<Request> {
        let yes = Command::Approve {
            id,
            duration_s: None,
            comment: None,
        };
        self.core().act(&caller(who), &yes)
    }

    /// alice has access for so many seconds.
    fn grants(&mut self, seconds: u64) -> Id {
        let id = self.asks(ALICE, "one", seconds).unwrap();
        self.approves(CAROL, id).unwrap();
        id
    }

    fn comes_in(&mut self, user: Person) -> anyhow::Result<bool> {
        let answer = self.core().account(&login(user))?;
        Ok(matches!(answer, Answer::Allow { .. }))
    }

    fn how(&mut self, id: Id) -> Option<Closed> {
        match self.core().request(id).unwrap().stage {
            Stage::Closed { how, .. } => Some(how),
            _ => None,
        }
    }

    /// The names of all events, in order.
    fn told(&mut self) -> Vec<String> {
        let events = self.core().events_after(0, 10_000).unwrap();
        events.iter().map(|event| event.name().to_owned()).collect()
    }

    fn count(&mut self, name: &str) -> usize {
        self.told().iter().filter(|told| *told == name).count()
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

fn login(user: Person) -> Arrival {
    Arrival {
        user,
        class: Class::Login,
        place: Place {
            service: "sshd".to_owned(),
            pid: 7,
            ..Place::default()
        },
        started: 1,
        target: None,
        exempt: false,
        ungated: false,
        command: CommandLine::default(),
    }
}

/// The report that nothing is left of a grant.
fn proven(id: Id) -> Report {
    Report::Ended {
        id,
        killed: 0,
        survivors: Vec::new(),
        looked_for: LookedFor::default(),
    }
}

#[test]
fn a_grant_goes_from_asking_to_the_proof_of_its_end() {
    let mut story = Story::new();
    let id = story.grants(600);
    assert!(story.comes_in(person(ALICE)).unwrap());
    story.host.pass(600);
    assert!(!story.comes_in(person(ALICE)).unwrap(), "to the second");
    let (_, planned, _) = story.core().plan().unwrap();
    assert_eq!(planned.desired.endings.len(), 1);
    story.core().record_reports(&planned, vec![proven(id)]);
    assert!(story.core().plan().unwrap().1.desired.endings.is_empty());
    let story: Vec<_> = story.told().split_off(2);
    let expected = [
        "request-created",
        "approval-recorded",
        "grant-activated",
        "login-allowed",
        "grant-expired",
        "login-denied",
        "removal-confirmed",
    ];
    assert_eq!(story, expected);
}

#[test]
fn what_comes_out_is_what_was_committed_and_whom_it_concerns() {
    let mut story = Story::new();
    let first = story.core().handle(|core| core.now().unwrap());
    let names: Vec<_> = first.records.iter().map(Record::name).collect();
    assert_eq!(names, ["daemon-started", "policy-loaded"]);
    let quiet = story.core().handle(|core| core.now().unwrap());
    assert!(quiet.records.is_empty());
    assert_eq!(quiet.touched, Touched::Nothing);
    let arrival = login(person(ALICE));
    let refused = story.core().handle(|core| core.account(&arrival));
    let kept = story.core().events_after(2, 10).unwrap();
    assert_eq!(refused.records, kept);
    assert_eq!(refused.touched, Touched::All);
}

#[test]
fn a_full_disk_ends_access_and_gives_none() {
    let mut story = Story::new();
    let id = story.grants(3_600);
    let pending = story.asks(ALICE, "two", 60).unwrap();
    story.is_full(true);
    assert!(story.approves(CAROL, pending).is_err());
    assert!(story.asks(ALICE, "one", 60).is_err());
    assert!(
        story.comes_in(person(ALICE)).is_err(),
        "it cannot be recorded"
    );
    story.core().act(&caller(ALICE), &Command::End(id)).unwrap();
    assert_eq!(story.how(id), Some(Closed::Ended));
    story.is_full(false);
    story.core().now().unwrap();
    assert_eq!(story.count("grant-ended"), 1, "it goes first");
}

#[test]
fn a_host_without_room_for_its_rule_is_given_no_grant() {
    let mut story = Story::new();
    let id = story.asks(ALICE, "one", 60).unwrap();
    story.host.facts().has_room = false;
    let why = story.approves(CAROL, id).unwrap_err().to_string();
    assert!(why.contains("the host cannot hold what it takes"), "{why}");
    assert!(story.core().request(id).unwrap().is_pending());
    story.host.facts().has_room = true;
    story.approves(CAROL, id).unwrap();
}

#[test]
fn ends_that_are_owed_hold_over_a_restart_and_are_told_once_there_is_room() {
    let mut story = Story::new();
    let ids: Vec<_> = (0..5).map(|_| story.grants(3_600)).collect();
    story.is_full(true);
    for id in &ids {
        let (id, reason) = (*id, "enough".to_owned());
        let revoke = Command::Revoke { id, reason };
        story.core().act(&caller(CAROL), &revoke).unwrap();
    }
    assert!(!story.comes_in(person(ALICE)).unwrap_or(false));
    story.restart();
    for id in &ids {
        assert_eq!(story.how(*id), Some(Closed::Revoked));
    }
    assert_eq!(story.count("grant-revoked"), ids.len());
    story.restart();
    assert_eq!(story.count("grant-revoked"), ids.len());
}

#[test]
fn how_a_command_ended_is_taken_from_its_own_process_alone_also_after_a_restart() {
    let mut story = Story::new();
    let mut policy = policy();
    policy.roles.get_mut("one").unwrap().exact = Some(Exact {
        run_as: vec!["root".to_owned()],
        programs: vec!["/usr/bin/*".to_owned()],
    });
    story.core().put_in_force(policy).unwrap();
    let root = |real: &str| SeenFile::Roots {
        real: real.to_owned(),
    };
    let program = SeenProgram {
        file: root("/usr/bin/id"),
        sha256: Ok("ab".repeat(32)),
    };
    let asked = Asked {
        command: Some(Box::new(Typed {
            argv: vec!["/usr/bin/id".to_owned()],
            directory: "/srv".to_owned(),
            folder: root("/srv"),
            run_as: Person::root(),
            program: program.clone(),
            amounts: Vec::new(),
        })),
        user: caller(ALICE).identity,
        role: "one".to_owned(),
        reason: "because".to_owned(),
        ticket: None,
        duration_s: Some(600),
        until: None,
        at: None,
    };
    let id = story.core().ask(&caller(ALICE), asked).unwrap().id;
    story.approves(CAROL, id).unwrap();
    let named = |pid| Named { pid, started: 7 };
    let runner = Runner {
        uid: 0,
        called_by: person(ALICE).uid,
        runner: named(50),
        sudo: named(49),
    };
    story.core().start_command(id, &runner, &program).unwrap();
    story.restart();
    assert_eq!(story.core().commands_running(), [(id, named(49))]);
    assert!(story.core().start_command(id, &runner, &program).is_err());
    for other in [
        named(51),
        Named {
            started: 8,
            ..named(50)
        },
    ] {
        assert!(story.core().end_command(id, other, 0).is_err());
    }
    story.core().end_command(id, named(50), 3).unwrap();
    story.core().command_is_over(id).unwrap();
    story.restart();
    let request = story.core().request(id).unwrap();
    let run = request.command.and_then(|command| command.run).unwrap();
    assert_eq!((run.over, run.exit_code), (true, Some(3)));
    assert_eq!(story.count("command-run"), 1);
    assert_eq!(story.how(id), Some(Closed::Ended));
}

#[test]
fn an_end_with_no_room_anywhere_takes_effect_and_is_not_called_a_success() {
    let mut story = Story::new();
    let id = story.grants(3_600);
    story.is_full(true);
    story.host.facts().keeps_ends = false;
    story.host.facts().keeps_owed = false;
    let ended = story.core().act(&caller(ALICE), &Command::End(id));
    let why = ended.unwrap_err().to_string();
    assert!(why.contains("written down nowhere"), "{why}");
    assert!(!story.comes_in(person(ALICE)).unwrap_or(false));
}

#[test]
fn a_thousand_grants_that_end_at_one_second_end_together_and_are_proven_together() {
    let mut story = Story::new();
    let now = story.core().now().unwrap();
    let ids: Vec<_> = (0..1_000_u16)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            let mut grant = crate::ledger::properties::request(1, "alice");
            grant.id = Id::from_random([9, 0, 0, high, low]);
            grant.stage = Stage::Active {
                since: now.wall_s,
                deadline: crate::ledger::Deadline::after(&now, 60),
            };
            story.core().state.requests.insert(grant.id, grant.clone());
            grant.id
        })
        .collect();
    let _ = story.core().handle(|_| ());
    story.host.pass(60);
    let output = story.core().handle(Core::plan);
    let (_, planned, _) = output.reply.unwrap();
    assert_eq!(output.records.len(), ids.len(), "one commit has them all");
    assert_eq!(planned.desired.endings.len(), ids.len());
    let reports = ids.iter().map(|id| proven(*id)).collect();
    let output = story
        .core()
        .handle(|core| core.record_reports(&planned, reports));
    assert_eq!(output.records.len(), ids.len());
    assert!(story.core().plan().unwrap().1.desired.endings.is_empty());
}

#[test]
fn a_clock_that_is_set_back_gives_nobody_more_time() {
    let mut story = Story::new();
    story.grants(600);
    story.host.pass(300);
    story.core().now().unwrap();
    story.host.set_clock(1_000_000 - 86_400);
    assert!(story.comes_in(person(ALICE)).unwrap());
    for _ in 0..10 {
        story.host.pass(30);
        story.core().now().unwrap();
    }
    assert!(!story.comes_in(person(ALICE)).unwrap());
}

#[test]
fn whatever_was_cut_off_without_tpad_is_revoked_before_anybody_is_answered() {
    let mut story = Story::new();
    let id = story.grants(3_600);
    story.host.facts().cut_off_at = Some("2026-11-24T04:17:50Z".to_owned());
    assert!(!story.comes_in(person(ALICE)).unwrap());
    assert_eq!(story.how(id), Some(Closed::Revoked));
    assert_eq!(story.host.facts().cut_off_at, None);
}

#[test]
fn on_another_machine_the_same_database_grants_nothing() {
    let mut story = Story::new();
    let id = story.grants(3_600);
    story.host.facts().machine = "there".to_owned();
    story.restart();
    assert_eq!(story.how(id), Some(Closed::Revoked));
    story.restart();
    assert_eq!(story.count("grant-revoked"), 1);
    let fresh = story.grants(60);
    assert_eq!(story.how(fresh), None);
}

#[test]
fn two_who_decide_at_once_make_one_grant() {
    let mut story = Story::new();
    let id = story.asks(ALICE, "one", 60).unwrap();
    story.approves(CAROL, id).unwrap();
    assert!(story.approves(DAVE, id).is_err());
    assert_eq!(story.count("grant-activated"), 1);
}

#[test]
fn recordings_go_when_their_grant_ended_longer_ago_than_they_are_kept_and_not_before() {
    const DAY: u32 = 86_400;
    let mut story = Story::new();
    let id = story.grants(3_600);
    let may = |story: &mut Story| story.core().may_recordings_go(id).unwrap();
    story.host.pass(3_601);
    story.core().tick().unwrap();
    story.host.pass(3 * DAY);
    assert!(!may(&mut story), "nobody said for how long they are kept");
    let keep = Policy {
        audit_keep_recordings_s: Some(u64::from(4 * DAY)),
        ..policy()
    };
    story.core().put_in_force(keep).unwrap();
    assert!(!may(&mut story), "they are kept for a day more");
    story.host.pass(DAY);
    assert!(may(&mut story));
    story.core().recordings_go(id).unwrap();
    let live = story.grants(3_600);
    assert!(!story.core().may_recordings_go(live).unwrap());
}

#[test]
fn what_is_to_be_removed_and_what_keeps_it_outlive_a_tpad_that_is_killed() {
    let shopdb = Person {
        uid: 115,
        name: "shopdb".to_owned(),
    };
    let mut story = Story::new();
    story.host.facts().accounts.insert(shopdb.clone());
    let mut tidy = policy();
    for role in tidy.roles.values_mut() {
        role.gives.sudo[0].run_as.clone_from(&shopdb.name);
        role.gives.sudo[0].tidy = true;
    }
    let [first, second] = ["one", "auto"].map(|role| {
        story.core().put_in_force(tidy.clone()).unwrap();
        let id = story.asks(ALICE, role, 600).unwrap();
        story.approves(CAROL, id).unwrap();
        // The first is marked by the second: that is written, too.
        story.restart();
        id
    });
    // The configuration that is in force since knows of no tidy: what was given counts.
    story.host.pass(600);
    let (_, planned, _) = story.core().plan().unwrap();
    let reports = [first, second].map(proven).to_vec();
    story.core().record_reports(&planned, reports);
    for (id, other) in [(first, second), (second, first)] {
        let due = story.core().look_due(Depth::Short).unwrap();
        assert_eq!((due.id, due.tidy), (id, vec![shopdb.clone()]));
        let appeared = Appeared {
            account: shopdb.clone(),
            kind: "cron".to_owned(),
            what: "/var/spool/cron/crontabs/shopdb".to_owned(),
            file: None,
            is_line: false,
            stays: None,
        };
        let residue = Residue {
            appeared: vec![appeared],
            ..Residue::not_looked(Depth::Short, "a story", 7)
        };
        story.core().record_residue(id, residue).unwrap();
        story.restart();
        let due = story.core().tidy_due().unwrap();
        assert_eq!(due.id, id);
        let why = due.appeared[0].stays.clone().unwrap();
        assert!(why.contains(other.as_str()), "{why}");
        let tidied = vec![due.appeared[0].came_to(CameTo::Stays(why))];
        story.core().record_tidied(id, tidied).unwrap();
        story.restart();
        assert_eq!(story.core().tidy_due(), None);
    }
    assert_eq!(story.count("residue-tidied"), 2);
}

#[test]
fn a_login_that_goes_on_under_another_grant_is_that_grants_to_end_after_a_restart_too() {
    let mut story = Story::new();
    let mut grants = Vec::new();
    // She begins to need a grant for what she has a grant for already.
    for is_gated in [false, true] {
        story.host.facts().is_gated = is_gated;
        let id = story.asks(ALICE, "one", 600).unwrap();
        story.approves(CAROL, id).unwrap();
        grants.push(id);
    }
    for when in ["before", "after"] {
        for id in &grants {
            let request = &story.core().state.requests[id];
            let logins = request.gave.as_ref().map(|gave| gave.logins);
            assert_eq!(logins, Some(Logins::Given), "{when}");
        }
        story.restart();
    }
}
