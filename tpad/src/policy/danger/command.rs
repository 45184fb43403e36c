//! What a command comes to.

use super::arguments::{Arguments, Left};
use super::files::Deed;
use super::kind::Kind;
use super::seen::{Seen, SeenFile};
use super::table::{Fixed, PROGRAMS, ProgramRow};
use super::{Danger, files, place, sed};
use crate::policy::SudoRule;

/// What a role's command gives to those who run it as `whom`; `rules` are all of the role.
pub(super) fn of_rule(command: &str, whom: &str, rules: &[SudoRule], seen: &Seen) -> Vec<Danger> {
    let (path, arguments) = command.split_once(' ').unwrap_or((command, ""));
    of_command(path, &Arguments::of_rule(arguments), whom, (rules, seen))
}

/// What a command with these very arguments gives.
pub(super) fn of_argv(argv: &[String], whom: &str, seen: &Seen) -> Vec<Danger> {
    let Some((path, arguments)) = argv.split_first() else {
        return Vec::new();
    };
    of_command(path, &Arguments::typed(arguments), whom, (&[], seen))
}

fn of_command(
    path: &str,
    arguments: &Arguments,
    whom: &str,
    (rules, seen): (&[SudoRule], &Seen),
) -> Vec<Danger> {
    let names = names_of(path, seen);
    let known = names
        .iter()
        .find_map(|name| of_program(name, arguments, whom, seen));
    let program = known
        .or_else(|| of_wrapped(&names, arguments, whom, (rules, seen)))
        .or_else(|| left_open(arguments, whom));
    let first = program.is_none();
    let operands = first.then(|| of_operands(&names, arguments, whom, (rules, seen)));
    let place = place::of_program(path, seen, whom);
    let missing = place::missing(path, seen);
    program
        .into_iter()
        .chain(operands.into_iter().flatten())
        .chain(place)
        .chain(missing)
        .collect()
}

/// Names that go on to be another program by how they are called: what stands behind a link to
/// them is not told by their own name.
const MANY_IN_ONE: [&str; 6] = [
    "busybox",
    "toybox",
    "coreutils",
    "systemctl",
    "sudo",
    "multicall",
];

