//! Tells syslog of each event, and lets the oldest events go once they were told.

use std::sync::Arc;

use futures_lite::future::or;
use zruntime::SharedRuntime;

use crate::audit::emit::Syslog;
use crate::engine::Engine;
use crate::ledger::Event;
use crate::store::Record;

/// The fact that says up to which event syslog has been told.
const CURSOR: &str = "syslog-cursor";

/// Seconds between two prunings.
const PRUNE_EVERY_S: i64 = 86_400;

/// Most events that go at once: less than a tenth of a second, in which nobody else is served.
const PRUNE_MOST: u32 = 1_000;

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
        if let Err(error) = engine.lock().store.set_cursor(CURSOR, told) {
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
}
