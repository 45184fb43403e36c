//! What a file comes to: for those who edit it, and for those who have a command read or write it.

use super::kind::Kind;
use super::seen::Seen;
use super::table::{FILES, FileRow, SERVICES, ServiceRow};
use super::{Danger, glob, place};
use crate::policy::SudoRule;

/// What editing a file gives to those who do it as the rule says; `rules` are all of the role.
pub(super) fn of_edit(file: &str, rule: &SudoRule, rules: &[SudoRule], seen: &Seen) -> Vec<Danger> {
    let whom = rule.run_as.as_str();
    let is_root = whom == "root"
        || seen
            .accounts
            .get(whom)
            .is_some_and(|account| account.is_root);
    let of_service = service_of(file).map(|row| of_service(row, rules, whom));
    let key = is_root
        .then(|| row_of(file, false))
        .flatten()
        .map(|row| of_key(row.why));
    let wild = file.contains(['*', '?', '[']).then(|| Danger {
        kind: Kind::Open,
        message: "a wildcard lets them make new files in the folder too".to_owned(),
        instead: "name each file",
    });
    let loose = place::of_operand(file, seen, whom);
    of_service
        .filter(|_| is_root)
        .or(key)
        .into_iter()
        .chain(wild)
        .chain(loose)
        .collect()
}

fn of_key(why: Kind) -> Danger {
    Danger {
        kind: why,
        message: format!("{}: who can edit this file can become root", why.file()),
        instead: "give a root-owned script that makes the one change",
    }
}

fn row_of(file: &str, read: bool) -> Option<&'static FileRow> {
    let meets = |row: &&FileRow| row.files.0.iter().any(|one| glob::overlap(one, file));
    FILES.row.iter().filter(|row| row.read == read).find(meets)
}

fn service_of(file: &str) -> Option<&'static ServiceRow> {
    let meets = |row: &&ServiceRow| row.files.0.iter().any(|one| glob::overlap(one, file));
    SERVICES.row.iter().find(meets)
}

/// A service's configuration: more where the same role also has the service read it again.
fn of_service(row: &ServiceRow, rules: &[SudoRule], _whom: &str) -> Danger {
    let whom = row.run_as.as_str();
    let does = match row.why {
        Kind::Loads => "can name code that the service loads",
        _ => "can name programs that the service runs",
    };
    let restarts = rules
        .iter()
        .flat_map(|rule| &rule.run)
        .find(|command| restarts(row, command));
    let message = match restarts {
        Some(command) => format!(
            "{does} as {whom}, and \"{command}\" of the same role makes it do so: together this \
             amounts to being {whom}"
        ),
        None => format!(
            "{does} as {whom} when it next starts: who can edit this file can become {whom}"
        ),
    };
    Danger {
        kind: row.why,
        message,
        instead: "give a root-owned script that makes the one change, checks it and reloads",
    }
}

/// Whether a command has the service read its configuration again.
fn restarts(row: &ServiceRow, command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().and_then(|path| path.rsplit('/').next());
    let named = |word: &str| {
        let word = word.strip_suffix(".service").unwrap_or(word);
        row.units.0.iter().any(|unit| glob::overlap(unit, word))
    };
    match program {
        Some("systemctl" | "service" | "invoke-rc.d" | "rc-service" | "supervisorctl") => {
            let words: Vec<&str> = words.collect();
            let again = |word: &&str| {
                word.contains("restart")
                    || word.contains("reload")
                    || *word == "start"
                    || *word == "*"
            };
            words.is_empty() || (words.iter().any(again) && words.iter().any(|word| named(word)))
        }
        Some("reboot" | "shutdown" | "halt") => true,
        Some(program) => named(program),
        None => false,
    }
}

/// What a command that reads or writes a file gives by it.
pub(super) fn of_operand(file: &str, whom: &str, writes: bool, reads: bool) -> Option<Danger> {
    if whom != "root" || harmless(file) {
        return None;
    }
    let key = writes.then(|| row_of(file, false)).flatten();
    let secret = reads.then(|| row_of(file, true)).flatten();
    match (key, secret) {
        (Some(row), _) => Some(Danger {
            kind: row.why,
            message: format!(
                "acts on {file}, which {}: this may amount to being root",
                row.why.file()
            ),
            instead: "give a root-owned script that makes the one change",
        }),
        (None, Some(row)) => Some(Danger {
            kind: row.why,
            message: format!("shows {file}, which {}", row.why.file()),
            instead: row.why.instead(),
        }),
        (None, None) => None,
    }
}

/// Places of programs and devices that say nothing as arguments.
fn harmless(file: &str) -> bool {
    [
        "/dev/null",
        "/dev/zero",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
        "/dev/random",
        "/dev/urandom",
    ]
    .contains(&file)
}
