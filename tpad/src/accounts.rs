//! People as NSS has them now (nsswitch.conf(5)).

use std::ffi::CString;

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