/// The names to look for: the one that is called, then that of the file it really is.
fn names_of(path: &str, seen: &Seen) -> Vec<String> {
    let mut names = spellings(file_name(path));
    if let Some(SeenFile::Roots { real }) = seen.files.get(path) {
        let real = file_name(real);
        if !MANY_IN_ONE.contains(&real) {
            names.extend(spellings(real));
        }
    }
    names
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A name, and the same without what versions and builds add to it: `python3.11`, `perl5.36.0`,
/// `bash-static`, `vim.basic`, `gcc-12`, `x86_64-linux-gnu-gcc-12`, `python3.11-dbg`.
fn spellings(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let bare = name
        .trim_end_matches("-static")
        .trim_end_matches("-dbg")
        .trim_end_matches(".distrib")
        .trim_end_matches(".real");
    let bare = bare
        .rsplit_once("-linux-gnu-")
        .map_or(bare, |(_, tool)| tool);
    let bare = bare.trim_start_matches("uu-");
    let versionless = bare.trim_end_matches(|c: char| c.is_ascii_digit() || ".-_".contains(c));
    let stem = bare.split(['.', '-']).next().unwrap_or(bare);
    let numbered = bare
        .strip_prefix(stem)
        .is_some_and(|rest| rest.contains(|c: char| c.is_ascii_digit()));
    for other in [bare, versionless] {
        if !other.is_empty() && !names.iter().any(|name| name == other) {
            names.push(other.to_owned());
        }
    }
    if numbered {
        let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() > 2 && !names.iter().any(|name| name == stem) {
            names.push(stem.to_owned());
        }
    }
    names
}

fn of_program(name: &str, arguments: &Arguments, whom: &str, seen: &Seen) -> Option<Danger> {
    PROGRAMS
        .rows(name)
        .find_map(|row| of_row(row, name, arguments, whom, seen))
}

/// Whether a row holds.
enum Holds {
    No,
    /// With what stands there.
    Yes,
    /// With what the person may add, such as this.
    Open(Option<String>),
}

fn of_row(
    row: &ProgramRow,
    name: &str,
    arguments: &Arguments,
    whom: &str,
    seen: &Seen,
) -> Option<Danger> {
    let kind = row.kind;
    match kind {
        Kind::Wraps if arguments.left != Left::All => return None,
        Kind::Sed if arguments.left == Left::Nothing && sed::is_plain(arguments.words()) => {
            return None;
        }
        Kind::Interpreter | Kind::Loads if !row.here && is_roots_script(arguments, seen) => {
            return None;
        }
        _ => {}
    }
    let message = match holds(row, name, arguments) {
        Holds::No => return None,
        Holds::Yes => kind.of_program(whom, ""),
        Holds::Open(_) if arguments.left == Left::All => {
            kind.of_program(whom, ", with any arguments at all")
        }
        Holds::Open(example) => {
            let example = example.map(|word| format!(", {word} among them"));
            format!(
                "a wildcard stands for any text, further arguments and ../ included{}: {}",
                example.unwrap_or_default(),
                kind.of_program(whom, "")
            )
        }
    };
    let instead = match (kind, arguments.left) {
        (Kind::Reads | Kind::Runs, Left::Wild) => WILD,
        (_, Left::Wild) if message.starts_with("a wildcard") => WILD,
        _ => kind.instead(),
    };
    Some(Danger {
        kind,
        message,
        instead,
    })
}

fn holds(row: &ProgramRow, name: &str, arguments: &Arguments) -> Holds {
    let left = arguments.left != Left::Nothing;
    let verb = arguments.verb(PROGRAMS.values(name));
    let verb_known = verb.is_some_and(|verb| !verb.contains(['*', '?', '[']));
    let is_verb = |list: &[String]| list.iter().any(|one| one == verb.unwrap_or("-"));
    let mut open = None;
    if row.without.0.iter().any(|word| arguments.has(word)) {
        return Holds::No;
    }
    if let Some(verbs) = &row.verbs
        && !(is_verb(&verbs.0) && (verb_known || !left))
    {
        if verb_known || !left {
            return Holds::No;
        }
        open = Some(verbs.0.iter().find(|verb| *verb != "-").cloned());
    }
    if !row.except.0.is_empty() {
        if is_verb(&row.except.0) && (verb_known || !left) {
            return Holds::No;
        }
        if !verb_known && left {
            open = Some(None);
        }
    }
    if let Some(with) = &row.with
        && !with.0.iter().any(|word| arguments.has(word))
    {
        if !left {
            return Holds::No;
        }
        open = Some(with.0.first().cloned());
    }
    if row.fixed == Some(Fixed::Quiet) {
        if !left {
            return Holds::No;
        }
        open = open.or(Some(None));
    }
    open.map_or(Holds::Yes, Holds::Open)
}

/// What a program comes to that starts the one its arguments name: what that one comes to, with
/// what stands behind it.
fn of_wrapped(
    names: &[String],
    arguments: &Arguments,
    whom: &str,
    (rules, seen): (&[SudoRule], &Seen),
) -> Option<Danger> {
    let wraps = |name: &String| PROGRAMS.rows(name).any(|row| row.kind == Kind::Wraps);
    if arguments.left == Left::All || !names.iter().any(wraps) {
        return None;
    }
    // watch(1) and flock(1) give a whole line to a shell.
    let arguments = &arguments.apart();
    let words = arguments.words().iter().enumerate();
    let mut words = words.filter(|(_, word)| !word.starts_with('-') && !word.contains('='));
    // The file that is locked is not run.
    let locks = names.iter().any(|name| name == "flock") && words.clone().nth(1).is_some();
    let locked = locks.then(|| words.next()).flatten();
    let inner = words.find_map(|(index, word)| {
        let behind = arguments.after(index);
        if behind.left == Left::Nothing || is_known(word, seen) {
            of_command(word, &behind, whom, (rules, seen))
                .into_iter()
                .find(|danger| danger.kind != Kind::Host && danger.kind != Kind::Open)
                .or_else(|| place::of_own(word, whom))
        } else {
            None
        }
    });
    let climbs = arguments.words().iter().any(|word| word.contains("../"));
    let climbs = climbs && locked.is_none_or(|(_, word)| !word.contains("../"));
    inner.or_else(|| {
        (arguments.left == Left::Wild || climbs).then(|| Danger {
            kind: Kind::Runs,
            message: format!(
                "a wildcard stands for any text, further arguments and ../ included: {}",
                Kind::Runs.of_program(whom, "")
            ),
            instead: WILD,
        })
    })
}

/// Whether a program runs files that its arguments name.
pub(super) fn runs_files(path: &str) -> bool {
    let runs = |row: &ProgramRow| match row.kind {
        Kind::Shell | Kind::Interpreter | Kind::Wraps => true,
        Kind::Runs => row.with.is_none() && row.verbs.is_none(),
        _ => false,
    };
    let names = spellings(file_name(path));
    names.iter().any(|name| PROGRAMS.rows(name).any(runs))
}

/// Whether the tables have something about a program.
fn is_known(path: &str, seen: &Seen) -> bool {
    let names = names_of(path, seen);
    names
        .iter()
        .any(|name| PROGRAMS.rows(name).next().is_some())
}

/// Whether what is interpreted is a file that was looked at and that root alone can change, with
/// every argument spelled out: such a script is as narrow as what it does.
fn is_roots_script(arguments: &Arguments, seen: &Seen) -> bool {
    let script = arguments.words().iter().find(|word| word.starts_with('/'));
    let first = arguments.words().first();
    let roots = |path: &String| matches!(seen.files.get(path), Some(SeenFile::Roots { .. }));
    let plain = first == script || (first.is_some_and(|word| word == "-jar"));
    arguments.left == Left::Nothing && plain && script.is_some_and(roots)
}

/// What to do about a wildcard.
const WILD: &str = "spell the arguments out, one rule for each case";

/// No arguments named means any; a wildcard matches spaces and slashes too.
fn left_open(arguments: &Arguments, whom: &str) -> Option<Danger> {
    let (message, instead) = match arguments.left {
        Left::Nothing => return None,
        Left::All => (
            format!("with any arguments at all, as {whom}"),
            Kind::Open.instead(),
        ),
        Left::Wild => (
            "a wildcard stands for any text, further arguments and ../ included".to_owned(),
            WILD,
        ),
    };
    Some(Danger {
        kind: Kind::Open,
        message,
        instead,
    })
}

/// Programs that make the first file that they are named of the others.
const PACKS: [&str; 8] = ["tar", "gtar", "bsdtar", "star", "zip", "7z", "7za", "ar"];

/// Programs that read every file but the last that they are named, unless a folder is named with
/// `-t`.
const COPIES: [&str; 6] = ["cp", "gcp", "install", "ginstall", "ln", "rsync"];

/// Files that the arguments name, of a program that reads or writes what they name.
fn of_operands(
    names: &[String],
    arguments: &Arguments,
    whom: &str,
    (rules, seen): (&[SudoRule], &Seen),
) -> Vec<Danger> {
    let kinds: Vec<Kind> = names
        .iter()
        .flat_map(|name| PROGRAMS.rows(name))
        // Where a row holds by an option, the option says what is done with files.
        .filter(|row| row.fixed.is_some() || row.kind == Kind::Sed)
        .map(|row| row.kind)
        .collect();
    if kinds.is_empty() {
        return secret_told(names, arguments, whom);
    }
    let writes = |kind: &Kind| {
        matches!(
            kind,
            Kind::Writes | Kind::Owners | Kind::Mounts | Kind::Devices | Kind::Packages
        )
    };
    let deed = if kinds.iter().any(writes) {
        Deed::Writes
    } else if kinds.contains(&Kind::Sed) {
        Deed::Changes
    } else if kinds.contains(&Kind::Reads) {
        Deed::Reads
    } else {
        return place_alone(arguments, whom, seen);
    };
    let is_one_of = |list: &[&str]| names.iter().any(|name| list.contains(&name.as_str()));
    let into_folder = arguments.has("-t") || arguments.has("--target-directory");
    let paths = || {
        arguments
            .words()
            .iter()
            .filter_map(|word| Some((word, path_in(word)?)))
    };
    let made = if is_one_of(&PACKS) {
        Some(0)
    } else if is_one_of(&COPIES) && !into_folder {
        paths().count().checked_sub(1)
    } else {
        None
    };
    let mut found = Vec::new();
    for (index, (word, path)) in paths().enumerate() {
        let deed = match made {
            Some(made) if made == index => Deed::Makes,
            Some(_) => Deed::Reads,
            None if word.starts_with("if=") => Deed::Reads,
            // Which mode is spelled out.
            None if is_one_of(&["chmod"]) => Deed::Changes,
            None => deed,
        };
        found.extend(
            place::of_operand(path, seen, whom)
                .or_else(|| files::of_operand(path, whom, deed, rules)),
        );
    }
    found.extend(of_own_name(names, arguments, whom));
    found.truncate(1);
    found
}

/// A file that is named without a folder: sudo starts a command where the person is, who may put a
/// link to any file there, or go to where that name is another file.
fn of_own_name(names: &[String], arguments: &Arguments, whom: &str) -> Option<Danger> {
    if !arguments.anywhere {
        return None;
    }
    let (name, before) = names
        .iter()
        .find_map(|name| Some((name, PROGRAMS.before_files(name)?)))?;
    let values = PROGRAMS.values(name);
    // With `-e` the script or pattern is no operand.
    let is_given = ["-e", "-f"]
        .iter()
        .any(|option| values.iter().any(|value| value == option) && arguments.has(option));
    let operands = arguments.operands(values);
    let file = operands
        .skip(if is_given { 0 } else { before })
        .filter_map(|word| match word.split_once('=') {
            Some(("if" | "of", file)) => Some(file),
            Some(_) => None,
            None => Some(word),
        })
        // Another host's (rsync(1)).
        .find(|word| !word.starts_with('/') && !word.contains(':'))?;
    Some(place::here(file, whom))
}

/// A secret that a program is told about which no row says what it does with files.
fn secret_told(names: &[String], arguments: &Arguments, whom: &str) -> Vec<Danger> {
    if names.iter().any(|name| PROGRAMS.only_looks(name)) {
        return Vec::new();
    }
    let paths = arguments.words().iter().filter_map(|word| path_in(word));
    let mut found = paths.filter_map(|path| files::of_operand(path, whom, Deed::Told, &[]));
    found.next().into_iter().collect()
}

/// A file in people's places, of a program that does something else than reading and writing.
fn place_alone(arguments: &Arguments, whom: &str, seen: &Seen) -> Vec<Danger> {
    let paths = arguments.words().iter().filter_map(|word| path_in(word));
    let mut found = paths.filter_map(|path| place::of_operand(path, seen, whom));
    found.next().into_iter().collect()
}

/// The path in a word: `/etc/x`, `--file=/etc/x`, `of=/etc/x`, `-o/etc/x`, `./x`, `../x`.
fn path_in(word: &str) -> Option<&str> {
    if word.starts_with(['/', '.']) {
        return word.contains('/').then_some(word);
    }
    if word.contains("://") {
        return None;
    }
    if let Some((_, value)) = word.split_once('=') {
        return value.starts_with('/').then_some(value);
    }
    let short = word.strip_prefix('-')?;
    let value = short.get(1..)?;
    value.starts_with('/').then_some(value)
}
