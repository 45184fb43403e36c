//! People as NSS has them now (nsswitch.conf(5)), and how it is asked: by [`Accounts`], off the
//! thread that answers the gate, with a limit, and its last good answer kept.

mod asking;
mod kept;
mod lookups;
mod people;
#[cfg(test)]
pub(crate) mod pretended;

use std::ffi::CString;
use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Uid, User, getgrouplist};
use tpa_bus::groups::{self, Group};

use crate::clock;
use crate::ledger::{PasswdEntry, Person};

/// Nanoseconds in a second.
const NS_PER_S: i64 = 1_000_000_000;

pub use asking::Accounts;
pub use lookups::{Lookups, When};

/// Someone with an account, and the names of all groups they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// Number of their primary group.
    pub gid: u32,
    /// Their groups.
    pub groups: Vec<String>,
    /// The same, by number, and those without a name.
    pub gids: Vec<u32>,
    /// What the name service did not tell of it, where it was asked and told nothing.
    pub untold: Option<Untold>,
}

/// What could not be told of an account, because the name service does not answer: it is then as
/// the host's own files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Why it is not told, in a sentence.
    pub why: String,
    /// Nor whether the account is still there: no file of this host has it, so it is as it was last
    /// told.
    pub account: bool,
}

/// A name service. It may fail, hang, or forget somebody for a moment: only [`Accounts`] asks it,
/// where that keeps nobody waiting.
pub trait NameService: Debug + Send + Sync {
    /// The account of this name; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be told, which is not the same.
    fn by_name(&self, name: &str) -> nix::Result<Option<Account>>;
    /// The account of this uid; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be told, which is not the same.
    fn by_uid(&self, uid: u32) -> nix::Result<Option<Account>>;
    /// The group of this name; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be told, which is not the same.
    fn group(&self, name: &str) -> nix::Result<Option<Group>>;
    /// The accounts and groups of this host alone, which no server has to be asked for.
    fn files(&self) -> LocalFiles;
}

/// The host's own, through nsswitch.conf(5).
#[derive(Debug, Clone, Copy, Default)]
pub struct Nss;

impl NameService for Nss {
    fn by_name(&self, name: &str) -> nix::Result<Option<Account>> {
        by_name(name)
    }

    fn by_uid(&self, uid: u32) -> nix::Result<Option<Account>> {
        by_uid(uid)
    }

    fn group(&self, name: &str) -> nix::Result<Option<Group>> {
        let group = nix::unistd::Group::from_name(name)?;
        Ok(group.map(|group| Group {
            gid: group.gid.as_raw(),
            members: group.mem.into_iter().collect(),
            local: false,
        }))
    }

    fn files(&self) -> LocalFiles {
        LocalFiles::read()
    }
}

/// The account of this name; `None` when there is none.
///
/// # Errors
/// When it cannot be told, which is not the same.
pub fn by_name(name: &str) -> nix::Result<Option<Account>> {
    account(User::from_name(name)?)
}

/// The account of this uid; `None` when there is none.
///
/// # Errors
/// When it cannot be told, which is not the same.
pub fn by_uid(uid: u32) -> nix::Result<Option<Account>> {
    account(User::from_uid(Uid::from_raw(uid))?)
}

fn account(user: Option<User>) -> nix::Result<Option<Account>> {
    let Some(user) = user else { return Ok(None) };
    let name = CString::new(user.name.as_str()).map_err(|_| nix::Error::EINVAL)?;
    let mut groups = Vec::new();
    let mut gids = Vec::new();
    for gid in getgrouplist(&name, user.gid)? {
        // A gid without a name is no group that a configuration could mean, and one whose name
        // cannot be told is none that gives anything.
        let group = nix::unistd::Group::from_gid(gid).unwrap_or_default();
        groups.extend(group.map(|group| group.name));
        gids.push(gid.as_raw());
    }
    let person = Person {
        uid: user.uid.as_raw(),
        name: user.name,
    };
    Ok(Some(Account {
        person,
        gid: user.gid.as_raw(),
        groups,
        gids,
        untold: None,
    }))
}

