use tempfile::TempDir;
use tpa_bus::groups::KnownGroups;
use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use super::*;
use crate::accounts::pretended::{Pretended, State, account};
use crate::config::load::Source;
use crate::core::Core;
use crate::ledger::properties::request;
use crate::ledger::{
    Answer as AtGate, Arrival, Closed, CommandLine, Deadline, Event, Place, Stage,
    is_undecided_or_on,
};
use crate::plan::{Due, Followed};

const ROOT: &str = "root:x:0:0::/:/bin/sh\n";

fn person(n: u16) -> Person {
    Person {
        uid: 5_000 + u32::from(n),
        name: format!("dora{n}"),
    }
}

/// So many people of a directory, each with a live grant.
fn engine(people: u16) -> (TempDir, Pretended, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let owner = nix::unistd::geteuid().as_raw();
    let source = Source::in_folder(folder.path(), owner);
    let accounts = (0..people).map(person);
    let accounts: Vec<_> = accounts
        .map(|person| account(&person.name, person.uid, &[("engineers", 2000)]))
        .collect();
    let service = Pretended::with(&accounts);
    let names = Accounts::new(service.clone(), KnownGroups::default());
    let engine = Engine::open_with(
        &folder.path().join("tpa.db"),
        &folder.path().join("run"),
        source,
        names,
    )
    .unwrap();
    let now = engine.with(Core::now).unwrap();
    for n in 0..people {
        let [high, low] = n.to_be_bytes();
        let mut grant = request(1, "alice");
        grant.id = Id::from_random([0, 0, 0, high, low]);
        grant.user = person(n);
        grant.requested_at = now.wall_s;
        grant.duration_s = 3_600;
        grant.stage = Stage::Active {
            since: now.wall_s,
            deadline: Deadline::after(&now, 3_600),
        };
        engine.with(|core| core.state.requests.insert(grant.id, grant));
    }
    (folder, service, engine)
}

/// Somebody at the gate.
fn at_gate(user: Person) -> Arrival {
    Arrival {
        user,
        class: Class::Login,
        place: Place {
            service: "sshd".to_owned(),
            tty: None,
            rhost: None,
            pid: 1,
        },
        started: 0,
        target: None,
        exempt: false,
        ungated: false,
        command: CommandLine::default(),
    }
}

fn mallory() -> Person {
    Person {
        uid: 1_007,
        name: "mallory".to_owned(),
    }
}

fn is_on(engine: &Engine) -> bool {
    engine.with(|core| core.state.requests.values().all(is_undecided_or_on))
}

#[test]
fn neither_a_refused_login_nor_a_plan_asks_anybody_however_many_grants_live() {
    let (_folder, service, engine) = engine(1_000);
    let said = look_at(&engine.accounts, engine.people());
    assert_eq!(
        (said.len(), service.asked()),
        (1_000, 1_000),
        "once for each person"
    );
    let mallory = at_gate(mallory());
    for _ in 0..3 {
        assert!(matches!(
            engine.with(|core| core.account(&mallory)).unwrap(),
            AtGate::Deny { .. }
        ));
        let (_, planned, _) = engine.with(Core::plan).unwrap();
        assert_eq!(planned.desired.states.len(), 1_000);
    }
    assert!(engine.accounts.untold(engine.people()).is_empty());
    assert_eq!(service.asked(), 1_000);
}

