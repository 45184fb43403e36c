use std::collections::BTreeMap;
use std::time::Duration;

use tpa_bus::offline::{GateFile, Who};
use zruntime::SharedRuntime;

use super::*;
use crate::accounts::pretended::{Pretended, State, account};
use crate::accounts::{Lookups, When};
use crate::config::people::{Lookup, People as _};

const ENGINEERS: (&str, u32) = ("engineers", 2000);
const SOON: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(100);
const FILES: &str = "root:x:0:0::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n";

/// dora is of the directory and in its group; bob is of this host, and in oncall.
fn directory() -> (Pretended, Accounts) {
    let dora = account("dora", 5001, &[ENGINEERS]);
    let service = Pretended::with(&[dora, account("bob", 1002, &[("oncall", 4000)])]);
    service.write(FILES, "root:x:0:\noncall:x:4000:bob\n");
    let accounts = Accounts::new(service.clone(), KnownGroups::default());
    (service, accounts)
}

fn gate() -> GateFile {
    GateFile {
        login: vec![Who::Group("engineers".into())],
        ..GateFile::default()
    }
}

fn person(name: &str, uid: u32) -> Person {
    let name = name.to_owned();
    Person { uid, name }
}

fn by_uid(accounts: &Accounts, uid: u32, limit: Duration) -> Result<Option<Account>, String> {
    let runtime = SharedRuntime::new().unwrap();
    runtime.block_on(accounts.by_uid(&runtime, uid, limit))
}

#[test]
fn while_the_directory_hangs_people_of_this_host_are_known_with_the_groups_of_this_host() {
    let (service, accounts) = directory();
    service.is(State::Hangs);
    let bob = by_uid(&accounts, 1002, SOON).unwrap().unwrap();
    assert_eq!(
        (bob.person.name.as_str(), bob.groups),
        ("bob", vec!["oncall".to_owned()])
    );
    assert!(
        by_uid(&accounts, 5001, SOON)
            .unwrap_err()
            .contains("no answer within")
    );
    service.is(State::Up);
}

#[test]
fn whoever_was_told_of_once_is_still_known_but_gets_nothing_of_the_directory_s_groups() {
    let (service, accounts) = directory();
    assert_eq!(
        by_uid(&accounts, 5001, LONG).unwrap().unwrap().groups,
        ["engineers"]
    );
    service.is(State::Gone);
    let dora = by_uid(&accounts, 5001, LONG).unwrap().unwrap();
    assert_eq!((dora.person.name.as_str(), dora.groups.len()), ("dora", 0));
    let untold = dora.untold.unwrap();
    assert!(untold.account, "nobody says that she still has an account");
    let bob = by_uid(&accounts, 1002, LONG).unwrap().unwrap();
    assert!(!bob.untold.unwrap().account, "the file of this host does");
    service.is(State::Empty);
    assert_eq!(by_uid(&accounts, 5001, LONG), Ok(None), "an answer is one");
}

#[test]
fn an_answer_that_comes_too_late_is_kept() {
    let (service, accounts) = directory();
    let told = accounts.told();
    service.is(State::Hangs);
    assert!(by_uid(&accounts, 5001, SOON).is_err());
    service.is(State::Up);
    SharedRuntime::new().unwrap().block_on(told);
    assert!(accounts.last_told(&person("dora", 5001)).is_some());
}

#[test]
fn a_name_service_that_hangs_is_not_asked_for_ever_more() {
    let (service, accounts) = directory();
    service.is(State::Hangs);
    for _ in 0..OPEN_MAX + 10 {
        assert!(
            accounts
                .wait_for(Duration::ZERO, |names| names.look_up("dora"))
                .is_err()
        );
    }
    let why = accounts.wait_for(LONG, |names| names.look_up("dora"));
    assert!(why.unwrap_err().contains("too many"));
    assert!(service.asked() <= OPEN_MAX);
    service.is(State::Up);
}

