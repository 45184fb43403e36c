use super::*;
use crate::clock::Now;
use crate::ledger::properties::request;
use crate::ledger::{ClockSet, Envelope, Event, Person, State};

pub(super) fn created(n: u8) -> Entry {
    let envelope = Envelope {
        at: 1_000_000 + i64::from(n),
        actor: Some(Person {
            uid: 1001,
            name: "alice".into(),
        }),
        actor_uid: Some(1001),
        actor_login: None,
        proof: None,
        event: Event::RequestCreated(Box::new(request(n, "alice"))),
    };
    let fields = vec![("event".to_owned(), "request-created".to_owned())];
    Entry {
        body: Body { envelope, fields },
    }
}

pub(super) fn filled(folder: &Path, events: u8) -> Store {
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
        fold.apply(event.envelope().unwrap());
    }
    assert_eq!(
        store.state(0).unwrap(),
        fold,
        "the projections are the fold of the events"
    );
}

/// The first event that does not fit, walking two events at a time.
fn broken(store: &Store) -> Option<u64> {
    let mut after = 0;
    loop {
        let walk = store.walk(after, 2).unwrap();
        if walk.done {
            return walk.broken.map(|(seq, _)| seq);
        }
        after = walk.before.seq + 2;
    }
}

#[test]
fn the_chain_names_the_first_event_that_was_tampered_with() {
    let tamper = |sql: &str| {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), 4);
        assert_eq!(broken(&store), None);
        store.connection.execute_batch(sql).unwrap();
        broken(&store)
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
fn a_list_has_a_limit_and_what_somebody_may_not_see_does_not_count_against_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 3);
    let list = |visible: Option<Visible>| {
        let query = RequestQuery {
            limit: Some(2),
            visible,
            ..RequestQuery::default()
        };
        let found = store.requests(&query).unwrap();
        assert!(found.iter().all(|request| query.fits(request)));
        found.len()
    };
    let visible = |uid, role: &str| {
        let roles = vec![role.to_owned()];
        Some(Visible { uid, roles })
    };
    assert_eq!(list(None), 2);
    assert_eq!(list(visible(1001, "other")), 2, "their own");
    assert_eq!(list(visible(4242, "other")), 0);
    let role = store.requests(&RequestQuery::default()).unwrap()[0]
        .role
        .clone();
    assert_eq!(list(visible(4242, &role)), 2, "those that they decide");
}

#[test]
fn what_a_person_asked_for_is_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 1);
    let plan = |whose: &str| -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN SELECT id FROM requests WHERE {whose} = 1001");
        let mut statement = store.connection.prepare(&sql).unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, String>(3))
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    for (whose, index) in [("uid", "requests_uid"), ("requested_by", "requests_by")] {
        let steps = plan(whose).join(" ");
        assert!(steps.contains(index), "{steps}");
    }
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
    assert_eq!(broken(&store), None);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 1);
    // A newer version may have changed whatever it likes, the mode of the journal for one.
    store
        .connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99")
        .unwrap();
    drop(store);
    let path = folder.path().join("tpa.db");
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, Error::Version { found: 99, .. }));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Records that the events up to this one go.
fn prune(store: &mut Store, through: u64) {
    let old = store.prunable(i64::MAX, u64::MAX, 100).unwrap().unwrap();
    let event = store.events(&EventQuery {
        after: Some(through - 1),
        limit: 1,
        ..EventQuery::default()
    });
    let event = event.unwrap().remove(0);
    assert!(old.through.seq >= through);
    let mut pruned = created(1);
    pruned.body.envelope.event = Event::LogPruned {
        through,
        hash: event.hash,
        at: event.at,
        events: through,
    };
    let change = Change {
        pruned: Some((through, event.at)),
        ..Change::default()
    };
    store.commit(&[pruned], &change).unwrap();
}

fn closed(n: u8) -> crate::ledger::Request {
    let mut request = request(n, "alice");
    request.stage = crate::ledger::Stage::Approved;
    request
}

fn all_closed(folder: &Path, events: u8) -> Store {
    let mut store = filled(folder, events);
    for n in 1..=events {
        let change = Change {
            requests: vec![closed(n)],
            ..Change::default()
        };
        store.commit(&[], &change).unwrap();
    }
    store
}

#[test]
fn what_is_left_after_pruning_is_a_whole_chain_that_still_shows_tampering() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = all_closed(folder.path(), 6);
    prune(&mut store, 2);
    prune(&mut store, 4);
    assert_eq!(store.walk(0, 10).unwrap().before.seq, 4);
    assert_eq!(broken(&store), None);
    store
        .connection
        .execute_batch("DELETE FROM events WHERE seq = 5")
        .unwrap();
    assert_eq!(broken(&store), Some(5));
}

#[test]
fn a_beginning_that_goes_without_a_checkpoint_is_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 4);
    store
        .connection
        .execute_batch("DELETE FROM events WHERE seq <= 2")
        .unwrap();
    assert_eq!(broken(&store), Some(1));
}

#[test]
fn neither_an_open_request_nor_what_was_not_told_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = all_closed(folder.path(), 6);
    let through = |store: &Store, told, most| {
        let old = store.prunable(i64::MAX, told, most).unwrap();
        old.map(|old| old.through.seq)
    };
    assert_eq!(through(&store, u64::MAX, 100), Some(6));
    assert_eq!(through(&store, u64::MAX, 4), Some(4));
    assert_eq!(through(&store, 5, 100), Some(5));
    assert_eq!(store.prunable(1_000_000, u64::MAX, 100).unwrap(), None);
    let newer = store.prunable(1_000_003, u64::MAX, 100).unwrap();
    assert_eq!(newer.map(|old| old.through.seq), Some(2));
    let change = Change {
        requests: vec![request(3, "alice")],
        ..Change::default()
    };
    store.commit(&[], &change).unwrap();
    assert_eq!(through(&store, u64::MAX, 100), Some(2));
}

