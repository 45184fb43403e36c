//! Which events are older than they have to be kept.

use rusqlite::OptionalExtension;

use super::read::seq;
use super::{Error, Store, chain};

/// The oldest events, which may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// The newest of them: what is left hangs on its hash.
    pub through: chain::Head,
    /// Its time, in seconds since 1970.
    pub at: i64,
    /// How many they are.
    pub events: u64,
}

impl Store {
    /// The events from before this time that may go: never one of a request that is still open,
    /// nor one that the log has not been told (`told` is the last that was), nor more than
    /// `most` at once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn prunable(&self, before: i64, told: u64, most: u32) -> Result<Option<Prunable>, Error> {
        let error = self.sqlite("read");
        let told = i64::try_from(told).unwrap_or(i64::MAX);
        let oldest: Option<(u64, i64)> = self
            .connection
            .query_row(
                "SELECT seq, at FROM events ORDER BY seq LIMIT 1",
                [],
                |row| Ok((seq(row, 0)?, row.get(1)?)),
            )
            .optional()
            .map_err(&error)?;
        let Some((first, _)) = oldest.filter(|(_, at)| *at < before) else {
            return Ok(None);
        };
        let last = first.saturating_add(most.into()).saturating_sub(1);
        let last = i64::try_from(last).unwrap_or(i64::MAX).min(told);
        let through = self
            .connection
            .query_row(
                "SELECT seq, hash, at FROM events
                 WHERE seq <= ?1
                   AND seq < ifnull((SELECT min(seq) FROM events WHERE at >= ?2), ?1 + 1)
                   AND seq < ifnull((SELECT min(e.seq) FROM requests r
                                     JOIN events e ON e.grant_id = r.id
                                     WHERE r.open = 1), ?1 + 1)
                 ORDER BY seq DESC LIMIT 1",
                (last, before),
                |row| {
                    let hash = row.get(1)?;
                    let through = seq(row, 0)?;
                    Ok((chain::Head { seq: through, hash }, row.get(2)?))
                },
            )
            .optional()
            .map_err(&error)?;
        Ok(through.map(|(through, at)| Prunable {
            events: through.seq.saturating_add(1).saturating_sub(first),
            through,
            at,
        }))
    }
}
