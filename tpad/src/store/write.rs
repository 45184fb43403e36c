//! Writing: events and what they come to, in one transaction.

use rusqlite::{Transaction, params};

use super::schema::{Durable, commit_durably};
use super::{Body, Content, Error, Record, Store, chain};
use crate::ledger::{Person, Repeated, Request, Session, Tally};

/// An event to be added.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The event and its fields; their place in the chain is added here.
    pub body: Body,
}

/// What the projections hold after a transaction.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Requests as they are now.
    pub requests: Vec<Request>,
    /// Sessions that are open now.
    pub opened: Vec<Session>,
    /// Sessions that are over, by key.
    pub closed: Vec<String>,
    /// Who came from where.
    pub came: Vec<(Person, String)>,
    /// Signed statements that were taken, by digest, and when they expire.
    pub statements: Vec<(String, i64)>,
    /// How often something was repeated that is counted; nothing where the count was told.
    pub repeated: Vec<(Repeated, Option<Tally>)>,
    /// Events up to this one go, and the requests that ended before that time.
    pub pruned: Option<(u64, i64)>,
}

impl Store {
    /// Adds events and updates the projections: all of it or nothing. When this returns, it is
    /// on the disk.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn commit(&mut self, entries: &[Entry], change: &Change) -> Result<Vec<Record>, Error> {
        let error = self.sqlite("write");
        let mut head = self.head.clone();
        let mut records = Vec::with_capacity(entries.len());
        let path = self.path.clone();
        let json = move |what: &str| {
            let (path, what) = (path.clone(), what.to_owned());
            move |source| Error::Record { what, path, source }
        };
        self.write(|connection| {
            let transaction = connection.transaction().map_err(&error)?;
            for entry in entries {
                let envelope = &entry.body.envelope;
                let (code, name) = envelope.event.code();
                let body = serde_json::to_string(&entry.body).map_err(json(name))?;
                let seq = head.seq.saturating_add(1);
                let hash = chain::link(&head.hash, seq, envelope.at, code, &body);
                let id = envelope.event.request_id();
                transaction
                    .prepare_cached(
                        "INSERT INTO events (seq, at, code, grant_id, body, hash)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )
                    .and_then(|mut insert| {
                        let id = id.as_ref().map(tpa_bus::id::Id::as_str);
                        insert.execute(params![
                            i64::try_from(seq).unwrap_or(i64::MAX),
                            envelope.at,
                            code,
                            id,
                            body,
                            hash
                        ])
                    })
                    .map_err(&error)?;
                head = chain::Head {
                    seq,
                    hash: hash.clone(),
                };
                records.push(Record {
                    seq,
                    at: envelope.at,
                    code: code.to_owned(),
                    body: Content::Known(Box::new(entry.body.clone())),
                    hash,
                });
            }
            let now = records.last().map_or(0, |record| record.at);
            for request in &change.requests {
                let body = serde_json::to_string(request).map_err(json("request"))?;
                put_request(&transaction, request, now, &body).map_err(&error)?;
            }
            for session in &change.opened {
                let body = serde_json::to_string(session).map_err(json("session"))?;
                transaction
                    .execute(
                        "INSERT OR REPLACE INTO sessions (key, body) VALUES (?1, ?2)",
                        params![session.key(), body],
                    )
                    .map_err(&error)?;
            }
            for (what, tally) in &change.repeated {
                let key = serde_json::to_string(what).map_err(json("repeated"))?;
                let tally = tally.as_ref().map(serde_json::to_string).transpose();
                let tally = tally.map_err(json("repeated"))?;
                put_tally(&transaction, &key, tally.as_deref()).map_err(&error)?;
            }
            put_rest(&transaction, change).map_err(&error)?;
            transaction.commit().map_err(&error)
        })?;
        self.head = head;
        Ok(records)
    }

    /// Keeps how far something got that is done again where that is lost: a kill leaves it, and a
    /// power cut may leave an older one. It is written out with the next event, and costs no wait of
    /// its own for the disk.
    ///
    /// # Errors
    /// When it was not written.
    pub fn set_cursor(&mut self, name: &str, place: u64) -> Result<(), Error> {
        let error = self.sqlite("write");
        commit_durably(&self.connection, Durable::WithTheNext).map_err(&error)?;
        let written = self.set_fact(name, &place.to_string());
        commit_durably(&self.connection, Durable::AtOnce).map_err(&error)?;
        written
    }

    /// Keeps a fact under a name.
    ///
    /// # Errors
    /// When it was not written.
    pub fn set_fact(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let error = self.sqlite("write");
        self.write(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute([name, value]))
                .map(drop)
                .map_err(error)
        })
    }
}

fn put_request(
    transaction: &Transaction<'_>,
    request: &Request,
    now: i64,
    body: &str,
) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO requests
             (id, state, open, uid, user, requested_by, role, requested_at, changed_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            request.id.as_str(),
            request.state().word(),
            request.is_open(),
            request.user.uid,
            request.user.name,
            request.requested_by.uid,
            request.role,
            request.requested_at,
            now,
            body
        ])
}

fn put_tally(
    transaction: &Transaction<'_>,
    key: &str,
    tally: Option<&str>,
) -> rusqlite::Result<usize> {
    match tally {
        Some(tally) => transaction
            .prepare_cached("INSERT OR REPLACE INTO repeated (key, tally) VALUES (?1, ?2)")?
            .execute([key, tally]),
        None => transaction.execute("DELETE FROM repeated WHERE key = ?1", [key]),
    }
}

/// Sessions that are over, where people came from, and what goes.
fn put_rest(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    for key in &change.closed {
        transaction.execute("DELETE FROM sessions WHERE key = ?1", [key])?;
    }
    for (person, address) in &change.came {
        transaction.execute(
            "INSERT OR IGNORE INTO addresses (uid, user, address) VALUES (?1, ?2, ?3)",
            params![person.uid, person.name, address],
        )?;
    }
    for (digest, expires) in &change.statements {
        transaction.execute(
            "INSERT OR IGNORE INTO statements (digest, expires) VALUES (?1, ?2)",
            params![digest, expires],
        )?;
    }
    if let Some((through, at)) = change.pruned {
        let through = i64::try_from(through).unwrap_or(0);
        transaction.execute("DELETE FROM events WHERE seq <= ?1", [through])?;
        transaction.execute(
            "DELETE FROM requests WHERE open = 0 AND changed_at < ?1",
            [at],
        )?;
        transaction.execute("DELETE FROM statements WHERE expires < ?1", [at])?;
    }
    Ok(())
}
