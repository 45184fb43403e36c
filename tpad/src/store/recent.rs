//! The newest events, kept in memory: whoever follows the trail wants those that were added a moment
//! ago, and need not have them read back.

use std::collections::VecDeque;

use super::{Error, EventQuery, Record, Store};

/// So many are kept. Who is further behind reads the database.
const KEPT: usize = 32;

/// The newest events, without a gap, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Record>);

impl Recent {
    /// These were added behind all others.
    pub fn add(&mut self, records: &[Record]) {
        let spare = self.0.len().saturating_add(records.len());
        self.0.drain(..spare.saturating_sub(KEPT).min(self.0.len()));
        let newest = records.len().saturating_sub(KEPT);
        self.0.extend(records.iter().skip(newest).cloned());
    }

    /// At most so many behind this place; `None` where older ones than are kept are among them.
    fn after(&self, seq: u64, limit: usize) -> Option<Vec<Record>> {
        let oldest = self.0.front()?.seq;
        let behind = |record: &&Record| record.seq > seq;
        (oldest <= seq.saturating_add(1))
            .then(|| self.0.iter().filter(behind).take(limit).cloned().collect())
    }
}

impl Store {
    /// The events behind this place, at most so many, in the order of the chain.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn news(&self, after: u64, limit: u32) -> Result<Vec<Record>, Error> {
        if after >= self.head.seq {
            return Ok(Vec::new());
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Some(kept) = self.recent.after(after, most) {
            return Ok(kept);
        }
        self.events(&EventQuery {
            after: Some(after),
            limit,
            ..EventQuery::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::super::tests::{created, filled};
    use super::*;

    fn read_back(store: &Store, after: u64, limit: u32) -> Vec<Record> {
        let query = EventQuery {
            after: Some(after),
            limit,
            ..EventQuery::default()
        };
        store.events(&query).unwrap()
    }

    #[test]
    fn what_is_kept_is_what_the_database_has_and_who_is_far_behind_reads_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 40);
        let entries: Vec<_> = (41..=80).map(created).collect();
        for batch in [&entries[..2], &entries[2..3], &entries[3..]] {
            store.commit(batch, &Change::default()).unwrap();
            assert!(store.recent.0.len() <= KEPT);
            for after in 0..=store.head().seq {
                for limit in [1, 5, 100] {
                    let news = store.news(after, limit).unwrap();
                    assert_eq!(news, read_back(&store, after, limit), "{after} {limit}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_read_for_whoever_follows_closely() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 3);
        store.commit(&[created(4)], &Change::default()).unwrap();
        store
            .connection
            .execute_batch("DELETE FROM events")
            .unwrap();
        assert_eq!(store.news(3, 100).unwrap().len(), 1);
        assert!(store.news(4, 100).unwrap().is_empty());
    }
}
