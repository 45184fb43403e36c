//! A database that is full, or is not the one that was here before in this boot.

use std::cell::{RefCell, RefMut};
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::pretended::Pretended;
use super::*;
use crate::host::boot_file::{self, BootFile};
use crate::host::owed_file::{self, OwedFile};
use crate::ledger::properties::{policy, request};
use crate::ledger::{Caller, Closed, Command, Deadline, Identity, Person, Proof, Request, Stage};
use crate::plan::Report;

/// A host, with tpad or without: all of it pretended but for the files that a restart finds.
struct Rig {
    folder: TempDir,
    host: Pretended,
    core: Option<RefCell<Core>>,
    copies: usize,
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self {
            folder: tempfile::tempdir().unwrap(),
            host: Pretended::new(),
            core: None,
            copies: 0,
        };
        std::fs::create_dir(rig.at("lib")).unwrap();
        rig.start().unwrap();
        rig
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts tpad, after it was killed when it ran.
    fn start(&mut self) -> anyhow::Result<()> {
        self.core = None;
        let store = Store::open(&self.at("lib/tpa.db"))?;
        let boot_id = self.host.facts().now.boot_id.clone();
        let (boot, unread) = BootFile::read(self.at("run"), &boot_id);
        let (owed, broken) = OwedFile::read(&self.at("lib"), store.name());
        let core = Core::start(Parts {
            world: Arc::new(self.host.clone()),
            store,
            boot: Box::new(boot),
            owed: Box::new(owed),
            unread: unread.into_iter().chain(broken).collect(),
            policy: policy(),
            loaded: Event::PolicyLoaded {
                revision: policy().revision,
            },
        })?;
        self.core = Some(RefCell::new(core));
        Ok(())
    }

    fn core(&self) -> RefMut<'_, Core> {
        self.core.as_ref().unwrap().borrow_mut()
    }

    /// A grant of an hour.
    fn grant(&self, n: u8) -> anyhow::Result<Id> {
        let now = self.core().now()?;
        let stage = Stage::Active {
            since: now.wall_s,
            deadline: Deadline::after(&now, 3_600),
        };
        self.file(n, stage)
    }

    fn file(&self, n: u8, stage: Stage) -> anyhow::Result<Id> {
        let mut core = self.core();
        let now = core.now()?;
        let request = Request {
            requested_at: now.wall_s,
            lapses_at: now.wall_s + 1_800,
            reminded: false,
            stage,
            ..request(n, "alice")
        };
        let id = request.id;
        let created = Event::RequestCreated(Box::new(request));
        core.record(None, vec![created], &now)?;
        Ok(id)
    }

    fn revoke(&self, id: Id) -> Result<Request> {
        let reason = "enough".to_owned();
        self.core().act(&carol(), &Command::Revoke { id, reason })
    }

    /// The database takes nothing more, or takes it again.
    fn fill(&self, full: bool) {
        self.core().store.refuse_writes(full);
    }

    fn copy(&mut self) -> usize {
        self.copies += 1;
        let to = self.at(&format!("copy-{}", self.copies));
        copy_all(&self.at("lib"), &to);
        self.copies
    }

    /// Puts a copy back while tpad is not there.
    fn put_back(&mut self, copy: usize) {
        self.core = None;
        std::fs::remove_dir_all(self.at("lib")).unwrap();
        copy_all(&self.at(&format!("copy-{copy}")), &self.at("lib"));
    }

    fn events(&self) -> Vec<Record> {
        let query = EventQuery {
            limit: 1_000,
            ..EventQuery::default()
        };
        self.core().store.events(&query).unwrap()
    }

    fn count(&self, code: &str) -> usize {
        self.events().iter().filter(|e| e.code == code).count()
    }

    fn how(&self, id: Id) -> Option<Closed> {
        match self.core().request(id).unwrap().stage {
            Stage::Closed { how, .. } => Some(how),
            _ => None,
        }
    }

    /// What the host is made to hold: rules, state files, logins.
    fn gives(&self) -> usize {
        let (_, planned, _) = self.core().plan().unwrap();
        let desired = planned.desired;
        desired.rules.len() + desired.states.len() + desired.login_ends.len()
    }

    fn boot_record(&self) -> String {
        std::fs::read_to_string(self.at("run").join(boot_file::NAME)).unwrap()
    }
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// carol, with root's rights.
fn carol() -> Caller {
    let person = Person {
        uid: 1_003,
        name: "carol".to_owned(),
    };
    Caller {
        identity: Identity::of(person, Vec::new()),
        uid: 0,
        login: None,
        proof: Proof::Login,
    }
}

