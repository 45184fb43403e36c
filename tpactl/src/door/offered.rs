//! What can be done through the front door: these verbs, with these of their options. What is added
//! to `tpactl` is not offered here until it is added here too.

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use tpa_bus::text::one_line;

use crate::cli::{Cli, Verb};
use crate::fail::{Exit, Fail};

/// Form of the output, and `--yes`.
const CHANGE: &[&str] = &["yes", "output", "json"];
const SHOWN: &[&str] = &["output", "json"];

/// Verbs and the names of their arguments, beside those of [`CHANGE`] or [`SHOWN`].
const OFFERED: [(&str, &[&str], &[&str]); 12] = [
    (
        "request",
        &[
            "role", "length", "until", "reason", "ticket", "at", "user", "wait", "no_wait",
        ],
        CHANGE,
    ),
    (
        "run",
        &[
            "role", "run_as", "length", "reason", "ticket", "wait", "no_wait", "command",
        ],
        CHANGE,
    ),
    ("roles", &[], SHOWN),
    ("status", &["user"], SHOWN),
    (
        "ls",
        &[
            "mine",
            "reviewable",
            "state",
            "user",
            "role",
            "since",
            "watch",
        ],
        SHOWN,
    ),
    ("show", &["id"], SHOWN),
    ("approve", &["ids", "shorter", "comment"], CHANGE),
    ("deny", &["ids", "reason"], CHANGE),
    ("withdraw", &["id"], CHANGE),
    (
        "extend",
        &["id", "length", "reason", "wait", "no_wait"],
        CHANGE,
    ),
    ("end", &["id"], CHANGE),
    ("wait", &["id", "goal", "timeout"], SHOWN),
];

/// What somebody wants.
pub enum Wanted {
    /// This.
    Verb(Box<Verb>),
    /// To read what there is.
    Help(String),
}

/// What the words ask for.
///
/// # Errors
/// In words, where it makes no sense or is not offered.
pub fn wanted(words: &[String]) -> Result<Wanted, Fail> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    if matches!(first, "help" | "--help" | "-h") {
        return Ok(Wanted::Help(help()));
    }
    let Some((_, own, common)) = OFFERED.iter().find(|(verb, ..)| *verb == first) else {
        return Err(not_offered(&format!("\"{}\"", one_line(first, 40))));
    };
    let command = Cli::command().disable_help_subcommand(true);
    let arguments = ["tpactl"]
        .into_iter()
        .chain(words.iter().map(String::as_str));
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Wanted::Help(error.to_string())),
        Err(error) => return Err(senseless(&error)),
    };
    let given = matches.subcommand().map(|(_, given)| given);
    let foreign = given.and_then(|given| foreign(given, own, common));
    if let Some(name) = foreign {
        return Err(not_offered(&format!(
            "{first} --{}",
            name.replace('_', "-")
        )));
    }
    let cli = Cli::from_arg_matches(&matches).map_err(|error| senseless(&error))?;
    Ok(Wanted::Verb(Box::new(cli.verb)))
}

/// An argument that was given and is not offered.
fn foreign(given: &ArgMatches, own: &[&str], common: &[&str]) -> Option<String> {
    let mut typed = given
        .ids()
        .map(clap::Id::as_str)
        .filter(|id| given.value_source(id) == Some(ValueSource::CommandLine))
        // A group of arguments that were read together is none itself.
        .filter(|id| id.starts_with(|c: char| c.is_ascii_lowercase()));
    let found = typed.find(|id| !own.contains(id) && !common.contains(id));
    found.map(str::to_owned)
}

fn not_offered(what: &str) -> Fail {
    Fail::new(
        Exit::Usage,
        format!("{what} is not offered through the front door"),
        "tpactl help lists what is; the rest is done on the host",
    )
}

