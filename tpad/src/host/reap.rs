//! `tpad reap`: ends grants whose time has come with neither the daemon nor the database.
//!
//! It goes by the state files alone. A timer of PID 1 runs it for each grant, and a unit at boot
//! runs it for all before anybody can log in. Running beside `tpad` does no harm: both take away
//! the same things, and neither gives any.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use tpa_bus::id::Id;
use tpa_bus::offline::StateFile;
use zruntime::SharedRuntime;

use crate::clock::{Clock, Now};
use crate::host::cut::Marks;
use crate::host::ending::{self, Ended};
use crate::host::folder::Folder;
use crate::host::paths::Paths;
use crate::host::rules::Rules;
use crate::host::terminals::Terminals;
use crate::host::{LAST_WORD, manager, states, take_away};
use crate::ledger::LookedFor;
use crate::plan::{Ending, Takes};

/// What became of a grant that was to be reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Reaped {
    /// No state file knows it: `tpad` has ended it.
    Unknown,
    /// It is not over: it was extended. A timer for its new end is there.
    NotOver,
    /// It was ended.
    Ended {
        /// How many processes were killed.
        killed: usize,
        /// What is still there, as `812 sleep`. Empty: the end is proven.
        survivors: Vec<String>,
        /// What that was looked for by.
        looked_for: LookedFor,
        /// Whose logins ended with it.
        closed: Option<u32>,
    },
}

/// Ends one grant if its time is over.
///
/// # Errors
/// When the clock or the state files cannot be read, or something of the grant is left.
pub fn reap(id: Id) -> anyhow::Result<Reaped> {
    let without_tpad = Reaper::new()?;
    let reaped = without_tpad.reap(id)?;
    if let Reaped::Ended {
        killed,
        survivors,
        looked_for,
        closed,
    } = &reaped
    {
        log(id, *killed, survivors, looked_for);
        without_tpad.tidy(*closed);
        anyhow::ensure!(
            survivors.is_empty(),
            "still running after the end of {id}: {}; look at them with ps",
            survivors.join(", ")
        );
    }
    Ok(reaped)
}

/// Ends every grant whose time is over, removes what stems from another boot, and every rule
/// without a live grant. Gives the grants that were ended.
///
/// # Errors
/// When the clock or the state files cannot be read.
pub fn reap_boot() -> anyhow::Result<Vec<Id>> {
    Reaper::new()?.reap_swept()
}

/// Ends every grant, over or not, and for good: the cut that works when nothing else does. Whatever
/// `tpad` does meanwhile or later, it revokes them. Gives the grants that were ended here.
///
/// # Errors
/// When the clock or the state files cannot be read, or a `tpad` that comes back after a reboot
/// could give again what was ended.
pub fn reap_all() -> anyhow::Result<Vec<Id>> {
    Reaper::new()?.reap_all(&Marks::default())
}

struct Reaper {
    paths: Paths,
    now: Now,
    runtime: SharedRuntime,
}

