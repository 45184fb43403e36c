//! A host in memory, for tests: its clocks go when they are told to, and it counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tpa_bus::id::Id;
use tpa_bus::offline::GateFile;

use super::{Boot, Core, Owed, Parts, World};
use crate::clock::Now;
use crate::ledger::{BootRecord, End, Event, Newest, Person};
use crate::policy::Policy;
use crate::store::Store;

/// What the host is like.
#[derive(Debug)]
pub(crate) struct Facts {
    pub now: Now,
    pub machine: String,
    pub is_sudo_rust: bool,
    pub has_room: bool,
    /// Whether people need a grant.
    pub is_gated: bool,
    pub cut_off_at: Option<String>,
    /// Accounts of the host's own files.
    pub accounts: BTreeSet<Person>,
    /// What this boot has seen.
    pub seen: BootRecord,
    /// Whether that can be written down.
    pub keeps_ends: bool,
    /// Ends that the database did not take: they are there after a power cut too.
    pub owed: BTreeMap<Id, End>,
    /// Whether there is a place for them.
    pub keeps_owed: bool,
    /// What whoever looks after the host is told of.
    pub alarms: Vec<String>,
    ids: u8,
}

/// The host. Clones are the same one: it goes on when its tpad ends.
#[derive(Debug, Clone)]
pub(crate) struct Pretended(Arc<Mutex<Facts>>);

impl Pretended {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Facts {
            now: Now {
                wall_s: 1_000_000,
                boottime_ms: 50_000,
                boot_id: "boot-0".to_owned(),
            },
            machine: "here".to_owned(),
            is_sudo_rust: false,
            has_room: true,
            is_gated: true,
            cut_off_at: None,
            accounts: BTreeSet::new(),
            seen: BootRecord::default(),
            keeps_ends: true,
            owed: BTreeMap::new(),
            keeps_owed: true,
            alarms: Vec::new(),
            ids: 0,
        })))
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap()
    }

    /// So many seconds go by.
    pub fn pass(&self, seconds: u32) {
        let mut facts = self.facts();
        facts.now.wall_s += i64::from(seconds);
        facts.now.boottime_ms += u64::from(seconds) * 1_000;
    }

    /// Somebody sets the wall clock.
    pub fn set_clock(&self, wall_s: i64) {
        self.facts().now.wall_s = wall_s;
    }

    /// A tpad of this host, on this database.
    pub fn start(&self, store: Store, policy: Policy) -> anyhow::Result<Core> {
        let revision = policy.revision.clone();
        let record = self.facts().seen.clone();
        let found = self.facts().owed.clone();
        Core::start(Parts {
            world: Arc::new(self.clone()),
            store,
            boot: Box::new(InMemory {
                record,
                host: self.clone(),
            }),
            owed: Box::new(OwedInMemory {
                found,
                host: self.clone(),
            }),
            unread: Vec::new(),
            policy,
            loaded: Event::PolicyLoaded { revision },
        })
    }
}

impl World for Pretended {
    fn now(&self) -> anyhow::Result<Now> {
        Ok(self.facts().now.clone())
    }

    fn boottime_ms(&self) -> Option<u64> {
        Some(self.facts().now.boottime_ms)
    }

    fn local_time(&self, at_s: i64) -> String {
        format!("second {at_s}")
    }

    fn host(&self) -> String {
        "web-01".to_owned()
    }

    fn machine(&self) -> String {
        self.facts().machine.clone()
    }

    fn is_sudo_rust(&self) -> bool {
        self.facts().is_sudo_rust
    }

    fn has_room(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.facts().has_room, "no space left on /run");
        Ok(())
    }

    fn is_gated(&self, _: &GateFile, _: &Person) -> bool {
        self.facts().is_gated
    }

    fn local_account(&self, name: &str) -> Option<Person> {
        let facts = self.facts();
        let found = facts.accounts.iter().find(|person| person.name == name);
        found.cloned()
    }

    fn random(&self) -> anyhow::Result<[u8; 5]> {
        let mut facts = self.facts();
        facts.ids += 1;
        Ok([0, 0, 1, 0, facts.ids])
    }

    fn cut_off_at(&self) -> Option<String> {
        self.facts().cut_off_at.clone()
    }

    fn forget_cut_off(&self) -> anyhow::Result<()> {
        self.facts().cut_off_at = None;
        Ok(())
    }
}

/// What a boot has seen, as this tpad knows it.
#[derive(Debug)]
struct InMemory {
    record: BootRecord,
    host: Pretended,
}

impl InMemory {
    fn keep(&self) -> anyhow::Result<()> {
        let mut facts = self.host.facts();
        anyhow::ensure!(facts.keeps_ends, "no space left on /run");
        facts.seen = self.record.clone();
        Ok(())
    }
}

impl Boot for InMemory {
    fn record(&self) -> &BootRecord {
        &self.record
    }

    fn remember(&mut self, ends: BTreeMap<Id, End>) -> anyhow::Result<()> {
        if ends.is_empty() {
            return Ok(());
        }
        self.record.ends.extend(ends);
        self.keep()
    }

    fn recorded(&mut self, newest: Newest, now_ms: u64) -> anyhow::Result<()> {
        self.record.newest = Some(newest);
        self.record.ends.retain(|_, end| end.over_ms > now_ms);
        self.keep()
    }

    fn alarm(&mut self, _: i64, what: &str) {
        self.host.facts().alarms.push(what.to_owned());
    }
}

/// Ends that the database did not take, as this tpad knows them.
#[derive(Debug)]
struct OwedInMemory {
    found: BTreeMap<Id, End>,
    host: Pretended,
}

impl Owed for OwedInMemory {
    fn found(&self) -> &BTreeMap<Id, End> {
        &self.found
    }

    fn keep(&mut self, ends: &BTreeMap<Id, End>) -> anyhow::Result<()> {
        let mut facts = self.host.facts();
        anyhow::ensure!(facts.keeps_owed, "there was no room for it beforehand");
        facts.owed.extend(ends.clone());
        Ok(())
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        self.found.clear();
        self.host.facts().owed.clear();
        Ok(())
    }
}