#[test]
fn an_older_copy_of_the_database_gives_nothing_and_is_told_once() {
    let mut rig = Rig::new();
    let revoked = rig.grant(1).unwrap();
    let other = rig.grant(2).unwrap();
    let pending = rig.file(3, Stage::Pending).unwrap();
    let copy = rig.copy();
    rig.revoke(revoked).unwrap();
    let end = rig.events().pop().unwrap();
    rig.put_back(copy);
    rig.start().unwrap();
    assert_eq!(rig.how(revoked), Some(Closed::Revoked));
    assert_eq!(rig.how(other), Some(Closed::Revoked));
    assert_eq!(rig.how(pending), Some(Closed::Lapsed));
    assert_eq!(rig.gives(), 0);
    let again = rig
        .events()
        .into_iter()
        .find(|event| event.code == "TPA2003");
    let again = again.unwrap();
    assert_eq!(
        again.envelope(),
        end.envelope(),
        "as it was: its time, carol, why"
    );
    assert_eq!(rig.count("TPA5005"), 1);
    assert!(rig.boot_record().contains("\nalarm "));
    rig.start().unwrap();
    assert_eq!(rig.count("TPA5005"), 1);
    let fresh = rig.grant(4).unwrap();
    rig.start().unwrap();
    assert_eq!(rig.how(fresh), None);
}

#[test]
fn neither_does_one_from_before_an_end_that_is_long_forgotten() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    let copy = rig.copy();
    rig.revoke(id).unwrap();
    // As if it had ended in the boot before.
    let kept = rig.boot_record();
    let kept: Vec<_> = kept.lines().filter(|l| !l.starts_with("end ")).collect();
    let text = kept.join("\n") + "\n";
    std::fs::write(rig.at("run").join(boot_file::NAME), text).unwrap();
    rig.put_back(copy);
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
    assert_eq!((rig.gives(), rig.count("TPA5005")), (0, 1));
}

#[test]
fn of_a_database_whose_projections_alone_are_old_what_ended_stays_ended() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    let stage = rig.core().request(id).unwrap();
    rig.revoke(id).unwrap();
    rig.core().store.put_back(&stage);
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
    assert_eq!(rig.gives(), 0);
}

#[test]
fn a_new_database_in_the_same_boot_is_told_once_and_grants_as_ever() {
    let mut rig = Rig::new();
    rig.grant(1).unwrap();
    rig.core = None;
    std::fs::remove_dir_all(rig.at("lib")).unwrap();
    std::fs::create_dir(rig.at("lib")).unwrap();
    rig.start().unwrap();
    assert_eq!(rig.count("TPA5005"), 1);
    let id = rig.grant(2).unwrap();
    rig.start().unwrap();
    assert_eq!((rig.how(id), rig.count("TPA5005")), (None, 1));
}

#[test]
fn under_a_tpad_that_runs_a_copy_is_not_written_to_and_gives_nothing_when_it_starts_again() {
    for remove_first in [true, false] {
        let mut rig = Rig::new();
        let id = rig.grant(1).unwrap();
        let copy = rig.copy();
        rig.revoke(id).unwrap();
        let (lib, copy) = (rig.at("lib"), rig.at(&format!("copy-{copy}")));
        for name in ["tpa.db", "tpa.db-wal"] {
            if remove_first {
                std::fs::remove_file(lib.join(name)).unwrap();
            }
            std::fs::copy(copy.join(name), lib.join(name)).unwrap();
        }
        assert!(rig.grant(2).is_err());
        assert!(rig.core().plan().is_err(), "tpad ends, to start again");
        for name in ["tpa.db", "tpa.db-wal"] {
            let read = |folder: &PathBuf| std::fs::read(folder.join(name)).unwrap();
            assert_eq!(read(&lib), read(&copy), "{name}");
        }
        rig.start().unwrap();
        assert_eq!(rig.how(id), Some(Closed::Revoked));
        assert_eq!((rig.gives(), rig.count("TPA5005")), (0, 1));
        assert_eq!(broken(&rig), None);
    }
}

/// The first break of the chain.
fn broken(rig: &Rig) -> Option<(u64, String)> {
    let walk = rig.core().store.walk(0, 1_000).unwrap();
    assert!(walk.done);
    walk.broken
}

#[test]
fn after_a_purge_a_new_database_is_nothing_to_tell_of() {
    let mut rig = Rig::new();
    rig.grant(1).unwrap();
    rig.core = None;
    for folder in ["lib", "run"] {
        std::fs::remove_dir_all(rig.at(folder)).unwrap();
    }
    std::fs::create_dir(rig.at("lib")).unwrap();
    rig.start().unwrap();
    assert_eq!(rig.count("TPA5005"), 0);
}

