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