#[test]
fn neither_a_refused_login_nor_one_on_a_grant_has_the_host_looked_at_however_many_grants_live() {
    let (_folder, _service, engine) = engine(1_000);
    let mut followed = Followed::default();
    let due = |followed: &Followed<()>| {
        let (now, planned, _) = engine.with(Core::plan).unwrap();
        (
            followed.due(&planned.desired, false, &(), &now),
            planned,
            now,
        )
    };
    let (first, planned, now) = due(&followed);
    assert_eq!(first, Due::Look);
    followed.looked(&planned.desired, (), &now);
    for (who, comes_in) in [(mallory(), false), (person(7), true)] {
        let answer = engine
            .with(|core| core.account(&at_gate(who.clone())))
            .unwrap();
        assert_eq!(matches!(answer, AtGate::Allow { .. }), comes_in);
        let answer = engine
            .with(|core| core.open_session(&at_gate(who)))
            .unwrap();
        assert_eq!(matches!(answer, AtGate::Allow { .. }), comes_in);
        assert_eq!(due(&followed).0, Due::Nothing);
    }
    let (id, how) = (Id::from_random([0; 5]), Closed::Revoked);
    let revoked = Event::Closed { id, how, why: None };
    engine
        .with(|core| core.record(None, vec![revoked], &now))
        .unwrap();
    let (after, planned, _) = due(&followed);
    assert_eq!((after, planned.desired.endings.len()), (Due::Changes, 1));
}

#[test]
fn a_directory_that_is_empty_for_a_moment_while_an_account_is_added_ends_no_grant() {
    let (_folder, service, engine) = engine(1);
    let mut known = Known::default();
    let mut look = || {
        engine.end_of_local_accounts(&mut known);
        let said = look_at(&engine.accounts, vec![person(0)]);
        engine.end_of_lost_accounts(&mut known, said)
    };
    assert!(!look());
    service.is(State::Empty);
    service.write(&format!("{ROOT}tmp1:x:999:999::/:/bin/sh\n"), "root:x:0:\n");
    assert!(look(), "it is to be looked at again");
    service.is(State::Gone);
    for _ in 0..100 {
        assert!(look());
    }
    service.is(State::Up);
    assert!(!look() && is_on(&engine));
    service.is(State::Empty);
    let looks = (0..100).take_while(|_| look()).count();
    assert!(
        !is_on(&engine),
        "a directory that goes on saying so has removed them"
    );
    assert!(looks > 3, "{looks}");
}

#[test]
fn an_account_that_leaves_the_host_s_own_files_ends_its_grant_whatever_a_directory_does() {
    for state in [State::Empty, State::Gone] {
        let (_folder, service, engine) = engine(1);
        let line = format!("{ROOT}dora0:x:5000:5000::/:/bin/sh\n");
        for _ in 0..2 {
            service.write(&line, "root:x:0:\n");
        }
        service.is(state);
        let mut known = Known::default();
        engine.end_of_local_accounts(&mut known);
        assert!(is_on(&engine));
        service.write("", "");
        engine.end_of_local_accounts(&mut known);
        assert!(is_on(&engine), "files that cannot be read tell nothing");
        for _ in 0..2 {
            service.write(&line, "root:x:0:\n");
        }
        engine.end_of_local_accounts(&mut known);
        service.write(ROOT, "root:x:0:\n");
        engine.end_of_local_accounts(&mut known);
        assert!(!is_on(&engine));
    }
}

#[test]
fn of_accounts_made_and_made_anew_within_one_second_only_the_latter_lose_what_they_had() {
    let (_folder, service, engine) = engine(1);
    let (one, both) = (
        format!("{ROOT}dora1:x:5001:5001::/:/bin/sh\n"),
        format!("{ROOT}dora1:x:5001:5001::/:/bin/sh\ndora0:x:5000:5000::/:/bin/sh\n"),
    );
    for passwd in [ROOT, &one, &both] {
        service.write(passwd, "root:x:0:\n");
    }
    let files = engine.accounts.files();
    engine.with(|core| {
        core.state.requests.change_each(
            |_| true,
            |request| request.entry = Some(files.entry(&request.user)),
        );
    });
    let mut known = Known::default();
    engine.end_of_local_accounts(&mut known);
    assert!(is_on(&engine));
    for passwd in [&one, &both] {
        service.write(passwd, "root:x:0:\n");
    }
    engine.end_of_local_accounts(&mut known);
    assert!(!is_on(&engine));
}
