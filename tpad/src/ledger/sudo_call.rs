//! PURE: what sudo was called to do, from its command line, read as sudo reads it (sudo(8)).
//!
//! What is read otherwise than sudo reads it could pass for a role's command, so whatever is not
//! certain is [`Does::Unclear`], of which nobody says that a grant gives it.

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Does {
    /// Nothing is run: the rules are listed (`-l`), or the password's time begins anew (`-v`).
    Nothing,
    /// This, the program first.
    Run(Vec<String>),
    /// A shell (`-s`, `-i`), with these as the command it is given, when there are any.
    Shell(Vec<String>),
    /// These files are edited.
    Edit(Vec<String>),
    /// Nobody can tell, or it is done in a way that no role gives: in another root or folder, with an
    /// environment of the caller's, or by the rules of another host.
    Unclear,
}

/// A command line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub does: Does,
    /// `-u`
    pub user: Option<String>,
    /// `-g`
    pub group: Option<String>,
}

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    No,
    Needed,
    /// Only in the same word.
    Attached,
}

/// sudo's options: the long name, the letter, and whether a value belongs to it.
const OPTIONS: [(&str, char, Value); 29] = [
    ("askpass", 'A', Value::No),
    ("background", 'b', Value::No),
    ("bell", 'B', Value::No),
    ("chdir", 'D', Value::Needed),
    ("chroot", 'R', Value::Needed),
    ("close-from", 'C', Value::Needed),
    ("command-timeout", 'T', Value::Needed),
    ("edit", 'e', Value::No),
    ("group", 'g', Value::Needed),
    ("help", '?', Value::No),
    ("host", 'h', Value::Needed),
    ("list", 'l', Value::No),
    ("login", 'i', Value::No),
    ("no-update", 'N', Value::No),
    ("non-interactive", 'n', Value::No),
    ("other-user", 'U', Value::Needed),
    ("preserve-env", 'E', Value::Attached),
    ("preserve-groups", 'P', Value::No),
    ("prompt", 'p', Value::Needed),
    ("remove-timestamp", 'K', Value::No),
    ("reset-timestamp", 'k', Value::No),
    ("role", 'r', Value::Needed),
    ("set-home", 'H', Value::No),
    ("shell", 's', Value::No),
    ("stdin", 'S', Value::No),
    ("type", 't', Value::Needed),
    ("user", 'u', Value::Needed),
    ("validate", 'v', Value::No),
    ("version", 'V', Value::No),
];

/// What the options say.
#[derive(Debug, Default)]
struct Options {
    user: Option<String>,
    group: Option<String>,
    nothing: bool,
    shell: bool,
    edit: bool,
    elsewhere: bool,
}

impl Options {
    fn take(&mut self, letter: char, value: Option<&str>) {
        match letter {
            'u' => self.user = value.map(str::to_owned),
            'g' => self.group = value.map(str::to_owned),
            'l' | 'v' => self.nothing = true,
            's' | 'i' => self.shell = true,
            'e' => self.edit = true,
            'D' | 'R' | 'h' | '?' => self.elsewhere = true,
            'E' => self.keeps(value),
            _ => {}
        }
    }

    /// Variables that are kept (`-E`): all, or these.
    fn keeps(&mut self, names: Option<&str>) {
        let harmless = |names: &str| names.split(',').all(is_harmless);
        self.elsewhere |= !names.is_some_and(harmless);
    }

    /// A variable is set for the command. A rule for every command, which a grant has none of, lets
    /// people set any, `LD_PRELOAD` too.
    fn sets(&mut self, name: &str, value: &str) {
        let relative = !value.starts_with('/') && !value.contains("..");
        let plain = |c: char| c.is_alphanumeric() || "_-+.@:,;=".contains(c);
        let good = |c: char| plain(c) || (c == '/' && name == "TZ" && relative);
        self.elsewhere |= !(is_harmless(name) && value.chars().all(good));
    }
}

/// Variables that sudo passes on by itself (sudoers(5), `env_check`).
fn is_harmless(name: &str) -> bool {
    let named = ["COLORTERM", "LANG", "LANGUAGE", "LINGUAS", "TERM", "TZ"];
    named.contains(&name) || name.starts_with("LC_")
}

/// Reads sudo's arguments. One that was called by the name of sudoedit(8) begins with `-e`.
pub(super) fn read(words: &[String]) -> Line {
    let mut options = Options::default();
    let does = match options_of(words, &mut options) {
        None => Does::Unclear,
        Some(_) if options.nothing => Does::Nothing,
        Some(_) if options.elsewhere => Does::Unclear,
        Some(rest) => done(rest, &options),
    };
    Line {
        does,
        user: options.user,
        group: options.group,
    }
}

fn done(rest: &[String], options: &Options) -> Does {
    match rest.split_first() {
        _ if options.edit && options.shell => Does::Unclear,
        _ if options.edit => Does::Edit(rest.to_vec()),
        _ if options.shell => Does::Shell(rest.to_vec()),
        // sudo takes it for its own word, under whatever path.
        Some((program, files)) if last_part(program) == "sudoedit" => Does::Edit(files.to_vec()),
        Some(_) => Does::Run(rest.to_vec()),
        None => Does::Unclear,
    }
}

