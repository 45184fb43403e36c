//! PURE: one command, asked for as it is typed and run once: what a role allows of that, and what is
//! never approved that way.
//!
//! What is approved is a list of words, which somebody has read. So the words must be plain to read,
//! and the program must do what they say: whatever takes its orders from somewhere else (a shell, an
//! editor, a pager), or makes the rights or the machine other than they were, is for a role of its own.

use tpa_bus::text::is_unsafe;

use super::danger::{self, Finding, Seen, SeenFile};
use super::{unfit_path, unfit_program};

/// What a role allows of single commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// As whom they may run.
    pub run_as: Vec<String>,
    /// Programs, by their path, and folders of programs: `/usr/bin/*`.
    pub programs: Vec<String>,
}

/// Most words of a command, and most bytes of all of them: so many that a person can read.
const WORDS_MAX: usize = 64;
const BYTES_MAX: usize = 2_000;

/// What a command may come to (`danger::Kind`) that is never approved as it was typed.
const NEVER: [&str; 18] = [
    "shell",
    "interpreter",
    "editor",
    "pager",
    "paging",
    "shell-escape",
    "runs",
    "loads-code",
    "memory",
    "container",
    "units",
    "schedules",
    "rights",
    "boot",
    "shell-files",
    "decides",
    "writable-place",
    "open-arguments",
];

impl Exact {
    /// Whether commands may run as this account.
    #[must_use]
    pub fn may_run_as(&self, name: &str) -> bool {
        self.run_as.iter().any(|one| one == name)
    }

    /// Whether this program may be run: it is named, or stands right in a folder that is.
    #[must_use]
    pub fn may_run(&self, program: &str) -> bool {
        let Some((folder, _)) = program.rsplit_once('/') else {
            return false;
        };
        self.programs
            .iter()
            .any(|one| match one.strip_suffix("/*") {
                Some(whole) => whole == folder,
                None => one == program,
            })
    }

    /// What it gives, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "one command as it is asked for, once, as {}: {}",
            self.run_as.join(" or "),
            self.programs.join(", ")
        )
    }
}

/// Why this cannot stand under `programs`; `None` where it can.
pub(crate) fn unfit_programs(text: &str) -> Option<&'static str> {
    unfit_program(text.strip_suffix("/*").unwrap_or(text))
}

/// Why these words, or this folder, cannot be asked for; `None` where they can: an absolute path first,
/// and all of it plain to read.
#[must_use]
pub fn unfit_words(argv: &[String], directory: &str) -> Option<&'static str> {
    let all = || argv.iter().map(String::as_str).chain([directory]);
    let program = argv.first().map(String::as_str).unwrap_or_default();
    if argv.len() > WORDS_MAX || all().map(str::len).sum::<usize>() > BYTES_MAX {
        return Some("it is longer than anybody reads with care: 64 words, 2,000 bytes");
    }
    if all().any(|word| word.contains(is_unsafe)) {
        return Some("it has a control character, or one that cannot be seen");
    }
    if !directory.starts_with('/') || directory.split('/').any(|part| part == "..") {
        return Some("its folder is not an absolute path");
    }
    unfit_path(program)
}

/// Why a command that reads well is never approved as it was typed; `None` where it may be.
#[must_use]
pub fn never(program: &SeenFile, amounts: &[Finding]) -> Option<String> {
    match program {
        SeenFile::Roots { .. } => {}
        SeenFile::Missing => return Some("there is no such program".to_owned()),
        SeenFile::Loose { place } => {
            return Some(format!(
                "somebody other than root can change the program: {place}"
            ));
        }
    }
    let found = amounts.iter().find(|one| NEVER.contains(&one.kind));
    found.map(|one| one.message.clone())
}

