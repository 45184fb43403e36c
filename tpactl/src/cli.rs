//! The command line: its verbs, and what all of them share.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::form::{Form, Format};
use crate::verbs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

const EXIT_CODES: &str = "\
Exit codes:
  0 done                          5 denied, withdrawn or lapsed
  1 failure                       6 no such id, or ambiguous
  2 usage                         7 changes nothing
  3 still pending at the timeout  8 tpad cannot be reached
  4 not permitted                 9 verification failed

Spans of time are written 7d8h30m10s, a unit always. An id may be shortened to a beginning that
is its alone; case and dash do not count.";

/// Temporary production access: ask for it, decide on it, look at it.
#[derive(Debug, Parser)]
#[command(name = "tpactl", version, styles = STYLES, after_help = EXIT_CODES)]
#[command(max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Ask for access
    Request(verbs::request::Args),
    /// Ask for one command as it is typed, wait, and run it once
    Run(verbs::run::Args),
    /// List requests and grants
    Ls(verbs::ls::Args),
    /// Show everything about a request
    Show(verbs::show::Args),
    /// What may I ask for, for how long, who decides
    Roles(verbs::roles::Args),
    /// Say yes to requests
    Approve(verbs::approve::Args),
    /// Say no to requests
    Deny(verbs::deny::Args),
    /// Take my own request back
    Withdraw(verbs::withdraw::Args),
    /// Ask for more time on a live grant
    Extend(verbs::extend::Args),
    /// End my own access now
    End(verbs::end::Args),
    /// Take access away now
    Revoke(verbs::revoke::Args),
    /// Decide on what waits for me; close the review of a break-glass grant
    Review(verbs::review::Args),
    /// Hand signed statements to this host
    Submit(verbs::submit::Args),
    /// What access do I hold, until when
    Status(verbs::status::Args),
    /// Wait for a request to be decided, for its access to begin or to end
    Wait(verbs::wait::Args),
    /// List open logins and sudo commands, and what goes on of closed logins
    Sessions(verbs::sessions::Args),
    /// Watch what is recorded under a grant, as it happens
    Watch(verbs::watch::Args),
    /// Play what was recorded under a grant
    Replay(verbs::replay::Args),
    /// Read the audit trail
    Log(verbs::log::Args),
    /// What a grant left behind: accounts, keys, jobs, files, processes
    Residue(verbs::residue::Args),
    /// Report on a grant, or on all of a time
    Report(verbs::report::Args),
    /// Check the audit chain, or a signed statement
    Verify(verbs::verify::Args),
    /// Check the configuration before it is loaded
    Check(verbs::check::Args),
    /// Is this host really protected?
    Doctor(verbs::doctor::Args),
    /// Try whether those who are told of events can be told
    Notify(verbs::notify::Args),
    /// What a shell prompt shows: tpa:1h59m
    Prompt(verbs::prompt::Args),
    /// Print the version of tpactl
    Version(verbs::version::Args),
    /// Print the completions for a shell
    Completions(verbs::completions::Args),
    /// Write the manual page into a folder
    #[command(name = "__man", hide = true)]
    Man(verbs::man::Args),
}

/// `--yes` and the forms of output, for what changes something.
#[derive(Debug, Args)]
pub struct Change {
    /// Do not ask for confirmation
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    format: Format,
}

