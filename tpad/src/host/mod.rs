//! Makes the host what the plan says: observe, compare, apply.
//!
//! Every run looks at the host as it is, so a crash at any point is repaired by the next run and
//! there is no other recovery. Taking access away comes first, and nothing that fails later, or
//! for another grant, can keep it from happening.

pub mod acl;
pub mod boot_file;
pub mod cgroup;
pub mod copies;
pub mod cut;
pub mod detached;
pub mod ending;
pub mod folder;
pub mod look;
pub mod managed_dir;
pub mod manager;
pub mod manifest;
pub mod one_shot;
pub mod outside;
pub mod owed_file;
pub mod paths;
pub mod process;
pub mod program;
pub mod publish;
pub mod reap;
pub mod room;
pub mod rules;
pub mod scopes;
pub mod settings;
pub mod states;
pub mod sudoers;
pub mod terminals;
pub mod timers;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tpa_bus::groups::KnownGroups;
use tpa_bus::id::Id;
use tpa_bus::offline::GateFile;
use zruntime::SharedRuntime;

use crate::clock::Now;
pub use crate::plan::Report;
use crate::plan::{Desired, Ending, Rule, Takes};
use ending::{Ended, InVain};
use managed_dir::At;
use manifest::Manifest;
use outside::Outside;
use paths::Paths;
use rules::Rules;
use states::States;
use terminals::Terminals;
use timers::Timers;

/// Whether something did not work.
#[must_use]
pub fn failed(reports: &[Report]) -> bool {
    let failed = |report: &Report| matches!(report, Report::Failed { .. });
    reports.iter().any(failed)
}

/// What [`Host::enforce`] came to.
#[derive(Debug)]
#[must_use]
pub struct Enforced {
    /// What it did or met.
    pub reports: Vec<Report>,
    /// Something was not done, and is to be tried again at the next event.
    pub owes: bool,
    /// Grants of which something is left.
    pub unproven: BTreeSet<Id>,
}

/// How long a last word needs from the terminal through sshd to the network, before the sshd that
/// carries it is killed. Nothing tells when it is through.
const LAST_WORD: Duration = Duration::from_millis(150);

/// Takes the rule of a grant away, and then from whoever has called sudo with it.
fn take_away(rules: &mut Rules, paths: &Paths, ending: &Ending) -> Vec<Report> {
    let removed = rules.remove(paths, ending.id);
    // The next of several approved commands is often called while the one before it ends.
    let marked = if ending.once {
        Ok(())
    } else {
        states::mark_end(paths, ending.uid, ending.id)
    };
    let unmarked = marked
        .err()
        .map(|error| Report::failed("mark of an end", &error));
    removed.into_iter().chain(unmarked).collect()
}

/// This host.
#[derive(Debug)]
pub struct Host {
    runtime: SharedRuntime,
    paths: Paths,
    rules: Rules,
    states: States,
    timers: Timers,
    /// What is kept of what the files were made to say.
    manifest: Manifest,
    /// What could not be ended, and is not waited for again.
    in_vain: InVain,
}

impl Host {
    /// A host with these places, as a `tpad` before this one may have left it. `runtime` is the one
    /// that runs [`Host::enforce`].
    #[must_use]
    pub fn new(runtime: SharedRuntime, paths: Paths) -> Self {
        let manifest = Manifest::read(&paths.run);
        Self {
            runtime,
            rules: Rules::after(&manifest),
            states: States::after(&manifest),
            timers: Timers::default(),
            paths,
            manifest,
            in_vain: InVain::default(),
        }
    }

    /// Tells the gate whom it concerns, for when `tpad` cannot be asked. When that cannot be
    /// written, the old one holds.
    pub fn write_gate(&mut self, gate: &GateFile, at: &At) -> Vec<Report> {
        self.states.write_gate(&self.paths, gate, at)
    }

    /// Tells the gate what was last known of groups, for when the name service does not tell.
    pub fn write_groups(&self, groups: &KnownGroups) -> Vec<Report> {
        let written = states::write_groups(&self.paths, groups);
        let failed = written
            .err()
            .map(|error| Report::failed("groups file", &error));
        failed.into_iter().collect()
    }

