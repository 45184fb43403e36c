use super::*;
use crate::ledger::properties::request;
use crate::ledger::{Envelope, Event, Person, State};

fn created(n: u8) -> Entry {
    let envelope = Envelope {
        at: 1_000_000 + i64::from(n),
        actor: Some(Person {
            uid: 1001,
            name: "alice".into(),
        }),
        actor_uid: Some(1001),
        event: Event::RequestCreated(Box::new(request(n, "alice"))),
    };
    let fields = vec![("event".to_owned(), "request-created".to_owned())];
    Entry {
        body: Body { envelope, fields },
    }
}

fn filled(folder: &Path, events: u8) -> Store {
    let mut store = Store::open(&folder.join("tpa.db")).unwrap();
    for n in 1..=events {
        let change = Change {
            requests: vec![request(n, "alice")],
            ..Change::default()
        };
        store.commit(&[created(n)], &change).unwrap();
    }
    store
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let head = filled(folder.path(), 3).head().clone();
    let store = Store::open(&folder.path().join("tpa.db")).unwrap();
    assert_eq!(store.head(), &head);
    let events = store
        .events(&EventQuery {
            limit: 10,
            ..EventQuery::default()
        })
        .unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    let mut fold = State::default();
    for event in &events {
        fold.apply(&event.body.envelope);
    }
    assert_eq!(
        store.state(0).unwrap(),
        fold,
        "the projections are the fold of the events"
    );
}

#[test]
fn the_chain_names_the_first_event_that_was_tampered_with() {
    let tamper = |sql: &str| {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), 4);
        assert_eq!(store.verify().unwrap().broken, None);
        store.connection.execute_batch(sql).unwrap();
        store.verify().unwrap().broken.map(|(seq, _)| seq)
    };
    let swap = "UPDATE events SET seq = -seq; UPDATE events SET seq = 2 WHERE seq = -3;
                UPDATE events SET seq = 3 WHERE seq = -2; UPDATE events SET seq = -seq WHERE seq < 0;";
    let insert = "UPDATE events SET seq = 5 WHERE seq = 4;
                  INSERT INTO events SELECT 4, at, code, grant_id, body, hash FROM events WHERE seq = 5;";
    assert_eq!(
        tamper("UPDATE events SET body = replace(body, 'because', 'for fun') WHERE seq = 2"),
        Some(2)
    );
    assert_eq!(
        tamper("UPDATE events SET at = at + 1 WHERE seq = 3"),
        Some(3)
    );
    assert_eq!(tamper("DELETE FROM events WHERE seq = 1"), Some(1));
    assert_eq!(tamper("DELETE FROM events WHERE seq = 3"), Some(3));
    assert_eq!(tamper("DELETE FROM events WHERE seq = 4"), Some(4));
    assert_eq!(tamper(swap), Some(2));
    assert_eq!(tamper(insert), Some(5));
}

#[test]
fn requests_are_found_by_the_beginning_of_their_id() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 2);
    assert_eq!(store.requests_by_prefix("0").unwrap().len(), 2);
    assert_eq!(store.requests_by_prefix("00000001").unwrap().len(), 1);
    assert!(store.requests_by_prefix("1").unwrap().is_empty());
}

#[test]
fn requests_are_filtered_by_person_role_time_and_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 2);
    let count = |query: RequestQuery| store.requests(&query).unwrap().len();
    let none = RequestQuery::default;
    assert_eq!(count(none()), 2);
    assert_eq!(
        count(RequestQuery {
            of: Some(1001),
            ..none()
        }),
        2
    );
    assert_eq!(
        count(RequestQuery {
            of: Some(1002),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(RequestQuery {
            role: Some("two".into()),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(RequestQuery {
            states: Some(vec!["pending".into()]),
            ..none()
        }),
        2
    );
    assert_eq!(
        count(RequestQuery {
            states: Some(vec!["active".into()]),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(RequestQuery {
            states: Some(Vec::new()),
            ..none()
        }),
        0
    );
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path(), 1);
    let head = store.head().clone();
    store
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    assert!(store.commit(&[created(2)], &Change::default()).is_err());
    store
        .connection
        .pragma_update(None, "query_only", false)
        .unwrap();
    assert_eq!(store.head(), &head);
    store.commit(&[created(2)], &Change::default()).unwrap();
    assert_eq!(store.verify().unwrap().broken, None);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 1);
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    let error = Store::open(&folder.path().join("tpa.db")).unwrap_err();
    assert!(matches!(error, Error::Version { found: 99, .. }));
}
