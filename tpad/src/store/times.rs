//! Where the events of a time stand, although the clock was set meanwhile, and how it was set.

use std::ops::Range;

use rusqlite::OptionalExtension as _;

use super::{Error, Store, read};
use crate::ledger::{ClockSet, Event, LAG_MAX, WallClock};

/// Codes of the events that tell of the clock.
const STARTED: &str = "TPA5000";
const JUMPED: &str = "TPA5004";

/// How far back the newest time is looked for: behind it times fall by less than [`LAG_MAX`].
const NEWEST: u32 = 100;

impl Store {
    /// How the wall clock was set, and the newest time since then.
    pub(super) fn wall_clock(&self) -> Result<(WallClock, i64), Error> {
        let set = self.clock_sets()?.pop();
        let start = self.newest_of(STARTED, |event| match event {
            Event::DaemonStarted { now, .. } => Some(now),
            _ => None,
        })?;
        let (set_seq, set) = set.unzip();
        let since = set_seq.unwrap_or(0);
        let set_at = set.as_ref().map(|set: &ClockSet| set.now.clone());
        let started = start.filter(|(seq, _)| *seq > since).map(|(_, now)| now);
        let newest = self
            .connection
            .query_row(
                "SELECT max(at) FROM (SELECT at FROM events WHERE seq >= ?1 ORDER BY seq DESC LIMIT ?2)",
                (i64::try_from(since).unwrap_or(i64::MAX), NEWEST),
                |row| row.get::<_, Option<i64>>(0),
            )
            .map_err(self.sqlite("read"))?;
        let wall_clock = WallClock {
            anchor: started.or(set_at),
            set,
        };
        Ok((wall_clock, newest.unwrap_or(0)))
    }

    /// Each time that the clock was believed to be another one, in order, and where that stands.
    fn clock_sets(&self) -> Result<Vec<(u64, ClockSet)>, Error> {
        let mut sets = Vec::new();
        self.each_of(JUMPED, |seq, event| {
            if let Event::ClockJump { set: Some(set), .. } = event {
                sets.push((seq, set));
            }
            true
        })?;
        sets.reverse();
        Ok(sets)
    }

    fn newest_of<T>(
        &self,
        code: &str,
        of: impl Fn(Event) -> Option<T>,
    ) -> Result<Option<(u64, T)>, Error> {
        let mut found = None;
        self.each_of(code, |seq, event| {
            found = of(event).map(|of| (seq, of));
            found.is_none()
        })?;
        Ok(found)
    }

    /// Goes through the events of a kind, the newest first, for as long as it is told to.
    fn each_of(&self, code: &str, mut go_on: impl FnMut(u64, Event) -> bool) -> Result<(), Error> {
        let error = self.sqlite("read");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT seq, at, code, body, hash FROM events WHERE code = ?1 ORDER BY seq DESC",
            )
            .map_err(&error)?;
        let rows = statement.query_map([code], read::raw).map_err(&error)?;
        for row in rows {
            let record = read::record(row.map_err(&error)?);
            if let Some(event) = record.event()
                && !go_on(record.seq, event.clone())
            {
                break;
            }
        }
        Ok(())
    }

    /// Where the events from `since` on, and before `until`, are to be looked for. Times fall where
    /// the clock was set back, so each stretch between two settings is looked at for itself.
    pub(super) fn places(
        &self,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Range<u64>, Error> {
        let mut found = 0..u64::MAX;
        if since.is_none() && until.is_none() {
            return Ok(found);
        }
        let sets = self.clock_sets()?;
        let starts = std::iter::once(0).chain(sets.iter().map(|(seq, _)| *seq));
        let end = self.head.seq.saturating_add(1);
        let ends = sets.iter().map(|(seq, _)| *seq).chain([end]);
        let stretches: Vec<_> = starts.zip(ends).map(|(start, end)| start..end).collect();
        if let Some(since) = since {
            found.start = u64::MAX;
            for stretch in &stretches {
                let first = self.first_at(stretch, since.saturating_sub(LAG_MAX))?;
                if first < stretch.end {
                    found.start = first;
                    break;
                }
            }
        }
        if let Some(until) = until {
            found.end = 0;
            for stretch in stretches.iter().rev() {
                let behind = self.first_at(stretch, until.saturating_add(LAG_MAX))?;
                if behind > stretch.start {
                    found.end = behind;
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The first event of a stretch at this time or later; its end when there is none. Within a
    /// stretch times hardly fall, so half of what is left is looked at each time.
    fn first_at(&self, stretch: &Range<u64>, at: i64) -> Result<u64, Error> {
        let mut left = stretch.clone();
        while left.start < left.end {
            let middle = left.start.midpoint(left.end);
            match self.time_from(middle, left.end)? {
                Some(found) if found < at => left.start = middle.saturating_add(1),
                _ => left.end = middle,
            }
        }
        Ok(left.end)
    }

    /// The time of the first event in this place or behind it, before `end`.
    fn time_from(&self, seq: u64, end: u64) -> Result<Option<i64>, Error> {
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "SELECT at FROM events WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT 1",
            )
            .and_then(|mut first| {
                let at = first.query_row((number(seq), number(end)), |row| row.get(0));
                at.optional()
            })
            .map_err(self.sqlite("read"))
    }
}
