//! What the account that a rule runs as gives by itself.

use super::Danger;
use super::kind::Kind;
use super::seen::Seen;
use super::table::GROUPS;
use crate::policy::SudoRule;

/// Being this account, or in this group.
pub(super) fn of_account(rule: &SudoRule, seen: &Seen) -> Vec<Danger> {
    let whom = rule.run_as.as_str();
    let account = seen.accounts.get(whom);
    let decides = account
        .filter(|account| !account.decides.is_empty())
        .map(|account| Danger {
            kind: Kind::Decides,
            message: format!(
                "runs as {whom}, who decides on {}: what runs as an approver can decide",
                account.decides.join(", ")
            ),
            instead: Kind::Decides.instead(),
        });
    if whom == "root" {
        return decides.into_iter().collect();
    }
    let is_root = account.filter(|account| account.is_root).map(|_| Danger {
        kind: Kind::Rights,
        message: format!("runs as {whom}, whose uid is root's"),
        instead: "give the account a uid of its own",
    });
    let groups = account.map_or(&[][..], |account| &account.groups);
    let own = std::iter::once(whom).chain(groups.iter().map(String::as_str));
    let groups = own.chain(rule.run_as_group.as_deref());
    let group = groups.into_iter().find_map(|group| {
        let row = GROUPS
            .row
            .iter()
            .find(|row| row.groups.0.iter().any(|one| one == group))?;
        Some(Danger {
            kind: row.why,
            message: format!(
                "runs as {whom} in group {group}, which {}: this amounts to being root",
                row.why.group()
            ),
            instead: "run it as an account that is in no such group",
        })
    });
    [decides, is_root, group].into_iter().flatten().collect()
}

/// Programs that run what they are told to, now or later, as somebody whom their arguments name.
const RUN_AS_NAMED: [&str; 9] = [
    "crontab",
    "at",
    "batch",
    "su",
    "runuser",
    "sudo",
    "setpriv",
    "systemd-run",
    "run0",
];

/// Words of a command that may name the account that something is run as: `-u carol`, `carol`,
/// `-ucarol`, `--uid=carol`, `--reuid carol`.
#[must_use]
pub fn names_in(command: &str) -> Vec<&str> {
    let mut words = command.split(' ');
    let program = words.next().and_then(|path| path.rsplit('/').next());
    if !program.is_some_and(|program| RUN_AS_NAMED.contains(&program)) {
        return Vec::new();
    }
    let name = |word| {
        let word: &str = word;
        let short = word.strip_prefix("-u").filter(|rest| !rest.is_empty());
        let long = word.split_once('=').map(|(_, value)| value);
        let bare = (!word.starts_with(['-', '/'])).then_some(word);
        long.or(short).or(bare)
    };
    words.filter_map(name).collect()
}

/// A command that runs something, now or later, as somebody who decides.
pub(super) fn as_approver(command: &str, seen: &Seen) -> Option<Danger> {
    let name = names_in(command).into_iter().find_map(|word| {
        let account = seen.accounts.get(word)?;
        (!account.decides.is_empty()).then_some((word, account))
    });
    name.map(|(word, account)| Danger {
        kind: Kind::Decides,
        message: format!(
            "runs what it is told to as {word}, who decides on {}: what runs as an approver can decide",
            account.decides.join(", ")
        ),
        instead: Kind::Decides.instead(),
    })
}