#[test]
fn events_are_found_by_code_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 4);
    let found = |query: EventQuery| {
        let events = store.events(&EventQuery { limit: 10, ..query }).unwrap();
        events.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    let codes = |code: &str| EventQuery {
        codes: Some(vec![code.to_owned()]),
        ..EventQuery::default()
    };
    assert_eq!(found(codes("TPA1000")), [1, 2, 3, 4]);
    assert_eq!(found(codes("TPA3001")), [0; 0]);
    let within = EventQuery {
        since: Some(1_000_002),
        until: Some(1_000_004),
        ..codes("TPA1000")
    };
    assert_eq!(found(within), [2, 3]);
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 1);
    store
        .connection
        .execute_batch("DROP INDEX events_code; DROP TABLE addresses; PRAGMA user_version = 1")
        .unwrap();
    drop(store);
    let store = Store::open(&folder.path().join("tpa.db")).unwrap();
    let alice = request(1, "alice").user;
    assert!(!store.knows_address(&alice, "192.0.2.7").unwrap());
    assert_eq!(broken(&store), None);
}

#[test]
fn an_address_is_known_to_be_the_persons_who_came_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path(), 1);
    let alice = request(1, "alice").user;
    let change = Change {
        came: vec![(alice.clone(), "192.0.2.7".into())],
        ..Change::default()
    };
    store.commit(&[created(2)], &change).unwrap();
    assert!(store.knows_address(&alice, "192.0.2.7").unwrap());
    assert!(!store.knows_address(&alice, "192.0.2.8").unwrap());
    let anew = Person { uid: 1002, ..alice };
    assert!(!store.knows_address(&anew, "192.0.2.7").unwrap());
}

/// An event of the daemon's at this time.
fn at(at: i64, event: Event) -> Entry {
    let envelope = Envelope {
        at,
        actor: None,
        actor_uid: None,
        actor_login: None,
        proof: None,
        event,
    };
    Entry {
        body: Body {
            envelope,
            fields: Vec::new(),
        },
    }
}

fn moment(wall_s: i64) -> Now {
    Now {
        wall_s,
        boottime_ms: 50_000,
        boot_id: "here".into(),
    }
}

fn started(wall_s: i64) -> Entry {
    let (now, version) = (moment(wall_s), String::new());
    at(wall_s, Event::DaemonStarted { now, version })
}

fn set(was: i64, wall_s: i64) -> Entry {
    let set = ClockSet {
        now: moment(wall_s),
        was,
        before: Some(was),
    };
    let jump = Event::ClockJump {
        clock: wall_s,
        taken_for: wall_s,
        set: Some(set),
    };
    at(wall_s, jump)
}

/// A minute of work, a clock that is a year ahead for a while, work, and one that is set back.
fn with_a_clock_that_was_set(folder: &Path) -> (Store, Vec<i64>) {
    const YEAR: i64 = 365 * 86_400;
    let mut store = Store::open(&folder.join("tpa.db")).unwrap();
    let mut entries = vec![started(1_000_000)];
    let work = |from: i64| (0..40).map(move |n| at(from + n * 3, Event::DaemonStopped));
    entries.extend(work(1_000_001));
    entries.push(set(1_000_121, 1_000_121 + YEAR));
    entries.extend(work(1_000_122 + YEAR));
    entries.push(set(1_000_242 + YEAR, 1_000_242));
    entries.extend(work(1_000_243));
    entries.push(set(1_000_363, 900_000));
    entries.extend(work(900_001));
    store.commit(&entries, &Change::default()).unwrap();
    let times = entries.iter().map(|entry| entry.body.envelope.at);
    (store, times.collect())
}

#[test]
fn the_events_of_a_time_are_found_although_the_clock_was_set_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (store, times) = with_a_clock_that_was_set(folder.path());
    let mut edges: Vec<_> = times.iter().flat_map(|at| [at - 1, *at, at + 61]).collect();
    edges.sort_unstable();
    for (since, until) in edges
        .iter()
        .step_by(7)
        .zip(edges.iter().skip(40).step_by(3))
    {
        for (since, until) in [
            (Some(*since), None),
            (None, Some(*until)),
            (Some(*since), Some(*until)),
        ] {
            let query = EventQuery {
                since,
                until,
                limit: 1_000,
                ..EventQuery::default()
            };
            let found = store.events(&query).unwrap();
            let found: Vec<_> = found.iter().map(|event| event.at).collect();
            let within = |at: &&i64| {
                since.is_none_or(|since| since <= **at) && until.is_none_or(|until| **at < until)
            };
            let expected: Vec<_> = times.iter().filter(within).copied().collect();
            assert_eq!(found, expected, "{since:?} {until:?}");
        }
    }
}

#[test]
fn how_the_clock_was_set_is_known_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = with_a_clock_that_was_set(folder.path());
    let fold = |store: &Store| {
        let query = EventQuery {
            limit: 1_000,
            ..EventQuery::default()
        };
        let mut fold = State::default();
        for event in &store.events(&query).unwrap() {
            fold.apply(event.envelope().unwrap());
        }
        fold
    };
    let known = store.state(0).unwrap();
    assert_eq!(known, fold(&store));
    assert_eq!(known.newest, 900_118, "and not a year later");
    store
        .commit(&[started(900_200)], &Change::default())
        .unwrap();
    let known = store.state(0).unwrap();
    assert_eq!(known, fold(&store));
    assert_eq!(known.wall_clock.anchor, Some(moment(900_200)));
}
