//! The core: a state machine that decides and records, and waits for nobody.
//!
//! Something is put in ([`Core::handle`]): what a person commands ([`access`]), who comes to the gate
//! ([`gate`]), what was done on the host ([`planned`]). The ledger says what it comes to, [`record`]
//! commits that, and out comes an [`Output`]: the reply, the records that were committed, and whether
//! the host has to follow. All that it has to ask of the host it asks its [`World`]. It has no clock,
//! path, thread or runtime, so that everything in it can be tried in memory.

mod access;
mod command;
mod gate;
mod people;
mod planned;
#[cfg(test)]
pub(crate) mod pretended;
mod prune;
mod record;
mod recordings;
mod residue;
mod statement;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tpa_bus::id::Id;

use crate::clock::Now;
use crate::ledger::{
    AtStart, Doubt, Event, InDatabase, Lacking, Repeats, State, lacking_of, unrecorded_ends,
};
use crate::plan::NoticeSent;
use crate::policy::Policy;
use crate::store::{self, Body, EventQuery, Record, Store};

pub use world::{Boot, Owed, World};

/// How long a closed request stays in memory, in seconds: so that the gate can tell people that
/// their grant has ended.
const RECENT_S: i64 = 86_400;

/// The fact that names the machine a database belongs to.
const MACHINE: &str = "machine-id";

/// All that is decided by, and what is still owed.
#[derive(Debug)]
pub struct Core {
    world: Arc<dyn World>,
    pub(crate) store: Store,
    /// What this boot has seen, kept outside the database.
    boot: Box<dyn Boot>,
    /// Ends that the database did not take.
    owed: Box<dyn Owed>,
    pub(crate) state: State,
    policy: Arc<Policy>,
    said: BTreeSet<NoticeSent>,
    /// What took effect but could not be written: it goes first when writing works again.
    unrecorded: Vec<Body>,
    /// What is not believed of the wall clock at present.
    doubt: Option<Doubt>,
    /// How often people were refused since they were last let in, by uid.
    refused: BTreeMap<u32, u32>,
    /// What is brought about again and again, and counted.
    repeats: Repeats,
    /// The break in the chain that was told last.
    broken: Option<u64>,
    /// What `tpad reap --all` has ended under this tpad: what it took away is no drift.
    cut_off: BTreeSet<Id>,
    /// Counts changes; the host follows one of them at a time.
    generation: u64,
    /// Why sudo did not take the rules of grants, by grant.
    rejected: BTreeMap<Id, String>,
    /// What was recorded since it was last taken out.
    records: Vec<Record>,
    /// What that comes to for those who wait.
    touched: Touched,
}

/// What one input came to.
#[derive(Debug)]
#[must_use]
pub struct Output<T> {
    /// For whoever put it in.
    pub reply: T,
    /// What was committed, in order.
    pub records: Vec<Record>,
    /// Who has to look again.
    pub touched: Touched,
}

/// Who has to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[must_use]
pub enum Touched {
    /// Nobody.
    #[default]
    Nothing,
    /// Whoever waits for the next moment: it is another one now.
    Timer,
    /// All: something was recorded, or cannot be any more.
    All,
}

/// What a core begins with.
#[derive(Debug)]
pub struct Parts {
    /// The host.
    pub world: Arc<dyn World>,
    /// The database.
    pub store: Store,
    /// What this boot has seen.
    pub boot: Box<dyn Boot>,
    /// Ends that the database did not take.
    pub owed: Box<dyn Owed>,
    /// What of these two cannot be read.
    pub unread: Vec<String>,
    /// The configuration in force.
    pub policy: Policy,
    /// How it was loaded.
    pub loaded: Event,
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

/// What a command comes to.
pub type Result<T> = std::result::Result<T, Error>;

/// What the database lacks of what this boot has seen.
fn lacking(store: &Store, boot: &dyn Boot) -> anyhow::Result<Option<Lacking>> {
    let Some(newest) = &boot.record().newest else {
        return Ok(None);
    };
    let shown = InDatabase {
        database: store.name().to_owned(),
        head: store.head().seq,
        hash: store.hash_at(newest.seq)?,
        pruned: store.checkpoint()?.map_or(0, |checkpoint| checkpoint.seq),
    };
    Ok(lacking_of(newest, &shown))
}

impl Core {
    /// Begins with a database, held against what this boot has seen before anything can be granted.
    ///
    /// # Errors
    /// When there is no clock, or the database can be neither read nor written: then there is nothing
    /// to go by.
    pub fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts {
            world,
            store,
            boot,
            owed,
            unread,
            policy,
            loaded,
        } = parts;
        let now = world.now()?;
        let state = store.state(now.wall_s.saturating_sub(RECENT_S))?;
        // Where they cannot be read, they are counted anew: no reason to answer nobody.
        let repeats = store.repeats().unwrap_or_else(|error| {
            tracing::error!("{error}");
            Repeats::default()
        });
        let mut core = Self {
            world,
            store,
            boot,
            owed,
            state,
            policy: Arc::new(policy),
            said: BTreeSet::new(),
            unrecorded: Vec::new(),
            doubt: None,
            refused: BTreeMap::new(),
            repeats,
            broken: None,
            cut_off: BTreeSet::new(),
            generation: 0,
            rejected: BTreeMap::new(),
            records: Vec::new(),
            touched: Touched::Nothing,
        };
        core.begin(loaded, unread)?;
        Ok(core)
    }

