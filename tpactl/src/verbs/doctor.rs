//! `tpactl doctor`: is this host really protected?

use crate::context::Context;
use crate::doctor::{Finding, Host, Severity, Sight, examine};
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::say::table::wrap;
use crate::{json, say};

const AFTER_HELP: &str = "\
Exits with 0 when nothing is found, and with 1 when a finding is as severe as
was asked for. What could not be looked at, most often because only root may, is
shown in any case, as info: anything may be wrong there. With --severity warning
or error it exits with 4 when there is nothing else.

Examples:
  sudo tpactl doctor
  sudo tpactl doctor --json
  sudo tpactl doctor --severity error";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Show, and fail on, what is at least this severe
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "info")]
    severity: Severity,
    #[command(flatten)]
    format: Format,
}

/// Looks at the host and says how to fix it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    tell(&examine(&Host::this()), args, context)
}

/// Shows what is as severe as was asked for.
fn tell(all: &[Finding], args: &Args, context: &Context) -> Result<Exit, Fail> {
    let shown = worth_showing(args.severity, all);
    let form = args.format.form();
    let nothing = if all.is_empty() {
        "nothing found: this host is protected".to_owned()
    } else {
        let least = args.severity.word();
        format!(
            "nothing as severe as {least} was found, but less: {}",
            totals(all)
        )
    };
    context.show_list(
        &shown,
        form,
        || lines(&shown, all, context.width(form)),
        &nothing,
    )?;
    Ok(exit(args.severity, &shown))
}

/// Those that are as severe as this or more, and what could not be looked at: something as severe
/// may be there.
fn worth_showing(least: Severity, findings: &[Finding]) -> Vec<Finding> {
    let shown = findings
        .iter()
        .filter(|one| one.severity <= least || one.sight == Sight::NotLookedAt);
    shown.cloned().collect()
}

/// That nothing so severe was found is not said where something could not be looked at.
fn exit(least: Severity, shown: &[Finding]) -> Exit {
    if shown.is_empty() {
        Exit::Done
    } else if shown.iter().any(|one| one.severity <= least) {
        Exit::Failure
    } else {
        Exit::NotPermitted
    }
}

/// How many of each severity, those that are not shown too.
fn totals(findings: &[Finding]) -> String {
    let of = |severity| {
        let number = findings.iter().filter(|one| one.severity == severity);
        number.count()
    };
    let counts = format!(
        "{}, {}, {} info",
        say::count(of(Severity::Error), "error"),
        say::count(of(Severity::Warning), "warning"),
        of(Severity::Info)
    );
    let unseen = findings
        .iter()
        .filter(|one| one.sight == Sight::NotLookedAt);
    match unseen.count() {
        0 => counts,
        number => format!("{counts}; {number} could not be looked at"),
    }
}

/// What is shown, below each how to fix it, and in the end how many there are of all.
pub fn lines(shown: &[Finding], all: &[Finding], width: Option<usize>) -> Vec<String> {
    let each = shown.iter().flat_map(|finding| {
        let severity = finding.severity.word();
        let problem = say::clean(&finding.problem);
        let problem = format!("{severity}: {}: {problem}", finding.area);
        let fix = format!("  fix: {}", say::clean(&finding.fix));
        [wrap(&problem, 2, width), wrap(&fix, 7, width)].concat()
    });
    each.chain([format!("found: {}", totals(all))]).collect()
}

#[derive(serde::Serialize)]
pub struct Form<'a> {
    area: &'a str,
    problem: &'a str,
    fix: &'a str,
    /// What `fix` was called before; the same text.
    mend: &'a str,
    severity: &'a str,
    /// Whether it is about something that was looked at, or says that it could not be.
    looked_at: bool,
}

impl json::View for Finding {
    const KIND: &'static str = "Finding";
    type Form<'a> = Form<'a>;

