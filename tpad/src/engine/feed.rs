//! What followers of the log of events hear: the announcer, syslog, the targets of `notify.toml`, and
//! whoever waits for a decision.
//!
//! What was committed goes to them as it is. The database is read for those alone who begin, or have
//! fallen behind.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tpa_bus::id::Id;

use super::Engine;
use crate::core::Result;
use crate::ledger::Event;
use crate::store::Record;

/// What stands before a target's name in the fact that says up to which event it has been told.
const TOLD: &str = "told-";

/// Most events taken at once.
const BATCH: u32 = 100;

/// How many of the newest events are kept at hand.
const AT_HAND: usize = 256;

/// The newest events, and those that are owed once more.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// In order and without a gap.
    newest: Mutex<VecDeque<Record>>,
    /// Events that the log is to be told once more, by number.
    again: Mutex<BTreeSet<u64>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// These were committed, behind all before.
    pub fn take(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut newest = locked(&self.newest);
        newest.extend(records);
        let too_many = newest.len().saturating_sub(AT_HAND);
        newest.drain(..too_many);
    }

    /// The next events after this one; `None` where these reach further back than what is at hand.
    fn after(&self, last: u64) -> Option<Vec<Record>> {
        let newest = locked(&self.newest);
        let first = newest.front()?.seq;
        if last.saturating_add(1) < first {
            return None;
        }
        let later = newest.iter().filter(|record| record.seq > last);
        Some(later.take(BATCH as usize).cloned().collect())
    }
}

impl Engine {
    /// Place of the newest event.
    pub fn head(&self) -> u64 {
        self.with(|core| core.head())
    }

    /// Waits for events after `last`, and moves it behind them.
    pub async fn news(&self, last: &mut u64) -> Vec<Record> {
        loop {
            let bell = self.changed.listen();
            let at_hand = self.feed.after(*last).map(Ok);
            let found =
                at_hand.unwrap_or_else(|| self.with(|core| core.events_after(*last, BATCH)));
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

    /// The events behind one, at most a hundred; none where they cannot be read.
    pub fn events_behind(&self, seq: u64) -> Vec<Record> {
        let at_hand = self.feed.after(seq).map(Ok);
        let found = at_hand.unwrap_or_else(|| self.with(|core| core.events_after(seq, BATCH)));
        found.unwrap_or_else(|error| {
            tracing::error!("{error}");
            Vec::new()
        })
    }

    /// Comes when something was recorded, or the configuration changed, after this call.
    pub fn next_change(&self) -> impl Future<Output = ()> + use<> {
        let bell = self.changed.listen();
        async move {
            bell.await;
        }
    }

    /// Up to which event a target has been told; `None` for one that is new.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn told(&self, target: &str) -> anyhow::Result<Option<u64>> {
        let kept = self.with(|core| core.fact(&format!("{TOLD}{target}")))?;
        Ok(kept.and_then(|text| text.parse().ok()))
    }

    /// Keeps up to which event a target has been told.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_told(&self, target: &str, seq: u64) -> anyhow::Result<()> {
        let name = format!("{TOLD}{target}");
        Ok(self.with(|core| core.set_cursor(&name, seq))?)
    }

    /// Records that a target was not told.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn notice_failed(&self, event: Event) -> anyhow::Result<()> {
        self.with(|core| {
            let now = core.now()?;
            core.record(None, vec![event], &now)
        })
    }

    /// Has the log told of these events once more: a log daemon missed them.
    pub fn resend_events(&self, events: &[u64]) {
        locked(&self.feed.again).extend(events);
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
        let mut again = locked(&self.feed.again);
        let mut found = Vec::new();
        while found.len() < BATCH as usize
            && let Some(seq) = again.pop_first()
        {
            match self.with(|core| core.events_after(seq.saturating_sub(1), 1)) {
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
            if !self.with(|core| core.request(id))?.is_pending() {
                return Ok(());
            }
            bell.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Content;

    fn record(seq: u64) -> Record {
        Record {
            seq,
            at: 1_000_000,
            code: "TPA5999".to_owned(),
            body: Content::Unknown(Vec::new()),
            hash: String::new(),
        }
    }

    fn numbers(found: Option<Vec<Record>>) -> Option<Vec<u64>> {
        found.map(|records| records.iter().map(|record| record.seq).collect())
    }

    #[test]
    fn what_was_committed_is_heard_in_order_and_once_without_the_database() {
        let feed = Feed::default();
        assert_eq!(numbers(feed.after(0)), None, "nothing is at hand yet");
        feed.take((3..=5).map(record).collect());
        feed.take(vec![record(6)]);
        assert_eq!(numbers(feed.after(2)), Some(vec![3, 4, 5, 6]));
        assert_eq!(numbers(feed.after(5)), Some(vec![6]));
        assert_eq!(numbers(feed.after(6)), Some(Vec::new()));
    }

    #[test]
    fn whoever_fell_behind_reads_the_database_until_they_have_caught_up() {
        let feed = Feed::default();
        let many = u64::try_from(AT_HAND).unwrap() + 10;
        feed.take((1..=many).map(record).collect());
        assert_eq!(numbers(feed.after(9)), None);
        let batch = numbers(feed.after(10)).unwrap();
        assert_eq!((batch[0], batch.len()), (11, BATCH as usize));
    }
}