/// The accounts and groups of this host alone, as they are, and the accounts as they were before
/// the last change: programs that change passwd(5) leave the version before as `/etc/passwd-`, with
/// its time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalFiles {
    now: String,
    /// When this version was written, in nanoseconds since 1970.
    now_ns: i64,
    before: String,
    /// When the version before was written, in seconds since 1970: finer times of it are not kept.
    before_at: i64,
    /// When the version before was put where it is, in nanoseconds since 1970.
    kept_ns: i64,
    /// group(5)
    groups: String,
    /// Which files those were; `None` where that would not tell a change that followed at once.
    read_from: Option<Stamps>,
}

/// Device, number, length, and when it was changed last (inode(7)) in seconds and nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

/// Of [`FILES`], where they are there.
type Stamps = [Option<Stamp>; 3];

/// passwd(5), the version before it, and group(5).
const FILES: [&str; 3] = ["/etc/passwd", "/etc/passwd-", "/etc/group"];

/// How old a file must be before its stamp tells every change from then on, in seconds: the clock of
/// file systems is coarser than it looks.
const SETTLED_S: i64 = 2;

fn stamp(file: &str) -> Option<Stamp> {
    let found = fs::metadata(file).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.size(),
        found.ctime(),
        found.ctime_nsec(),
    ))
}

/// Whether whatever changes these files from now on changes their stamps.
fn are_settled(stamps: &Stamps, now_s: i64) -> bool {
    stamps
        .iter()
        .flatten()
        .all(|(.., changed_s, _)| changed_s.saturating_add(SETTLED_S) <= now_s)
}

impl LocalFiles {
    /// Reads them. What cannot be read tells nothing.
    #[must_use]
    pub fn read() -> Self {
        // Before they are read: what is changed meanwhile shows at the next look.
        let stamps = FILES.map(stamp);
        let read_from = are_settled(&stamps, clock::wall_s()).then_some(stamps);
        let [now, before, groups] = FILES;
        let (now, written) = version(now).unzip();
        let (before, kept) = version(before).unzip();
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(NS_PER_S).saturating_add(ns);
        Self {
            now: now.unwrap_or_default(),
            now_ns: written.map_or(i64::MIN, |file| ns(file.mtime(), file.mtime_nsec())),
            before: before.unwrap_or_default(),
            before_at: kept.as_ref().map_or(i64::MIN, MetadataExt::mtime),
            kept_ns: kept.map_or(i64::MIN, |file| ns(file.ctime(), file.ctime_nsec())),
            groups: fs::read_to_string(groups).unwrap_or_default(),
            read_from,
        }
    }

    /// Whether they are still as they were when they were read.
    #[must_use]
    pub fn are_current(&self) -> bool {
        self.read_from
            .is_some_and(|stamps| stamps == FILES.map(stamp))
    }

    /// Somebody in the version that is there now.
    #[must_use]
    pub fn entry(&self, person: &Person) -> PasswdEntry {
        PasswdEntry {
            local: self.has(person),
            written_ns: self.now_ns,
            kept_ns: self.kept_ns,
        }
    }

    /// Whether the account is one of this host.
    #[must_use]
    pub fn has(&self, person: &Person) -> bool {
        groups::is_local(&self.now, &person.name, person.uid)
    }

    /// Whether it was one until the last change, which was made since that second.
    #[must_use]
    pub fn had(&self, person: &Person, since: i64) -> bool {
        self.now_ns / NS_PER_S >= since && self.was_in_before(person)
    }

    /// Whether it was one until the last change.
    #[must_use]
    pub fn was_in_before(&self, person: &Person) -> bool {
        groups::is_local(&self.before, &person.name, person.uid)
    }

