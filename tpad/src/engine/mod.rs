//! Where the parts meet: all that comes in takes its turn at the [`Core`], and what comes out goes to
//! those who wait for it.
//!
//! Everything runs on one thread. The core stands behind a mutex that is never held across an
//! `await`, so a command is decided, recorded and applied without anybody in between.

mod feed;
pub(crate) mod loading;
mod recordings;
pub(crate) mod typed;
mod world;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tpa_bus::groups::KnownGroups;
use tpa_bus::id::Id;
use zruntime::{Event as Notify, SharedRuntime};

use crate::accounts::{Accounts, Nss, When};
use crate::bus::door::Door;
use crate::clock::Clock;
use crate::config::load::Source;
use crate::core::{Core, Output, Parts, Result, Touched};
use crate::host::boot_file::{self, BootFile};
use crate::host::owed_file::{self, OwedFile};
use crate::ledger::{Caller, Envelope, Event, Residue, Tidied, audit_only};
use crate::policy::Policy;
use crate::recordings::Recordings;
use crate::store::{EventQuery, Reader, Record, Store, Walk};
use feed::Feed;
use loading::Awaited;
pub use recordings::Checked;

/// Name of the file beside the database that tells what was last known of groups.
const GROUPS: &str = "groups";

/// How long a reply waits for the host to follow. What was decided is recorded either way.
const FOLLOW: Duration = Duration::from_secs(15);

/// Events walked in one piece.
const PIECE: u32 = 5_000;

/// How many statements are read at once: each may have 100 KB, and an answer on the bus is bounded.
const STATEMENTS: u32 = 20;

/// When something was removed after an end, in seconds since 1970, and what became of each thing.
pub type TidiedAt = (i64, Vec<Tidied>);

