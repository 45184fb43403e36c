//! Walking the chain, a piece at a time: nobody at the gate waits for an audit.

use rusqlite::OptionalExtension;

use super::read::{Raw, raw, seq};
use super::unknown::content;
use super::{Content, Error, Store, chain};
use crate::ledger::Event;

/// What a walk along a piece of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// What stands before the piece: the event it was asked to begin after or, at the beginning,
    /// what a checkpoint says of the events that were pruned.
    pub before: chain::Head,
    /// The hashes of the events that fit, in order, without a gap.
    pub hashes: Vec<String>,
    /// The first event that does not fit, and why.
    pub broken: Option<(u64, String)>,
    /// The database's own name.
    pub database: String,
    /// Whether this is all: the walk came to the newest event, or to a break.
    pub done: bool,
}

impl Store {
    /// Walks the chain from behind `after` (0: from its beginning) along at most `most` events,
    /// and stops at the first that does not fit.
    ///
    /// # Errors
    /// When the database cannot be read at all; an event that cannot be read is a break.
    pub fn walk(&self, after: u64, most: u32) -> Result<Walk, Error> {
        self.walk_up_to(after, most, &self.head)
    }

    /// The same where the chain is known to go on to this event at least.
    ///
    /// # Errors
    /// As [`Store::walk`].
    pub fn walk_up_to(&self, after: u64, most: u32, known: &chain::Head) -> Result<Walk, Error> {
        let last = if known.seq > self.head.seq {
            known
        } else {
            &self.head
        };
        let error = self.sqlite("read");
        let before = self.stands_at(after)?;
        let mut walk = Walk {
            before: before.clone(),
            hashes: Vec::new(),
            broken: None,
            database: self.name.clone(),
            done: true,
        };
        if before.seq < after {
            walk.broken = Some((after, format!("event {after} is missing")));
            return Ok(walk);
        }
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT seq, at, code, body, hash FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .map_err(&error)?;
        let from = i64::try_from(after).unwrap_or(i64::MAX);
        let mut rows = statement.query((from, most)).map_err(&error)?;
        let mut head = before;
        while let Some(row) = rows.next().map_err(&error)? {
            match follows(&head, raw(row).ok()) {
                Ok(next) => {
                    walk.hashes.push(next.hash.clone());
                    head = next;
                }
                Err(problem) => {
                    walk.broken = Some((head.seq.saturating_add(1), problem));
                    return Ok(walk);
                }
            }
        }
        let full = u32::try_from(walk.hashes.len()).is_ok_and(|length| length >= most);
        if full {
            walk.done = false;
        } else if head != *last {
            let next = head.seq.saturating_add(1);
            let problem = format!("events {next} to {} are cut off", last.seq);
            walk.broken = Some((next, problem));
        }
        Ok(walk)
    }

    /// The link that a walk begins behind: that event or, where it was pruned or the walk begins
    /// at the beginning, the newest checkpoint; genesis where nothing was ever pruned.
    fn stands_at(&self, after: u64) -> Result<chain::Head, Error> {
        let place = i64::try_from(after).unwrap_or(i64::MAX);
        let event = self
            .connection
            .query_row(
                "SELECT seq, hash FROM events WHERE seq = ?1",
                [place],
                |row| {
                    Ok(chain::Head {
                        seq: seq(row, 0)?,
                        hash: row.get(1)?,
                    })
                },
            )
            .optional()
            .map_err(self.sqlite("read"))?;
        match event {
            Some(event) => Ok(event),
            None => Ok(self.checkpoint()?.unwrap_or_else(chain::Head::genesis)),
        }
    }

    /// What the newest checkpoint says of the events before it that were pruned.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn checkpoint(&self) -> Result<Option<chain::Head>, Error> {
        let body: Option<String> = self
            .connection
            .query_row(
                "SELECT body FROM events WHERE code = 'TPA5007' ORDER BY seq DESC LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.sqlite("read"))?;
        let body = body.map(|body| content("TPA5007", &body));
        Ok(match body {
            Some(Content::Known(body)) => match body.envelope.event {
                Event::LogPruned { through, hash, .. } => Some(chain::Head { seq: through, hash }),
                _ => None,
            },
            _ => None,
        })
    }
}

/// The link that a row is, when it follows.
fn follows(head: &chain::Head, row: Option<Raw>) -> Result<chain::Head, String> {
    let next = head.seq.saturating_add(1);
    let row = row.ok_or("it cannot be read")?;
    if row.seq != next {
        return Err(format!("event {next} is missing; {} follows", row.seq));
    }
    if chain::link(&head.hash, row.seq, row.at, &row.code, &row.body) != row.hash {
        return Err("its content does not have its hash".to_owned());
    }
    Ok(chain::Head {
        seq: row.seq,
        hash: row.hash,
    })
}