/// The first lines of what clap says: what is wrong, and nothing of colour.
fn senseless(error: &clap::Error) -> Fail {
    let text = error.to_string();
    let why = text
        .lines()
        .map(|line| line.trim_start_matches("error: ").trim())
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty());
    let why = why.collect::<Vec<_>>().join(" ");
    Fail::new(Exit::Usage, why, "tpactl help, or tpactl VERB --help")
}

/// The verbs, and what each is for.
fn help() -> String {
    let command = Cli::command();
    let mut text = String::from("What can be done here:\n");
    for (verb, ..) in OFFERED {
        let about = command
            .find_subcommand(verb)
            .and_then(clap::Command::get_about);
        let about = about.map(ToString::to_string).unwrap_or_default();
        for part in ["  tpactl ", &format!("{verb:<9}"), " ", &about, "\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\nWithout a verb: who you are, what you hold, and what waits for you.\n");
    text.push_str("Options are those of tpactl(1): tpactl VERB --help. ssh -t gives a terminal.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn refused(line: &str) -> String {
        match wanted(&words(line)) {
            Err(fail) => fail.lines().join("\n"),
            Ok(_) => panic!("{line}"),
        }
    }

    #[test]
    fn what_the_contract_names_is_offered() {
        for line in [
            "request web-ops --for 1h --reason=because --ticket T --no-wait --yes --json",
            "request web-ops --until 17:30 --reason=because --at 22:00 --user bob --wait=10m",
            "run web-once --as root --for 10m --reason=x --ticket T --no-wait --json -- /usr/bin/id -u",
            "approve 7H2K --for 30m --comment=fine --yes",
            "approve",
            "deny 7H2K --reason=no --yes -o csv",
            "withdraw 7H2K",
            "extend 7H2K --for 30m --reason=more --no-wait",
            "end",
            "end 7H2K",
            "status --user bob",
            "ls --mine --state pending --role web-ops --since 7d --json",
            "ls --reviewable --watch",
            "show 7H2K -o json",
            "wait 7H2K --for approved --timeout 10m",
            "roles",
        ] {
            let wanted = wanted(&words(line));
            assert!(matches!(wanted, Ok(Wanted::Verb(_))), "{line}");
        }
    }

    #[test]
    fn everything_else_is_refused_in_words() {
        for line in [
            "revoke --all --reason=x --yes",
            "review 7H2K --comment=x",
            "log",
            "report 7H2K",
            "verify --statement /etc/shadow",
            "check /etc/shadow",
            "doctor",
            "prompt",
            "sessions",
            "completions bash",
            "__man /tmp",
            "/bin/sh -c id",
            "scp -t /tmp",
            "internal-sftp",
            "-V",
            "-oProxyCommand=id",
            "run --resume 7H2K",
        ] {
            assert!(
                refused(line).contains("is not offered through the front door"),
                "{line}"
            );
        }
        for line in [
            "request web-ops --export /tmp/x",
            "ls --no-such-option",
            "request -x",
        ] {
            assert!(refused(line).starts_with("error: "), "{line}");
        }
        assert!(refused("request web-ops --for 90 --reason=x").contains("90"));
    }

    #[test]
    fn each_argument_of_an_offered_verb_was_decided_on() {
        // Those that are there and not offered here: none yet. A new one is added on purpose.
        for (verb, own, common) in OFFERED {
            let command = Cli::command();
            let command = command.find_subcommand(verb).unwrap();
            let there: Vec<_> = command
                .get_arguments()
                .map(|one| one.get_id().as_str())
                .collect();
            for name in own.iter().chain(common) {
                assert!(there.contains(name), "{verb} has no {name}: {there:?}");
            }
        }
    }

    #[test]
    fn help_names_every_verb_and_how_each_is_called() {
        let Ok(Wanted::Help(help)) = wanted(&words("help")) else {
            panic!("no help");
        };
        assert!(
            OFFERED
                .iter()
                .all(|(verb, ..)| help.contains(&format!("tpactl {verb}")))
        );
        assert!(matches!(
            wanted(&words("request --help")),
            Ok(Wanted::Help(_))
        ));
    }
}
