//! Which of several grants a sudo command runs under, and whether any of them gives it.
//!
//! sudo itself decides by its rules what may run. Here it is only told apart whose end is also the
//! command's, when a person holds several grants: of those that may be what lets it run, the one
//! that ends first. So whoever can make a call read like a rule of a longer grant gains nothing by
//! it: the grant that does give it is among them.
//!
//! A standing rule of the host's may let run what no grant gives. What the trail says of that is
//! held to the other side: only what is certain to be the role's counts as given by it.

use super::sudo_call::{self, Does, last_part};
use crate::policy::{Gives, SudoRule};

/// Programs that are a shell and nothing else.
const SHELLS: [&str; 10] = [
    "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "sh", "tcsh", "zsh",
];

/// How sudo was called, as the kernel has it (proc(5), cmdline).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SudoCall {
    /// As whom.
    pub target: Option<String>,
    /// Its arguments, its own options among them, without the name of sudo.
    pub words: Vec<String>,
    /// Whether there are more than those: what is not seen may be anything.
    pub cut: bool,
}

/// How well a grant fits a call; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It gives nothing as that person.
    None,
    /// It gives something as that person, and not this.
    Target,
    /// A rule of it may be what lets the call through.
    Command,
}

impl SudoCall {
    /// How well a grant fits.
    #[must_use]
    pub fn fit(&self, gives: &Gives) -> Fit {
        // sudo takes a name for one in other letters (`case_insensitive_user`), and whoever names a
        // group alone runs as themselves whatever the rule says (sudoers(5), "Runas_Spec").
        let as_target = |rule: &&SudoRule| {
            let target = self.target.as_ref();
            let named = |target: &String| rule.run_as.eq_ignore_ascii_case(target);
            rule.run_as == "ALL" || rule.run_as_group.is_some() || target.is_none_or(named)
        };
        let fits = gives.sudo.iter().filter(as_target).map(|rule| {
            let runs = || rule.run.iter().any(|run| self.may_run(run));
            let edits = || {
                rule.edit
                    .iter()
                    .any(|file| self.names(file).next().is_some())
            };
            if self.cut || self.may_be_a_shell() || runs() || edits() {
                Fit::Command
            } else {
                Fit::Target
            }
        });
        fits.max().unwrap_or(Fit::None)
    }

    /// Whether what is to run is certain to be what the grant's role says: the command by its path or
    /// its name, with its arguments, the files to edit, and as whom.
    #[must_use]
    pub fn is_given_by(&self, gives: &Gives) -> bool {
        let line = sudo_call::read(&self.words);
        let mut rules = gives.sudo.iter().filter(|rule| {
            let user = self.target.as_ref().or(line.user.as_ref());
            let user = rule.run_as == "ALL"
                || user.is_none_or(|user| rule.run_as.eq_ignore_ascii_case(user));
            let group = |group: &String| rule.run_as_group.as_ref() == Some(group);
            match &line.group {
                // With a group alone it runs as the person, whom no rule names.
                Some(named) => group(named) && (user || line.user.is_none()),
                None => user,
            }
        });
        match &line.does {
            Does::Nothing => true,
            Does::Unclear => false,
            Does::Run(words) => rules.any(|rule| runs_by(rule, words)),
            Does::Shell(words) => rules.any(|rule| is_shell_of(rule, words)),
            Does::Edit(files) => {
                let names_it = |file: &String, rule: &SudoRule| {
                    rule.edit.iter().any(|edit| may_be(edit, file))
                };
                !self.cut && rules.any(|rule| files.iter().all(|file| names_it(file, rule)))
            }
        }
    }

    /// Whether `-s` or `-i` may be among the options: then it runs a shell, which no word names.
    fn may_be_a_shell(&self) -> bool {
        self.words.iter().any(|word| match word.strip_prefix('-') {
            Some(long) if long.starts_with('-') => long.starts_with("-s") || long.starts_with("-l"),
            Some(short) => short.contains(['s', 'i']),
            None => false,
        })
    }