/// The core, and who waits for what comes out of it.
#[derive(Debug)]
pub struct Engine {
    core: Mutex<Core>,
    feed: Feed,
    /// Reads the trail for auditors, beside everything else.
    reader: Reader,
    /// Reads what sudo recorded, for those who may, beside everything else.
    recordings: Recordings,
    pub(crate) clock: Clock,
    source: Source,
    /// Names of the configuration that the name service does not tell yet.
    awaited: Mutex<Awaited>,
    /// Who people are, and what groups they are in.
    pub accounts: Accounts,
    /// Who has come in through the front door.
    pub door: Door,
    /// Rings when something was recorded or the configuration changed.
    pub(crate) changed: Notify,
    /// The generation of the core that the host follows.
    followed: AtomicU64,
    /// Rings when the host follows what was recorded.
    settled: Notify,
}

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
        let clock = Clock::new().context("read the boot id")?;
        let now = clock.now().context("read the clock")?;
        let store = Store::open(database)?;
        let beside = database.parent().unwrap_or(Path::new("/"));
        let (boot, unread) = BootFile::read(run.to_owned(), &now.boot_id);
        let (owed, broken) = OwedFile::read(beside, store.name());
        let unread =
            unread.map(|why| format!("what this boot has seen ({}): {why}", boot_file::NAME));
        let broken = broken.map(|why| format!("ends that are owed ({}): {why}", owed_file::NAME));
        let host = world::Host::new(clock.clone(), accounts.clone(), beside, run)?;
        let read = loading::read(&source, &accounts, When::Start);
        let awaited = Awaited::after(&read);
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
                (
                    world::last_known_policy(),
                    Event::PolicyRejected { problems },
                )
            }
        };
        let core = Core::start(Parts {
            world: Arc::new(host),
            store,
            boot: Box::new(boot),
            owed: Box::new(owed),
            unread: unread.into_iter().chain(broken).collect(),
            policy,
            loaded,
        })?;
        let engine = Self {
            core: Mutex::new(core),
            feed: Feed::default(),
            reader: Reader::new(database),
            recordings: Recordings::default(),
            clock,
            source,
            awaited: Mutex::new(awaited),
            accounts,
            door: Door::default(),
            changed: Notify::new(),
            followed: AtomicU64::new(0),
            settled: Notify::new(),
        };
        // What the start has recorded.
        engine.with(|_| ());
        Ok(engine)
    }

    /// Puts something into the core, and gives what it recorded to those who wait for it.
    pub fn with<T>(&self, input: impl FnOnce(&mut Core) -> T) -> T {
        // A mutex is poisoned when a thread panicked while it held it. The state behind it changes
        // only after the store took the change, so it is whole all the same.
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let Output {
            reply,
            records,
            touched,
        } = core.handle(input);
        self.feed.take(records);
        drop(core);
        match touched {
            Touched::Nothing => {}
            Touched::Timer | Touched::All => drop(self.changed.notify(usize::MAX)),
        }
        reply
    }

    /// The configuration in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.with(|core| core.policy())
    }

    /// Reads the audit trail.
    ///
    /// # Errors
    /// When the caller may not, or it cannot be read.
    pub async fn events(&self, caller: &Caller, query: EventQuery) -> Result<Vec<Record>> {
        audit_only(caller)?;
        Ok(self.reader.read(move |store| store.events(&query)).await?)
    }

    /// What a grant left behind, as it was found, and what became of what is removed of that, once it is done.
    ///
    /// # Errors
    /// When the caller may not read it, there is nothing to read, or it cannot be read.
    pub async fn residue(&self, caller: &Caller, id: Id) -> Result<(Residue, Option<TidiedAt>)> {
        self.with(|core| core.may_read_residue(caller, id))?;
        let records = self.with_code(Event::RESIDUE, Some(id), 0, 1).await?;
        let found = records.into_iter().find_map(Record::residue);
        let found =
            found.with_context(|| format!("what {id} left behind is not in the trail any more"));
        let records = self
            .with_code(Event::RESIDUE_TIDIED, Some(id), 0, 1)
            .await?;
        let tidied = records.into_iter().find_map(|record| {
            let at = record.at;
            Some((at, record.tidied()?))
        });
        Ok((found?, tidied))
    }

    /// The events of a code behind another one, of one grant or of all: at most `limit`.
    async fn with_code(
        &self,
        code: &str,
        id: Option<Id>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Record>> {
        let query = EventQuery {
            id,
            after: Some(after),
            codes: Some(vec![code.to_owned()]),
            limit,
            ..EventQuery::default()
        };
        Ok(self.reader.read(move |store| store.events(&query)).await?)
    }

    /// Walks the next piece of the audit chain. A break is recorded, once.
    ///
    /// # Errors
    /// When the caller may not, nothing was ever recorded there, or the database cannot be read.
    pub async fn verify(&self, caller: &Caller, after: u64) -> Result<Walk> {
        let known = self.with(|core| core.may_walk(caller, after))?;
        let walking = move |store: &Store| store.walk_up_to(after, PIECE, &known);
        let walk = self.reader.read(walking).await?;
        if let Some(broken) = walk.broken.clone() {
            self.with(|core| core.is_broken(caller, broken))?;
        }
        Ok(walk)
    }

    /// The events behind this one that keep a signed statement, the next few.
    ///
    /// # Errors
    /// When the caller may not, or they cannot be read.
    pub async fn evidence(&self, caller: &Caller, after: u64) -> Result<Vec<(u64, Envelope)>> {
        audit_only(caller)?;
        let read = move |store: &Store| store.evidence(after, STATEMENTS);
        Ok(self.reader.read(read).await?)
    }

    /// The host is as this generation of the state wants it.
    pub(crate) fn follows(&self, generation: u64) {
        self.followed.store(generation, Ordering::Relaxed);
        self.settled.notify(usize::MAX);
    }

    /// Waits until the host follows everything recorded so far.
    pub async fn settle(&self, runtime: &SharedRuntime) {
        let wanted = self.with(|core| core.generation());
        let followed = async {
            loop {
                let bell = self.settled.listen();
                if self.followed.load(Ordering::Relaxed) >= wanted {
                    return;
                }
                bell.await;
            }
        };
        if runtime.timeout(FOLLOW, followed).await.is_err() {
            let seconds = FOLLOW.as_secs();
            tracing::error!("the host does not follow the ledger within {seconds}s");
        }
    }
}