    /// Takes one input in.
    pub fn handle<T>(&mut self, input: impl FnOnce(&mut Self) -> T) -> Output<T> {
        let reply = input(self);
        Output {
            reply,
            records: std::mem::take(&mut self.records),
            touched: std::mem::take(&mut self.touched),
        }
    }

    /// The first events of this run. Before anything can be granted, the database is held against
    /// what this boot has seen, and what is owed. `unread` is what of that cannot be read.
    fn begin(&mut self, loaded: Event, unread: Vec<String>) -> anyhow::Result<()> {
        let lacking = lacking(&self.store, self.boot.as_ref())?;
        // What ended has ended, whatever the database says by now: told with its own time, its person
        // and its reason.
        let mut ends = self.owed.found().clone();
        ends.extend(self.boot.record().ends.clone());
        let mut envelopes = unrecorded_ends(&self.state, &ends);
        let mut after = self.state.clone();
        for envelope in &envelopes {
            after.apply(envelope);
        }
        self.state.newest = after.newest;
        let (now, jump) = self.moment()?;
        let mut events: Vec<_> = jump.into_iter().collect();
        events.push(Event::DaemonStarted {
            now: now.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        events.push(loaded);
        let drift = |what| Event::HostDrift { id: None, what };
        events.extend(unread.into_iter().map(drift));
        if let Some(Lacking { problem, .. }) = &lacking {
            tracing::error!("{problem}; what it still grants is ended");
            self.boot.alarm(now.wall_s, problem);
        }
        let unclear = self.store.unclear(&after)?;
        for one in &unclear {
            tracing::error!("{} is ended: {}", one.id, one.why);
        }
        let found = AtStart {
            lacking,
            belongs_to: self.store.fact(MACHINE)?,
            machine: self.world.machine(),
            unclear: unclear.into_iter().map(|one| (one.id, one.why)).collect(),
        };
        events.extend(found.comes_to(&after));
        envelopes.extend(record::envelopes(None, events, &now));
        self.record_as_it_was(envelopes, &now)?;
        Ok(self.store.set_fact(MACHINE, &found.machine)?)
    }

    /// The moment to go by, after what time has brought about.
    ///
    /// # Errors
    /// When the clocks cannot be read.
    pub fn now(&mut self) -> anyhow::Result<Now> {
        self.tick()
    }

    /// The configuration in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Puts another configuration in force.
    ///
    /// # Errors
    /// When that cannot be recorded: the one in force stays.
    pub fn put_in_force(&mut self, policy: Policy) -> anyhow::Result<()> {
        let now = self.tick()?;
        let revision = policy.revision.clone();
        self.record(None, vec![Event::PolicyLoaded { revision }], &now)?;
        self.policy = Arc::new(policy);
        Ok(())
    }

    /// A configuration is not good; the one in force stays.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn reject_policy(&mut self, problems: Vec<String>) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.record(None, vec![Event::PolicyRejected { problems }], &now)
    }

    /// Name of this host as it is at the moment.
    pub fn host(&self) -> String {
        self.world.host()
    }

    /// Place of the newest event.
    pub fn head(&self) -> u64 {
        self.store.head().seq
    }

    /// At most so many of the events after this one.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events_after(
        &self,
        last: u64,
        most: u32,
    ) -> std::result::Result<Vec<Record>, store::Error> {
        self.store.events(&EventQuery {
            after: Some(last),
            limit: most,
            ..EventQuery::default()
        })
    }

    /// What was noted under this name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn fact(&self, name: &str) -> std::result::Result<Option<String>, store::Error> {
        self.store.fact(name)
    }

    /// Notes how far somebody has got who is told of events at least once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_cursor(&mut self, name: &str, place: u64) -> std::result::Result<(), store::Error> {
        self.store.set_cursor(name, place)
    }

    /// Counts changes that the host has to follow.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Records that the daemon stops in good order.
    pub fn stop(&mut self) {
        let stopped = self
            .tick()
            .and_then(|now| self.record(None, vec![Event::DaemonStopped], &now));
        if let Err(error) = stopped {
            tracing::error!("{error:#}");
        }
    }
}

#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;