    /// Whether the call may be to this command of a rule (sudoers(5)): from its first wildcard on,
    /// everything may.
    fn may_run(&self, command: &str) -> bool {
        let mut parts = command.split_ascii_whitespace();
        let Some(path) = parts.next() else {
            return false;
        };
        let arguments: Vec<&str> = parts.collect();
        let exact: Vec<&str> = arguments
            .iter()
            .take_while(|part| !is_open(part))
            .copied()
            .collect();
        let open = arguments.is_empty() || exact.len() < arguments.len();
        path == "ALL"
            || is_open(path)
            || self.names(path).any(|at| {
                // sudo compares the arguments as one text.
                let rest = self.words.iter().skip(at.saturating_add(1));
                let called: Vec<&str> = rest.flat_map(|word| word.split_whitespace()).collect();
                called.starts_with(&exact) && (open || called.len() == exact.len())
            })
    }

    /// Where this file may be named. sudo takes two paths for one when they lead to one file
    /// (`/bin/bash` and `/usr/bin/bash`), but only where the last part is the same; which file a
    /// path leads to is not looked up, so the last part alone counts.
    fn names(&self, path: &str) -> impl Iterator<Item = usize> {
        let last = last_part(path);
        let any = is_open(path);
        let named = move |word: &str| any || last_part(word) == last;
        let places = self.words.iter().enumerate();
        places.filter_map(move |(at, word)| named(word).then_some(at))
    }
}

fn runs_by(rule: &SudoRule, words: &[String]) -> bool {
    let Some((typed, arguments)) = words.split_first() else {
        return false;
    };
    rule.run.iter().any(|command| {
        let (program, wanted) = command.split_once(' ').unwrap_or((command, ""));
        is_program(program, typed) && takes(wanted, &arguments.join(" "))
    })
}

/// Which shell it is follows from the caller's environment and account, so any of them is as good as
/// another.
fn is_shell_of(rule: &SudoRule, words: &[String]) -> bool {
    let arguments = match words {
        [] => String::new(),
        _ => format!("-c {}", words.join(" ")),
    };
    rule.run.iter().any(|command| {
        let (program, wanted) = command.split_once(' ').unwrap_or((command, ""));
        let is_shell = program == "ALL" || SHELLS.contains(&last_part(program));
        is_shell && takes(wanted, &arguments)
    })
}

/// Whether what was typed is the program of a rule. `/bin` and `/usr/bin` are one folder, and a bare
/// name is looked for in sudo's own folders (`secure_path`).
fn is_program(program: &str, typed: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("/usr").unwrap_or(path).to_owned();
    if program == "ALL" {
        true
    } else if typed.contains('/') {
        let in_folder = program.ends_with('/')
            && typed.rsplit_once('/').map(|(folder, _)| plain(folder))
                == program.strip_suffix('/').map(plain);
        in_folder || may_be(&plain(program), &plain(typed))
    } else {
        program.ends_with('/') || may_be(last_part(program), typed)
    }
}

/// Whether a rule for these arguments takes those, as far as its first wildcard.
fn takes(wanted: &str, arguments: &str) -> bool {
    let wanted: Vec<&str> = wanted.split_ascii_whitespace().collect();
    match wanted.as_slice() {
        [] => true,
        ["\"\""] => arguments.is_empty(),
        wanted => may_be(&wanted.join(" "), arguments),
    }
}

/// Whether it is the text, or begins as the pattern does.
fn may_be(pattern: &str, text: &str) -> bool {
    match pattern.split_once(['*', '?', '[', '\\', '^']) {
        Some((before, _)) => text.starts_with(before) && !text.contains("/../"),
        None => pattern == text,
    }
}