/// What a command comes to.
#[must_use]
pub fn amounts(argv: &[String], run_as: &str, seen: &Seen) -> Vec<Finding> {
    let mut found = danger::of_argv(argv, run_as, seen);
    for one in &mut found {
        one.rule = String::new();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split('|').map(str::to_owned).collect()
    }

    fn roots(path: &str) -> SeenFile {
        SeenFile::Roots {
            real: path.to_owned(),
        }
    }

    fn is_never(line: &str) -> Option<String> {
        let argv = words(line);
        let mut seen = Seen::default();
        for word in argv.iter().filter(|word| word.starts_with('/')) {
            let seen_file = match word.strip_prefix("/home/") {
                Some(_) => SeenFile::Loose {
                    place: "/home/alice".to_owned(),
                },
                None => roots(word),
            };
            seen.files.insert(word.clone(), seen_file);
        }
        never(&roots(&argv[0]), &amounts(&argv, "root", &seen))
    }

    #[test]
    fn a_program_is_named_or_stands_right_in_a_folder_that_is() {
        let exact = Exact {
            run_as: vec!["postgres".to_owned()],
            programs: vec!["/usr/bin/*".to_owned(), "/opt/shop/migrate".to_owned()],
        };
        for program in ["/usr/bin/id", "/opt/shop/migrate"] {
            assert!(exact.may_run(program), "{program}");
        }
        for program in [
            "/usr/bin/x/id",
            "/usr/sbin/id",
            "/usr/binx/id",
            "/opt/shop/other",
            "id",
            "",
        ] {
            assert!(!exact.may_run(program), "{program}");
        }
        assert!(exact.may_run_as("postgres") && !exact.may_run_as("root"));
    }

    #[test]
    fn only_words_that_are_plain_to_read_are_asked_for() {
        for argv in [
            "/usr/bin/id",
            "/usr/bin/psql|-c|DROP TABLE  old;",
            "/usr/bin/printf|",
            "/usr/bin/x|grüße|*|^a$|\\|\"\"|a,b:c=d|#x|!y",
        ] {
            assert_eq!(unfit_words(&words(argv), "/srv"), None, "{argv}");
        }
        for argv in [
            "",
            "id",
            "./id",
            "/usr/bin/",
            "/usr/../bin/id",
            "/usr//bin/id",
            "/usr/bin/*",
            "/usr/bin/id|a\nb",
            "/usr/bin/id|\u{1b}[2J",
            "/usr/bin/id|\u{202e}x",
            "/usr/bin/id|a\u{a0}b",
        ] {
            assert!(unfit_words(&words(argv), "/").is_some(), "{argv:?}");
        }
        let id = ["/usr/bin/id".to_owned()];
        for folder in ["", "srv", "/srv/../etc", "/srv\n"] {
            assert!(unfit_words(&id, folder).is_some(), "{folder:?}");
        }
        assert!(unfit_words(&vec!["/bin/x".to_owned(); 65], "/").is_some());
        assert!(unfit_words(&["/bin/x".to_owned(), "y".repeat(2_000)], "/").is_some());
    }

    #[test]
    fn what_does_more_than_its_words_say_is_never_approved_as_typed() {
        for line in [
            "/bin/sh",
            "/bin/bash|-c|id",
            "/usr/bin/python3|/home/alice/x.py",
            "/usr/bin/vim|/etc/motd",
            "/usr/bin/less|/var/log/syslog",
            "/usr/bin/journalctl|-u|cron",
            "/usr/bin/find|/|-exec|rm|{}|;",
            "/usr/bin/env|/bin/sh",
            "/usr/bin/timeout|5|/bin/bash",
            "/usr/bin/sudo|id",
            "/usr/bin/su",
            "/usr/bin/gdb|-p|1",
            "/usr/bin/systemd-run|id",
            "/usr/bin/crontab|-u|root|/tmp/x",
            "/usr/bin/tee|/etc/sudoers.d/x",
            "/usr/bin/cp|/tmp/x|/etc/cron.d/x",
        ] {
            assert!(is_never(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_its_words_say_can_be_approved() {
        for line in [
            "/usr/bin/systemctl|restart|nginx",
            "/usr/bin/journalctl|--no-pager|-u|cron",
            "/usr/bin/rm|/srv/shop/old.log",
            "/usr/bin/id",
            "/usr/bin/printf|%s\\n|a b",
            "/usr/bin/mkdir|/srv/shop/x",
            "/usr/bin/touch|/srv/x",
            "/usr/bin/kill|4711",
            "/opt/shop/migrate|--to|42",
        ] {
            assert_eq!(is_never(line), None, "{line}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_or_not_roots_alone_is_never_run() {
        let place = "/opt".to_owned();
        for program in [SeenFile::Missing, SeenFile::Loose { place }] {
            assert!(never(&program, &[]).is_some(), "{program:?}");
        }
    }
}
