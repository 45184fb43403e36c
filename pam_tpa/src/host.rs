//! The machine, as the gate sees it: people, the files that `tpad` leaves, cgroups and scopes.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::getresuid;
use tpa_bus::groups::{self, Answer, KnownGroups, Member, Membership};
use tpa_bus::id::Id;
use tpa_bus::names;
use tpa_bus::offline::{self, Class, GateFile, OfflineGrant, StateFile};

use crate::decide::Offline;
use crate::folder::Folder;
use crate::people::{self, LookUp, Person};
use crate::seats::{self, Seat};
use crate::{cgroup, clock, limit};

/// A person's groups, of those that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    /// They are in these.
    pub is_in: Vec<String>,
    /// Nobody can tell whether they are in these.
    pub unknown: Vec<String>,
    /// For the log: what the name service does not tell, and what was gone by instead.
    pub notes: Vec<String>,
}

/// The machine. Errors are for the log: what was tried, on what.
pub trait Host {
    /// Looks a user up.
    fn person(&self, name: &str) -> LookUp;
    /// The same person under the other names that this host's own accounts give to the uid.
    fn other_names(&self, person: &Person) -> Vec<Person>;
    /// Which of the named groups the person is in, and of which that cannot be told.
    fn groups(&self, person: &Person, named: &[String]) -> Groups;
    /// Why the person does not get in whatever is granted to them: the account has expired, or
    /// nobody may log in just now.
    fn barred(&self, class: Class, person: &Person) -> Option<String>;
    /// A place among those who may be asked at once; none when all are taken, or the person has one.
    ///
    /// # Errors
    /// When it cannot be told.
    fn seat(&self, person: &Person) -> Result<Option<Seat>, String>;
    /// Whether this process has no other uid than this one, so that it can let nobody become
    /// anything that it is not already: a screen locker, for one.
    fn runs_as(&self, uid: u32) -> bool;
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
    /// Whether a grant lives, by the state file of its person, or by any where the person is not
    /// known. `tpad` takes a grant out of there before it kills what the grant started.
    fn is_live(&self, id: &Id, of: Option<u32>) -> bool;
    /// Whether a grant of this uid's has ended since this process began.
    ///
    /// # Errors
    /// When it cannot be told.
    fn outlives_grant(&self, uid: u32) -> Result<bool, String>;
    /// The path of this process's cgroup.
    ///
    /// # Errors
    /// When it cannot be told.
    fn cgroup(&self) -> Result<String, String>;
    /// The grants whose cgroup this process stands in, see [`cgroup::held_by`]. None where that
    /// cannot be told.
    fn held_by(&self) -> Vec<Id>;
    /// Moves this process into the cgroup named by a grant, see [`cgroup::enter`].
    ///
    /// # Errors
    /// When that cannot be done.
    fn enter_group(&self, id: &Id, left: Option<&Id>) -> Result<(), String>;
    /// Moves this process out of the cgroup named by a grant again, see [`cgroup::leave`].
    ///
    /// # Errors
    /// When that cannot be done.
    fn leave_group(&self, id: &Id) -> Result<(), String>;
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
    groups_file: PathBuf,
    etc: PathBuf,
    nologin: Vec<PathBuf>,
    seats: PathBuf,
    state_dir: PathBuf,
    ended_dir: PathBuf,
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
            groups_file: names::GROUPS_FILE.into(),
            etc: "/etc".into(),
            nologin: vec!["/etc/nologin".into(), "/run/nologin".into()],
            seats: Path::new(names::RUN_DIR).join("asking"),
            state_dir: names::STATE_DIR.into(),
            ended_dir: names::ENDED_DIR.into(),
            transient: "/run/systemd/transient".into(),
            drop_ins: "/run/systemd/system".into(),
            owner: 0,
        }
    }

    /// The text of a file that may not be there.
    fn read_if_there(&self, path: &Path) -> Result<Option<String>, String> {
        match self.read(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn state(&self, uid: u32) -> Result<Option<StateFile>, String> {
        let path = self.state_dir.join(uid.to_string());
        let shown = path.display();
        let Some(text) = self.read_if_there(&path)? else {
            return Ok(None);
        };
        let state = StateFile::parse(&text).map_err(|error| format!("{shown}: {error}"))?;
        if state.uid == uid {
            Ok(Some(state))
        } else {
            Err(format!("{shown}: is about uid {}", state.uid))
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

    fn other_names(&self, person: &Person) -> Vec<Person> {
        let passwd = self.read(&self.etc.join("passwd")).unwrap_or_default();
        let names = groups::other_names(&passwd, &person.name, person.uid).into_iter();
        names
            .map(|(name, gid)| Person {
                name,
                gid,
                ..*person
            })
            .collect()
    }

    fn groups(&self, person: &Person, named: &[String]) -> Groups {
        if named.is_empty() {
            return Groups::default();
        }
        // The host's own files are read as they are: they cannot hang, and never fail for others.
        let etc = |name| self.read(&self.etc.join(name)).unwrap_or_default();
        let local = groups::local(&etc("group"), named);
        let elsewhere: Vec<_> = named
            .iter()
            .filter(|name| !local.contains_key(*name))
            .cloned()
            .collect();
        let said = people::ask(person, &elsewhere, people::LIMIT);
        let known = self.read(&self.groups_file).unwrap_or_default();
        let known = KnownGroups::parse(&known).unwrap_or_default();
        let member = Member {
            name: &person.name,
            gid: person.gid,
            local: groups::is_local(&etc("passwd"), &person.name, person.uid),
            groups: said.member_of,
        };
        let local = local
            .into_iter()
            .map(|(name, group)| (name, Answer::Found(group)));
        let mut found = Groups::default();
        for (name, answer) in local.chain(said.groups) {
            let resolved = member.is_in(&name, &answer, known.0.get(&name));
            match resolved.membership {
                Membership::In => found.is_in.push(name),
                Membership::Out => {}
                Membership::Unknown => found.unknown.push(name),
            }
            found.notes.extend(resolved.note);
        }
        found
    }

    fn barred(&self, class: Class, person: &Person) -> Option<String> {
        let nobody_may = self.nologin.iter().find(|file| file.exists());
        if let (Class::Login, Some(file)) = (class, nobody_may) {
            return Some(format!("{} is there", file.display()));
        }
        let shadow = self.read(&self.etc.join("shadow")).ok()?;
        let today = clock::now().ok()?.wall_s.div_euclid(86_400);
        let expired = seats::has_expired(&shadow, &person.name, today);
        expired.then(|| format!("the account of {:?} has expired", person.name))
    }

    fn seat(&self, person: &Person) -> Result<Option<Seat>, String> {
        let shown = self.seats.display();
        Seat::take(&self.seats, person.uid).map_err(|error| format!("{shown}: {error}"))
    }

    fn runs_as(&self, uid: u32) -> bool {
        getresuid().is_ok_and(|own| {
            [own.real, own.effective, own.saved]
                .iter()
                .all(|own| own.as_raw() == uid)
        })
    }

    fn gate_file(&self) -> Result<GateFile, String> {
        let shown = self.gate_file.display();
        let text = self
            .read(&self.gate_file)
            .map_err(|error| format!("{shown}: {error}"))?;
        GateFile::parse(&text).map_err(|error| format!("{shown}: {error}"))
    }

    fn live_grant(&self, class: Class, person: &Person) -> Result<Option<Offline>, String> {
        let Some(state) = self.state(person.uid)? else {
            return Ok(None);
        };
        let boot_id = boot_id()?;
        let now = clock::now().map_err(|error| format!("the clock: {error}"))?;
        let live = state.live_grant(class, &person.name, &boot_id, now.boottime_ms, now.wall_s);
        Ok(live.map(|grant| Offline {
            id: grant.id,
            role: grant.role.clone(),
            remaining_s: grant
                .remaining_ms(now.boottime_ms, now.wall_s)
                .div_ceil(1_000),
        }))
    }

    fn is_live(&self, id: &Id, of: Option<u32>) -> bool {
        let lives = |state: &StateFile| {
            let (Ok(boot_id), Ok(now)) = (boot_id(), clock::now()) else {
                return false;
            };
            let left = |grant: &OfflineGrant| grant.remaining_ms(now.boottime_ms, now.wall_s);
            state.boot_id == boot_id && state.grants.iter().any(|g| g.id == *id && left(g) > 0)
        };
        let names = match of {
            Some(uid) => vec![uid.to_string()],
            None => fs::read_dir(&self.state_dir)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
        };
        names
            .iter()
            .filter_map(|name| self.read(&self.state_dir.join(name)).ok())
            .filter_map(|text| StateFile::parse(&text).ok())
            .any(|state| lives(&state))
    }

    fn outlives_grant(&self, uid: u32) -> Result<bool, String> {
        let path = self.ended_dir.join(uid.to_string());
        let not_a_time = || format!("{}: not a time", path.display());
        let marked = self
            .read_if_there(&path)?
            .map(|text| offline::parse_end(&text).ok_or_else(not_a_time))
            .transpose()?;
        let over = match self.state(uid)? {
            Some(state) => {
                let now = clock::now().map_err(|error| format!("the clock: {error}"))?;
                state.last_over_ms(&boot_id()?, now.boottime_ms, now.wall_s)
            }
            None => None,
        };
        match marked.max(over) {
            Some(ended_ms) => Ok(clock::own_start_ms()? <= ended_ms),
            None => Ok(false),
        }
    }

    fn cgroup(&self) -> Result<String, String> {
        cgroup::own()
    }

    fn held_by(&self) -> Vec<Id> {
        cgroup::held_by().unwrap_or_default()
    }

    fn enter_group(&self, id: &Id, left: Option<&Id>) -> Result<(), String> {
        cgroup::enter(id, left)
    }

    fn leave_group(&self, id: &Id) -> Result<(), String> {
        cgroup::leave(id)
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

fn boot_id() -> Result<String, String> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    Ok(text.trim().to_owned())
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
            groups_file: dir.path().join("groups"),
            etc: dir.path().to_owned(),
            nologin: vec![dir.path().join("nologin")],
            seats: dir.path().join("asking"),
            state_dir: dir.path().to_owned(),
            ended_dir: dir.path().join("ended"),
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
                began_ms: 0,
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
    fn a_grant_lives_while_a_state_file_of_this_boot_says_so() {
        let (dir, machine) = machine();
        let id = Id::parse("7H2KM4QX").unwrap();
        let write = |state: &StateFile| fs::write(dir.path().join("1001"), state.render()).unwrap();
        assert!(!machine.is_live(&id, None));
        write(&state(1001, 90_000));
        for (of, lives) in [(None, true), (Some(1001), true), (Some(1002), false)] {
            assert_eq!(machine.is_live(&id, of), lives, "{of:?}");
        }
        let other = Id::parse("00000001").unwrap();
        assert!(!machine.is_live(&other, None));
        let mut over = state(1001, 90_000);
        over.grants[0].deadline_ms = 0;
        let mut elsewhere = state(1001, 90_000);
        elsewhere.boot_id = "other".into();
        for state in [over, elsewhere] {
            write(&state);
            assert!(!machine.is_live(&id, None), "{state:?}");
        }
    }

    #[test]
    fn a_process_outlives_each_grant_that_ended_behind_its_start() {
        let (dir, machine) = machine();
        assert_eq!(machine.outlives_grant(1001), Ok(false));
        let mark = dir.path().join("ended");
        fs::create_dir(&mark).unwrap();
        let write = |text: &str| fs::write(mark.join("1001"), text).unwrap();
        let start = clock::own_start_ms().unwrap();
        let now = clock::now().unwrap().boottime_ms;
        assert!(start > 0 && start <= now, "{start} {now}");
        for (ended, outlives) in [(start - 1, false), (start, true), (now, true)] {
            write(&offline::render_end(ended));
            assert_eq!(machine.outlives_grant(1001), Ok(outlives), "{ended}");
            assert_eq!(machine.outlives_grant(1002), Ok(false));
        }
        write("soon\n");
        assert!(machine.outlives_grant(1001).unwrap_err().contains("ended"));
        fs::remove_file(mark.join("1001")).unwrap();
        // Nobody was there to end it.
        let mut over = state(1001, 0);
        over.grants[0].deadline_ms = now;
        over.grants[0].sudo = true;
        let put = |state: &StateFile| fs::write(dir.path().join("1001"), state.render()).unwrap();
        put(&over);
        assert_eq!(machine.outlives_grant(1001), Ok(true));
        over.grants[0].deadline_ms = start - 1;
        put(&over);
        assert_eq!(machine.outlives_grant(1001), Ok(false));
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
    fn expired_accounts_are_barred_and_everybody_from_logins_while_nobody_may() {
        let (dir, machine) = machine();
        assert_eq!(machine.barred(Class::Login, &alice()), None);
        fs::write(dir.path().join("shadow"), "alice:*:1::::::\n").unwrap();
        assert_eq!(machine.barred(Class::Login, &alice()), None);
        fs::write(dir.path().join("shadow"), "alice:*:1::::2:2:\n").unwrap();
        assert!(
            machine
                .barred(Class::Sudo, &alice())
                .unwrap()
                .contains("expired")
        );
        fs::remove_file(dir.path().join("shadow")).unwrap();
        fs::write(dir.path().join("nologin"), "").unwrap();
        assert!(
            machine
                .barred(Class::Login, &alice())
                .unwrap()
                .contains("nologin is there")
        );
        assert_eq!(machine.barred(Class::Sudo, &alice()), None);
    }

    #[test]
    fn groups_are_told_one_by_one_and_one_that_is_gone_by_what_was_last_known() {
        let (dir, machine) = machine();
        let write = |name, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("passwd", "alice:x:1001:1001::/:/bin/sh\n");
        write("group", "x-oncall:x:4001:bob\nx-exempt:x:4002:alice\n");
        write(
            "groups",
            "tpa-groups 1\ndirectory 4003 x-eng\nmember alice\nlocal 4004 x-gone\nend\n",
        );
        let named = ["x-oncall", "x-exempt", "x-eng", "x-gone", "x-never"];
        let named: Vec<_> = named.iter().map(|name| (*name).to_owned()).collect();
        let groups = machine.groups(&alice(), &named);
        assert_eq!(groups.is_in, ["x-exempt", "x-eng"]);
        assert_eq!(groups.unknown, ["x-never"]);
        assert_eq!(groups.notes.len(), 3, "{groups:?}");
        assert_eq!(machine.groups(&alice(), &[]), Groups::default());
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