    /// Whether it could be read at all: there is always root.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.has(&Person::root())
    }

    /// Whether a user of this host has this name.
    #[must_use]
    pub fn has_user(&self, name: &str) -> bool {
        self.now
            .lines()
            .any(|line| line.split(':').next() == Some(name))
    }

    /// The group of this host that has this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<Group> {
        groups::local(&self.groups, &[name.to_owned()]).remove(name)
    }

    /// The first account of this host that is looked for, with the groups of this host it is in.
    #[must_use]
    pub fn account(&self, is_it: impl Fn(&Person) -> bool) -> Option<Account> {
        let (person, gid) = self
            .now
            .lines()
            .filter_map(user)
            .find(|(person, _)| is_it(person))?;
        let mut account = Account {
            person,
            gid,
            groups: Vec::new(),
            gids: Vec::new(),
            untold: None,
        };
        for line in self.groups.lines() {
            let mut fields = line.splitn(4, ':');
            let name = fields.next().unwrap_or_default();
            let number = fields.nth(1).and_then(|number| number.parse().ok());
            let mut members = fields.next().unwrap_or_default().trim().split(',');
            if let Some(number) = number
                && (number == gid || members.any(|member| member == account.person.name))
            {
                account.groups.push(name.to_owned());
                account.gids.push(number);
            }
        }
        Some(account)
    }

    /// All accounts of this host that have this uid.
    #[must_use]
    pub fn all_of(&self, uid: u32) -> Vec<Account> {
        let lines = self.now.lines().filter_map(user);
        let names = lines.filter(|(person, _)| person.uid == uid);
        names
            .filter_map(|(named, _)| self.account(|person| *person == named))
            .collect()
    }

    /// Whether an account that was there at `since` is another one now, under the same name and
    /// uid: it is there, and since that second it was not.
    #[must_use]
    pub fn made_anew(&self, person: &Person, since: i64) -> bool {
        self.before_at >= since && self.has(person) && !self.was_in_before(person)
    }
}

/// A file, and of which version of it that is.
fn version(path: &str) -> Option<(String, Metadata)> {
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some((text, metadata))
}

/// `alice:x:1001:2000:…`
fn user(line: &str) -> Option<(Person, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    Some((Person { uid, name }, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_where_a_change_might_not_show() {
        let changed_at = |at| [Some((1, 2, 3, at, 0)), None, Some((1, 3, 3, 50, 0))];
        assert!(are_settled(&changed_at(98), 100));
        assert!(!are_settled(&changed_at(99), 100));
        assert!(
            !are_settled(&changed_at(200), 100),
            "the clock was set back"
        );
        assert!(!LocalFiles::default().are_current());
        let files = LocalFiles::read();
        assert_eq!(files.are_current(), files.read_from.is_some());
    }

    #[test]
    fn an_account_that_was_not_there_meanwhile_was_made_anew() {
        let alice = Person {
            uid: 1001,
            name: "alice".to_owned(),
        };
        let (root, line) = (
            "root:x:0:0::/root:/bin/sh\n",
            "alice:x:1001:1001::/:/bin/sh\n",
        );
        let files = |now: &str, before: &str| LocalFiles {
            now: format!("{root}{now}"),
            before: format!("{root}{before}"),
            now_ns: 100 * NS_PER_S,
            before_at: 100,
            kept_ns: 100 * NS_PER_S,
            groups: String::new(),
            read_from: None,
        };
        assert!(files(line, "").made_anew(&alice, 100));
        assert!(
            !files(line, "").made_anew(&alice, 101),
            "that was before the grant"
        );
        assert!(!files(line, line).made_anew(&alice, 100));
        assert!(
            !files("", "").made_anew(&alice, 100),
            "an account of a directory"
        );
        let other = "alice:x:1002:1002::/:/bin/sh\n";
        assert!(
            files(line, other).made_anew(&alice, 100),
            "another uid is another account"
        );
    }
}
