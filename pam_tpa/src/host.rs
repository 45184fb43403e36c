//! The machine, as the gate sees it: people, the files that `tpad` leaves, cgroups and scopes.

use std::fs;
use std::path::{Path, PathBuf};

use tpa_bus::id::Id;
use tpa_bus::names;
use tpa_bus::offline::{Class, GateFile, StateFile};

use crate::decide::Offline;
use crate::folder::Folder;
use crate::people::{self, LookUp, Person};
use crate::{cgroup, clock, limit};

/// The machine. Errors are for the log: what was tried, on what.
pub trait Host {
    /// Looks a user up.
    fn person(&self, name: &str) -> LookUp;
    /// Those of the named groups that the person is in.
    ///
    /// # Errors
    /// When the name service cannot say.
    fn groups(&self, person: &Person, named: &[String]) -> Result<Vec<String>, String>;
    /// Whom the gate concerns, as `tpad` wrote it down at its last load.
    ///
    /// # Errors
    /// When the file is missing, unreadable, or can have been written by somebody else than root.
    fn gate_file(&self) -> Result<GateFile, String>;
    /// The grant in the person's state file that lets them in now.
    ///
    /// # Errors
    /// When there is such a file, and it cannot be relied on.
    fn live_grant(&self, class: Class, person: &Person) -> Result<Option<Offline>, String>;
    /// The path of this process's cgroup.
    ///
    /// # Errors
    /// When it cannot be told.
    fn cgroup(&self) -> Result<String, String>;
    /// Moves this process into the cgroup named by a grant, see [`cgroup::enter`].
    ///
    /// # Errors
    /// When that cannot be done.
    fn enter_group(&self, id: &Id) -> Result<(), String>;
    /// Seconds after its start at which systemd ends a scope.
    ///
    /// # Errors
    /// When it has no limit, or none that can be read.
    fn scope_limit_s(&self, scope: &str) -> Result<u64, String>;
}

/// The real machine.
#[derive(Debug, Clone)]
pub struct Machine {
    gate_file: PathBuf,
    state_dir: PathBuf,
    transient: PathBuf,
    drop_ins: PathBuf,
    owner: u32,
}

impl Machine {
    /// The machine that the module runs on: fixed places, files of root.
    #[must_use]
    pub fn system() -> Self {
        Self {
            gate_file: names::GATE_FILE.into(),
            state_dir: names::STATE_DIR.into(),
            transient: "/run/systemd/transient".into(),
            drop_ins: "/run/systemd/system".into(),
            owner: 0,
        }
    }

    fn read(&self, path: &Path) -> Result<String, std::io::Error> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(std::io::Error::other("no path of a file"));
        };
        Folder::open(folder, self.owner)?.read(&name.to_string_lossy())
    }
}

impl Host for Machine {
    fn person(&self, name: &str) -> LookUp {
        people::look_up(name)
    }

    fn groups(&self, person: &Person, named: &[String]) -> Result<Vec<String>, String> {
        let named: Vec<_> = named.iter().map(String::as_str).collect();
        people::groups_of(person, &named).map_err(|error| error.to_string())
    }

    fn gate_file(&self) -> Result<GateFile, String> {
        let shown = self.gate_file.display();
        let text = self
            .read(&self.gate_file)
            .map_err(|error| format!("{shown}: {error}"))?;
        GateFile::parse(&text).map_err(|error| format!("{shown}: {error}"))
    }

    fn live_grant(&self, class: Class, person: &Person) -> Result<Option<Offline>, String> {
        let path = self.state_dir.join(person.uid.to_string());
        let shown = path.display();
        let text = match self.read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let state = StateFile::parse(&text).map_err(|error| format!("{shown}: {error}"))?;
        if state.uid != person.uid {
            return Err(format!("{shown}: is about uid {}", state.uid));
        }
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_err(|error| format!("/proc/sys/kernel/random/boot_id: {error}"))?;
        let now = clock::now().map_err(|error| format!("the clock: {error}"))?;
        let live = state.live_grant(
            class,
            &person.name,
            boot_id.trim(),
            now.boottime_ms,
            now.wall_s,
        );
        Ok(live.map(|grant| Offline {
            id: grant.id,
            role: grant.role.clone(),
            remaining_s: grant
                .remaining_ms(now.boottime_ms, now.wall_s)
                .div_ceil(1_000),
        }))
    }

