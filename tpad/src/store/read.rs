//! Reading.

use rusqlite::{OptionalExtension, Row, ToSql, params};
use tpa_bus::id::Id;

use super::unknown::content;
use super::{Body, Error, Record, Store, chain};
use crate::ledger::{Envelope, Person, Repeated, Repeats, Request, State, Tally};

/// Which requests to read. All conditions set must hold.
#[derive(Debug, Clone, Default)]
pub struct RequestQuery {
    /// For or by this uid.
    pub of: Option<u32>,
    /// For the user of this name.
    pub user: Option<String>,
    /// For this role.
    pub role: Option<String>,
    /// Asked at this time or later.
    pub since: Option<i64>,
    /// Asked before this time.
    pub until: Option<i64>,
    /// In one of these states.
    pub states: Option<Vec<String>>,
    /// That somebody may see; everything when it is not said.
    pub visible: Option<Visible>,
    /// At most so many, the newest; all of them when it is not said.
    pub limit: Option<u32>,
}

impl RequestQuery {
    /// Whether a request is one of those that are asked for, whoever may see it.
    #[must_use]
    pub fn fits(&self, request: &Request) -> bool {
        let asked_at = request.requested_at;
        self.of.is_none_or(|uid| request.is_of(uid))
            && self
                .user
                .as_ref()
                .is_none_or(|name| request.user.name == *name)
            && self.role.as_ref().is_none_or(|role| request.role == *role)
            && self.since.is_none_or(|since| since <= asked_at)
            && self.until.is_none_or(|until| asked_at < until)
            && self
                .states
                .as_ref()
                .is_none_or(|states| states.iter().any(|state| state == request.state().word()))
    }
}

/// What somebody may see of requests; those that they said yes to are among it.
#[derive(Debug, Clone, Default)]
pub struct Visible {
    /// For or by this uid.
    pub uid: u32,
    /// For one of these roles.
    pub roles: Vec<String>,
}