    fn form(&self) -> Form<'_> {
        Form {
            area: self.area,
            problem: &self.problem,
            fix: &self.fix,
            mend: &self.fix,
            severity: self.severity.word(),
            looked_at: self.sight == Sight::LookedAt,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::clock::fixed;
    use crate::doctor::fake;
    use crate::screen::fake::screen;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// How it ends, stdout and stderr.
    fn told(all: &[Finding], line: &str) -> (Exit, String, String) {
        let words = std::iter::once("doctor").chain(line.split_whitespace());
        let args = Line::try_parse_from(words).unwrap().args;
        let (screen, out, err) = screen(None);
        let context = Context {
            screen,
            clock: fixed(),
            connected: None,
            host: "web-01".into(),
            outside: false,
        };
        let exit = tell(all, &args, &context).unwrap();
        (exit, out.text(), err.text())
    }

    fn one(severity: Severity) -> Finding {
        Finding::of(severity, "pam", format!("{severity:?}"), "a fix")
    }

    fn unseen() -> Finding {
        Finding {
            sight: Sight::NotLookedAt,
            ..one(Severity::Info)
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_shown_at_any_severity_and_never_ends_well() {
        for (line, expected) in [
            ("", Exit::Failure),
            ("--severity info", Exit::Failure),
            ("--severity warning", Exit::NotPermitted),
            ("--severity error", Exit::NotPermitted),
        ] {
            let all = [one(Severity::Info), unseen()];
            let (exit, out, _) = told(&all, line);
            assert_eq!(exit, expected, "{line}");
            assert!(
                out.ends_with("0 errors, 0 warnings, 2 info; 1 could not be looked at\n"),
                "{out}"
            );
            let (exit, json, _) = told(&all, &format!("{line} --json"));
            assert_eq!(exit, expected, "{line}");
            assert!(json.contains("\"looked_at\": false"), "{json}");
            let (exit, csv, _) = told(&all, &format!("{line} -o csv"));
            assert_eq!(exit, expected, "{line}");
            assert!(csv.contains(",info,false,web-01\n"), "{csv}");
        }
        let (exit, _, _) = told(&[one(Severity::Error), unseen()], "--severity error");
        assert_eq!(exit, Exit::Failure, "what was found is worse");
    }

    fn each() -> [Finding; 3] {
        [Severity::Error, Severity::Warning, Severity::Info].map(one)
    }

    #[test]
    fn without_the_option_whatever_is_found_is_shown_and_fails() {
        for finding in each() {
            let (exit, out, _) = told(std::slice::from_ref(&finding), "");
            assert_eq!(exit, Exit::Failure, "{out}");
            let line = format!("{}: pam: {}\n", finding.severity.word(), finding.problem);
            assert!(out.starts_with(&line), "{out}");
        }
        let (exit, out, err) = told(&[], "");
        assert_eq!((exit, out.as_str()), (Exit::Done, ""));
        assert!(
            err.contains("nothing found: this host is protected"),
            "{err}"
        );
    }

    #[test]
    fn only_what_is_at_least_as_severe_as_asked_for_is_shown_and_fails() {
        for (least, shown) in [("error", 1), ("warning", 2), ("info", 3)] {
            let line = format!("--severity {least}");
            let (exit, out, _) = told(&each(), &line);
            assert_eq!(exit, Exit::Failure);
            assert_eq!(out.matches("  fix: ").count(), shown, "{out}");
            let (exit, json, _) = told(&each(), &format!("{line} --json"));
            assert_eq!(exit, Exit::Failure);
            assert_eq!(json.matches("\"fix\"").count(), shown, "{json}");
        }
        let (exit, out, _) = told(&[one(Severity::Info)], "--severity warning");
        assert_eq!((exit, out.as_str()), (Exit::Done, ""));
        let (exit, _, _) = told(&[one(Severity::Warning)], "--severity error --json");
        assert_eq!(exit, Exit::Done);
    }

    #[test]
    fn a_host_whose_findings_are_not_shown_is_not_called_protected() {
        let (_, _, err) = told(&[one(Severity::Info)], "--severity error");
        assert!(!err.contains("protected"), "{err}");
        assert!(err.contains("0 errors, 0 warnings, 1 info"), "{err}");
    }

    #[test]
    fn the_last_line_counts_all_that_was_found() {
        let mut all = each().to_vec();
        all.insert(1, one(Severity::Warning));
        for line in ["", "--severity error"] {
            let (_, out, _) = told(&all, line);
            let last = out.lines().last().unwrap();
            assert_eq!(last, "found: 1 error, 2 warnings, 1 info");
        }
    }

    #[test]
    fn json_and_csv_have_the_severity_beside_the_fields_that_were_there() {
        let (_, json, _) = told(&each(), "--json");
        let list: serde_json::Value = serde_json::from_str(&json).unwrap();
        let items = list["items"].as_array().unwrap();
        let severities: Vec<_> = items.iter().map(|item| &item["severity"]).collect();
        assert_eq!(severities, ["error", "warning", "info"]);
        for item in items {
            for field in ["area", "problem", "fix", "mend"] {
                assert!(item[field].is_string(), "{field}: {item}");
            }
        }
        let (_, csv, _) = told(&each(), "-o csv");
        assert!(
            csv.starts_with("area,problem,fix,severity,looked_at,host\n"),
            "{csv}"
        );
        assert!(csv.contains(",warning,true,web-01\n"), "{csv}");
    }

    #[test]
    fn another_severity_is_refused() {
        assert!(Line::try_parse_from(["doctor", "--severity", "fatal"]).is_err());
    }

    #[test]
    fn the_worst_comes_first_in_every_form() {
        let all = fake::broken();
        assert!(
            all.len() > 3 && all.is_sorted_by_key(|one| one.severity),
            "{all:?}"
        );
        let (_, out, _) = told(&all, "");
        assert!(out.starts_with("error: "), "{out}");
        let (_, json, _) = told(&all, "--json");
        assert!(json.find("\"error\"") < json.find("\"warning\""), "{json}");
    }
}
