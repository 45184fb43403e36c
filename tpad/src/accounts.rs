//! People as NSS has them now (nsswitch.conf(5)).

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use nix::unistd::{Group, Uid, User, getgrouplist};

use crate::ledger::Person;

/// Someone with an account, and the names of all groups they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// Their groups.
    pub groups: Vec<String>,
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
    for gid in getgrouplist(&name, user.gid)? {
        // A gid without a name is no group that a configuration could mean.
        groups.extend(Group::from_gid(gid)?.map(|group| group.name));
    }
    let person = Person {
        uid: user.uid.as_raw(),
        name: user.name,
    };
    Ok(Some(Account { person, groups }))
}

/// The accounts of this host alone, as they are and as they were before the last change: programs
/// that change passwd(5) leave the version before as `/etc/passwd-`, with its time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalFiles {
    now: String,
    before: String,
    /// When the version before was written, in seconds since 1970.
    before_at: i64,
}

impl LocalFiles {
    /// Reads them. What cannot be read tells nothing.
    #[must_use]
    pub fn read() -> Self {
        let written = fs::metadata("/etc/passwd-").map(|file| file.mtime());
        Self {
            now: fs::read_to_string("/etc/passwd").unwrap_or_default(),
            before: fs::read_to_string("/etc/passwd-").unwrap_or_default(),
            before_at: written.unwrap_or(i64::MIN),
        }
    }

    /// Whether an account that was there at `since` is another one now, under the same name and
    /// uid: it is there, and since that second it was not.
    #[must_use]
    pub fn made_anew(&self, person: &Person, since: i64) -> bool {
        let has = |file: &str| file.lines().any(|line| is_line_of(line, person));
        self.before_at >= since && has(&self.now) && !has(&self.before)
    }
}

/// `alice:x:1001:…`
fn is_line_of(line: &str, person: &Person) -> bool {
    let mut fields = line.split(':');
    let name = fields.next();
    let uid = fields.nth(1).and_then(|uid| uid.parse().ok());
    name == Some(&person.name) && uid == Some(person.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            before_at: 100,
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