    /// Ends what is to end, and puts in place what is to be: with the kernel, the file system and
    /// sudo alone, so that nobody else's silence keeps access alive. Can be run at any time and
    /// any number of times.
    pub async fn enforce(&mut self, desired: &Desired, now: &Now, at: &At) -> Enforced {
        let mut reports = self.close(desired, now, at);
        let spoken = self.notify(desired, &mut reports);
        if spoken && desired.endings.iter().any(|ending| ending.takes.logins()) {
            self.runtime.sleep(LAST_WORD).await;
        }
        let unproven = self.end(&desired.endings, &mut reports).await;
        let states = self.write_states(desired, &unproven, now, at);
        let held = self.held(desired, &states);
        reports.extend(states);
        let rules = self
            .rules
            .apply(&self.runtime, &self.paths, &held, &desired.known, at)
            .await;
        reports.extend(rules);
        reports.extend(self.keep_what_was_made());
        let unproven: BTreeSet<_> = unproven.iter().map(|ending| ending.id).collect();
        let owes = !unproven.is_empty() || self.rules.are_owed() || failed(&reports);
        Enforced {
            reports,
            owes,
            unproven,
        }
    }

    /// What can be seen from outside of what others may change.
    #[must_use]
    pub fn outside(&self) -> Outside {
        Outside::of(&self.paths)
    }

    /// Has the limits of logins follow where there are some that [`Host::prepare`] has moved: the
    /// number of a login that has ended may be another's next.
    pub async fn follow_limits(&self, desired: &Desired, now: &Now) -> Vec<Report> {
        let (runtime, paths) = (&self.runtime, &self.paths);
        scopes::follow(runtime, paths, &desired.login_ends, now).await
    }

    /// Has PID 1 know of the ends to come. The bus may be slow: this may be given up at any point,
    /// and be begun again. Timers of what is `unproven` stay.
    pub async fn prepare(
        &mut self,
        desired: &Desired,
        unproven: &BTreeSet<Id>,
        now: &Now,
        at: &At,
    ) -> Vec<Report> {
        let (runtime, paths) = (&self.runtime, &self.paths);
        let timers = self
            .timers
            .apply(runtime, paths, &desired.reapers, unproven, (now, at));
        let mut reports = timers.await;
        reports.extend(scopes::apply(runtime, paths, &desired.login_ends, now).await);
        reports
    }

