use std::path::Path;

use tpa_bus::offline::Class;

use super::*;
use crate::core::pretended::Pretended;
use crate::ledger::Person;
use crate::ledger::properties::policy;
use crate::ledger::{Answer, Arrival, CommandLine, Digest, Place};
use crate::store::{Content, EventQuery, Store};

fn core(folder: &Path, host: &Pretended) -> Core {
    let store = Store::open(&folder.join("tpa.db")).unwrap();
    host.start(store, policy()).unwrap()
}

fn mallory(service: &str) -> Arrival {
    Arrival {
        user: Person {
            uid: 1_007,
            name: "mallory".to_owned(),
        },
        class: Class::Login,
        place: Place {
            service: service.to_owned(),
            ..Place::default()
        },
        started: 0,
        target: None,
        exempt: false,
        ungated: false,
        command: CommandLine::default(),
    }
}

/// The values of one field, of the events that have this code.
fn told(core: &Core, event: &str, field: &str) -> Vec<String> {
    let query = EventQuery {
        codes: Some(vec![event.to_owned()]),
        limit: 1_000,
        ..EventQuery::default()
    };
    let events = core.store.events(&query).unwrap();
    let values = events.iter().filter_map(|record| record.field(field));
    values.map(str::to_owned).collect()
}

/// So many seconds later.
fn later(core: &mut Core, host: &Pretended, seconds: u32) {
    host.pass(seconds);
    core.now().unwrap();
}

#[test]
fn of_three_hundred_refusals_a_few_are_recorded_and_all_are_counted_also_over_a_restart() {
    let (folder, host) = (tempfile::tempdir().unwrap(), Pretended::new());
    let mut first = core(folder.path(), &host);
    for _ in 0..150 {
        let answer = first.account(&mallory("sshd")).unwrap();
        assert!(matches!(answer, Answer::Deny { .. }));
    }
    drop(first);
    let mut again = core(folder.path(), &host);
    for _ in 0..150 {
        let _ = again.account(&mallory("sshd")).unwrap();
    }
    let one_by_one = told(&again, "TPA3001", "user").len();
    assert!(one_by_one <= 20, "{one_by_one}");
    later(&mut again, &host, 60);
    let counts = told(&again, "TPA5008", "count");
    let counted: usize = counts
        .iter()
        .map(|count| count.parse::<usize>().unwrap())
        .sum();
    assert_eq!((counts.len(), one_by_one + counted), (1, 300));
    assert_eq!(told(&again, "TPA5008", "user"), ["mallory"]);
    assert_eq!(told(&again, "TPA5008", "service"), ["sshd"]);
    later(&mut again, &host, 3_600);
    drop(again);
    assert_eq!(
        core(folder.path(), &host).store.repeats().unwrap(),
        Repeats::default()
    );
}

#[test]
fn a_refusal_that_is_only_counted_has_the_host_looked_at_no_more() {
    let (folder, host) = (tempfile::tempdir().unwrap(), Pretended::new());
    let mut core = core(folder.path(), &host);
    for _ in 0..20 {
        let _ = core.account(&mallory("sshd")).unwrap();
    }
    let before = core.generation;
    for _ in 0..100 {
        let _ = core.account(&mallory("sshd")).unwrap();
    }
    assert_eq!(core.generation, before);
}

#[test]
fn every_repeated_event_that_somebody_can_bring_about_is_counted() {
    let (folder, host) = (tempfile::tempdir().unwrap(), Pretended::new());
    let mut core = core(folder.path(), &host);
    let mallory = mallory("sshd");
    for _ in 0..100 {
        core.exempt(&mallory).unwrap();
        let (user, place) = (mallory.user.clone(), mallory.place.clone());
        core.unlisted(user, place).unwrap();
    }
    later(&mut core, &host, 60);
    assert_eq!(told(&core, "TPA4002", "user").len(), 10);
    assert_eq!(told(&core, "TPA3001", "user").len(), 10);
    assert_eq!(told(&core, "TPA5008", "count"), ["90", "90"]);
}

#[test]
fn a_sudo_command_of_any_length_makes_an_event_of_bounded_length() {
    let (folder, host) = (tempfile::tempdir().unwrap(), Pretended::new());
    let mut core = core(folder.path(), &host);
    let mut size = |argument: usize| {
        let words = [b"sudo\0id\0".to_vec(), vec![b'A'; argument], vec![0]].concat();
        let digest = Digest {
            bytes: words.len() as u64,
            sha256: "ab".repeat(32),
        };
        let grant = crate::ledger::properties::request(1, "alice");
        let mut arrival = mallory("sudo");
        arrival.command = CommandLine::of(&words, digest);
        let (now, _) = core.moment().unwrap();
        let session = arrival.session(&grant, &now);
        let events = vec![
            Event::SessionOpened(session.clone()),
            Event::SessionClosed(session),
        ];
        core.record(None, events, &now).unwrap();
        let query = EventQuery {
            limit: 1_000,
            ..EventQuery::default()
        };
        let events = core.store.events(&query).unwrap();
        let Content::Known(body) = &events.last().unwrap().body else {
            panic!("of an unknown kind");
        };
        serde_json::to_string(body).unwrap().len()
    };
    assert!(size(60_000) < size(10) + 3 * 1_024);
}
