//! The tables, and how an older database becomes today's.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Error;

/// Version of the tables below, kept in `PRAGMA user_version`.
const VERSION: i64 = 2;

/// What version 1 had.
const TABLES: &str = "
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    code     TEXT NOT NULL,
    grant_id TEXT,
    body     TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_grant ON events (grant_id, seq) WHERE grant_id IS NOT NULL;
CREATE TABLE requests (
    id           TEXT PRIMARY KEY,
    state        TEXT NOT NULL,
    open         INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    user         TEXT NOT NULL,
    requested_by INTEGER NOT NULL,
    role         TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    body         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_open ON requests (open) WHERE open = 1;
CREATE INDEX requests_at ON requests (requested_at);
CREATE INDEX requests_changed ON requests (changed_at);
CREATE TABLE sessions (
    key  TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What version 2 adds: events by their kind, for reports, and where people have come from.
const ADDED: &str = "
CREATE INDEX events_code ON events (code);
CREATE TABLE addresses (
    uid     INTEGER NOT NULL,
    user    TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (uid, user, address)
) STRICT, WITHOUT ROWID;
";

/// What an older version does not miss: indexes, which only make reading quicker, counts that wait
/// until they are told, and the statements that were taken, of which it takes none.
const BESIDE: &str = "
CREATE TABLE IF NOT EXISTS repeated (
    key   TEXT PRIMARY KEY,
    tally TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statements (
    digest  TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_uid ON requests (uid);
CREATE INDEX IF NOT EXISTS requests_by ON requests (requested_by);
";

/// Opens the file to be read as it is at the moment of the first reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let error = |source| Error::Sqlite {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(error)?;
    connection
        .busy_timeout(std::time::Duration::from_secs(1))
        .map_err(error)?;
    let settings = "PRAGMA trusted_schema = OFF; BEGIN";
    connection.execute_batch(settings).map_err(error)?;
    Ok(connection)
}

/// When what is committed is on the disk
/// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    /// Before the commit returns.
    AtOnce,
    /// With the next commit that waits for it. A kill loses nothing, a power cut may.
    WithTheNext,
}

/// Sets that for what is committed from now on.
pub(super) fn commit_durably(connection: &Connection, when: Durable) -> rusqlite::Result<()> {
    let level = match when {
        Durable::AtOnce => "FULL",
        Durable::WithTheNext => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", level)
}

/// Opens the file with the pragmas that everything else relies on.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let error = |what| {
        move |source| Error::Sqlite {
            what,
            path: path.to_owned(),
            source,
        }
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(error("open"))?;
    connection
        .busy_timeout(std::time::Duration::from_secs(1))
        .map_err(error("open"))?;
    // Before anything is changed: what a newer version made stays as it made it.
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(error("read"))?;
    if !(0..=VERSION).contains(&found) {
        return Err(Error::Version {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(error("open"))?;
    commit_durably(&connection, Durable::AtOnce).map_err(error("open"))?;
    connection
        .pragma_update(None, "trusted_schema", "OFF")
        .map_err(error("open"))?;
    if found < VERSION {
        let tables = if found == 0 { TABLES } else { "" };
        let script = format!("BEGIN;{tables}{ADDED}PRAGMA user_version = {VERSION};COMMIT;");
        connection.execute_batch(&script).map_err(error("create"))?;
    }
    if let Err(error) = connection.execute_batch(BESIDE) {
        // A disk that is full now has room one day; meanwhile all is there, and slower.
        tracing::warn!("the database lacks a table for counts, or an index: {error}");
    }
    Ok(connection)
}
