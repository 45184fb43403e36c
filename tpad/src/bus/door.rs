//! The front door (`ssh tpa@HOST`): who came in through which process of sshd's.
//!
//! Everybody who comes in has the uid of one account, so that uid proves nobody. What proves them is
//! the key that sshd has checked. `pam_tpa` tells it, as root, from inside the very process of sshd's
//! that did ([`Door::enter`]); the program that sshd then starts for them is known by where it comes
//! from ([`Door::visitor`]): its parent is sshd's process for the connection, whose parent is that
//! one. The kernel says so, and nothing that runs as the account can be put there by anybody but sshd.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tpa_bus::names::{DOOR, DOOR_ACCOUNT, DOOR_SETTINGS};
use tpa_bus::text::one_line;
use tpa_statement::login::Credential;

use super::process::{Held, parent, status_line};
use crate::accounts::{Account, LocalFiles};
use crate::host::process::started;
use crate::ledger::{Namespace, Process};

/// Most connections that are remembered. Each carries one program at a time (`MaxSessions` of the
/// settings that the package ships), with one connection to the bus, which takes 256 of one account
/// (`dbus-daemon(1)`, `max_connections_per_user`): whoever is let in here has room there, also while
/// programs of those who have just left end.
pub const MOST: usize = 240;

/// Most of one person, whatever their keys: a CA may sign them as many as they like.
const MOST_EACH: usize = 16;

/// How many of all are kept for whoever has none: nobody's many shut them out.
const KEPT: usize = MOST / 2;

/// A process of sshd's: its number, and when it started.
type Server = (u32, u64);

/// Who has come in, by the process of sshd's that has let them in.
#[derive(Debug, Default)]
pub struct Door(Mutex<BTreeMap<Server, Visit>>);

/// What somebody has come in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The uid of the account that sshd has let them in as.
    pub account: u32,
    /// Whose key it was then. Whose it is, the file of signers says at each call.
    pub person: String,
    /// The key.
    pub credential: Credential,
    /// Whether sshd had to ask for its PIN.
    pub asked_pin: bool,
}