    fn cgroup(&self) -> Result<String, String> {
        cgroup::own()
    }

    fn enter_group(&self, id: &Id) -> Result<(), String> {
        cgroup::enter(id)
    }

    /// A drop-in that an extension left for an earlier scope of the same name would outrank the
    /// limit that logind has just set, so it is what counts when it is there.
    fn scope_limit_s(&self, scope: &str) -> Result<u64, String> {
        let unit = self.transient.join(scope);
        let drop_in = self.drop_ins.join(format!("{scope}.d/60-tpa.conf"));
        let path = if drop_in.exists() { drop_in } else { unit };
        let shown = path.display();
        let text = self
            .read(&path)
            .map_err(|error| format!("{shown}: {error}"))?;
        limit::runtime_max_s(&text).ok_or_else(|| format!("{shown}: no RuntimeMaxSec"))
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::getuid;
    use tempfile::TempDir;
    use tpa_bus::offline::OfflineGrant;

    use super::*;

    fn machine() -> (TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine {
            gate_file: dir.path().join("gate"),
            state_dir: dir.path().to_owned(),
            transient: dir.path().to_owned(),
            drop_ins: dir.path().to_owned(),
            owner: getuid().as_raw(),
        };
        (dir, machine)
    }

    fn alice() -> Person {
        Person {
            name: "alice".into(),
            uid: 1001,
            gid: 1001,
        }
    }

    fn state(uid: u32, left_ms: u64) -> StateFile {
        let now = clock::now().unwrap();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        StateFile {
            uid,
            user: "alice".into(),
            boot_id: boot_id.trim().into(),
            end_logins: true,
            grants: vec![OfflineGrant {
                id: Id::parse("7H2KM4QX").unwrap(),
                login: true,
                sudo: false,
                deadline_ms: now.boottime_ms + left_ms,
                not_after: now.wall_s + 3_600,
                role: "web-ops".into(),
            }],
        }
    }

    #[test]
    fn a_live_grant_is_found_with_its_time_left() {
        let (dir, machine) = machine();
        fs::write(dir.path().join("1001"), state(1001, 90_000).render()).unwrap();
        let found = machine.live_grant(Class::Login, &alice()).unwrap().unwrap();
        assert!((89..=90).contains(&found.remaining_s), "{found:?}");
        assert_eq!(machine.live_grant(Class::Sudo, &alice()), Ok(None));
    }

    #[test]
    fn no_state_file_is_no_grant_and_a_bad_one_is_an_error() {
        let (dir, machine) = machine();
        assert_eq!(machine.live_grant(Class::Login, &alice()), Ok(None));
        let path = dir.path().join("1001");
        fs::write(&path, state(1002, 90_000).render()).unwrap();
        assert!(machine.live_grant(Class::Login, &alice()).is_err());
        fs::write(&path, "tpa-state 1\nuid 1001\n").unwrap();
        assert!(machine.live_grant(Class::Login, &alice()).is_err());
    }

    #[test]
    fn a_missing_or_broken_gate_file_is_an_error_that_names_it() {
        let (dir, machine) = machine();
        assert!(machine.gate_file().unwrap_err().contains("/gate: "));
        fs::write(dir.path().join("gate"), "tpa-gate 1\nend\n").unwrap();
        assert!(machine.gate_file().unwrap_err().contains("no uid_min"));
        fs::write(dir.path().join("gate"), GateFile::default().render()).unwrap();
        assert_eq!(machine.gate_file(), Ok(GateFile::default()));
    }

    #[test]
    fn a_stale_drop_in_outranks_the_limit_of_the_scope() {
        let (dir, machine) = machine();
        let unit = "[Scope]\nRuntimeMaxSec=5min\n";
        fs::write(dir.path().join("session-3.scope"), unit).unwrap();
        assert_eq!(machine.scope_limit_s("session-3.scope"), Ok(300));
        let drop_in = dir.path().join("session-3.scope.d");
        fs::create_dir(&drop_in).unwrap();
        fs::write(drop_in.join("60-tpa.conf"), "[Scope]\nRuntimeMaxSec=2h\n").unwrap();
        assert_eq!(machine.scope_limit_s("session-3.scope"), Ok(7_200));
    }
}
