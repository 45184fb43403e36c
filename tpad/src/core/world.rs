//! What the core has to ask of the host, and is asked nowhere else in it: a real one
//! (`engine::world`) and a pretended one for tests.

use std::collections::BTreeMap;
use std::fmt::Debug;

use tpa_bus::id::Id;
use tpa_bus::offline::GateFile;

use crate::clock::Now;
use crate::ledger::{BootRecord, End, Newest, Person};

/// The host. Nothing here waits for anybody: what is asked of a directory is what it last told.
pub trait World: Debug + Send + Sync {
    /// The moment it is.
    ///
    /// # Errors
    /// When the clocks cannot be read.
    fn now(&self) -> anyhow::Result<Now>;

    /// `CLOCK_BOOTTIME` in milliseconds, not the beginning of a second as in [`Now`]; `None` where it
    /// cannot be read.
    fn boottime_ms(&self) -> Option<u64>;

    /// A second since 1970, as people of this host read it.
    fn local_time(&self, at_s: i64) -> String;

    /// Name of this host as it is at the moment (`hostnamectl set-hostname`).
    fn host(&self) -> String;

    /// Which machine it is (machine-id(5)); empty where it cannot tell.
    fn machine(&self) -> String;

    /// Whether its sudo is sudo-rs.
    fn is_sudo_rust(&self) -> bool;

    /// Whether it has room for what a grant takes (`/run`).
    ///
    /// # Errors
    /// When it has none, and why.
    fn has_room(&self) -> anyhow::Result<()>;

    /// Whether the gate stands before a person's logins.
    fn is_gated(&self, gate: &GateFile, person: &Person) -> bool;

    /// The account of this name in the host's own files.
    fn local_account(&self, name: &str) -> Option<Person>;

    /// Five bytes that nobody can guess: a new id.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    fn random(&self) -> anyhow::Result<[u8; 5]>;

    /// When everything was cut off without the daemon (`tpad reap --all`), as
    /// `2026-11-24T04:17:50Z`; `None` when it was not, or that is recorded.
    fn cut_off_at(&self) -> Option<String>;

    /// The cut is recorded.
    ///
    /// # Errors
    /// When the host goes on telling of it.
    fn forget_cut_off(&self) -> anyhow::Result<()>;
}

/// What is kept outside the database for as long as the boot lasts.
pub trait Boot: Debug + Send {
    /// What is kept.
    fn record(&self) -> &BootRecord;

    /// These have ended.
    ///
    /// # Errors
    /// When it is kept in memory alone.
    fn remember(&mut self, ends: BTreeMap<Id, End>) -> anyhow::Result<()>;

    /// The database has all up to this event.
    ///
    /// # Errors
    /// When it is kept in memory alone.
    fn recorded(&mut self, newest: Newest, now_ms: u64) -> anyhow::Result<()>;

    /// The database is not the one that was here before.
    fn alarm(&mut self, at: i64, what: &str);
}

/// Ends that the database did not take, kept where they outlive a power cut.
pub trait Owed: Debug + Send {
    /// What was kept when this tpad started.
    fn found(&self) -> &BTreeMap<Id, End>;

    /// Keeps ends that the database did not take. When this returns, they are on the disk.
    ///
    /// # Errors
    /// When they are not.
    fn keep(&mut self, ends: &BTreeMap<Id, End>) -> anyhow::Result<()>;

    /// The database has everything: nothing is owed.
    ///
    /// # Errors
    /// When there is no place for what may be owed next. What still stands there does no harm.
    fn clear(&mut self) -> anyhow::Result<()>;
}