/// Whether it is a pattern, or a whole folder.
fn is_open(part: &str) -> bool {
    part.contains(['*', '?', '[', '\\', '^', '"']) || part.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::role;

    fn gives(run_as: &str, run: &[&str], edit: &[&str]) -> Gives {
        let mut gives = role("one").gives;
        gives.sudo = vec![SudoRule {
            run_as: run_as.to_owned(),
            run_as_group: None,
            run: run.iter().map(|text| (*text).to_owned()).collect(),
            edit: edit.iter().map(|text| (*text).to_owned()).collect(),
            password: false,
            tidy: false,
        }];
        gives
    }

    fn call(target: &str, line: &str) -> SudoCall {
        SudoCall {
            target: Some(target.to_owned()),
            words: line.split(' ').map(str::to_owned).collect(),
            cut: false,
        }
    }

    #[test]
    fn a_call_fits_the_rule_that_reads_like_it() {
        let sleep = gives("root", &["/usr/bin/sleep 4711"], &[]);
        assert_eq!(
            call("root", "-n /usr/bin/sleep 4711").fit(&sleep),
            Fit::Command
        );
        assert_eq!(call("root", "sleep 4711").fit(&sleep), Fit::Command);
        assert_eq!(call("root", "sleep 4712").fit(&sleep), Fit::Target);
        assert_eq!(call("root", "sleep 4711 1").fit(&sleep), Fit::Target);
        assert_eq!(call("postgres", "sleep 4711").fit(&sleep), Fit::None);
    }

    #[test]
    fn rules_without_arguments_and_with_wildcards_are_open() {
        let any = gives("root", &["/usr/bin/id"], &[]);
        assert_eq!(call("root", "id -u").fit(&any), Fit::Command);
        let log = gives("root", &["/usr/bin/journalctl -u nginx *"], &[]);
        assert_eq!(
            call("root", "journalctl -u nginx -f").fit(&log),
            Fit::Command
        );
        assert_eq!(call("root", "journalctl -u cron").fit(&log), Fit::Target);
    }

    #[test]
    fn files_to_edit_are_named() {
        let edit = gives("root", &[], &["/etc/nginx/nginx.conf"]);
        assert_eq!(
            call("root", "-e /etc/nginx/nginx.conf").fit(&edit),
            Fit::Command
        );
    }

    #[test]
    fn a_rule_fits_by_whichever_path_leads_to_its_file() {
        let bash = gives("root", &["/bin/bash"], &[]);
        for line in ["/usr/bin/bash", "bash", "/proc/self/root/bin/bash -c x"] {
            assert_eq!(call("root", line).fit(&bash), Fit::Command, "{line}");
        }
        assert_eq!(call("root", "/usr/bin/dash").fit(&bash), Fit::Target);
        let edit = gives("root", &[], &["/etc/nginx/nginx.conf"]);
        let other_way = call("root", "-e /etc/nginx/../nginx/nginx.conf");
        assert_eq!(other_way.fit(&edit), Fit::Command);
    }

    #[test]
    fn a_rule_fits_as_whom_it_says_in_any_letters_and_for_its_group_as_anybody() {
        let mut bash = gives("ShopDB", &["/bin/bash"], &[]);
        assert_eq!(call("shopdb", "-u shopdb bash").fit(&bash), Fit::Command);
        assert_eq!(call("alice", "-g adm bash").fit(&bash), Fit::None);
        bash.sudo[0].run_as_group = Some("adm".to_owned());
        assert_eq!(call("alice", "-g adm bash").fit(&bash), Fit::Command);
    }

    #[test]
    fn a_line_longer_than_is_looked_at_may_be_any_command() {
        let bash = gives("root", &["/bin/bash"], &[]);
        let long = SudoCall {
            cut: true,
            ..call("root", "-p xxxxxxxx")
        };
        assert_eq!(long.fit(&bash), Fit::Command);
        assert_eq!(long.fit(&gives("shopdb", &["/bin/bash"], &[])), Fit::None);
    }

    #[test]
    fn what_gives_a_call_fits_it_whatever_else_the_call_is_made_to_read_like() {
        let bash = gives("root", &["/bin/bash"], &[]);
        let exact = gives("root", &["/bin/bash -c id"], &[]);
        let folder = gives("root", &["/usr/bin/"], &[]);
        let all = gives("root", &["ALL"], &[]);
        for line in ["-p sleep -- /usr/bin/bash -c id", "-p bash bash -c id"] {
            for gives in [&bash, &exact, &folder, &all] {
                assert_eq!(call("root", line).fit(gives), Fit::Command, "{line}");
            }
        }
        for line in ["-s sleep 5", "-i", "-ns", "--shell", "--login"] {
            assert_eq!(call("root", line).fit(&bash), Fit::Command, "{line}");
        }
        let one_text = SudoCall {
            words: vec!["bash".to_owned(), "-c id".to_owned()],
            target: None,
            cut: false,
        };
        assert_eq!(one_text.fit(&exact), Fit::Command);
    }

    #[test]
    fn a_call_of_which_not_all_is_seen_may_be_to_anything() {
        let bash = gives("root", &["/bin/bash"], &[]);
        let cut = SudoCall {
            cut: true,
            ..call("root", "X=/usr/bin/sleep")
        };
        assert_eq!(cut.fit(&bash), Fit::Command);
        assert_eq!(cut.fit(&gives("postgres", &["/bin/bash"], &[])), Fit::None);
    }

    #[test]
    fn what_the_role_says_is_given_by_it_however_it_is_spelled() {
        let web = gives(
            "root",
            &[
                "/usr/bin/systemctl restart cron",
                "/bin/journalctl -u nginx *",
            ],
            &["/etc/motd", "/etc/nginx/*.conf"],
        );
        for line in [
            "systemctl restart cron",
            "-n /bin/systemctl restart cron",
            "-nu root -p id -- /usr/bin/systemctl restart cron",
            "LC_ALL=C TZ=Europe/Berlin systemctl restart cron",
            "journalctl -u nginx -f",
            "/usr/bin/journalctl -u nginx --since today",
            "-e /etc/motd /etc/nginx/nginx.conf",
            "-l bash",
            "-v",
        ] {
            assert!(call("root", line).is_given_by(&web), "{line}");
        }
        let shell = gives("root", &["/bin/bash"], &[]);
        for line in ["-i", "-s id", "bash -c id"] {
            assert!(call("root", line).is_given_by(&shell), "{line}");
        }
    }

    #[test]
    fn what_a_standing_rule_lets_run_is_not_given_by_the_role_whatever_it_reads_like() {
        let web = gives("root", &["/usr/bin/systemctl restart cron"], &["/etc/motd"]);
        for line in [
            "id",
            "-i",
            "-s",
            "--login",
            "-s systemctl restart cron",
            "-S bash",
            "bash -c id systemctl restart cron",
            "-p systemctl id restart cron",
            "-p /usr/bin/systemctl -- bash restart cron",
            "/home/alice/systemctl restart cron",
            "./systemctl restart cron",
            "systemctl restart ssh",
            "systemctl restart cron ssh",
            "systemctl",
            "LD_PRELOAD=/tmp/x systemctl restart cron",
            "-E systemctl restart cron",
            "-R /srv systemctl restart cron",
            "-D / systemctl restart cron",
            "-e /etc/shadow",
            "-e /etc/motd /etc/shadow",
            "sudoedit /etc/shadow",
            "",
        ] {
            assert!(!call("root", line).is_given_by(&web), "{line}");
        }
        assert!(!call("postgres", "systemctl restart cron").is_given_by(&web));
        assert!(!call("root", "-g shadow systemctl restart cron").is_given_by(&web));
        assert!(!call("alice", "-g shadow systemctl restart cron").is_given_by(&web));
        let open = gives("root", &["/bin/cat /var/log/nginx/*"], &[]);
        assert!(!call("root", "cat /var/log/nginx/../../../etc/shadow").is_given_by(&open));
    }
}