#[test]
fn what_was_taken_away_on_a_full_disk_stays_away_after_a_kill_and_is_recorded_as_it_was() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    let pending = rig.file(2, Stage::Pending).unwrap();
    rig.fill(true);
    rig.revoke(id).unwrap();
    let alice = Caller {
        identity: Identity::of(request(2, "alice").user, Vec::new()),
        uid: 1_001,
        proof: Proof::Uid,
        ..carol()
    };
    rig.core().act(&alice, &Command::Withdraw(pending)).unwrap();
    let at = rig.core().state.newest;
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
    assert_eq!(rig.how(pending), Some(Closed::Withdrawn));
    assert_eq!(rig.gives(), 0);
    assert_eq!(rig.count("TPA5005"), 0, "nothing is missing");
    let events = rig.events();
    let told = |code: &str| {
        let event = events.iter().find(|event| event.code == code).unwrap();
        event.envelope().unwrap().clone()
    };
    let revoked = told("TPA2003");
    assert!(revoked.at <= at);
    assert_eq!(revoked.actor.as_ref().unwrap().name, "carol");
    assert_eq!(revoked.actor_uid, Some(0));
    let Event::Closed { why, .. } = revoked.event else {
        panic!("{revoked:?}");
    };
    assert_eq!(why.as_deref(), Some("enough"));
    assert_eq!(told("TPA1003").actor.unwrap().name, "alice");
    rig.start().unwrap();
    assert_eq!((rig.count("TPA2003"), rig.count("TPA1003")), (1, 1));
}

#[test]
fn what_was_taken_away_on_a_full_disk_stays_away_after_a_power_cut_and_is_recorded_as_it_was() {
    let mut rig = Rig::new();
    let ids = [1, 2].map(|n| rig.grant(n).unwrap());
    let goes_on = rig.grant(3).unwrap();
    rig.fill(true);
    for id in ids {
        rig.revoke(id).unwrap();
    }
    let at = rig.core().state.newest;
    for _ in 0..2 {
        // A power cut takes what this boot has seen with it.
        rig.core = None;
        std::fs::remove_dir_all(rig.at("run")).unwrap();
        rig.start().unwrap();
        assert_eq!(ids.map(|id| rig.how(id)), [Some(Closed::Revoked); 2]);
        assert_eq!(rig.how(goes_on), None);
    }
    let events = rig.events();
    let revoked: Vec<_> = events.iter().filter(|e| e.code == "TPA2003").collect();
    assert_eq!(revoked.len(), 2, "each is told once");
    for event in revoked {
        let envelope = event.envelope().unwrap();
        assert!(envelope.at <= at);
        assert_eq!(envelope.actor.as_ref().unwrap().name, "carol");
    }
    assert_eq!(rig.count("TPA5005"), 0, "nothing is missing");
}

#[test]
fn an_end_that_finds_no_room_for_this_boot_is_a_success_where_it_outlives_the_boot() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    rig.fill(true);
    std::fs::remove_dir_all(rig.at("run")).unwrap();
    std::fs::write(rig.at("run"), "no room").unwrap();
    rig.revoke(id).unwrap();
    rig.core = None;
    std::fs::remove_file(rig.at("run")).unwrap();
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
}

#[test]
fn an_end_that_stands_nowhere_takes_effect_and_is_no_success() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    rig.fill(true);
    std::fs::remove_dir_all(rig.at("run")).unwrap();
    std::fs::write(rig.at("run"), "no room").unwrap();
    std::fs::remove_file(rig.at("lib").join(owed_file::NAME)).unwrap();
    let why = rig.revoke(id).unwrap_err().to_string();
    assert!(why.contains("written down nowhere"), "{why}");
    assert_eq!(rig.gives(), 0);
    assert_eq!(rig.how(id), Some(Closed::Revoked));
    // With room on one of the two it is safe.
    std::fs::remove_file(rig.at("run")).unwrap();
    rig.core().now().unwrap();
    rig.core().request(id).unwrap();
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
}

#[test]
fn a_record_of_this_boot_that_cannot_be_read_is_told_and_nobody_is_shut_out() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    rig.core = None;
    std::fs::write(rig.at("run").join(boot_file::NAME), "nonsense").unwrap();
    rig.start().unwrap();
    assert_eq!((rig.how(id), rig.count("TPA5006")), (None, 1));
    rig.start().unwrap();
    assert_eq!(rig.count("TPA5006"), 1);
}

