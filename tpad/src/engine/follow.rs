//! Those who follow the log of events: the announcer, syslog, and whoever waits for a decision.

use std::sync::Arc;

use futures_lite::future::or;
use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use super::{Engine, Result};
use crate::audit::emit::Syslog;
use crate::ledger::Event;
use crate::store::{EventQuery, Record};

/// The fact that says up to which event syslog has been told.
const CURSOR: &str = "syslog-cursor";

/// Seconds between two prunings.
const PRUNE_EVERY_S: i64 = 86_400;

/// Most events that go at once: less than a tenth of a second, in which nobody else is served.
const PRUNE_MOST: u32 = 1_000;

/// Most events taken at once.
const BATCH: u32 = 100;

impl Engine {
    /// Place of the newest event.
    pub fn head(&self) -> u64 {
        self.lock().store.head().seq
    }

    /// Waits for events after `last`, and moves it behind them.
    pub async fn news(&self, last: &mut u64) -> Vec<Record> {
        loop {
            let bell = self.changed.listen();
            let query = EventQuery {
                after: Some(*last),
                limit: BATCH,
                ..EventQuery::default()
            };
            let found = self.lock().store.events(&query);
            match found {
                Ok(records) if records.is_empty() => {}
                Ok(records) => {
                    *last = records.last().map_or(*last, |record| record.seq);
                    return records;
                }
                Err(error) => tracing::error!("{error}"),
            }
            bell.await;
        }
    }

    /// Has the log told of these events once more: a log daemon missed them.
    pub fn resend_events(&self, events: &[u64]) {
        self.lock().again.extend(events);
        self.changed.notify(usize::MAX);
    }

    /// Waits for events that are to be told once more.
    async fn owed_again(&self) -> Vec<Record> {
        loop {
            let bell = self.changed.listen();
            let found = self.take_again();
            if !found.is_empty() {
                return found;
            }
            bell.await;
        }
    }

    fn take_again(&self) -> Vec<Record> {
        let mut inner = self.lock();
        let mut found = Vec::new();
        while found.len() < BATCH as usize
            && let Some(seq) = inner.again.pop_first()
        {
            let query = EventQuery {
                after: Some(seq.saturating_sub(1)),
                limit: 1,
                ..EventQuery::default()
            };
            match inner.store.events(&query) {
                Ok(records) => found.extend(records.into_iter().filter(|r| r.seq == seq)),
                Err(error) => tracing::error!("{error}"),
            }
        }
        found
    }

    /// Waits until a request is decided, one way or the other.
    ///
    /// # Errors
    /// When there is no such request.
    pub async fn decided(&self, id: Id) -> Result<()> {
        loop {
            let bell = self.changed.listen();
            if !self.request(id)?.is_pending() {
                return Ok(());
            }
            bell.await;
        }
    }
}

/// Tells syslog of every event, in order, from where the last run got to. The cursor moves after
/// the log daemon took the lines: a crash in between tells some of them twice, and none never.
///
/// # Errors
/// When the cursor cannot be read.
pub async fn syslog(engine: Arc<Engine>, runtime: SharedRuntime) -> anyhow::Result<()> {
    let mut syslog = Syslog::new(runtime);
    let cursor = engine.lock().store.fact(CURSOR)?;
    let mut told: u64 = cursor.map_or(Ok(0), |text| text.parse())?;
    loop {
        let records = or(engine.news(&mut told), engine.owed_again()).await;
        let format = engine.policy().audit_format;
        for record in &records {
            syslog.send(record, format).await;
        }
        if let Err(error) = engine.lock().store.set_fact(CURSOR, &told.to_string()) {
            tracing::error!("{error}; these lines will be told again");
        }
        // A pruning is an event too: one that followed upon itself would leave room for nothing.
        let pruned = |record: &Record| matches!(record.event(), Some(Event::LogPruned { .. }));
        if !records.iter().all(pruned)
            && let Err(error) = engine.prune(told)
        {
            tracing::error!("cannot prune the audit trail: {error:#}");
        }
    }
}

impl Engine {
    /// Lets the oldest events go when they are a day older than the configuration says to keep
    /// them, and records what went. What was not told (`told`) stays.
    fn prune(&self, told: u64) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let Some(keep_s) = inner.policy.audit_keep_s else {
            return Ok(());
        };
        let now = self.tick(&mut inner)?;
        if inner.state.wall_clock.is_unsettled(&now) {
            // A clock that is set ahead by mistake for a moment must not cost the trail.
            return Ok(());
        }
        let before = now.wall_s.saturating_sub_unsigned(keep_s);
        let overdue = before.saturating_sub(PRUNE_EVERY_S);
        if inner.store.prunable(overdue, told, 1)?.is_none() {
            return Ok(());
        }
        let Some(old) = inner.store.prunable(before, told, PRUNE_MOST)? else {
            return Ok(());
        };
        let event = Event::LogPruned {
            through: old.through.seq,
            hash: old.through.hash,
            at: old.at,
            events: old.events,
        };
        self.record(&mut inner, None, vec![event], &now)
    }

    /// Records that the daemon stops in good order.
    pub fn stop(&self) {
        let mut inner = self.lock();
        let stopped = self
            .tick(&mut inner)
            .and_then(|now| self.record(&mut inner, None, vec![Event::DaemonStopped], &now));
        if let Err(error) = stopped {
            tracing::error!("{error:#}");
        }
    }
}