impl Door {
    /// Remembers what somebody has proven to a process of sshd's, for as long as it lives.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn enter(&self, proc: &Path, server: u32, visit: Visit) -> Result<(), String> {
        let name = named(proc, server).ok_or("sshd has ended")?;
        let mut visits = self.lock();
        // Those of this person are looked at each time, all of them where room gets scarce.
        let is_full = visits.len() >= MOST / 4;
        visits.retain(|(pid, at), other| {
            let is_asked = is_full || other.person == visit.person;
            !is_asked || started(proc, *pid) == Some(*at)
        });
        let free = MOST.saturating_sub(visits.len());
        let own = visits.values().filter(|other| other.person == visit.person);
        let own = own.count();
        if free == 0 {
            return Err("too many connections to it are open".to_owned());
        }
        if own >= MOST_EACH || (own > 0 && free <= KEPT) {
            let connections = if own == 1 {
                "connection"
            } else {
                "connections"
            };
            return Err(format!(
                "{} has {own} {connections} to it open, and there is no room for more of theirs",
                one_line(&visit.person, 64)
            ));
        }
        visits.insert(name, visit);
        Ok(())
    }

    /// What a process, which is held meanwhile and has the account's uid, has come in with: nothing
    /// where sshd has not started it, or not for somebody who came by the front door.
    #[must_use]
    pub fn visitor(&self, proc: &Path, held: &Held, account: u32) -> Option<Visit> {
        let own = u32::try_from(held.pid()).ok()?;
        let before = parent(proc, own)?;
        let server = named(proc, parent(proc, before)?)?;
        // Its parent is the same process all along, and so is that one's.
        let is_still = parent(proc, own)? == before && held.is_there();
        let visit = self.lock().get(&server).cloned()?;
        (is_still && visit.account == account).then_some(visit)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Server, Visit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one key that sshd says was proven (`SSH_AUTH_INFO_0`, sshd(8)). Of several, or of something
/// else beside it, nobody knows which tells who it is.
#[must_use]
pub fn proven(methods: &str) -> Option<Credential> {
    let mut lines = methods.lines();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    Credential::parse(line.strip_prefix("publickey ")?).ok()
}

/// Whether an administrator has enabled it.
#[must_use]
pub fn is_enabled() -> bool {
    Path::new(DOOR_SETTINGS).exists()
}

/// Whether this uid is that of the front door's account. One of a person's is a person's.
#[must_use]
pub fn is_account(files: &LocalFiles, uid: u32, uid_min: u32) -> bool {
    let named = |account: &Account| account.person.name == DOOR_ACCOUNT;
    uid < uid_min && files.all_of(uid).iter().any(named)
}

/// Whether a process is the program of the front door, in the account's uid and nobody's container.
#[must_use]
pub fn is_program(proc: &Path, held: &Held, account: u32) -> bool {
    let Process::Held(traits) = held.look(proc) else {
        return false;
    };
    let program = fs::read_link(proc.join(format!("{}/exe", held.pid())));
    traits.uids == [account; 4]
        && traits.namespace == Namespace::Ours
        && program.is_ok_and(|program| program == Path::new(DOOR))
        && held.is_there()
}

/// A process of root's, by its number and its start.
fn named(proc: &Path, pid: u32) -> Option<Server> {
    let uids = status_line(proc, pid, "Uid:")?;
    let is_root = uids.split_ascii_whitespace().all(|uid| uid == "0");
    let at = started(proc, pid)?;
    is_root.then_some((pid, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    /// A folder like `/proc`, with processes in it.
    struct Processes(tempfile::TempDir);

    impl Processes {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn add(&self, pid: u32, parent: u32, uid: u32, started: u64) {
            let folder = self.path().join(pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            let status = format!(
                "Name:\tx\nState:\tS (sleeping)\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nThreads:\t1\n"
            );
            fs::write(folder.join("status"), status).unwrap();
            let zeros = "0 ".repeat(17);
            let stat = format!("{pid} (x) S {parent} {zeros}{started} 0 0\n");
            fs::write(folder.join("stat"), stat).unwrap();
            fs::write(folder.join("loginuid"), "4294967295").unwrap();
            fs::write(folder.join("cgroup"), "0::/\n").unwrap();
        }
    }

    /// This very process under another parent, which stands in for the door's program.
    fn own(processes: &Processes, parent: u32) -> Held {
        let pid = std::process::id();
        processes.add(pid, parent, 993, 50);
        let number = i32::try_from(pid).unwrap();
        Held::new(number, crate::sys::pidfd_open(number).unwrap())
    }

    fn key(text: &str) -> Credential {
        Credential::parse(text).unwrap()
    }

    fn visit(person: &str, text: &str) -> Visit {
        Visit {
            account: 993,
            person: person.to_owned(),
            credential: key(text),
            asked_pin: false,
        }
    }

    fn alice(text: &str) -> Visit {
        visit("alice", text)
    }

    #[test]
    fn whom_sshd_started_came_with_the_key_that_this_sshd_proved() {
        let processes = Processes::new();
        processes.add(10, 1, 0, 40);
        processes.add(11, 10, 993, 45);
        let held = own(&processes, 11);
        let door = Door::default();
        assert_eq!(
            door.visitor(processes.path(), &held, 993),
            None,
            "nobody came"
        );
        door.enter(processes.path(), 10, alice(KEY)).unwrap();
        assert_eq!(door.visitor(processes.path(), &held, 993), Some(alice(KEY)));
        assert_eq!(
            door.visitor(processes.path(), &held, 994),
            None,
            "another account"
        );
    }

    #[test]
    fn whoever_sshd_has_not_started_came_with_nothing() {
        let processes = Processes::new();
        processes.add(10, 1, 0, 40);
        processes.add(11, 10, 993, 45);
        processes.add(12, 11, 993, 46);
        processes.add(20, 1, 0, 41);
        processes.add(21, 20, 993, 45);
        let door = Door::default();
        door.enter(processes.path(), 10, alice(KEY)).unwrap();
        // Straight from root's sshd, deeper than its program, by another sshd, and left alone.
        for parent in [10, 12, 21, 1, 99] {
            let held = own(&processes, parent);
            assert_eq!(door.visitor(processes.path(), &held, 993), None, "{parent}");
        }
        // The same number, another process.
        processes.add(10, 1, 0, 60);
        let held = own(&processes, 11);
        assert_eq!(door.visitor(processes.path(), &held, 993), None);
        // Not root's any more.
        let door = Door::default();
        processes.add(10, 1, 993, 60);
        assert!(door.enter(processes.path(), 10, alice(KEY)).is_err());
    }

    #[test]
    fn one_person_takes_their_share_by_all_their_keys_and_what_has_ended_is_forgotten_for_others() {
        let processes = Processes::new();
        let door = Door::default();
        for pid in 100..116 {
            processes.add(pid, 1, 0, 7);
            let by = if pid % 2 == 0 { KEY } else { OTHER };
            door.enter(processes.path(), pid, alice(by)).unwrap();
        }
        processes.add(200, 1, 0, 7);
        for by in [KEY, OTHER] {
            let full = door.enter(processes.path(), 200, alice(by));
            assert!(full.unwrap_err().contains("alice has 16 connections"));
        }
        door.enter(processes.path(), 200, visit("bob", OTHER))
            .unwrap();
        // It has ended, and another process has its number now.
        processes.add(101, 1, 0, 8);
        processes.add(202, 1, 0, 7);
        door.enter(processes.path(), 202, alice(KEY)).unwrap();
    }

    #[test]
    fn however_many_a_crowd_opens_whoever_has_none_comes_in() {
        let processes = Processes::new();
        let door = Door::default();
        let mut pids = 1_000..;
        let mut comes = |person: &str| {
            let pid = pids.next().unwrap();
            processes.add(pid, 1, 0, 7);
            door.enter(processes.path(), pid, visit(person, KEY))
                .is_ok()
        };
        for _ in 0..MOST_EACH {
            for person in 0..40 {
                comes(&format!("crowd{person}"));
            }
        }
        assert!(!comes("crowd0"), "they have their share");
        for person in 0..KEPT {
            assert!(comes(&format!("other{person}")), "{person} is shut out");
        }
        assert!(!comes("last"), "there is no more room");
    }

    #[test]
    fn sshd_tells_one_key_or_none() {
        assert_eq!(proven(&format!("publickey {KEY}\n")), Some(key(KEY)));
        for methods in [
            String::new(),
            "password\n".to_owned(),
            format!("publickey {KEY}\npassword\n"),
            format!("publickey {KEY}\npublickey {OTHER}\n"),
            format!("hostbased {KEY}\n"),
            format!("publickey {KEY} x\n"),
        ] {
            assert_eq!(proven(&methods), None, "{methods}");
        }
    }
}
