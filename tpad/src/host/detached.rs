//! What goes on of a login that was closed: tmux(1), screen(1), mosh(1), a job in the background. PAM
//! tells of the login's end, and its processes stay until the grant's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::host::cgroup::uid_of_slice;
use crate::host::look::path_of;
use crate::host::paths::Paths;
use crate::host::process::{self, Process};

/// Every look reads a few files of each process: one at a time, however many ask.
static LOOKING: Mutex<()> = Mutex::new(());

/// What goes on in one unit of a person's logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    /// Whose logins.
    pub uid: u32,
    /// logind's name of the login; `None` for the person's own service manager.
    pub session: Option<String>,
    /// The oldest process there. Its name is what the person called it.
    pub process: Process,
}

/// What goes on of these people's logins, but for the units in which one of the `open` processes
/// stands. Takes as long as there are processes.
#[must_use]
pub fn detached(paths: &Paths, uids: &BTreeSet<u32>, open: &[u32]) -> Vec<Detached> {
    let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    let unit = |pid: &str| unit_of_logins(&path_of(paths, pid)?);
    let open: BTreeSet<_> = open
        .iter()
        .filter_map(|pid| unit(&pid.to_string()))
        .collect();
    let mut oldest: BTreeMap<(u32, Option<String>), Process> = BTreeMap::new();
    for process in process::scan(&paths.proc) {
        let Some(unit) = unit(&process.pid.to_string()) else {
            continue;
        };
        if !uids.contains(&unit.0) || open.contains(&unit) {
            continue;
        }
        let known = oldest.entry(unit).or_insert_with(|| process.clone());
        if process.began_ms() < known.began_ms() {
            *known = process;
        }
    }
    let found = oldest.into_iter();
    found
        .map(|((uid, session), process)| Detached {
            uid,
            session,
            process,
        })
        .collect()
}

/// Whose login a process is of, and which, by its control group: nobody but root and PID 1 makes the
/// first three parts of it. The service manager itself is no work of the person's.
fn unit_of_logins(path: &Path) -> Option<(u32, Option<String>)> {
    let mut parts = path.iter().map(|part| part.to_str());
    let (users, slice) = (parts.next()??, parts.next()??);
    let uid = uid_of_slice(slice).filter(|_| users == "user.slice")?;
    let unit = parts.next()??;
    if let Some(session) = unit
        .strip_prefix("session-")
        .and_then(|rest| rest.strip_suffix(".scope"))
    {
        return Some((uid, Some(session.to_owned())));
    }
    let within = parts.next()??;
    (unit == format!("user@{uid}.service") && within != "init.scope").then_some((uid, None))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_stands_among_somebodys_logins_is_of_one_of_them() {
        let login = |path: &str| unit_of_logins(Path::new(path));
        let of = |session: &str| Some((1001, Some(session.to_owned())));
        let slice = "user.slice/user-1001.slice";
        assert_eq!(login(&format!("{slice}/session-3.scope")), of("3"));
        assert_eq!(login(&format!("{slice}/session-c3.scope/tpa-X")), of("c3"));
        let manager = format!("{slice}/user@1001.service");
        assert_eq!(
            login(&format!("{manager}/app.slice/tmux.scope")),
            Some((1001, None))
        );
        for other in [
            format!("{manager}/init.scope"),
            manager,
            format!("{slice}/user@1002.service/x.scope"),
            slice.to_owned(),
            "system.slice/user-1001.slice/session-3.scope".to_owned(),
            "system.slice/cron.service".to_owned(),
            String::new(),
        ] {
            assert_eq!(login(&other), None, "{other}");
        }
    }

    #[test]
    fn of_each_closed_login_the_oldest_process_is_told_and_of_others_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let process = |pid: u32, name: &str, started: u32, group: &str| {
            let own = paths.proc.join(pid.to_string());
            fs::create_dir(&own).unwrap();
            let status =
                format!("Name:\t{name}\nState:\tS\nUid:\t1001\t1001\t1001\t1001\nThreads:\t1\n");
            let stat = format!("{pid} ({name}) S{} {started}\n", " 0".repeat(18));
            fs::write(own.join("status"), status).unwrap();
            fs::write(own.join("stat"), stat).unwrap();
            fs::write(own.join("cgroup"), format!("0::/user.slice/{group}\n")).unwrap();
        };
        process(3_000_001, "bash", 9, "user-1001.slice/session-3.scope");
        process(
            3_000_002,
            "tmux: server",
            7,
            "user-1001.slice/session-3.scope",
        );
        process(3_000_003, "sshd", 5, "user-1001.slice/session-4.scope");
        process(
            3_000_004,
            "tmux: server",
            6,
            "user-1001.slice/session-4.scope",
        );
        process(3_000_005, "screen", 6, "user-1002.slice/session-5.scope");
        let found = detached(&paths, &[1001].into(), &[3_000_003]);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.uid, one.session.as_deref(), one.process.comm.as_str()))
            .collect();
        assert_eq!(told, [(1001, Some("3"), "tmux: server")]);
    }
}