impl Reaper {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            paths: Paths::default(),
            now: Clock::new()
                .and_then(|clock| Ok(clock.now()?))
                .context("read the clock")?,
            runtime: SharedRuntime::new().context("set up waiting for events")?,
        })
    }

    fn reap_all(mut self, marks: &Marks) -> anyhow::Result<Vec<Id>> {
        // First of all: a `tpad` that sees something of its own change puts it right.
        let marked = marks.leave();
        // Seen from the end of time, everything is over.
        self.now.wall_s = i64::MAX;
        self.now.boottime_ms = u64::MAX;
        self.sweep()?;
        let states: Vec<_> = states::read_all(&self.paths)?
            .into_values()
            .flatten()
            .collect();
        // And before anything is killed, so that nobody comes in behind that.
        for state in &states {
            for grant in &state.grants {
                self.close(&self.ending_of(state, grant.id));
            }
            let ids: Vec<_> = state.grants.iter().map(|grant| grant.id).collect();
            if let Err(error) = states::forget(&self.paths, state.uid, &ids) {
                tracing::error!(uid = state.uid, "remove the state file: {error:#}");
            }
        }
        let mut ended = Vec::new();
        let mut left = Vec::new();
        for (state, id) in states.iter().flat_map(|state| {
            let ids = state.grants.iter().map(|grant| grant.id);
            ids.map(move |id| (state, id))
        }) {
            let (found, closed) = self.end_of(state, id);
            log(id, found.killed, &found.survivors, &found.looked_for);
            self.tidy(closed);
            ended.push(id);
            left.extend(found.survivors);
        }
        marked?;
        anyhow::ensure!(
            left.is_empty(),
            "still running: {}; look at them with ps",
            left.join(", ")
        );
        Ok(ended)
    }

    fn reap_swept(&self) -> anyhow::Result<Vec<Id>> {
        let mut ended = Vec::new();
        for id in self.sweep()? {
            // What failed for one must not keep the others.
            match self.reap(id) {
                Ok(Reaped::Ended {
                    killed,
                    survivors,
                    looked_for,
                    closed,
                }) => {
                    log(id, killed, &survivors, &looked_for);
                    self.tidy(closed);
                    ended.push(id);
                }
                Ok(Reaped::Unknown | Reaped::NotOver) => {}
                Err(error) => tracing::error!(%id, error = format!("{error:#}"), "reap"),
            }
        }
        Ok(ended)
    }

    fn reap(&self, id: Id) -> anyhow::Result<Reaped> {
        let states = states::read_all(&self.paths)?;
        let state = states
            .values()
            .flatten()
            .find(|state| state.grants.iter().any(|grant| grant.id == id));
        let Some(state) = state else {
            return Ok(Reaped::Unknown);
        };
        if self.is_live(state, id) {
            return Ok(Reaped::NotOver);
        }
        let (ended, closed) = self.end_of(state, id);
        let Ended {
            killed,
            survivors,
            looked_for,
        } = ended;
        // What is not gone is left to be found again, by `tpad` or at the next boot.
        if survivors.is_empty() {
            states::forget(&self.paths, state.uid, &[id])?;
        }
        Ok(Reaped::Ended {
            killed,
            survivors,
            looked_for,
            closed,
        })
    }

    /// Takes the rule of a grant away and ends what it started; and whose logins ended with it.
    fn end_of(&self, state: &StateFile, id: Id) -> (Ended, Option<u32>) {
        let ending = self.ending_of(state, id);
        self.close(&ending);
        let ended = self.runtime.block_on(self.end(&ending));
        (ended, ending.takes.logins().then_some(ending.uid))
    }

    /// Takes the rule of a grant away, see [`take_away`].
    fn close(&self, ending: &Ending) {
        for report in take_away(&mut Rules::default(), &self.paths, ending) {
            tracing::error!(id = %ending.id, ?report, "remove the rule");
        }
    }

    /// Removes what no grant of this boot accounts for, and gives all grants to look at.
    fn sweep(&self) -> anyhow::Result<BTreeSet<Id>> {
        let states = states::read_all(&self.paths)?;
        let here = |state: &&StateFile| state.boot_id == self.now.boot_id;
        let known: BTreeMap<u32, &StateFile> = states
            .iter()
            .filter_map(|(uid, state)| Some((*uid, state.as_ref().filter(here)?)))
            .collect();
        if let Some(folder) = folder(&self.paths.state)? {
            for uid in states.keys().filter(|uid| !known.contains_key(uid)) {
                folder
                    .remove(&uid.to_string())
                    .context("remove an old state file")?;
            }
        }
        let ids: BTreeSet<Id> = known
            .values()
            .flat_map(|state| state.grants.iter().map(|grant| grant.id))
            .collect();
        if let Some(folder) = folder(&self.paths.sudoers)? {
            for name in folder.names().context("list the rules")? {
                if !Id::parse(&name).is_ok_and(|id| ids.contains(&id)) {
                    folder
                        .remove(&name)
                        .with_context(|| format!("remove the rule {name}"))?;
                }
            }
        }
        Ok(ids)
    }

    fn is_live(&self, state: &StateFile, id: Id) -> bool {
        state.boot_id == self.now.boot_id
            && state.grants.iter().any(|grant| {
                grant.id == id && grant.remaining_ms(self.now.boottime_ms, self.now.wall_s) > 0
            })
    }

    /// Logins end with the last grant that gives one.
    fn ending_of(&self, state: &StateFile, id: Id) -> Ending {
        let this = state.grants.iter().find(|grant| grant.id == id);
        let gave_login = this.is_some_and(|grant| grant.login);
        let another = state
            .grants
            .iter()
            .any(|grant| grant.id != id && grant.login && self.is_live(state, grant.id));
        Ending {
            id,
            uid: state.uid,
            user: state.user.clone(),
            takes: if state.end_logins && gave_login && !another {
                Takes::Everything
            } else {
                Takes::Commands
            },
            began_ms: this.map_or(0, |grant| grant.began_ms),
            // The ledger knows; a state file does not.
            accounts: Vec::new(),
            runs_as: Vec::new(),
            once: false,
        }
    }

    async fn end(&self, ending: &Ending) -> Ended {
        if ending.takes.logins() {
            let line = format!("*** tpa: {} ended. Closing this session.", ending.id);
            if Terminals::look(&self.paths.proc).say(ending.uid, &line) > 0 {
                self.runtime.sleep(LAST_WORD).await;
            }
        }
        ending::end_one(&self.runtime, &self.paths, ending).await
    }

    /// Comes last: the bus may be slow.
    fn tidy(&self, closed: Option<u32>) {
        let closed = closed.into_iter().collect();
        self.runtime
            .block_on(manager::tidy(&self.runtime, &self.paths, &closed));
    }
}