impl Change {
    /// The form that was asked for.
    pub fn form(&self) -> Form {
        self.format.form()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples_in_its_help() {
        for verb in Cli::command()
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
        {
            let examples = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let call = format!("tpactl {}", verb.get_name());
            assert!(examples.contains(&call), "{call}");
        }
    }

    #[test]
    fn every_verb_takes_json_but_those_that_print_none() {
        for verb in Cli::command()
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
        {
            let takes = verb
                .get_arguments()
                .any(|arg| arg.get_long() == Some("json"));
            assert_eq!(
                takes,
                verb.get_name() != "completions",
                "{}",
                verb.get_name()
            );
        }
    }

    #[test]
    fn a_bare_number_and_a_contradiction_are_usage_errors() {
        for line in [
            "tpactl request web-ops --for 90 --reason because",
            "tpactl request web-ops --for 1h --until 17:30 --reason because",
            "tpactl request web-ops --for 1h --reason because --wait --no-wait",
            "tpactl request web-ops --for 1h --reason because --wait=10",
            "tpactl approve --comment ok",
            "tpactl approve --for 1h",
            "tpactl approve 7H2K --on web-01",
            "tpactl request web-ops --reason because --as bob",
            "tpactl submit",
            "tpactl review 7H2K",
            "tpactl review --comment fine",
            "tpactl deny 7H2KM4QX",
            "tpactl run",
            "tpactl run db-once -- id",
            "tpactl run db-once --reason because id",
            "tpactl run --resume 7H2K db-once",
            "tpactl run --resume 7H2K -- id",
            "tpactl run --resume 7H2K --no-wait",
            "tpactl revoke --reason because",
            "tpactl revoke 7H2KM4QX --all --reason because",
            "tpactl ls --mine --reviewable",
            "tpactl wait 7H2KM4QX --for good",
            "tpactl report",
            "tpactl ls --json -o csv",
            "tpactl verify -o csv",
            "tpactl verify --statement paper --log none",
            "tpactl verify --statement paper --resend",
            "tpactl verify --statement paper --strict",
            "tpactl verify --signers signers",
            "tpactl replay 7H2K --speed 0",
            "tpactl replay 7H2K --speed inf",
            "tpactl replay 7H2K --idle 2",
            "tpactl replay 7H2K --export deploy.cast --json",
            "tpactl report --since 7d --csv --json",
            "tpactl report 7H2KM4QX --since 7d",
            "tpactl notify",
        ] {
            let error = parse(line).map(|_| ()).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_contracts_forms_are_taken() {
        for line in [
            "tpactl request web-ops --for 2h --reason because --ticket T --at 22:00 --user bob",
            "tpactl request web-ops --until 17:30 --reason because --wait=10m --json --yes",
            "tpactl request web-ops --until 2026-11-24T17:30:00+01:00 --reason because --wait",
            "tpactl run db-once --as postgres --for 10m --reason because --ticket T -- psql -c x",
            "tpactl run db-once --reason because --wait=10m --json -- /usr/bin/id",
            "tpactl run db-once --reason because --no-wait -- id -u",
            "tpactl run --resume 7H2K",
            "tpactl ls --reviewable --state pending,active --user bob --role web-ops --since 7d",
            "tpactl ls --mine --watch --json",
            "tpactl approve",
            "tpactl review",
            "tpactl approve 7H2KM4QX k0 --for 30m --comment ok --yes",
            "tpactl deny 7H2KM4QX K0 --reason no",
            "tpactl extend 7h2k --for 30m --reason more --no-wait",
            "tpactl end",
            "tpactl end 7H2K",
            "tpactl revoke --user bob --reason gone --yes",
            "tpactl revoke --all --reason fire --yes --json",
            "tpactl review 7H2K --comment fine",
            "tpactl submit - --json",
            "tpactl request web-ops --for 1h --reason because --on web-01,web-02 --export -",
            "tpactl approve paper --export - --as carol --key id_ed25519 --yes",
            "tpactl approve 7H2K --key id_ed25519_sk --yes",
            "tpactl deny paper --reason no --export out --on web-01",
            "tpactl end 7H2KM4QX --on web-01 --export -",
            "tpactl status --user bob",
            "tpactl wait 7H2K --for approved --timeout 10m",
            "tpactl sessions 7H2K --json",
            "tpactl log 7H2K --since 2026-11-24 --follow",
            "tpactl report 7H2K --json",
            "tpactl watch 7H2K alice-00/00/01",
            "tpactl watch 7H2K --json",
            "tpactl replay 7H2K --speed 4 --from 5m --idle 2s",
            "tpactl replay 7H2K alice-00/00/01 --export deploy.cast",
            "tpactl replay 7H2K --list -o csv",
            "tpactl report --since 30d --until 2026-11-24 --csv",
            "tpactl check /etc/tpa --json",
            "tpactl check -o json",
            "tpactl verify --statement - --signers signers --json",
            "tpactl ls -o wide",
            "tpactl log --follow -o csv",
            "tpactl report 7H2K -o csv",
            "tpactl approve 7H2K --reason ok --yes -o csv",
            "tpactl deny 7H2K --comment no",
            "tpactl notify --test",
            "tpactl notify --test oncall --json",
            "tpactl residue 7H2K --json",
            "tpactl version",
            "tpactl completions zsh",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn a_misspelt_verb_gets_a_suggestion() {
        let error = parse("tpactl aprove 7H2K")
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("approve"), "{error}");
    }
}
