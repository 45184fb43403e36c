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

/// Tells syslog of every event, in order, from where the last run got to. The cursor moves after
/// the log daemon took the lines: a crash in between tells some of them twice, and none never.
///
/// # Errors
/// When the cursor cannot be read.
pub async fn syslog(engine: Arc<Engine>, runtime: SharedRuntime) -> anyhow::Result<()> {
    let mut syslog = Syslog::new(runtime);
    let cursor = engine.with(|core| core.fact(CURSOR))?;
    let mut told: u64 = cursor.map_or(Ok(0), |text| text.parse())?;
    loop {
        let records = or(engine.news(&mut told), engine.owed_again()).await;
        let format = engine.policy().audit_format;
        for record in &records {
            syslog.send(record, format).await;
        }
        if let Err(error) = engine.with(|core| core.set_cursor(CURSOR, told)) {
            tracing::error!("{error}; these lines will be told again");
        }
        // A pruning is an event too: one that followed upon itself would leave room for nothing.
        let pruned = |record: &Record| matches!(record.event(), Some(Event::LogPruned { .. }));
        if !records.iter().all(pruned)
            && let Err(error) = engine.with(|core| core.prune(told))
        {
            tracing::error!("cannot prune the audit trail: {error:#}");
        }
    }
}
