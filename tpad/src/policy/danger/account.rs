//! What the account that a rule runs as gives by itself.

use super::Danger;
use super::host_rules;
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
    let unread = seen.sudoers_unread.as_ref().map(|why| Danger {
        kind: Kind::Host,
        message: format!("what the host's own rules of sudo give {whom} cannot be told: {why}"),
        instead: "see what keeps it: cvtsudoers -f json /etc/sudoers; then reload tpad",
    });
    let standing = account.map(|account| host_rules::of_standing(whom, account, seen));
    [decides, is_root, group, unread]
        .into_iter()
        .flatten()
        .chain(standing.into_iter().flatten())
        .collect()
}

/// Programs that run what they are told to, now or later, as somebody whom their arguments name.
const RUN_AS_NAMED: &[&str] = &[
    "at",
    "batch",
    "chpst",
    "chroot",
    "crontab",
    "doas",
    "gosu",
    "machinectl",
    "pkexec",
    "run0",
    "runuser",
    "s6-setuidgid",
    "setpriv",
    "setuidgid",
    "ssh",
    "start-stop-daemon",
    "su",
    "su-exec",
    "sudo",
    "systemd-run",
    "unshare",
];

/// Words of a command that may name the account that something is run as: `-u carol`, `carol`,
/// `-ucarol`, `--uid=carol`, `--userspec=carol:web`, `carol@.host`; also behind other programs, as in
/// `nice crontab`.
#[must_use]
pub fn names_in(command: &str) -> Vec<&str> {
    let mut words = command.split(' ');
    let is_one = |word: &&str| {
        let program = word.rsplit('/').next().unwrap_or(word);
        RUN_AS_NAMED.contains(&program)
    };
    let Some(program) = words.find(is_one) else {
        return Vec::new();
    };
    // To list a table runs nothing.
    if program.ends_with("crontab") && words.clone().any(|word| word == "-l") {
        return Vec::new();
    }
    let names = words.filter_map(|word| {
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        let value = value.trim_matches(['"', '\'']);
        let value = value.strip_prefix("-u").unwrap_or(value);
        value.split(['@', ':']).next()
    });
    names
        .filter(|name| !name.is_empty() && !name.starts_with(['-', '/']))
        .collect()
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
