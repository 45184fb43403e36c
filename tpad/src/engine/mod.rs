//! The one place where the parts meet: a command goes through the ledger into the store, and
//! wakes whoever makes the host follow ([`crate::daemon`]).
//!
//! Everything runs on one thread. The state stands behind a mutex that is never held across an
//! `await`, so a command is decided, recorded and applied without anybody in between.

mod access;
mod feed;
mod gate;
pub(crate) mod loading;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tpa_bus::groups::KnownGroups;
use tpa_bus::id::Id;
use tpa_bus::names;
use tpa_bus::offline::GateFile;
use zruntime::Event as Notify;

use crate::accounts::{Accounts, Nss, When};
use crate::clock::{Clock, Now};
use crate::config::load::Source;
use crate::host::boot_file::{self, BootFile};
use crate::host::cut::Marks;
use crate::ledger::{
    AtStart, Doubt, Event, InDatabase, Lacking, Repeats, State, lacking_of, unrecorded_ends,
};
use crate::plan::NoticeSent;
use crate::policy::{AuditFormat, Policy};
use crate::store::{Body, Reader, Store};

pub use access::What;

/// How long a closed request stays in memory, in seconds: so that the gate can tell people that
/// their grant has ended.
const RECENT_S: i64 = 86_400;

/// The fact that names the machine a database belongs to.
const MACHINE: &str = "machine-id";

/// Name of the file beside the database that tells what was last known of groups.
const GROUPS: &str = "groups";

