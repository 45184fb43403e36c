//! Ending what grants started, and proving that it is gone.
//!
//! All that ends at a moment shares each look at the host. What ends is killed; then it is looked
//! again, until nothing of it is there. What counts is what the kernel shows afterwards, not that a
//! call succeeded.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use crate::host::cgroup::Cgroup;
use crate::host::copies::{self, Edited};
use crate::host::look::{Look, Seen, remove_groups};
use crate::host::paths::Paths;
use crate::host::process;
use crate::ledger::LookedFor;
use crate::plan::{Ending, Held, Part, Why, hold, looked_at, not_looked_at};

/// Longest wait for everything that ends at one moment to be gone.
const LIMIT: Duration = Duration::from_secs(2);

/// Most processes that are killed one by one before they are waited for: each takes a descriptor.
const AT_ONCE: usize = 32;

/// Most processes or services that are named as left.
const MOST_NAMED: usize = 10;

/// What was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Ended {
    /// How many processes were killed.
    pub killed: usize,
    /// What is still there, as `812 sleep`. Empty: the end is proven.
    pub survivors: Vec<String>,
    /// What that was looked for by, and what was left.
    pub looked_for: LookedFor,
}

/// The processes that were killed for each grant.
type Killed = BTreeMap<Id, BTreeSet<i32>>;

/// Processes that were killed and waited for in vain: the kernel does not let go of what hangs in a
/// call that nobody answers, such as one to a file system of the person's own. They are killed
/// again, and named, but no other end waits for them.
#[derive(Debug, Default)]
pub struct InVain(BTreeSet<process::Name>);

impl InVain {
    /// Those that are gone by now are forgotten.
    fn forget_others(&mut self, look: &Look) {
        let there = look.processes.iter().map(|seen| seen.process.name());
        let there: BTreeSet<_> = there.collect();
        self.0.retain(|name| there.contains(name));
    }

    fn add(&mut self, look: &Look, endings: &[Ending]) {
        let doomed = endings.iter().flat_map(|ending| look.doomed(ending));
        self.0.extend(doomed.map(|seen| seen.process.name()));
    }
}

/// Ends what these grants hold, and tells of each what came of it, in their order.
pub async fn end(
    runtime: &SharedRuntime,
    paths: &Paths,
    endings: &[Ending],
    in_vain: &mut InVain,
) -> Vec<Ended> {
    let (killed, look) = kill(runtime, paths, endings, in_vain).await;
    let ended = endings.iter().map(|ending| ended(ending, &killed, &look));
    ended.collect()
}

/// Ends what one grant holds.
pub async fn end_one(runtime: &SharedRuntime, paths: &Paths, ending: &Ending) -> Ended {
    let in_vain = &mut InVain::default();
    let (killed, look) = kill(runtime, paths, std::slice::from_ref(ending), in_vain).await;
    ended(ending, &killed, &look)
}

fn ended(ending: &Ending, killed: &Killed, look: &Look) -> Ended {
    Ended {
        killed: killed.get(&ending.id).map_or(0, BTreeSet::len),
        survivors: look.doomed(ending).map(said).collect(),
        looked_for: LookedFor {
            at: looked_at(ending),
            left: left(look, ending),
            not_at: not_looked_at(ending),
        },
    }
}

/// Kills what ends, within a limit of time, and looks once more.
async fn kill(
    runtime: &SharedRuntime,
    paths: &Paths,
    endings: &[Ending],
    in_vain: &mut InVain,
) -> (Killed, Look) {
    let mut killed = Killed::new();
    let mut edited = Edited::default();
    let ended = kill_all(runtime, paths, endings, in_vain, (&mut killed, &mut edited));
    let ended = runtime.timeout(LIMIT, ended).await;
    match &ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "end what is left"),
        Err(_) => tracing::warn!("not all gone within {LIMIT:?}"),
    }
    for copy in edited.remove_copies(&paths.proc) {
        tracing::info!("removed {}, a copy that was being edited", copy.display());
    }
    let look = Look::take(paths);
    in_vain.forget_others(&look);
    if ended.is_err() {
        in_vain.add(&look, endings);
    }
    remove_groups(paths, endings);
    (killed, look)
}

