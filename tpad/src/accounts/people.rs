//! Whether the names in a configuration are anybody's, asked at once and waited for: for `tpad check`,
//! where nobody waits at the gate meanwhile.

use nix::unistd::{Group, User};

use serde_json::Value;

use super::{Nss, by_name};
use crate::config::people::{Lookup, People, Person};
use crate::config::standing;

impl People for Nss {
    fn user_exists(&self, name: &str) -> Lookup {
        outcome(User::from_name(name))
    }

    fn group_exists(&self, name: &str) -> Lookup {
        outcome(Group::from_name(name))
    }

    fn members(&self, group: &str) -> Option<Vec<String>> {
        members(group)
    }

    fn sudoers(&self) -> Option<Result<Value, String>> {
        standing::sudoers()
    }

    fn person(&self, name: &str) -> Result<Option<Person>, String> {
        let found = by_name(name).map_err(|errno| errno.desc().to_owned())?;
        Ok(found.map(|account| Person {
            uid: account.person.uid,
            groups: account.groups,
            gids: account.gids,
        }))
    }
}

/// Those that a group lists, and those of this host whose first group it is.
fn members(group: &str) -> Option<Vec<String>> {
    let group = Group::from_name(group).ok()??;
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let first = accounts.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid: u32 = fields.nth(2)?.parse().ok()?;
        (gid == group.gid.as_raw()).then(|| name.to_owned())
    });
    let mut members: Vec<String> = first.chain(group.mem).collect();
    members.sort();
    members.dedup();
    Some(members)
}

fn outcome<T>(answer: nix::Result<Option<T>>) -> Lookup {
    answer.map_or_else(
        |errno| Lookup::Failed(errno.desc().to_owned()),
        |found| found.map_or(Lookup::Missing, |_| Lookup::Found),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_of_an_unlikely_name() {
        assert_eq!(Nss.user_exists("root"), Lookup::Found);
        assert_eq!(Nss.group_exists("no-such-group-here"), Lookup::Missing);
        assert_eq!(Nss.person("no-such-user-here"), Ok(None));
        let root = Nss.person("root").unwrap().unwrap();
        assert_eq!(root.uid, 0);
        assert!(root.groups.contains(&"root".to_owned()));
    }
}