fn folder(path: &std::path::Path) -> anyhow::Result<Option<Folder>> {
    if path.exists() {
        Folder::create(path, 0o700).map(Some)
    } else {
        Ok(None)
    }
}

/// One line in the audit trail's place. It is no record of the chain, which only `tpad` writes,
/// and so under a name of its own: a line of `tpad`'s without its place there counts as forged.
fn log(id: Id, killed: usize, survivors: &[String], looked_for: &LookedFor) {
    let formatter = syslog::Formatter3164 {
        facility: syslog::Facility::LOG_AUTHPRIV,
        hostname: None,
        process: "tpad-reap".to_owned(),
        pid: std::process::id(),
    };
    let line = format!(
        "reaper-acted grant={} killed={killed} survivors={} looked_at={:?} left={:?}",
        id.as_str(),
        survivors.len(),
        looked_for.at,
        looked_for.left.join("; ")
    );
    let logged = syslog::unix(formatter).and_then(|mut syslog| syslog.notice(&line));
    if let Err(error) = logged {
        tracing::warn!(%error, line, "write to the system log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::managed_dir::At;
    use tpa_bus::offline::OfflineGrant;

    struct Rig {
        _dir: tempfile::TempDir,
        reaper: Reaper,
    }

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn grant(name: &str, not_after: i64, deadline_ms: u64, login: bool) -> OfflineGrant {
        OfflineGrant {
            id: id(name),
            login,
            sudo: true,
            deadline_ms,
            not_after,
            role: "web".into(),
            began_ms: 500,
        }
    }

    /// A moment at which 900 is over and 1,100 is not, by either clock.
    impl Rig {
        fn new(boot_id: &str, grants: Vec<OfflineGrant>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let paths = Paths::below(dir.path());
            let state = StateFile {
                uid: 1001,
                user: "alice".into(),
                boot_id: boot_id.into(),
                end_logins: true,
                grants,
            };
            let files = states::States::default().apply(
                &paths,
                &BTreeMap::from([(1001, state.clone())]),
                &[],
                &BTreeSet::new(),
                (boot_id, &At::Everything),
            );
            assert_eq!(files, []);
            let rules = Folder::create(&paths.sudoers, 0o700).unwrap();
            for grant in &state.grants {
                rules.write(grant.id.as_str(), "", 0o440).unwrap();
            }
            let now = Now {
                wall_s: 1_000,
                boottime_ms: 1_000,
                boot_id: "this".into(),
            };
            let runtime = SharedRuntime::new().unwrap();
            let reaper = Reaper {
                paths,
                now,
                runtime,
            };
            Self { _dir: dir, reaper }
        }

        fn rules(&self) -> Vec<String> {
            Folder::open(&self.reaper.paths.sudoers)
                .unwrap()
                .names()
                .unwrap()
        }

        fn state(&self) -> Option<StateFile> {
            states::read_all(&self.reaper.paths)
                .unwrap()
                .remove(&1001)
                .flatten()
        }
    }

    /// Whose logins ended with it. Nothing ran.
    fn ended(reaped: &Reaped) -> Option<u32> {
        match reaped {
            Reaped::Ended {
                killed: 0,
                survivors,
                looked_for,
                closed,
            } if survivors.is_empty() && !looked_for.at.is_empty() => *closed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_grant_ends_by_whichever_clock_comes_first() {
        for (not_after, deadline_ms) in [(900, 1_100), (1_100, 900), (1_000, 1_000)] {
            let grant = grant("00000001", not_after, deadline_ms, true);
            let rig = Rig::new("this", vec![grant]);
            let reaped = rig.reaper.reap(id("00000001")).unwrap();
            assert_eq!(ended(&reaped), Some(1001));
            assert!(rig.rules().is_empty());
            assert_eq!(rig.state(), None);
            let mark = std::fs::read_to_string(rig.reaper.paths.ended.join("1001")).unwrap();
            assert!(tpa_bus::offline::parse_end(&mark).is_some());
            assert_eq!(rig.reaper.reap(id("00000001")).unwrap(), Reaped::Unknown);
        }
    }

    #[test]
    fn a_grant_that_was_extended_stays() {
        let rig = Rig::new("this", vec![grant("00000001", 1_100, 1_100, true)]);
        assert_eq!(rig.reaper.reap(id("00000001")).unwrap(), Reaped::NotOver);
        assert_eq!(rig.rules(), ["00000001"]);
    }

    #[test]
    fn one_grant_ends_and_the_other_keeps_the_login() {
        let ending = grant("00000001", 900, 900, true);
        let rig = Rig::new("this", vec![ending, grant("00000002", 1_100, 1_100, true)]);
        let state = rig.state().unwrap();
        let ending = rig.reaper.ending_of(&state, id("00000001"));
        assert_eq!(ending.takes, Takes::Commands);
        assert_eq!((ending.uid, ending.began_ms), (1001, 500));
        let reaped = rig.reaper.reap(id("00000001")).unwrap();
        assert_eq!(ended(&reaped), None);
        assert_eq!(rig.rules(), ["00000002"]);
        assert_eq!(rig.state().unwrap().grants.len(), 1);
    }

    #[test]
    fn the_login_ends_with_the_last_grant_that_gave_one() {
        let login = grant("00000001", 900, 900, true);
        let sudo = grant("00000002", 1_100, 1_100, false);
        let rig = Rig::new("this", vec![login, sudo]);
        let state = rig.state().unwrap();
        let takes = |name| rig.reaper.ending_of(&state, id(name)).takes;
        assert_eq!(takes("00000001"), Takes::Everything);
        assert_eq!(takes("00000002"), Takes::Commands);
    }

    #[test]
    fn all_are_ended_over_or_not_and_marked_as_that() {
        let login = grant("00000001", 1_100, 1_100, true);
        let rig = Rig::new("this", vec![login, grant("00000002", 1_100, 1_100, false)]);
        let (paths, run) = (rig.reaper.paths.clone(), rig.reaper.paths.run.clone());
        let marks = Marks::below(&run, &run);
        let ended = rig.reaper.reap_all(&marks).unwrap();
        assert_eq!(ended, [id("00000001"), id("00000002")]);
        assert!(marks.left_at().is_some());
        assert!(states::read_all(&paths).unwrap().is_empty());
        let rules = Folder::open(&paths.sudoers).unwrap().names().unwrap();
        assert!(rules.is_empty(), "{rules:?}");
    }

    #[test]
    fn what_is_of_another_boot_or_of_no_grant_is_swept_away() {
        let rig = Rig::new("other", vec![grant("00000001", 1_100, 1_100, true)]);
        assert!(rig.reaper.sweep().unwrap().is_empty());
        assert!(rig.rules().is_empty());
        assert_eq!(rig.state(), None);
        let rig = Rig::new("this", vec![grant("00000001", 1_100, 1_100, true)]);
        let stray = rig.reaper.paths.sudoers.join("00000009");
        std::fs::write(&stray, "").unwrap();
        assert_eq!(
            rig.reaper.sweep().unwrap(),
            BTreeSet::from([id("00000001")])
        );
        assert_eq!(rig.rules(), ["00000001"]);
    }
}
