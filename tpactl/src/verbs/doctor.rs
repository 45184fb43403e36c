//! `tpactl doctor`: is this host really protected?

use crate::context::Context;
use crate::doctor::{Finding, Host, examine};
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::say::table::wrap;
use crate::{json, say};

const EXAMPLES: &str = "\
Examples:
  sudo tpactl doctor
  sudo tpactl doctor --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    format: Format,
}

/// Looks at the host and says how to fix it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let findings = examine(&Host::this());
    context.show_list(
        &findings,
        args.format.form(),
        || lines(&findings, context.width(args.format.form())),
        "nothing found: this host is protected",
    )?;
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failure
    })
}

/// What was found, and below each how to fix it.
pub fn lines(findings: &[Finding], width: Option<usize>) -> Vec<String> {
    let each = findings.iter().flat_map(|finding| {
        let problem = format!("{}: {}", finding.area, say::clean(&finding.problem));
        let fix = format!("  fix: {}", say::clean(&finding.mend));
        [wrap(&problem, 2, width), wrap(&fix, 7, width)].concat()
    });
    each.collect()
}

#[derive(serde::Serialize)]
pub struct Form<'a> {
    area: &'a str,
    problem: &'a str,
    fix: &'a str,
    /// What `fix` was called before; the same text.
    mend: &'a str,
}

impl json::View for Finding {
    const KIND: &'static str = "Finding";
    type Form<'a> = Form<'a>;

    fn form(&self) -> Form<'_> {
        Form {
            area: self.area,
            problem: &self.problem,
            fix: &self.mend,
            mend: &self.mend,
        }
    }
}