/// The daemon's heart.
#[derive(Debug)]
pub struct Engine {
    inner: Mutex<Inner>,
    /// Reads the trail for auditors, beside everything else.
    reader: Reader,
    pub(crate) clock: Clock,
    pub(crate) source: Source,
    /// Of what was ended without the daemon.
    pub(crate) marks: Marks,
    host: String,
    /// Who people are, and what groups they are in.
    pub accounts: Accounts,
    /// Rings when something was recorded or the configuration changed.
    pub(crate) changed: Notify,
    /// Rings when the host follows what was recorded.
    pub(crate) settled: Notify,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    /// What this boot has seen, kept outside the database.
    pub(crate) boot: BootFile,
    pub(crate) state: State,
    pub(crate) policy: Arc<Policy>,
    pub(crate) said: BTreeSet<NoticeSent>,
    /// What took effect but could not be written: it goes first when writing works again.
    pub(crate) unrecorded: Vec<Body>,
    /// What is not believed of the wall clock at present.
    pub(crate) doubt: Option<Doubt>,
    /// How often people were refused since they were last let in, by uid.
    pub(crate) refused: BTreeMap<u32, u32>,
    /// What is brought about again and again, and counted.
    pub(crate) repeats: Repeats,
    /// Events that the log is to be told once more, by number.
    pub(crate) again: BTreeSet<u64>,
    /// The break in the chain that was told last.
    pub(crate) broken: Option<u64>,
    /// What `tpad reap --all` has ended under this tpad: what it took away is no drift.
    pub(crate) cut_off: BTreeSet<Id>,
    /// Counts changes; the host follows one of them at a time.
    pub(crate) generation: u64,
    pub(crate) followed: u64,
    /// Names of the configuration that the name service does not tell yet.
    pub(crate) awaited: loading::Awaited,
    /// Why sudo did not take the rules of grants, by grant.
    pub(crate) rejected: BTreeMap<tpa_bus::id::Id, String>,
}

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger says no.
    #[error("{0}")]
    Refused(#[from] crate::ledger::Refused),
    /// The daemon cannot do it just now.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// What the database lacks of what this boot has seen.
fn lacking(inner: &Inner) -> anyhow::Result<Option<Lacking>> {
    let Some(newest) = &inner.boot.record().newest else {
        return Ok(None);
    };
    let store = &inner.store;
    let shown = InDatabase {
        database: store.name().to_owned(),
        head: store.head().seq,
        hash: store.hash_at(newest.seq)?,
        pruned: store.checkpoint()?.map_or(0, |checkpoint| checkpoint.seq),
    };
    Ok(lacking_of(newest, &shown))
}

/// What a command comes to.
pub type Result<T> = std::result::Result<T, Error>;

impl Engine {
    /// Opens the database, holds it against what this boot has seen (kept in the folder `run`), and
    /// loads the configuration. A configuration that does not load leaves
    /// the daemon without roles and gating as the gate file on disk says: nobody gets in who
    /// should not, and what was granted still ends.
    ///
    /// # Errors
    /// When there is no clock or no database: then there is nothing to go by.
    pub fn open(database: &Path, run: &Path, source: Source) -> anyhow::Result<Self> {
        let known = std::fs::read_to_string(database.with_file_name(GROUPS)).unwrap_or_default();
        let known = KnownGroups::parse(&known).unwrap_or_default();
        Self::open_with(database, run, source, Accounts::new(Nss, known))
    }

    pub(crate) fn open_with(
        database: &Path,
        run: &Path,
        source: Source,
        accounts: Accounts,
    ) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let clock = Clock::new().context("read the boot id")?;
        let now = clock.now().context("read the clock")?;
        let store = Store::open(database)?;
        let state = store.state(now.wall_s.saturating_sub(RECENT_S))?;
        let beside = database.parent().unwrap_or(Path::new("/"));
        let marks = Marks::below(beside, run);
        // Where they cannot be read, they are counted anew: no reason to answer nobody.
        let repeats = store.repeats().unwrap_or_else(|error| {
            tracing::error!("{error}");
            Repeats::default()
        });
        let (boot, unread) = BootFile::read(run.to_owned(), &now.boot_id);
        let host = nix::unistd::gethostname().context("read the host's name")?;
        let read = loading::read(&source, &accounts, When::Start);
        let awaited = loading::Awaited::after(&read);
        let (policy, loaded) = match read.result {
            Ok(policy) => {
                let revision = policy.revision.clone();
                (policy, Event::PolicyLoaded { revision })
            }
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                for problem in &problems {
                    tracing::error!("configuration: {problem}");
                }
                (last_known_policy(), Event::PolicyRejected { problems })
            }
        };
        let engine = Self {
            inner: Mutex::new(Inner {
                store,
                boot,
                state,
                policy: Arc::new(policy),
                said: BTreeSet::new(),
                unrecorded: Vec::new(),
                doubt: None,
                refused: BTreeMap::new(),
                repeats,
                again: BTreeSet::new(),
                broken: None,
                cut_off: BTreeSet::new(),
                generation: 0,
                followed: 0,
                awaited,
                rejected: BTreeMap::new(),
            }),
            reader: Reader::new(database),
            clock,
            source,
            marks,
            host: host.to_string_lossy().into_owned(),
            accounts,
            changed: Notify::new(),
            settled: Notify::new(),
        };
        engine.begin(loaded, unread)?;
        Ok(engine)
    }

    /// The first events of this run. Before anything can be granted, the database is held against
    /// what this boot has seen. `unread` is what of that cannot be read.
    fn begin(&self, loaded: Event, unread: Option<String>) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let lacking = lacking(inner)?;
        // What ended in this boot has ended, whatever the database says by now: told with its own
        // time, its person and its reason.
        let mut envelopes = unrecorded_ends(&inner.state, &inner.boot.record().ends);
        let mut after = inner.state.clone();
        for envelope in &envelopes {
            after.apply(envelope);
        }
        inner.state.newest = after.newest;
        let (now, jump) = self.moment(inner)?;
        let mut events: Vec<_> = jump.into_iter().collect();
        events.push(Event::DaemonStarted {
            now: now.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        events.push(loaded);
        if let Some(why) = unread {
            let what = format!("what this boot has seen ({}): {why}", boot_file::NAME);
            events.push(Event::HostDrift { id: None, what });
        }
        if let Some(Lacking { problem, .. }) = &lacking {
            tracing::error!("{problem}; what it still grants is ended");
            inner.boot.alarm(now.wall_s, problem);
        }
        let unclear = inner.store.unclear(&after)?;
        for one in &unclear {
            tracing::error!("{} is ended: {}", one.id, one.why);
        }
        let found = AtStart {
            lacking,
            belongs_to: inner.store.fact(MACHINE)?,
            machine: machine_id(),
            unclear: unclear.into_iter().map(|one| (one.id, one.why)).collect(),
        };
        events.extend(found.comes_to(&after));
        envelopes.extend(record::envelopes(None, events, &now));
        self.record_as_it_was(inner, envelopes, &now)?;
        Ok(inner.store.set_fact(MACHINE, &found.machine)?)
    }

    /// The configuration in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.lock().policy)
    }

    /// Name of this host as it is at the moment (`hostnamectl set-hostname`): one system call. The
    /// last known where it cannot be told.
    pub fn host(&self) -> String {
        match nix::unistd::gethostname() {
            Ok(host) => host.to_string_lossy().into_owned(),
            Err(_) => self.host.clone(),
        }
    }

    /// The moment to go by.
    ///
    /// # Errors
    /// When the clocks cannot be read.
    pub fn now(&self) -> anyhow::Result<Now> {
        self.tick(&mut self.lock())
    }

    /// Records that the daemon stops in good order.
    pub fn stop(&self) {
        let mut inner = self.lock();
        let stopped = self
            .tick(&mut inner)
            .and_then(|now| self.record(&mut inner, None, vec![Event::DaemonStopped], &now));
        if let Err(error) = stopped {
            tracing::error!("{error:#}");
        }
    }

    /// A mutex is poisoned when a thread panicked while it held it. The state behind it changes
    /// only after the store took the change, so it is whole all the same.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to go by when the configuration does not load at start: no roles, and the gate as it was.
fn last_known_policy() -> Policy {
    let gate = std::fs::read_to_string(names::GATE_FILE)
        .ok()
        .and_then(|text| GateFile::parse(&text).ok())
        .unwrap_or_default();
    Policy {
        revision: "none".to_owned(),
        gate,
        pending_per_user: 0,
        warn_before: Vec::new(),
        audit_format: AuditFormat::Kv,
        audit_keep_s: None,
        notify: None,
        roles: std::collections::BTreeMap::new(),
        signers: None,
        seen: crate::policy::danger::Seen::default(),
    }
}

/// Which machine this is (machine-id(5)).
fn machine_id() -> String {
    std::fs::read_to_string("/etc/machine-id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests;
