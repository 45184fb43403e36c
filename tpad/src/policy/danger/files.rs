//! What a file comes to: for those who edit it, and for those who have a command read or write it.

use super::kind::Kind;
use super::seen::{Seen, SeenFile};
use super::table::{FILES, FileRow, SERVICES, ServiceRow};
use super::{Danger, command, glob, place};
use crate::policy::SudoRule;

/// What editing a file gives to those who do it as the rule says; `rules` are all of the role.
pub(super) fn of_edit(file: &str, rule: &SudoRule, rules: &[SudoRule], seen: &Seen) -> Vec<Danger> {
    let whom = rule.run_as.as_str();
    let is_root = whom == "root"
        || seen
            .accounts
            .get(whom)
            .is_some_and(|account| account.is_root);
    // Also what is behind a link of root's.
    let real = match seen.files.get(file) {
        Some(SeenFile::Roots { real }) => real.as_str(),
        _ => file,
    };
    let of_service = service_of(file)
        .or_else(|| service_of(real))
        .map(|row| of_service(row, rules));
    let key = is_root
        .then(|| row_of(file, false).or_else(|| row_of(real, false)))
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
        .or_else(|| of_script(file, rules))
        .into_iter()
        .chain(wild)
        .chain(loose)
        .collect()
}

/// A file that another command of the same role runs, or names to a program that runs it.
fn of_script(file: &str, rules: &[SudoRule]) -> Option<Danger> {
    let file = place::straight(file);
    let is_it = |word: &str| word.starts_with('/') && glob::fits(&file, &place::straight(word));
    let runs = |command: &&String| {
        let mut words = command.split(' ');
        let program = words.next().unwrap_or_default();
        is_it(program) || (command::runs_files(program) && words.any(is_it))
    };
    rules.iter().find_map(|rule| {
        let command = rule.run.iter().find(runs)?;
        Some(Danger {
            kind: Kind::Runs,
            message: format!(
                "\"{command}\" of the same role runs it as {whom}: together this amounts to being \
                 {whom}",
                whom = rule.run_as
            ),
            instead: "let nobody change what a role runs",
        })
    })
}

fn of_key(why: Kind) -> Danger {
    Danger {
        kind: why,
        message: format!("{}: who can edit this file can become root", why.file()),
        instead: "give a root-owned script that makes the one change",
    }
}

fn row_of(file: &str, read: bool) -> Option<&'static FileRow> {
    let file = place::straight(file);
    let meets = |row: &&FileRow| row.files.0.iter().any(|one| is_or_below(&file, one));
    FILES.row.iter().filter(|row| row.read == read).find(meets)
}

fn service_of(file: &str) -> Option<&'static ServiceRow> {
    let file = place::straight(file);
    let meets = |row: &&ServiceRow| row.files.0.iter().any(|one| is_or_below(&file, one));
    SERVICES.row.iter().find(meets)
}

/// Whether a name is what a pattern of the tables means, or the folder whose contents it means.
fn is_or_below(file: &str, pattern: &str) -> bool {
    glob::overlap(pattern, file) || pattern.strip_suffix('/') == Some(file)
}

/// A row about something in this folder, for programs that take a whole folder.
fn row_within(folder: &str, read: bool) -> Option<&'static FileRow> {
    let folder = place::straight(folder);
    let folder = if folder == "/" { folder } else { folder + "/" };
    let holds = |pattern: &String| {
        let fixed = pattern.split('*').next().unwrap_or_default();
        fixed
            .rsplit_once('/')
            .is_some_and(|(above, _)| format!("{above}/").starts_with(&folder))
    };
    let meets = |row: &&FileRow| row.files.0.iter().any(holds);
    FILES.row.iter().filter(|row| row.read == read).find(meets)
}

/// A service's configuration: more where the same role also has the service read it again.
fn of_service(row: &ServiceRow, rules: &[SudoRule]) -> Danger {
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

/// What a command does with a file that its arguments name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Is told it: no table says what for.
    Told,
    /// Reads it.
    Reads,
    /// Writes what the rule says.
    Changes,
    /// Makes it anew, of what the person, or whoever made another file, says.
    Makes,
    /// The same, or gives it away: what was in it too.
    Writes,
}

/// What a command that reads or writes a file gives by it; `rules` are all of the role.
pub(super) fn of_operand(file: &str, whom: &str, deed: Deed, rules: &[SudoRule]) -> Option<Danger> {
    if whom != "root" || harmless(file) {
        return None;
    }
    let key = || {
        let row = row_of(file, false).or_else(|| row_within(file, false))?;
        Some(Danger {
            kind: row.why,
            message: format!(
                "acts on {file}, which {}: this may amount to being root",
                place_of(file, row)
            ),
            instead: "give a root-owned script that makes the one change",
        })
    };
    let service = || {
        let danger = of_service(service_of(file)?, rules);
        let message = format!("acts on {file}: {}", danger.message);
        Some(Danger { message, ..danger })
    };
    let secret = || {
        let row = row_of(file, true).or_else(|| row_within(file, true))?;
        Some(Danger {
            kind: row.why,
            message: format!("shows {file}, which {}", place_of(file, row)),
            instead: row.why.instead(),
        })
    };
    let told = || {
        let row = row_of(file, true)?;
        Some(Danger {
            kind: row.why,
            message: format!("is given {file}, which {}", row.why.file()),
            instead: row.why.instead(),
        })
    };
    let script = || of_script(file, rules);
    match deed {
        Deed::Told => told(),
        Deed::Reads => secret(),
        Deed::Changes => key().or_else(secret),
        Deed::Makes => key().or_else(service).or_else(script),
        Deed::Writes => key().or_else(service).or_else(script).or_else(secret),
    }
}

/// What the file is, or what is in the folder.
fn place_of(file: &str, row: &FileRow) -> String {
    let plain = place::straight(file);
    if row.files.0.iter().any(|one| is_or_below(&plain, one)) {
        row.why.file().to_owned()
    } else {
        format!("has in it what {}", row.why.file())
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
