//! Fills a database with a year of events, and tells how long reading them takes.
//!
//! `cargo run --release -p tpad --example fill -- /tmp/tpa.db 1000000`

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use tpa_bus::id::Id;
use tpad::audit::fields;
use tpad::audit::unusual::Seen;
use tpad::clock::{Clock, Now, monotonic_us};
use tpad::ledger::{
    Approval, Closed, Deadline, Envelope, Event, LookedFor, Person, Place, Removal, Request,
    Session, Stage, State,
};
use tpad::policy::{Gives, OnEnd, SudoRule};
use tpad::store::{Body, Change, Entry, EventQuery, RequestQuery, Store};

/// Events of one grant.
const EACH: u64 = 10;
/// Grants in one transaction.
const BATCH: u64 = 200;
const YEAR_S: u64 = 365 * 86_400;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: fill DATABASE EVENTS";
    let path = arguments.next().context(usage)?;
    let events: u64 = arguments.next().context(usage)?.parse()?;
    let now = Clock::new()?.now()?;
    let mut store = Store::open(Path::new(&path))?;
    let grants = events / EACH;
    timed("fill", || fill(&mut store, grants, &now))?;
    let size = std::fs::metadata(&path)?.len() / 1_000_000;
    println!("{} events of {grants} grants, {size} MB", store.head().seq);
    read(&store, &now)
}

/// Says how long something took, and what came of it.
fn timed<T: std::fmt::Debug>(
    what: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begin = monotonic_us()?;
    let came = work()?;
    let took = monotonic_us()?.saturating_sub(begin) / 1_000;
    println!("{what}: {took} ms, {came:?}");
    Ok(came)
}

fn read(store: &Store, now: &Now) -> anyhow::Result<()> {
    let month = Some(now.wall_s - 30 * 86_400);
    timed("a month's requests", || {
        let query = RequestQuery {
            since: month,
            ..RequestQuery::default()
        };
        Ok(store.requests(&query)?.len())
    })?;
    timed("a month's refused logins", || {
        let query = EventQuery {
            since: month,
            codes: Some(vec!["TPA3001".to_owned()]),
            limit: 1_000,
            ..EventQuery::default()
        };
        Ok(store.events(&query)?.len())
    })?;
    timed("the last day's first 1000 events", || {
        let query = EventQuery {
            since: Some(now.wall_s - 86_400),
            limit: 1_000,
            ..EventQuery::default()
        };
        Ok(store.events(&query)?.len())
    })?;
    timed("one grant", || {
        let query = EventQuery {
            id: Some(id(7)),
            limit: 1_000,
            ..EventQuery::default()
        };
        Ok(store.events(&query)?.len())
    })?;
    timed("the state at start", || {
        Ok(store.state(now.wall_s - 86_400)?.requests.values().count())
    })?;
    timed("the whole chain", || {
        let mut after = 0;
        loop {
            let walk = store.walk(after, 5_000)?;
            after = walk.before.seq + u64::try_from(walk.hashes.len())?;
            if walk.done {
                return Ok((after, walk.broken));
            }
        }
    })?;
    Ok(())
}

fn fill(store: &mut Store, grants: u64, now: &Now) -> anyhow::Result<()> {
    let begin = now.wall_s.saturating_sub_unsigned(YEAR_S);
    for first in (0..grants).step_by(usize::try_from(BATCH)?) {
        let mut entries = Vec::new();
        let mut change = Change::default();
        for number in first..grants.min(first + BATCH) {
            let at = begin.saturating_add_unsigned(number * YEAR_S / grants);
            let mut state = State::default();
            for envelope in story(number, at, now) {
                state.apply(&envelope);
                let request = state.requests.values().next();
                let context = fields::Context {
                    database: "0123456789abcdef0123",
                    host: "web-01",
                    policy: "0123456789ab",
                    request: envelope.event.request_id().and(request),
                    approvers: &[],
                    seen: Seen::default(),
                };
                let fields = fields::of(&envelope, &context);
                let body = Body { envelope, fields };
                entries.push(Entry { body });
            }
            change.requests.extend(state.requests.values().cloned());
        }
        store.commit(&entries, &change)?;
    }
    Ok(())
}

