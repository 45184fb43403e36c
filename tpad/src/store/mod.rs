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
mod reader;
mod schema;
mod stamp;
mod times;
mod unknown;
mod walk;
mod write;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::hex::hex;
use crate::ledger::{Envelope, Event, Newest, Priority, Residue, Tidied};

use stamp::Stamp;

pub use prune::Prunable;
pub use read::{EventQuery, RequestQuery, Visible};
pub use reader::Reader;
pub use unknown::Unclear;
pub use walk::Walk;
pub use write::{Change, Entry};

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    head: chain::Head,
    name: String,
    /// How its files were left by what was last written.
    left: Stamp,
    /// They are not as they were left: nothing is written any more.
    touched: bool,
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
    /// Its files are not as they were left.
    #[error(
        "somebody else wrote to the database {path} or put another in its place: tpad starts again \
         and looks at what is there"
    )]
    Touched {
        /// Which.
        path: PathBuf,
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
    pub body: Content,
    /// Its own hash, 64 hexadecimal digits.
    pub hash: String,
}

/// The content of a record, as far as this version understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An event of the catalogue.
    Known(Box<Body>),
    /// Something else, which a newer version recorded: the fields of its log line, as far as they
    /// can be read.
    Unknown(Vec<(String, String)>),
}

impl Record {
    /// The event; none when it is of a kind that this version does not know.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        self.envelope().map(|envelope| &envelope.event)
    }

    /// The event with when it happened and who did it; none when it is of an unknown kind.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.body {
            Content::Known(body) => Some(&body.envelope),
            Content::Unknown(_) => None,
        }
    }

    /// What it tells was left behind by a grant, where it tells of that.
    #[must_use]
    pub fn residue(self) -> Option<Residue> {
        match self.body {
            Content::Known(body) => match body.envelope.event {
                Event::Residue { residue, .. } => Some(*residue),
                _ => None,
            },
            Content::Unknown(_) => None,
        }
    }

    /// What it tells became of what was to be removed after a grant, where it tells of that.
    #[must_use]
    pub fn tidied(self) -> Option<Vec<Tidied>> {
        match self.body {
            Content::Known(body) => match body.envelope.event {
                Event::ResidueTidied { tidied, .. } => Some(tidied),
                _ => None,
            },
            Content::Unknown(_) => None,
        }
    }

    /// Its name, such as `request-created`; of an unknown kind as its own line says it.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.body {
            Content::Known(body) => body.envelope.event.code().1,
            Content::Unknown(_) => self.field("event").unwrap_or("unknown"),
        }
    }

    /// The fields of its log line, in order.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        match &self.body {
            Content::Known(body) => &body.fields,
            Content::Unknown(fields) => fields,
        }
    }

    /// One of them.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields().iter();
        let found = fields.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// How loud it is. What is not understood may matter.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.event().map_or(Priority::Warning, Event::priority)
    }
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
            left: Stamp::of(path),
            touched: false,
        };
        store.head = store.read_head()?;
        store.name = match store.fact(NAME)? {
            Some(name) => name,
            None => store.take_name()?,
        };
        store.left = Stamp::of(path);
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

    /// Whether its files were found to be not as they were left. Nothing is written to them any more,
    /// also when this is dropped: what is there is for the next start to read.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Writes, unless somebody else did: pages of two stories in one file are none.
    fn write<T>(
        &mut self,
        write: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.touched && Stamp::of(&self.path) != self.left {
            self.touched = true;
            let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            self.connection
                .set_db_config(keep, true)
                .map_err(self.sqlite("let go of"))?;
        }
        if self.touched {
            let path = self.path.clone();
            return Err(Error::Touched { path });
        }
        let written = write(&mut self.connection);
        self.left = Stamp::of(&self.path);
        written
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
    /// Adds an event as it stands, as a newer version might, about this request.
    pub(crate) fn add_raw(&mut self, code: &str, id: Option<tpa_bus::id::Id>, body: &str) {
        let (seq, at) = (self.head.seq + 1, 1_000_000);
        let hash = chain::link(&self.head.hash, seq, at, code, body);
        let id = id.map(|id| id.as_str().to_owned());
        self.connection
            .execute(
                "INSERT INTO events (seq, at, code, grant_id, body, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                rusqlite::params![i64::try_from(seq).unwrap(), at, code, id, body, hash],
            )
            .unwrap();
        self.head = chain::Head { seq, hash };
        self.left = Stamp::of(&self.path);
    }

    /// Takes away events from this one on, with nobody knowing of it.
    pub(crate) fn remove_from(&self, seq: u32) {
        let remove = "DELETE FROM events WHERE seq >= ?1";
        self.connection.execute(remove, [seq]).unwrap();
    }

    /// Takes away what tells of a request.
    pub(crate) fn forget_events_of(&self, id: tpa_bus::id::Id) {
        let forget = "UPDATE events SET grant_id = NULL WHERE grant_id = ?1";
        self.connection.execute(forget, [id.as_str()]).unwrap();
    }

    /// Changes the row of a request as it stands.
    pub(crate) fn set_row(&self, id: tpa_bus::id::Id, body: &str) {
        let set = "UPDATE requests SET body = ?2 WHERE id = ?1";
        self.connection.execute(set, [id.as_str(), body]).unwrap();
    }

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