/// Which events to read. All conditions set must hold.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of this grant.
    pub id: Option<Id>,
    /// At this time or later.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// With a greater sequence number.
    pub after: Option<u64>,
    /// With one of these codes (`TPA1000`).
    pub codes: Option<Vec<String>>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    pub(super) fn read_head(&self) -> Result<chain::Head, Error> {
        self.connection
            .query_row(
                "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1",
                [],
                |row| {
                    Ok(chain::Head {
                        seq: seq(row, 0)?,
                        hash: row.get(1)?,
                    })
                },
            )
            .optional()
            .map(|head| head.unwrap_or_else(chain::Head::genesis))
            .map_err(self.sqlite("read"))
    }

    /// Whether a statement with these bytes was taken. It is known for long after it has expired, so
    /// that no clock that is set back makes it good again.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn knows_statement(&self, digest: &str) -> Result<bool, Error> {
        self.connection
            .prepare_cached("SELECT 1 FROM statements WHERE digest = ?1")
            .and_then(|mut select| select.exists([digest]))
            .map_err(self.sqlite("read"))
    }

    /// The events behind this one that keep a signed statement, at most so many.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn evidence(&self, after: u64, most: u32) -> Result<Vec<(u64, Envelope)>, Error> {
        let error = self.sqlite("read");
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        // What people typed stands there in escapes, so that none of it looks like this.
        let mut select = self
            .connection
            .prepare(
                "SELECT seq, body FROM events WHERE seq > ?1 AND instr(body, '\"paper\":\"') > 0
                 ORDER BY seq LIMIT ?2",
            )
            .map_err(&error)?;
        let rows = select
            .query_map(params![after, most], |row| {
                Ok((seq(row, 0)?, row.get::<_, String>(1)?))
            })
            .map_err(&error)?;
        let mut found = Vec::new();
        for row in rows {
            let (seq, body) = row.map_err(&error)?;
            // One that a newer version wrote is not understood here, and is in the chain all the same.
            if let Ok(body) = serde_json::from_str::<Body>(&body) {
                found.push((seq, body.envelope));
            }
        }
        Ok(found)
    }

    /// The hash of the event at this place, when there is one; of place 0 that of what stands before
    /// the first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hash_at(&self, seq: u64) -> Result<Option<String>, Error> {
        if seq == 0 {
            return Ok(Some(chain::Head::genesis().hash));
        }
        let place = i64::try_from(seq).unwrap_or(i64::MAX);
        self.connection
            .query_row("SELECT hash FROM events WHERE seq = ?1", [place], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.sqlite("read"))
    }

    /// The state that the daemon goes on from: everything open, and what closed since `recent`. What
    /// a newer version wrote may be more than what is understood of it: see [`Store::unclear`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn state(&self, recent: i64) -> Result<State, Error> {
        let mut state = State::default();
        let open = self.requests_where("open = 1 OR changed_at >= ?1", &[&recent])?;
        state.requests = open
            .into_iter()
            .map(|request| (request.id, request))
            .collect();
        let closed = state.requests.values().map(|request| request.closed_nth);
        state.closings = closed.max().unwrap_or(0);
        let error = self.sqlite("read");
        let mut statement = self
            .connection
            .prepare("SELECT key, body FROM sessions")
            .map_err(&error)?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&error)?;
        for row in rows {
            let (key, body) = row.map_err(&error)?;
            match serde_json::from_str(&body) {
                Ok(session) => state.sessions.insert(key, session),
                Err(error) => tracing::error!("the session {key} cannot be read: {error}"),
            }
        }
        (state.wall_clock, state.newest) = self.wall_clock()?;
        Ok(state)
    }

    /// What was counted and is not told of yet.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn repeats(&self) -> Result<Repeats, Error> {
        let error = self.sqlite("read");
        let mut statement = self
            .connection
            .prepare("SELECT key, tally FROM repeated")
            .map_err(&error)?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&error)?;
        let mut kept = Vec::new();
        for row in rows {
            let (key, tally) = row.map_err(&error)?;
            let what: Repeated = serde_json::from_str(&key).map_err(self.record_error(&key))?;
            let tally: Tally = serde_json::from_str(&tally).map_err(self.record_error(&key))?;
            kept.push((what, tally));
        }
        Ok(Repeats::from_kept(kept))
    }

    /// One request.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn request(&self, id: Id) -> Result<Option<Request>, Error> {
        Ok(self.requests_where("id = ?1", &[&id.as_str()])?.pop())
    }

    /// The requests whose id begins with this, at most 20. `prefix` is a normal form
    /// ([`tpa_bus::id::normalize`]).
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn requests_by_prefix(&self, prefix: &str) -> Result<Vec<Request>, Error> {
        // The alphabet ends with Z: `~` comes after every id that begins so.
        let end = format!("{prefix}~");
        self.requests_where(
            "id >= ?1 AND id < ?2 ORDER BY id LIMIT 20",
            &[&prefix, &end],
        )
    }

    /// Requests, the newest first.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn requests(&self, query: &RequestQuery) -> Result<Vec<Request>, Error> {
        let states = serde_json::to_string(&query.states.clone().unwrap_or_default())
            .map_err(self.record_error("states"))?;
        let visible = query.visible.clone().unwrap_or_default();
        let roles = serde_json::to_string(&visible.roles).map_err(self.record_error("roles"))?;
        // Walked by the index from the newest on, so that a limit is also one of what is read.
        // Of a person's, no other request is looked at.
        let whose = match query.of {
            Some(_) => {
                "id IN (SELECT id FROM requests WHERE uid = ?1
                        UNION SELECT id FROM requests WHERE requested_by = ?1)"
            }
            None => "?1 IS NULL",
        };
        self.requests_where(
            &format!(
                "{whose}
             AND (?2 IS NULL OR user = ?2)
             AND (?3 IS NULL OR role = ?3)
             AND requested_at >= ?4 AND requested_at < ?5
             AND (?6 = 0 OR state IN (SELECT value FROM json_each(?7)))
             AND (?8 = 0 OR uid = ?9 OR requested_by = ?9
                  OR role IN (SELECT value FROM json_each(?10))
                  OR EXISTS (SELECT 1 FROM json_each(body, '$.approvals')
                             WHERE json_extract(value, '$.by.uid') = ?9))
             ORDER BY requested_at DESC, id LIMIT ?11"
            ),
            &[
                &query.of,
                &query.user,
                &query.role,
                &query.since.unwrap_or(i64::MIN),
                &query.until.unwrap_or(i64::MAX),
                &query.states.is_some(),
                &states,
                &query.visible.is_some(),
                &visible.uid,
                &roles,
                &query.limit.map_or(-1, i64::from),
            ],
        )
    }

    fn requests_where(
        &self,
        condition: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<Request>, Error> {
        let error = self.sqlite("read");
        let sql = format!("SELECT id, body FROM requests WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql).map_err(&error)?;
        let rows = statement
            .query_map(values, |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&error)?;
        let mut found = Vec::new();
        for row in rows {
            let (id, body) = row.map_err(&error)?;
            found.extend(self.readable(&id, &body)?);
        }
        Ok(found)
    }

    /// Events in the order of the chain.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Record>, Error> {
        let error = self.sqlite("read");
        let places = self.places(query.since, query.until)?;
        let after = query.after.unwrap_or(0).max(places.start.saturating_sub(1));
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let since = query.since.unwrap_or(i64::MIN);
        let until = query.until.unwrap_or(i64::MAX);
        let id = query.id.as_ref().map(Id::as_str);
        let codes = serde_json::to_string(&query.codes.clone().unwrap_or_default())
            .map_err(self.record_error("codes"))?;
        // Each by the index that fits: of a month or a grant, no other event is looked at.
        let which = match (&query.id, &query.codes) {
            (Some(_), _) => "grant_id = ?5",
            (None, Some(_)) => "code IN (SELECT value FROM json_each(?6))",
            (None, None) => "TRUE",
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT seq, at, code, body, hash FROM events
                 WHERE seq > ?1 AND seq < ?8
                   AND at >= ?2 AND at < ?3
                   AND {which}
                   AND (?5 IS NULL OR grant_id = ?5)
                   AND (?7 = 0 OR code IN (SELECT value FROM json_each(?6)))
                 ORDER BY seq LIMIT ?4"
            ))
            .map_err(&error)?;
        let rows = statement
            .query_map(
                params![
                    after,
                    since,
                    until,
                    query.limit,
                    id,
                    codes,
                    query.codes.is_some(),
                    i64::try_from(places.end).unwrap_or(i64::MAX)
                ],
                raw,
            )
            .map_err(&error)?;
        rows.map(|row| Ok(record(row.map_err(&error)?))).collect()
    }

    /// Whether a person has come from an address before.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn knows_address(&self, person: &Person, address: &str) -> Result<bool, Error> {
        self.connection
            .prepare_cached("SELECT 1 FROM addresses WHERE uid = ?1 AND user = ?2 AND address = ?3")
            .and_then(|mut known| known.exists(params![person.uid, person.name, address]))
            .map_err(self.sqlite("read"))
    }

    /// A fact kept under a name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn fact(&self, name: &str) -> Result<Option<String>, Error> {
        self.connection
            .query_row("SELECT value FROM facts WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.sqlite("read"))
    }
}

pub(super) fn record(raw: Raw) -> Record {
    Record {
        body: content(&raw.code, &raw.body),
        seq: raw.seq,
        at: raw.at,
        code: raw.code,
        hash: raw.hash,
    }
}

/// A row of `events` as it stands.
pub(super) struct Raw {
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) code: String,
    pub(super) body: String,
    pub(super) hash: String,
}

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        seq: seq(row, 0)?,
        at: row.get(1)?,
        code: row.get(2)?,
        body: row.get(3)?,
        hash: row.get(4)?,
    })
}

pub(super) fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let seq: i64 = row.get(column)?;
    u64::try_from(seq).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, seq))
}
