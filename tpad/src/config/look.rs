//! Looks once at what rules name on this host, so that they can be judged without another look.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::gethostname;
use serde_json::Value;
use tpa_bus::offline::Who;

use super::people::People;
use crate::host::paths::Paths;
use crate::host::rules::in_rust;
use crate::policy::danger::{Account, Seen, SeenFile, Whom, names_in, standing};
use crate::policy::{Policy, Role};

/// Looks at the files, accounts and groups that a configuration names.
pub(super) fn look(policy: &Policy, people: &dyn People) -> Seen {
    let rules = || policy.roles.values().flat_map(|role| &role.gives.sudo);
    let commands = rules().flat_map(|rule| &rule.run);
    let edits = rules().flat_map(|rule| &rule.edit).map(String::as_str);
    let paths: BTreeSet<&str> = commands
        .flat_map(|command| command.split(' ').filter_map(path_in))
        .chain(edits)
        .filter(|path| !path.contains(['*', '?', '[']))
        .collect();
    let files = paths
        .into_iter()
        .map(|path| (path.to_owned(), at_path(Path::new(path))))
        .collect();
    let others = rules().any(|rule| rule.run_as != "root");
    let sudoers = others.then(|| people.sudoers()).flatten();
    let (sudoers, unread) = match sudoers {
        Some(Ok(read)) => (Some(read), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let accounts = names(policy).into_iter().filter_map(|name| {
        let account = account(policy, &name, people, sudoers.as_ref())?;
        Some((name, account))
    });
    let groups: BTreeSet<&str> = policy
        .roles
        .values()
        .flat_map(|role| {
            role.approvers
                .iter()
                .chain(&role.auto)
                .chain(&role.requesters)
        })
        .filter_map(|who| match who {
            Who::Group(name) => Some(name.as_str()),
            Who::User(_) | Who::Everyone => None,
        })
        .collect();
    let members = groups
        .into_iter()
        .filter_map(|group| Some((group.to_owned(), people.members(group)?)));
    Seen {
        files,
        accounts: accounts.collect(),
        members: members.collect(),
        sudoers_unread: unread,
        sudo_rs: in_rust(&Paths::default().sudo).unwrap_or(false),
        strays: Vec::new(),
    }
}

/// Looks at the files that the words of a command name.
pub(crate) fn at_words(argv: &[String]) -> BTreeMap<String, SeenFile> {
    let paths = argv.iter().filter_map(|word| path_in(word));
    paths
        .map(|path| (path.to_owned(), at_path(Path::new(path))))
        .collect()
}

/// The absolute path in a word of a command: `/etc/x`, `--file=/etc/x`, `"/etc/x"`.
fn path_in(word: &str) -> Option<&str> {
    let word = word.trim_matches(['"', '\'']);
    let path = word.split_once('=').map_or(word, |(_, value)| value);
    path.starts_with('/').then_some(path)
}

/// Names of accounts to look at: those that rules run as, or have programs run things as, and those
/// that decide.
fn names(policy: &Policy) -> BTreeSet<String> {
    let of_role = |role: &Role| {
        let runs = role.gives.sudo.iter().map(|rule| rule.run_as.clone());
        let exact = role.exact.iter().flat_map(|exact| exact.run_as.clone());
        let runs = runs.chain(exact).filter(|name| name != "root");
        let decides = role
            .approvers
            .iter()
            .chain(&role.auto)
            .filter_map(|who| match who {
                Who::User(name) => Some(name.clone()),
                Who::Group(_) | Who::Everyone => None,
            });
        let commands = role.gives.sudo.iter().flat_map(|rule| &rule.run);
        let named = commands.flat_map(|command| names_in(command));
        let named = named.map(str::to_owned);
        runs.chain(decides).chain(named).collect::<Vec<_>>()
    };
    policy.roles.values().flat_map(of_role).collect()
}

fn account(
    policy: &Policy,
    name: &str,
    people: &dyn People,
    sudoers: Option<&Value>,
) -> Option<Account> {
    let person = people.person(name).ok()??;
    let host = gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let whom = Whom {
        name,
        uid: person.uid,
        groups: &person.groups,
        gids: &person.gids,
        host: &host,
    };
    let standing = sudoers.map(|read| standing(read, &whom));
    let decides = |role: &&Role| policy.means(&role.approvers, name, person.uid, &person.groups);
    let decides = policy.roles.values().filter(decides);
    Some(Account {
        is_root: person.uid == 0,
        decides: decides.map(|role| role.name.clone()).collect(),
        groups: person.groups,
        standing: standing.unwrap_or_default(),
    })
}

/// What stands at a path, and whether anyone but root can put something else there: on the way as
/// it is written, and on the way that links lead.
pub(crate) fn at_path(path: &Path) -> SeenFile {
    let real = fs::canonicalize(path).ok();
    let ways = [Some(path), real.as_deref()].into_iter().flatten();
    let place = ways.flat_map(Path::ancestors).find(|part| {
        let others = |found: fs::Metadata| {
            let writable = !found.is_symlink() && found.mode() & 0o022 != 0;
            // A device is for what uses it: who may write it says nothing of who made it.
            (found.uid() != 0 || writable)
                && (found.is_dir() || found.is_file() || found.is_symlink())
        };
        fs::symlink_metadata(part).is_ok_and(others)
    });
    let place = place.map(|place| place.to_string_lossy().into_owned());
    match (place, real) {
        (Some(place), _) => SeenFile::Loose { place },
        (None, Some(real)) => SeenFile::Roots {
            real: real.to_string_lossy().into_owned(),
        },
        (None, None) => SeenFile::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_alone_can_change_is_told_from_what_others_can() {
        let real = fs::canonicalize("/usr/bin/env").unwrap();
        let real = real.to_string_lossy().into_owned();
        assert_eq!(at_path(Path::new("/usr/bin/env")), SeenFile::Roots { real });
        assert_eq!(at_path(Path::new("/usr/bin/no-such")), SeenFile::Missing);
        for path in ["/tmp/no-such", "/tmp/a/b"] {
            let place = "/tmp".to_owned();
            assert_eq!(
                at_path(Path::new(path)),
                SeenFile::Loose { place },
                "{path}"
            );
        }
    }
}
