//! Keeps every event, and with each transaction what the events amount to.
//!
//! `SQLite` in WAL mode with `synchronous=FULL`: a transaction that was committed is on the disk
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>). Events are only ever added; each
//! carries the SHA-256 over itself and the one before ([`chain`]). Only the oldest ever go, when
//! the configuration says for how long to keep them, and leave a checkpoint ([`Prunable`]). The tables `requests` and
//! `sessions` are projections: they hold what a fold of all events holds, and spare the daemon
//! that fold at start.

pub mod chain;
mod prune;
mod read;
mod schema;
mod times;
mod walk;
mod write;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::hex::hex;
use crate::ledger::Newest;

pub use prune::Prunable;
pub use read::{EventQuery, RequestQuery, Visible};
pub use walk::Walk;
pub use write::{Change, Entry};

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    head: chain::Head,
    name: String,
}

/// The fact that holds the database's own name.
const NAME: &str = "database";

/// The database could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `SQLite` says no.
    #[error("cannot {what} the database {path}: {source}")]
    Sqlite {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// A record does not read as one.
    #[error("the database {path} holds a record that cannot be read ({what}): {source}")]
    Record {
        /// Which.
        what: String,
        /// In which file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// There is no name to be had for a new database.
    #[error("cannot name the database {path}: no randomness: {source}")]
    Random {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: getrandom::Error,
    },
    /// The database is from a newer version of the daemon.
    #[error(
        "the database {path} has version {found}, this tpad knows {known}: install the newer tpad again"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
}

/// One event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Place in the chain, from 1.
    pub seq: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// `TPA1000`
    pub code: String,
    /// What is hashed: the event and the fields of its log line, as JSON.
    pub body: Body,
    /// Its own hash, 64 hexadecimal digits.
    pub hash: String,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Body {
    /// What happened.
    pub envelope: crate::ledger::Envelope,
    /// The fields of the log line, in order: everything an auditor needs, with no look-up.
    pub fields: Vec<(String, String)>,
}

impl Store {
    /// Opens the database, makes it when it is not there, and brings an older one up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, or is from a newer version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = schema::open(path)?;
        let mut store = Self {
            connection,
            path: path.to_owned(),
            head: chain::Head::genesis(),
            name: String::new(),
        };
        store.head = store.read_head()?;
        store.name = match store.fact(NAME)? {
            Some(name) => name,
            None => store.take_name()?,
        };
        Ok(store)
    }

    /// The database's own name: 20 hexadecimal digits drawn at random when it was made, so that
    /// its lines are told from another's, and no one makes up lines of it who cannot read them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn take_name(&mut self) -> Result<String, Error> {
        let mut bytes = [0; 10];
        getrandom::fill(&mut bytes).map_err(|source| Error::Random {
            path: self.path.clone(),
            source,
        })?;
        let name = hex(&bytes);
        self.set_fact(NAME, &name)?;
        Ok(name)
    }

    /// The newest event's place and hash.
    #[must_use]
    pub fn head(&self) -> &chain::Head {
        &self.head
    }

    /// The newest event, as it is kept outside the database.
    #[must_use]
    pub fn newest(&self) -> Newest {
        Newest {
            database: self.name.clone(),
            seq: self.head.seq,
            hash: self.head.hash.clone(),
        }
    }

    fn sqlite(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Sqlite {
            what,
            path: path.clone(),
            source,
        }
    }

    fn record_error(&self, what: &str) -> impl FnOnce(serde_json::Error) -> Error + use<> {
        let (path, what) = (self.path.clone(), what.to_owned());
        move |source| Error::Record { what, path, source }
    }
}

#[cfg(test)]
impl Store {
    /// Nothing can be written from now on, as on a full disk, or it can again.
    pub(crate) fn refuse_writes(&self, refuse: bool) {
        let pragma = self.connection.pragma_update(None, "query_only", refuse);
        pragma.unwrap();
    }

    /// Has a request as it was before, with all events in place.
    pub(crate) fn put_back(&mut self, request: &crate::ledger::Request) {
        let change = Change {
            requests: vec![request.clone()],
            ..Change::default()
        };
        self.commit(&[], &change).unwrap();
    }
}

#[cfg(test)]
mod tests;
