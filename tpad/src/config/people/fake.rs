//! A small made-up host, for tests.

use super::{Lookup, People, Person};

/// Knows a few people. The group `unreachable` is on a server that does not answer.
pub(in crate::config) struct Host;

const USERS: &[(&str, u32, &[&str])] = &[
    ("root", 0, &["root"]),
    ("alice", 1001, &["alice", "engineers"]),
    ("bob", 1002, &["bob"]),
    ("carol", 1003, &["carol"]),
    ("dave", 1004, &["dave", "oncall"]),
    ("eve", 1005, &["eve", "engineers", "tpa-emergency"]),
    ("zoe", 1009, &["zoe", "linux admins", "Linux Admins (Prod)"]),
    ("postgres", 105, &["postgres"]),
    ("www-data", 33, &["www-data"]),
];

impl People for Host {
    fn user_exists(&self, name: &str) -> Lookup {
        found(USERS.iter().any(|(user, ..)| *user == name))
    }

    fn group_exists(&self, name: &str) -> Lookup {
        if name == "unreachable" {
            return Lookup::Failed("Connection refused".into());
        }
        if name == "empty" {
            return Lookup::Found;
        }
        found(USERS.iter().any(|(_, _, groups)| groups.contains(&name)))
    }

    fn members(&self, group: &str) -> Option<Vec<String>> {
        let users = USERS.iter().filter(|(.., groups)| groups.contains(&group));
        Some(users.map(|(name, ..)| (*name).to_owned()).collect())
    }

    fn person(&self, name: &str) -> Result<Option<Person>, String> {
        let user = USERS.iter().find(|(user, ..)| *user == name);
        Ok(user.map(|(_, uid, groups)| Person {
            uid: *uid,
            groups: groups.iter().map(ToString::to_string).collect(),
            gids: Vec::new(),
        }))
    }
}

fn found(found: bool) -> Lookup {
    if found {
        Lookup::Found
    } else {
        Lookup::Missing
    }
}