#[test]
fn an_event_of_an_unknown_kind_is_shown_and_the_grant_that_it_is_about_gives_nothing() {
    let mut rig = Rig::new();
    let touched = rig.grant(1).unwrap();
    let other = rig.grant(2).unwrap();
    let body = |event: &str, id: Id| {
        format!(
            r#"{{"envelope":{{"at":1000000,"actor":null,"actor_uid":null,"event":{{"{event}":{{"id":"{id}"}}}}}},
            "fields":[["event","{event}"],["grant","{}"],["code","TPA2009"]]}}"#,
            id.as_str()
        )
    };
    {
        let mut core = rig.core();
        let store = &mut core.store;
        store.add_raw("TPA2009", Some(touched), &body("grant-frozen", touched));
        store.add_raw("TPA5999", None, "nonsense");
    }
    rig.start().unwrap();
    assert_eq!(rig.how(touched), Some(Closed::Revoked));
    assert_eq!(rig.how(other), None);
    let events = rig.events();
    let unknown: Vec<_> = events.iter().filter(|e| e.event().is_none()).collect();
    let names: Vec<_> = unknown.iter().map(|e| e.name()).collect();
    assert_eq!(names, ["grant-frozen", "unknown"]);
    let line = crate::audit::line::render(unknown[0], crate::policy::AuditFormat::Kv);
    let begins = format!("grant-frozen grant={} code=TPA2009 seq=", touched.as_str());
    assert!(line.starts_with(&begins), "{line}");
    let told = events.iter().rfind(|e| e.code == "TPA2003").unwrap();
    let why = told.field("why").unwrap();
    assert!(
        why.contains("(TPA2009) about it is of a kind that this tpad does not know"),
        "{why}"
    );
    assert_eq!(broken(&rig), None);
    rig.start().unwrap();
    assert_eq!(rig.how(other), None, "it goes on as it was");
    assert_eq!(rig.count("TPA2003"), 1);
}

#[test]
fn a_request_of_a_form_that_is_not_known_is_ended_by_what_its_events_tell() {
    let mut rig = Rig::new();
    let id = rig.grant(1).unwrap();
    let other = rig.grant(2).unwrap();
    rig.core()
        .store
        .set_row(id, r#"{"id":"00000001","stage":"frozen"}"#);
    rig.start().unwrap();
    assert_eq!(rig.how(id), Some(Closed::Revoked));
    assert_eq!(rig.how(other), None);
    // Nothing at all is known of it: it gives nothing, and keeps nobody from anything.
    rig.core().store.set_row(other, "nonsense");
    rig.core().store.forget_events_of(other);
    rig.start().unwrap();
    assert_eq!(rig.gives(), 0);
}

/// What happens to a host.
#[derive(Debug, Clone)]
enum Step {
    Grant,
    End(usize),
    Full(bool),
    Copy,
    PutBack(usize),
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Grant),
        3 => any::<usize>().prop_map(Step::End),
        2 => any::<bool>().prop_map(Step::Full),
        2 => Just(Step::Copy),
        2 => any::<usize>().prop_map(Step::PutBack),
        1 => Just(Step::Kill),
    ];
    proptest::collection::vec(step, 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_ended_in_this_boot_never_lives_again(steps in steps()) {
        let mut rig = Rig::new();
        let mut on = Vec::new();
        let mut ended = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Grant => on.extend(rig.grant(u8::try_from(n).unwrap())),
                Step::End(which) if !on.is_empty() => {
                    let id = on.swap_remove(which % on.len());
                    if rig.revoke(id).is_ok() {
                        ended.push(id);
                    }
                }
                Step::Full(full) => rig.fill(full),
                Step::Copy => drop(rig.copy()),
                Step::PutBack(which) if rig.copies > 0 => {
                    rig.put_back(1 + which % rig.copies);
                    rig.start().unwrap();
                }
                Step::Kill => rig.start().unwrap(),
                _ => {}
            }
            let inner = rig.core();
            let lives = |id: &Id| inner.state.requests.get(id).is_some_and(Request::is_pending)
                || inner.state.requests.get(id).is_some_and(|r| r.deadline().is_some());
            prop_assert!(!ended.iter().any(lives));
        }
    }
}

#[test]
fn what_the_reaper_takes_away_while_the_host_is_looked_at_is_no_drift() {
    for reaped in [true, false] {
        let rig = Rig::new();
        let id = rig.grant(1).unwrap();
        let (_, planned, _) = rig.core().plan().unwrap();
        if reaped {
            rig.host.facts().cut_off_at = Some("2026-11-24T04:17:50Z".to_owned());
        }
        let what = "rule".to_owned();
        let missed = Report::Drift { what, id: Some(id) };
        rig.core().record_reports(&planned, vec![missed]);
        assert_eq!(rig.count("TPA5006"), usize::from(!reaped));
        assert_eq!(rig.how(id).is_some(), reaped);
    }
}
