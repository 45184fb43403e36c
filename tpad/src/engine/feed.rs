//! What followers of the log of events hear: the announcer, syslog, the administrator's program, and
//! whoever waits for a decision.

use tpa_bus::id::Id;

use super::{Engine, Result};
use crate::store::{EventQuery, Record};

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
            let found = self.lock().store.news(*last, BATCH);
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
    pub(crate) async fn owed_again(&self) -> Vec<Record> {
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