/// Takes the options and the variables for the environment, which may stand among them; the rest is
/// the command. `None` when it is no command line of sudo's.
fn options_of<'a>(argv: &'a [String], options: &mut Options) -> Option<&'a [String]> {
    let mut at = 0;
    while let Some(word) = argv.get(at) {
        if word == "--" {
            return argv.get(at + 1..);
        }
        let is_option = word.starts_with('-') && word.len() > 1;
        let is_variable = !word.starts_with('/');
        if let Some(long) = word.strip_prefix("--").filter(|_| is_option) {
            at = long_option(long, at, argv, options)?;
        } else if is_option {
            at = letters(word.get(1..)?, at, argv, options)?;
        } else if let Some((name, value)) = word.split_once('=').filter(|_| is_variable) {
            options.sets(name, value);
            at += 1;
        } else {
            return argv.get(at..);
        }
    }
    Some(&[])
}

/// `--user=root`, `--user root`, and any beginning of the name that no other has. Gives the place of
/// what comes next.
fn long_option(long: &str, at: usize, argv: &[String], options: &mut Options) -> Option<usize> {
    let (name, attached) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    let mut named = OPTIONS.iter().filter(|(full, ..)| full.starts_with(name));
    let first = named.next()?;
    let exact = OPTIONS.iter().find(|(full, ..)| *full == name);
    let (_, letter, value) = match (exact, named.next()) {
        (Some(exact), _) => exact,
        (None, None) => first,
        (None, Some(_)) => return None,
    };
    match (value, attached) {
        (Value::No, Some(_)) => None,
        (Value::Needed, None) => {
            options.take(*letter, Some(argv.get(at + 1)?));
            Some(at + 2)
        }
        _ => {
            options.take(*letter, attached);
            Some(at + 1)
        }
    }
}

/// `-nu root`: letters in one word, of which the first that needs a value has the rest of the word
/// or the next one.
fn letters(word: &str, at: usize, argv: &[String], options: &mut Options) -> Option<usize> {
    let mut rest = word;
    while let Some(letter) = rest.chars().next() {
        rest = rest.strip_prefix(letter)?;
        let (.., value) = OPTIONS.iter().find(|(_, known, _)| *known == letter)?;
        if *value != Value::Needed {
            options.take(letter, None);
        } else if !rest.is_empty() {
            options.take(letter, Some(rest));
            return Some(at + 1);
        } else {
            options.take(letter, Some(argv.get(at + 1)?));
            return Some(at + 2);
        }
    }
    Some(at + 1)
}

/// The last part of a path.
pub(super) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn does(line: &str) -> Does {
        read(&words(line)).does
    }

    #[test]
    fn the_command_begins_behind_options_values_and_variables() {
        for line in [
            "id -u",
            "-n id -u",
            "-nu root id -u",
            "-nuroot id -u",
            "-u root -g adm -- id -u",
            "--user root --group=adm id -u",
            "--us root --non id -u",
            "LC_ALL=C -n TZ=Europe/Berlin id -u",
            "-p id id -u",
            "-p -- id -u",
            "--preserve-env=LANG,LC_ALL -C 3 -T 5 id -u",
            "-k id -u",
        ] {
            assert_eq!(does(line), Does::Run(words("id -u")), "{line}");
        }
        let line = read(&words("-u postgres --group adm id"));
        assert_eq!(line.user.as_deref(), Some("postgres"));
        assert_eq!(line.group.as_deref(), Some("adm"));
        assert_eq!(
            does("-- A=1 id"),
            Does::Run(words("A=1 id")),
            "behind -- it is a command"
        );
    }

    #[test]
    fn shells_edits_and_lists_are_told_from_commands() {
        for line in ["-s id", "-i id", "-ni id", "--shell id", "--login -- id"] {
            assert_eq!(does(line), Does::Shell(words("id")), "{line}");
        }
        for line in ["-e /etc/x", "/usr/bin/sudoedit /etc/x", "sudoedit /etc/x"] {
            assert_eq!(does(line), Does::Edit(words("/etc/x")), "{line}");
        }
        for line in ["-l", "-nv", "-l -U bob id", "--list id"] {
            assert_eq!(does(line), Does::Nothing, "{line}");
        }
    }

    #[test]
    fn what_is_not_certain_is_unclear() {
        for line in [
            "",
            "-n",
            "-u",
            "-Z id",
            "--no-such id",
            "--pre id",
            "--shell=x id",
            "-R /srv id",
            "-D /srv id",
            "-h other id",
            "-hother id",
            "-es id",
            "LD_PRELOAD=/tmp/x id",
            "LANG=/tmp/x id",
            "TZ=/tmp/x id",
            "TZ=../x id",
            "LC_ALL=%s id",
            "-E id",
            "-nE id",
            "--preserve-env id",
            "--preserve-env=LANG,PATH id",
        ] {
            assert_eq!(does(line), Does::Unclear, "{line}");
        }
    }
}