#[test]
fn a_configuration_is_loaded_within_its_limit_by_what_was_last_known_of_groups() {
    let (service, accounts) = directory();
    assert!(matches!(
        accounts.look_up_group("engineers"),
        Answer::Found(_)
    ));
    for state in [State::Empty, State::Gone] {
        service.is(state);
        let lookups = Lookups::new(&accounts, When::Start);
        assert_eq!(lookups.group_exists("engineers"), Lookup::Found);
        assert_eq!(lookups.group_exists("oncall"), Lookup::Found);
        assert_ne!(lookups.group_exists("never"), Lookup::Found);
        assert_eq!(
            lookups.untold(),
            ["@engineers".to_owned(), "@never".to_owned()].into()
        );
    }
    service.is(State::Empty);
    let lookups = Lookups::new(&accounts, When::Reload);
    assert_eq!(
        lookups.group_exists("engineers"),
        Lookup::Missing,
        "removed, or a slip of the pen"
    );
}

#[test]
fn a_hundred_names_of_a_directory_that_hangs_take_no_longer_than_one() {
    let (service, accounts) = directory();
    service.is(State::Hangs);
    let lookups = Lookups::new(&accounts, When::Start);
    for name in 0..100 {
        assert!(matches!(
            lookups.group_exists(&name.to_string()),
            Lookup::Failed(_)
        ));
    }
    assert!(service.asked() <= OPEN_MAX);
    service.is(State::Up);
}

#[test]
fn who_is_gated_is_known_without_asking() {
    let (service, accounts) = directory();
    let (dora, bob) = (person("dora", 5001), person("bob", 1002));
    assert!(
        accounts.is_gated(&gate(), &bob),
        "of the group nothing is known yet"
    );
    let _ = accounts.look_up_group("engineers");
    assert!(!accounts.is_gated(&gate(), &bob));
    assert!(
        accounts.is_gated(&gate(), &dora),
        "of dora nothing is known yet"
    );
    let _ = accounts.look_up("dora");
    service.is(State::Gone);
    let before = service.asked();
    for _ in 0..1_000 {
        assert!(accounts.is_gated(&gate(), &dora) && !accounts.is_gated(&gate(), &bob));
    }
    assert_eq!(service.asked(), before);
}

#[test]
fn whoever_is_seen_in_a_group_that_lists_nobody_is_kept_for_the_gate() {
    let (_service, accounts) = directory();
    let _ = accounts.look_up_group("engineers");
    let (groups, changes) = accounts.groups_after(0).unwrap();
    assert!(groups.0["engineers"].members.is_empty());
    let _ = accounts.look_up("dora");
    let (groups, changes) = accounts.groups_after(changes).unwrap();
    assert_eq!(groups.0["engineers"].members, ["dora".to_owned()].into());
    let _ = accounts.look_up_group("engineers");
    assert_eq!(
        accounts.groups_after(changes),
        None,
        "and stays when the group is told again"
    );
    let only = Accounts::new(Pretended::default(), KnownGroups(BTreeMap::new()));
    assert_eq!(only.groups_after(0), None);
}

#[test]
fn whoever_waits_for_what_is_told_is_woken_by_what_was_not_known_alone() {
    let (service, accounts) = directory();
    let runtime = SharedRuntime::new().unwrap();
    let woken = |accounts: &Accounts, asked: fn(&Accounts)| {
        let told = accounts.told();
        asked(accounts);
        runtime.block_on(runtime.timeout(SOON, told)).is_ok()
    };
    let dora: fn(&Accounts) = |accounts| drop(accounts.look_up("dora"));
    let oncall: fn(&Accounts) = |accounts| drop(accounts.look_up_group("oncall"));
    for asked in [dora, oncall] {
        assert!(woken(&accounts, asked));
        assert!(!woken(&accounts, asked), "nothing new");
    }
    service.add(account("dora", 5001, &[ENGINEERS, ("oncall", 4000)]));
    assert!(woken(&accounts, dora));
}