fn id(number: u64) -> Id {
    let mut bytes = [0; 5];
    let low = number.to_be_bytes().into_iter().skip(3);
    bytes.iter_mut().zip(low).for_each(|(to, from)| *to = from);
    Id::from_random(bytes)
}

fn person(number: u64) -> Person {
    let number = u32::try_from(number % 500).unwrap_or(0);
    Person {
        uid: 2_000 + number,
        name: format!("engineer{number}"),
    }
}

/// All that happens to one grant; every tenth person is refused once before.
fn story(number: u64, at: i64, now: &Now) -> Vec<Envelope> {
    let (id, user) = (id(number), person(number));
    let carol = Person {
        uid: 1_003,
        name: "carol".to_owned(),
    };
    let place = Place {
        service: "sshd".to_owned(),
        tty: None,
        rhost: Some(format!("192.0.2.{}", number % 250)),
        pid: 4_711,
    };
    let deadline = Deadline {
        not_after: at + 300,
        boottime_ms: 0,
        boot_id: now.boot_id.clone(),
    };
    let session = Session {
        grant: id,
        user: user.clone(),
        service: "sshd".to_owned(),
        class: "login".to_owned(),
        pid: 4_711,
        started: number,
        tty: Some("pts/0".to_owned()),
        rhost: place.rhost.clone(),
        target: None,
        command: None,
        command_digest: None,
        outside_role: false,
        opened_at: at,
    };
    let sudo = Session {
        service: "sudo".to_owned(),
        class: "sudo".to_owned(),
        target: Some("root".to_owned()),
        command: Some("sudo systemctl restart nginx".to_owned()),
        ..session.clone()
    };
    let before = if number.is_multiple_of(10) {
        let (user, place) = (user.clone(), place.clone());
        let why = "no-grant".to_owned();
        Event::LoginDenied { user, place, why }
    } else {
        Event::SessionOpened(sudo.clone())
    };
    let approval = Approval {
        login: None,
        by: carol,
        at: at + 60,
        comment: None,
        proof: None,
        key: None,
    };
    let events = [
        Event::RequestCreated(Box::new(request(id, user, at))),
        Event::ApprovalRecorded {
            id,
            approval: Some(approval),
            duration_s: 3_600,
            needed: 1,
            next: None,
            gives: None,
        },
        Event::GrantActivated {
            id,
            deadline,
            gave: None,
        },
        Event::LoginAllowed { id, place },
        Event::SessionOpened(session.clone()),
        before,
        Event::SessionClosed(sudo),
        Event::SessionClosed(session),
        Event::Closed {
            id,
            how: Closed::Expired,
            why: None,
        },
        Event::RemovalConfirmed {
            id,
            killed: 3,
            looked_for: LookedFor::default(),
        },
    ];
    let envelope = |(seconds, event)| Envelope {
        at: at + seconds,
        actor: None,
        actor_uid: None,
        actor_login: None,
        proof: None,
        event,
    };
    (0..).zip(events).map(envelope).collect()
}

fn request(id: Id, user: Person, at: i64) -> Request {
    let rule = SudoRule {
        run_as: "root".to_owned(),
        run_as_group: None,
        run: vec!["/usr/bin/systemctl restart nginx".to_owned()],
        edit: Vec::new(),
        password: true,
        tidy: false,
    };
    Request {
        requested_login: None,
        digest: None,
        others: BTreeSet::new(),
        id,
        requested_by: user.clone(),
        user,
        entry: None,
        requested_at: at,
        role: "web-ops".to_owned(),
        reason: "nginx hangs since the certificate change".to_owned(),
        ticket: Some("OPS-4821".to_owned()),
        duration_s: 3_600,
        at: None,
        until: None,
        needed: 1,
        lapses_at: at + 3_600,
        reminded: false,
        extends: None,
        gives: Gives {
            login: true,
            record: false,
            break_glass: false,
            on_end: OnEnd::default(),
            sudo: vec![rule],
        },
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