/// Kills until a look finds nothing but what was waited for in vain before. What was killed for
/// which grant is added to `killed`; the caller sets the limit of time.
async fn kill_all(
    runtime: &SharedRuntime,
    paths: &Paths,
    endings: &[Ending],
    in_vain: &InVain,
    (killed, edited): (&mut Killed, &mut Edited),
) -> io::Result<()> {
    loop {
        let look = Look::take(paths);
        for ending in endings {
            let doomed = look.doomed(ending).map(|seen| &seen.process);
            for sudo in doomed.filter(|process| process.is_roots() && copies::edits(&process.comm))
            {
                edited.add(ending.uid, &paths.proc, sudo.pid);
            }
        }
        let mut dying = Vec::new();
        // A group goes as a whole, so that nothing forks its way out: all of them before anything
        // is waited for.
        for ending in endings {
            for group in look.groups(paths, ending) {
                if Cgroup::at(&group).is_some_and(|group| group.kill().is_ok()) {
                    let own = killed.entry(ending.id).or_default();
                    let in_it = look.doomed(ending).filter(|seen| seen.is_in(&group));
                    own.extend(in_it.map(|seen| seen.process.pid));
                }
            }
        }
        // Where `cgroup.kill` is missing, and for what stands outside.
        let doomed = endings
            .iter()
            .flat_map(|ending| look.doomed(ending).map(|seen| (ending.id, &seen.process)));
        let (stuck, rest): (Vec<_>, Vec<_>) =
            doomed.partition(|(_, process)| in_vain.0.contains(&process.name()));
        for (_, process) in stuck {
            process.kill(&paths.proc)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        for (id, process) in rest.into_iter().take(AT_ONCE) {
            if let Some(descriptor) = process.kill(&paths.proc)? {
                killed.entry(id).or_default().insert(process.pid);
                dying.push(descriptor);
            }
        }
        process::all_ended(runtime, dying).await?;
    }
}

/// `812 sleep`
fn said(seen: &Seen) -> String {
    format!("{} {}", seen.process.pid, seen.process.comm)
}

/// What was found and left on purpose, for people. A service is told of once.
fn left(look: &Look, ending: &Ending) -> Vec<String> {
    let mut left: BTreeSet<(Why, String)> = BTreeSet::new();
    for seen in &look.processes {
        let Held::Named(why) = hold(&seen.facts, ending) else {
            continue;
        };
        let place = match &seen.facts.place.part {
            Part::Unit { name, .. } => format!(" in {}", tpa_bus::text::one_line(name, 80)),
            Part::Slice { uid, .. } => format!(" in user-{uid}.slice"),
            Part::Unknown => String::new(),
        };
        let account = ending
            .accounts
            .iter()
            .find(|account| seen.facts.uids.contains(&account.uid));
        let whom = account.map_or(ending.user.as_str(), |account| account.name.as_str());
        left.insert(match why {
            Why::Service => (why, format!("what runs as {whom}{place}")),
            Why::Account => (why, format!("{} as {whom}{place}", said(seen))),
        });
    }
    let more = left.len().saturating_sub(MOST_NAMED);
    let named = left.into_iter().take(MOST_NAMED).map(|(_, text)| text);
    let more = (more > 0).then(|| format!("{more} more"));
    named.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Takes;
    use std::os::unix::process::CommandExt as _;
    use std::path::PathBuf;
    use std::process::{Child, Command};

    /// A part of the real cgroup tree and the real processes, where the test may make groups, and a
    /// person whom no machine and no other test knows.
    struct Rig {
        root: PathBuf,
        uid: u32,
        paths: Paths,
    }

    impl Rig {
        fn new(name: &str, uid: u32) -> Option<Self> {
            let own = format!("tpa-ending-{}-{name}", std::process::id());
            let root = Paths::default().cgroup.join(&own);
            std::fs::create_dir(&root).ok()?;
            let paths = Paths {
                cgroup: root.clone(),
                proc: "/proc".into(),
                ..Paths::default()
            };
            Some(Self { root, uid, paths })
        }

        fn run_in(&self, group: &str) -> Child {
            self.put_in(group, &mut sleep())
        }

        fn put_in(&self, group: &str, command: &mut Command) -> Child {
            let group = self.root.join(group);
            std::fs::create_dir_all(&group).unwrap();
            let child = command.spawn().unwrap();
            std::fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
            child
        }

        fn end(&self, takes: Takes) -> Ended {
            self.end_begun(takes, 0)
        }

        fn end_begun(&self, takes: Takes, began_ms: u64) -> Ended {
            let ending = self.ending(takes, began_ms);
            let runtime = SharedRuntime::new().unwrap();
            runtime.block_on(end_one(&runtime, &self.paths, &ending))
        }

        fn ending(&self, takes: Takes, began_ms: u64) -> Ending {
            Ending {
                id: Id::parse("7H2KM4QX").unwrap(),
                uid: self.uid,
                user: "alice".into(),
                takes,
                began_ms,
                accounts: vec![],
                runs_as: vec!["root".into()],
                once: false,
            }
        }
    }

    impl Drop for Rig {
        fn drop(&mut self) {
            if let Some(group) = Cgroup::at(&self.root) {
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

    fn killed(ended: &Ended) -> usize {
        assert_eq!(ended.survivors, Vec::<String>::new());
        ended.killed
    }

    fn is_over(child: &mut Child) {
        assert!(!child.wait().unwrap().success());
    }

    fn goes_on(child: &mut Child) {
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_sudo_commands_of_a_grant_end_and_the_login_stays() {
        const UID: u32 = 3_999_999_998;
        let Some(rig) = Rig::new("sudo", UID) else {
            return;
        };
        let session = format!("user.slice/user-{UID}.slice/session-3.scope");
        let mut shell = rig.run_in(&session);
        let mut command = rig.run_in(&format!("{session}/tpa-7H2KM4QX"));
        let mut other = rig.run_in(&format!("{session}/tpa-00000001"));
        let ended = rig.end(Takes::Commands);
        assert_eq!(killed(&ended), 1);
        assert_eq!(
            ended.looked_for.at,
            "commands in the grant's control groups"
        );
        is_over(&mut command);
        goes_on(&mut shell);
        goes_on(&mut other);
        assert!(!rig.root.join(session).join("tpa-7H2KM4QX").exists());
    }

    #[test]
    fn the_last_login_ends_with_everything_that_left_its_group() {
        const UID: u32 = 3_999_999_997;
        let Some(rig) = Rig::new("login", UID) else {
            return;
        };
        let slice = format!("user.slice/user-{UID}.slice");
        let mut shell = rig.run_in(&format!("{slice}/session-3.scope"));
        let mut command = rig.run_in("system.slice/tpa-7H2KM4QX");
        let mut stray = sleep().uid(UID).spawn().unwrap();
        assert_eq!(killed(&rig.end(Takes::Everything)), 3);
        for child in [&mut shell, &mut command, &mut stray] {
            is_over(child);
        }
        assert_eq!(killed(&rig.end(Takes::Everything)), 0);
    }

    #[test]
    fn a_service_that_was_there_before_lives_and_is_named() {
        const UID: u32 = 3_999_999_996;
        let Some(rig) = Rig::new("service", UID) else {
            return;
        };
        let mut app = rig.put_in("system.slice/app.service", sleep().uid(UID));
        // This one began before any grant that begins at the end of time.
        let ended = rig.end_begun(Takes::Everything, u64::MAX);
        assert_eq!(killed(&ended), 0);
        assert_eq!(ended.looked_for.left, ["what runs as alice in app.service"]);
        goes_on(&mut app);
    }

    #[test]
    fn what_was_waited_for_in_vain_is_killed_again_and_keeps_nobody_waiting() {
        const UID: u32 = 3_999_999_995;
        let Some(rig) = Rig::new("vain", UID) else {
            return;
        };
        let mut stuck = sleep().uid(UID).spawn().unwrap();
        let ending = rig.ending(Takes::Everything, 0);
        let endings = std::slice::from_ref(&ending);
        let mut in_vain = InVain::default();
        in_vain.add(&Look::take(&rig.paths), endings);
        assert_eq!(in_vain.0.len(), 1);
        let runtime = SharedRuntime::new().unwrap();
        let ended = runtime.block_on(end(&runtime, &rig.paths, endings, &mut in_vain));
        // Nobody waited for it, so it counts as killed by the time before.
        assert_eq!(ended[0].killed, 0);
        is_over(&mut stuck);
        let ended = runtime.block_on(end(&runtime, &rig.paths, endings, &mut in_vain));
        assert_eq!((killed(&ended[0]), in_vain.0.len()), (0, 0));
    }
}
