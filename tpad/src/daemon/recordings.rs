//! Keeps recordings: what each is goes into the trail when it is over, and what was kept for long
//! enough goes.
//!
//! Follows the trail from where it got to, so a restart loses nothing. How much there is to read,
//! others choose: it is read aside, one recording at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use crate::engine::Engine;
use crate::host::process;
use crate::ledger::{Event, Named};
use crate::recordings::Closed;

/// The fact that says up to which event recordings were closed.
const CURSOR: &str = "recordings-cursor";

/// How long sudo may take to end after its session. One that takes longer is closed with its grant.
const SUDO_ENDS: Duration = Duration::from_secs(10);

/// Most grants whose progress is remembered; of others it is read from the trail.
const REMEMBERED: usize = 1_000;

/// Seconds between two looks for what was kept for long enough.
const LOOK_EVERY_S: i64 = 3_600;

/// What an event means for the recordings of a grant.
fn ends(event: &Event) -> Option<(Id, Option<Named>)> {
    match event {
        Event::SessionClosed(session) | Event::SessionKilled(session) if session.is_sudo() => {
            Some((session.grant, Some(session.leader())))
        }
        Event::RemovalConfirmed { id, .. } | Event::RemovalFailed { id, .. } => Some((*id, None)),
        _ => None,
    }
}

/// Closes recordings as they are over, and lets the old ones go.
pub async fn recordings(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut told = match engine.with(|core| core.fact(CURSOR)) {
        Ok(Some(place)) => place.parse().unwrap_or(0),
        // A database from before this was kept: what is over by now was never closed.
        Ok(None) => engine.head(),
        Err(error) => {
            tracing::error!("recordings are not closed: {error}");
            return;
        }
    };
    let mut known: BTreeMap<Id, Closed> = BTreeMap::new();
    let mut looked_at = i64::MIN;
    loop {
        let records = engine.news(&mut told).await;
        let mut over: BTreeSet<Id> = BTreeSet::new();
        for (id, sudo) in records.iter().filter_map(|record| ends(record.event()?)) {
            if let Some(Named { pid, started }) = sudo {
                let ended = process::ended(&runtime, Path::new("/proc"), pid, started);
                let _ = runtime.timeout(SUDO_ENDS, ended).await;
            }
            over.insert(id);
        }
        for id in over {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            if let Err(error) = engine.close_recordings(id, &mut known).await {
                tracing::error!("recordings of {id} are not closed: {error}");
            }
        }
        if let Err(error) = engine.with(|core| core.set_cursor(CURSOR, told)) {
            tracing::error!("{error}; these recordings are looked at again");
        }
        let newest = records.iter().map(|record| record.at).max();
        if let Some(at) = newest.filter(|at| at.saturating_sub(looked_at) >= LOOK_EVERY_S) {
            looked_at = at;
            if let Err(error) = engine.let_recordings_go().await {
                tracing::error!("old recordings stay: {error}");
            }
        }
    }
}
