//! The host that the core asks: the real one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use tpa_bus::id::Id;
use tpa_bus::names;
use tpa_bus::offline::GateFile;

use crate::accounts::Accounts;
use crate::clock::{Clock, Now, boottime_ms};
use crate::core::{Boot, Owed, World};
use crate::host::boot_file::BootFile;
use crate::host::cut::Marks;
use crate::host::owed_file::OwedFile;
use crate::host::paths::Paths;
use crate::host::room;
use crate::host::rules::in_rust;
use crate::ledger::{BootRecord, End, Newest, Person};
use crate::policy::{AuditFormat, Policy};
use crate::sys;

/// machine-id(5)
const MACHINE_ID: &str = "/etc/machine-id";

/// The host that this is.
#[derive(Debug)]
pub(super) struct Host {
    clock: Clock,
    accounts: Accounts,
    paths: Paths,
    /// Of what was ended without the daemon.
    marks: Marks,
    /// Its name when tpad started.
    name: String,
}

impl Host {
    /// `beside` is the folder of the database, `run` that of this boot's files.
    ///
    /// # Errors
    /// When it has no name.
    pub fn new(
        clock: Clock,
        accounts: Accounts,
        beside: &Path,
        run: &Path,
    ) -> anyhow::Result<Self> {
        let name = nix::unistd::gethostname().context("read the host's name")?;
        Ok(Self {
            clock,
            accounts,
            paths: Paths::default(),
            marks: Marks::below(beside, run),
            name: name.to_string_lossy().into_owned(),
        })
    }
}

impl World for Host {
    fn now(&self) -> anyhow::Result<Now> {
        self.clock.now().context("read the clock")
    }

    fn boottime_ms(&self) -> Option<u64> {
        boottime_ms().ok()
    }

    fn local_time(&self, at_s: i64) -> String {
        sys::local_time(at_s)
    }

    fn host(&self) -> String {
        match nix::unistd::gethostname() {
            Ok(name) => name.to_string_lossy().into_owned(),
            Err(_) => self.name.clone(),
        }
    }

    fn machine(&self) -> String {
        let text = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
        text.trim().to_owned()
    }

    fn is_sudo_rust(&self) -> bool {
        in_rust(&self.paths.sudo).unwrap_or(false)
    }

    fn has_room(&self) -> anyhow::Result<()> {
        room::for_a_grant(&self.paths)
    }

    fn is_gated(&self, gate: &GateFile, person: &Person) -> bool {
        self.accounts.is_gated(gate, person)
    }

    fn local_account(&self, name: &str) -> Option<Person> {
        let files = self.accounts.files();
        let account = files.account(|person| person.name == name);
        account.map(|account| account.person)
    }

    fn random(&self) -> anyhow::Result<[u8; 5]> {
        let mut bytes = [0; 5];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(bytes)
    }

    fn cut_off_at(&self) -> Option<String> {
        self.marks.left_at()
    }

    fn forget_cut_off(&self) -> anyhow::Result<()> {
        self.marks.clear()
    }
}

impl Owed for OwedFile {
    fn found(&self) -> &BTreeMap<Id, End> {
        self.found()
    }

    fn keep(&mut self, ends: &BTreeMap<Id, End>) -> anyhow::Result<()> {
        self.keep(ends)
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        self.clear()
    }
}

impl Boot for BootFile {
    fn record(&self) -> &BootRecord {
        self.record()
    }

    fn remember(&mut self, ends: BTreeMap<Id, End>) -> anyhow::Result<()> {
        self.remember(ends)
    }

    fn recorded(&mut self, newest: Newest, now_ms: u64) -> anyhow::Result<()> {
        self.recorded(newest, now_ms)
    }

    fn alarm(&mut self, at: i64, what: &str) {
        self.alarm(at, what);
    }
}

/// What to go by when the configuration does not load at start: no roles, and the gate as it was.
pub(super) fn last_known_policy() -> Policy {
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
        audit_keep_recordings_s: None,
        notify: Vec::new(),
        roles: BTreeMap::new(),
        signers: None,
        seen: crate::policy::danger::Seen::default(),
    }
}
