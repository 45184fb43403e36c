//! Ending what a grant started, and proving that it is gone.
//!
//! First everything is killed, for all grants that end; then each is waited for. What counts is
//! what the kernel shows afterwards, not that a call succeeded.

use std::collections::BTreeSet;
use std::time::Duration;

use zruntime::SharedRuntime;

use crate::host::cgroup::Cgroup;
use crate::host::paths::Paths;
use crate::host::process::{self, Process};
use crate::plan::Ending;

/// Longest wait for the processes of one grant to be gone.
const LIMIT: Duration = Duration::from_secs(2);

/// What was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Ended {
    /// How many processes were killed.
    pub killed: usize,
    /// What is still there, as `812 sleep`. Empty: the end is proven.
    pub survivors: Vec<String>,
}

/// A blow that was struck; what it left is not known yet.
#[derive(Debug)]
#[must_use]
pub struct Strike {
    ending: Ending,
    groups: Vec<Cgroup>,
    killed: BTreeSet<i32>,
}

impl Strike {
    /// Kills the groups of the grant and, when no login is left to the person, their slice, which
    /// holds all their logins and their own service manager.
    pub fn deal(paths: &Paths, ending: &Ending) -> Self {
        let groups = groups(paths, ending);
        let mut killed = BTreeSet::new();
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        for group in &groups {
            let pids = group.pids();
            // `tpad reap` run by hand may stand in it; then `prove` kills the others one by one.
            if !pids.contains(&own) && group.kill().is_ok() {
                killed.extend(pids);
            }
        }
        Self {
            ending: ending.clone(),
            groups,
            killed,
        }
    }

    /// Waits until everything is gone, kills what stands outside the groups, and looks.
    pub async fn prove(mut self, runtime: &SharedRuntime, paths: &Paths) -> Ended {
        let finished = finish(runtime, paths, &self.ending, &self.groups, &mut self.killed);
        match runtime.timeout(LIMIT, finished).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, grant = %self.ending.id, "end what is left"),
            Err(_) => tracing::warn!(grant = %self.ending.id, "not all gone within {LIMIT:?}"),
        }
        let survivors = doomed(paths, &self.ending, &self.groups)
            .iter()
            .map(|process| format!("{} {}", process.pid, process.comm))
            .collect();
        for group in Cgroup::find(&paths.cgroup, &group_name(&self.ending)) {
            group.remove();
        }
        Ended {
            killed: self.killed.len(),
            survivors,
        }
    }
}

async fn finish(
    runtime: &SharedRuntime,
    paths: &Paths,
    ending: &Ending,
    groups: &[Cgroup],
    killed: &mut BTreeSet<i32>,
) -> std::io::Result<()> {
    // Where `cgroup.kill` is missing, and for processes that left their groups.
    let doomed = || doomed(paths, ending, groups);
    process::kill_all(runtime, &paths.proc, doomed, killed).await?;
    for group in groups {
        group.emptied(runtime).await?;
    }
    // Somebody may have been between two groups.
    process::kill_all(runtime, &paths.proc, doomed, killed).await
}

/// What is still there and must go.
fn doomed(paths: &Paths, ending: &Ending, groups: &[Cgroup]) -> Vec<Process> {
    let in_groups: BTreeSet<i32> = groups.iter().flat_map(Cgroup::pids).collect();
    process::scan(&paths.proc)
        .into_iter()
        .filter(|process| {
            in_groups.contains(&process.pid) || (ending.logins && process.belongs_to(ending.uid))
        })
        .collect()
}

fn groups(paths: &Paths, ending: &Ending) -> Vec<Cgroup> {
    let mut groups = Cgroup::find(&paths.cgroup, &group_name(ending));
    if ending.logins && !matches!(ending.uid, 0 | u32::MAX) {
        let slice = format!("user.slice/user-{}.slice", ending.uid);
        groups.extend(Cgroup::at(&paths.cgroup, &slice));
    }
    groups
}

/// The gate puts each sudo command into a group of this name.
fn group_name(ending: &Ending) -> String {
    format!("tpa-{}", ending.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command};
    use tpa_bus::id::Id;

    /// A person whom no machine knows.
    const UID: u32 = 3_999_999_998;

    /// A part of the real cgroup tree and the real processes, where the test may make groups.
    struct Rig {
        root: PathBuf,
        paths: Paths,
    }

    impl Rig {
        fn new(name: &str) -> Option<Self> {
            let own = format!("tpa-ending-{}-{name}", std::process::id());
            let root = Paths::default().cgroup.join(own);
            std::fs::create_dir(&root).ok()?;
            let paths = Paths {
                cgroup: root.clone(),
                proc: "/proc".into(),
                ..Paths::default()
            };
            Some(Self { root, paths })
        }

        fn run_in(&self, group: &str) -> Child {
            let group = self.root.join(group);
            std::fs::create_dir_all(&group).unwrap();
            let child = sleep().spawn().unwrap();
            std::fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
            child
        }

        fn end(&self, logins: bool) -> Ended {
            let ending = Ending {
                id: Id::parse("7H2KM4QX").unwrap(),
                uid: UID,
                user: "alice".into(),
                logins,
            };
            let runtime = SharedRuntime::new().unwrap();
            let strike = Strike::deal(&self.paths, &ending);
            runtime.block_on(strike.prove(&runtime, &self.paths))
        }
    }

    impl Drop for Rig {
        fn drop(&mut self) {
            if let Some(group) = Cgroup::at(Path::new("/"), &self.root.display().to_string()) {
                let _ = group.kill();
                group.remove();
            }
        }
    }

    fn sleep() -> Command {
        let mut command = Command::new("/bin/sleep");
        command.arg("60");
        command
    }

    fn gone(killed: usize) -> Ended {
        Ended {
            killed,
            survivors: vec![],
        }
    }

    #[test]
    fn the_sudo_commands_of_a_grant_end_and_the_login_stays() {
        let Some(rig) = Rig::new("sudo") else { return };
        let session = format!("user.slice/user-{UID}.slice/session-3.scope");
        let mut shell = rig.run_in(&session);
        let mut command = rig.run_in(&format!("{session}/tpa-7H2KM4QX"));
        let mut other = rig.run_in(&format!("{session}/tpa-00000001"));
        assert_eq!(rig.end(false), gone(1));
        assert!(!command.wait().unwrap().success());
        for left in [&mut shell, &mut other] {
            assert_eq!(left.try_wait().unwrap(), None);
            left.kill().unwrap();
            left.wait().unwrap();
        }
        assert!(!rig.root.join(session).join("tpa-7H2KM4QX").exists());
    }

    #[test]
    fn the_last_login_ends_with_everything_that_left_its_group() {
        let Some(rig) = Rig::new("login") else { return };
        let slice = format!("user.slice/user-{UID}.slice");
        let mut shell = rig.run_in(&format!("{slice}/session-3.scope"));
        let mut command = rig.run_in("system.slice/tpa-7H2KM4QX");
        let mut stray = sleep().uid(UID).spawn().unwrap();
        assert_eq!(rig.end(true), gone(3));
        for child in [&mut shell, &mut command, &mut stray] {
            assert!(!child.wait().unwrap().success());
        }
        assert_eq!(rig.end(true), gone(0));
    }
}