    /// The rules of those grants that the gate can hold what they give by: where state files could not be
    /// written, of those that they name all the same.
    fn held<'d>(&self, desired: &'d Desired, states: &[Report]) -> Cow<'d, BTreeMap<Id, Rule>> {
        if !failed(states) {
            return Cow::Borrowed(&desired.rules);
        }
        let rules = desired.rules.iter();
        let held = rules.filter(|(id, rule)| states::names(&self.paths, rule.uid, **id));
        Cow::Owned(held.map(|(id, rule)| (*id, rule.clone())).collect())
    }

    fn keep_what_was_made(&mut self) -> Option<Report> {
        let mut manifest = Manifest::default();
        self.rules.tell(&mut manifest);
        self.states.tell(&mut manifest);
        if manifest == self.manifest {
            return None;
        }
        match manifest.write(&self.paths.run) {
            Ok(()) => {
                self.manifest = manifest;
                None
            }
            Err(error) => Some(Report::failed("what was made", &error)),
        }
    }

    /// Shuts the doors of what ends: no new sudo, no new login.
    fn close(&mut self, desired: &Desired, now: &Now, at: &At) -> Vec<Report> {
        let (rules, paths) = (&mut self.rules, &self.paths);
        let endings = desired.endings.iter();
        let mut reports: Vec<_> = endings
            .flat_map(|ending| take_away(rules, paths, ending))
            .collect();
        if !desired.endings.is_empty() {
            reports.extend(self.write_states(desired, &desired.endings, now, at));
        }
        reports
    }

    fn write_states(
        &mut self,
        desired: &Desired,
        unproven: &[Ending],
        now: &Now,
        at: &At,
    ) -> Vec<Report> {
        self.states.apply(
            &self.paths,
            &desired.states,
            unproven,
            &desired.known,
            (&now.boot_id, at),
        )
    }

    /// Says what is due, and whether anybody could hear it.
    fn notify(&self, desired: &Desired, reports: &mut Vec<Report>) -> bool {
        let mut spoken = false;
        if desired.notices.is_empty() {
            return spoken;
        }
        let terminals = Terminals::look(&self.paths.proc);
        for notice in &desired.notices {
            let terminals = terminals.say(notice.uid, &notice.line);
            spoken |= terminals > 0;
            reports.push(Report::Notified {
                id: notice.id,
                terminals,
            });
        }
        spoken
    }

    /// Ends what the grants started, and gives those whose end is not proven.
    async fn end(&mut self, endings: &[Ending], reports: &mut Vec<Report>) -> Vec<Ending> {
        if endings.is_empty() {
            return Vec::new();
        }
        let ended = ending::end(&self.runtime, &self.paths, endings, &mut self.in_vain).await;
        let (mut unproven, mut closed) = (Vec::new(), BTreeSet::new());
        for (ending, ended) in endings.iter().zip(ended) {
            let Ended {
                killed,
                survivors,
                looked_for,
            } = ended;
            if !survivors.is_empty() {
                unproven.push(ending.clone());
            }
            if ending.takes == Takes::Everything {
                closed.insert(ending.uid);
            }
            reports.push(Report::Ended {
                id: ending.id,
                killed,
                survivors,
                looked_for,
            });
        }
        self.tidy(closed);
        unproven
    }

    /// Nothing waits for this: the bus may be slow.
    fn tidy(&self, uids: BTreeSet<u32>) {
        if uids.is_empty() {
            return;
        }
        let (runtime, paths) = (self.runtime.clone(), self.paths.clone());
        let tidying = async move { manager::tidy(&runtime, &paths, &uids).await };
        self.runtime.spawn("tidy", tidying).detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LookedFor;
    use crate::plan::{Notice, Rule, looked_at};
    use crate::policy::SudoRule;
    use std::collections::BTreeMap;
    use tpa_bus::offline::{OfflineGrant, StateFile};

    struct Rig {
        _dir: tempfile::TempDir,
        host: Host,
    }

    fn id() -> Id {
        Id::parse("7H2KM4QX").unwrap()
    }

    fn now() -> Now {
        Now {
            wall_s: 1_795_490_000,
            boottime_ms: 1_000,
            boot_id: "boot".into(),
        }
    }

    /// One grant that lives.
    fn living() -> Desired {
        let rule = Rule {
            id: id(),
            uid: 1001,
            user: "alice".into(),
            role: "web".into(),
            not_after: 1_795_493_870,
            sudo: vec![SudoRule {
                run_as: "root".into(),
                run_as_group: None,
                run: vec!["/usr/bin/id".into()],
                edit: vec![],
                password: true,
                tidy: false,
            }],
            record: false,
        };
        let grant = OfflineGrant {
            id: id(),
            login: true,
            sudo: true,
            deadline_ms: 9_000,
            not_after: 1_795_493_870,
            role: "web".into(),
            began_ms: 500,
        };
        let state = StateFile {
            uid: 1001,
            user: "alice".into(),
            boot_id: "boot".into(),
            end_logins: true,
            grants: vec![grant],
        };
        Desired {
            rules: BTreeMap::from([(id(), rule)]),
            states: BTreeMap::from([(1001, state)]),
            ..Desired::default()
        }
    }

    /// The same grant, ending.
    fn ending() -> Desired {
        Desired {
            endings: vec![Ending {
                id: id(),
                uid: 1001,
                user: "alice".into(),
                takes: Takes::Everything,
                began_ms: 0,
                accounts: vec![],
                runs_as: vec![],
                once: false,
            }],
            notices: vec![Notice {
                id: id(),
                uid: 1001,
                line: "ended".into(),
            }],
            ..Desired::default()
        }
    }

    impl Rig {
        /// A host without processes, bus or sudo.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut paths = Paths::below(dir.path());
            paths.visudo = dir.path().join("no-visudo");
            let host = Host::new(SharedRuntime::new().unwrap(), paths);
            Self { _dir: dir, host }
        }

        /// What was reported, but for what failed.
        fn reconcile(&mut self, desired: &Desired) -> Vec<Report> {
            let runtime = self.host.runtime.clone();
            let now = now();
            let mut reports = runtime.block_on(async {
                let Enforced {
                    reports, unproven, ..
                } = self.host.enforce(desired, &now, &At::Everything).await;
                let prepared = self.host.prepare(desired, &unproven, &now, &At::Everything);
                [reports, prepared.await].concat()
            });
            reports.retain(|report| !matches!(report, Report::Failed { .. }));
            reports
        }

        fn put_rule(&self) {
            std::fs::create_dir_all(&self.host.paths.sudoers).unwrap();
            std::fs::write(self.host.paths.sudoers.join(id().as_str()), "").unwrap();
        }

        fn exists(&self, folder: fn(&Paths) -> &std::path::PathBuf, name: &str) -> bool {
            folder(&self.host.paths).join(name).exists()
        }
    }

    #[test]
    fn an_end_is_marked_but_for_that_of_one_command() {
        for once in [true, false] {
            let mut rig = Rig::new();
            let _ = rig.reconcile(&living());
            rig.put_rule();
            let mut desired = ending();
            desired.endings[0].once = once;
            let _ = rig.reconcile(&desired);
            assert!(!rig.exists(|paths| &paths.sudoers, id().as_str()));
            assert_eq!(rig.exists(|paths| &paths.ended, "1001"), !once);
        }
    }

    #[test]
    fn access_ends_on_a_host_where_nothing_else_works() {
        let mut rig = Rig::new();
        rig.put_rule();
        std::fs::write(&rig.host.paths.prompt, "not a folder").unwrap();
        let reports = rig.reconcile(&ending());
        let (killed, survivors) = (0, vec![]);
        let expected = [
            Report::Notified {
                id: id(),
                terminals: 0,
            },
            Report::Ended {
                id: id(),
                killed,
                survivors,
                looked_for: LookedFor {
                    at: looked_at(&ending().endings[0]),
                    ..LookedFor::default()
                },
            },
        ];
        assert_eq!(reports, expected);
        assert!(!rig.exists(|paths| &paths.sudoers, id().as_str()));
        assert!(!rig.exists(|paths| &paths.state, "1001"));
    }

    #[test]
    fn no_rule_comes_into_force_that_the_gate_could_not_hold() {
        let mut rig = Rig::new();
        let desired = living();
        let broken = Report::failed("state file", &anyhow::anyhow!("no space left on device"));
        let held = |rig: &Rig, reports: &[Report]| rig.host.held(&desired, reports).len();
        assert_eq!(held(&rig, std::slice::from_ref(&broken)), 0);
        assert_eq!(held(&rig, &[]), 1);
        // One that was written before goes on.
        let states = rig
            .host
            .write_states(&desired, &[], &now(), &At::Everything);
        assert_eq!(states, []);
        assert_eq!(held(&rig, std::slice::from_ref(&broken)), 1);
        let ended = rig
            .host
            .write_states(&ending(), &ending().endings, &now(), &At::Everything);
        assert_eq!(ended, []);
        assert_eq!(held(&rig, &[broken]), 0);
    }

    #[test]
    fn a_grants_files_come_and_go_with_it_and_stay_in_between() {
        let mut rig = Rig::new();
        for _ in 0..2 {
            assert_eq!(rig.reconcile(&living()), []);
            assert!(rig.exists(|paths| &paths.state, "1001"));
            assert!(rig.exists(|paths| &paths.prompt, "1001"));
        }
        assert_eq!(rig.reconcile(&ending()).len(), 2);
        assert_eq!(rig.reconcile(&Desired::default()), []);
        assert!(!rig.exists(|paths| &paths.state, "1001"));
        assert!(!rig.exists(|paths| &paths.prompt, "1001"));
    }

    #[test]
    fn what_somebody_else_changed_is_put_right_and_reported() {
        let mut rig = Rig::new();
        rig.reconcile(&living());
        let file = rig.host.paths.state.join("1001");
        let right = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, right.replace("9000", "99000")).unwrap();
        let what = "state file 1001".to_owned();
        let drift = [Report::Drift { what, id: None }];
        assert_eq!(rig.reconcile(&living()), drift);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), right);

        // The same while there is no tpad; and to the one after that it is no news.
        std::fs::write(&file, right.replace("9000", "99000")).unwrap();
        for drift in [&drift[..], &[]] {
            let (runtime, paths) = (rig.host.runtime.clone(), rig.host.paths.clone());
            rig.host = Host::new(runtime, paths);
            assert_eq!(rig.reconcile(&living()), drift);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), right);
        }
    }
}
