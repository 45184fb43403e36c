//! What of the chain a target is still to be told.

use std::collections::BTreeMap;

use futures_lite::future::yield_now;

use crate::engine::Engine;
use crate::ledger::Event;
use crate::policy::notify::{Target, Told, Way};
use crate::store::Record;

/// Most events that one message tells of one by one; the others are counted.
const SHOWN: usize = 10;

/// The same where each recipient is told of their own alone, so that none can be counted for others.
const SHOWN_APART: usize = 200;

/// Most events that are read for one message.
const SCANNED: u64 = 2_000;

/// What one message tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// The events, in order.
    pub(super) events: Vec<Record>,
    /// How many more, by name.
    pub(super) more: BTreeMap<String, u64>,
    /// How many all in all.
    pub(super) count: u64,
    /// The first and the last of them.
    pub(super) first: u64,
    pub(super) last: u64,
    /// When the first happened.
    pub(super) since: i64,
    /// The cursor behind it.
    pub(super) through: u64,
    /// Whether there is anything in it but that targets were not told.
    pub(super) is_news: bool,
}

impl Batch {
    /// One with nothing in it behind a cursor.
    pub(super) fn after(cursor: u64) -> Self {
        Self {
            through: cursor,
            ..Self::default()
        }
    }

    /// Adds an event; of those beyond `shown` only their number is kept.
    pub(super) fn add(&mut self, record: Record, shown: usize) {
        self.through = record.seq;
        if self.count == 0 {
            self.first = record.seq;
            self.since = record.at;
        }
        self.last = record.seq;
        self.count = self.count.saturating_add(1);
        self.is_news |= !matches!(record.event(), Some(Event::NoticeFailed { .. }));
        if self.events.len() < shown {
            self.events.push(record);
        } else {
            let count = self.more.entry(record.name().to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// Whether the target is to be told of an event.
pub(super) fn is_wanted(engine: &Engine, target: &Target, record: &Record) -> bool {
    target.wants(&Told {
        event: record.name(),
        role: record.field("role"),
        target: record.field("notify_target"),
        unusual: record.field("unusual").is_some(),
        waits: waits(engine, record),
    })
}

/// Whether the request that it is about waits for a decision by now.
pub(super) fn waits(engine: &Engine, record: &Record) -> bool {
    let id = record.event().and_then(Event::request_id);
    id.is_some_and(|id| {
        engine
            .with(|core| core.request(id))
            .is_ok_and(|request| request.is_pending())
    })
}

/// Waits for the next event that the target is to be told of; moves the cursor up to it.
pub(super) async fn next(engine: &Engine, target: &Target, cursor: &mut u64) -> Batch {
    loop {
        let mut read = *cursor;
        for record in engine.news(&mut read).await {
            let before = *cursor;
            *cursor = record.seq;
            if is_wanted(engine, target, &record) {
                let mut batch = Batch::after(before);
                batch.add(record, SHOWN);
                return batch;
            }
        }
        yield_now().await;
    }
}

/// All that waits behind a cursor, and is wanted.
pub(super) async fn all(engine: &Engine, target: &Target, cursor: u64) -> Batch {
    let apart = matches!(&target.way, Way::Mail { to, .. } if to.is_empty());
    let shown = if apart { SHOWN_APART } else { SHOWN };
    let mut batch = Batch::after(cursor);
    while batch.through.saturating_sub(cursor) < SCANNED {
        let records = engine.events_behind(batch.through);
        let Some(last) = records.last().map(|record| record.seq) else {
            break;
        };
        for record in records {
            // Of what cannot be shown apart nothing is left out: it waits for the next message.
            if apart && batch.events.len() == shown {
                return batch;
            }
            if is_wanted(engine, target, &record) {
                batch.add(record, shown);
            }
        }
        batch.through = batch.through.max(last);
        yield_now().await;
    }
    batch
}

/// Those behind a batch that are as old as it must be to be given up, added to it.
pub(super) async fn as_old(engine: &Engine, target: &Target, batch: &mut Batch, before: i64) {
    let begin = batch.through;
    while batch.through.saturating_sub(begin) < SCANNED {
        let records = engine.events_behind(batch.through);
        if records.is_empty() {
            return;
        }
        for record in records {
            if record.at > before {
                return;
            }
            batch.through = record.seq;
            if is_wanted(engine, target, &record) {
                batch.add(record, 0);
            }
        }
        yield_now().await;
    }
}
