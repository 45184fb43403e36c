//! `tpactl doctor`: is this host really protected?

use crate::cli::Json;
use crate::context::Context;
use crate::doctor::{Host, examine};
use crate::fail::{Exit, Fail};
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
    format: Json,
}

/// Looks at the host and says what to mend.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let findings = examine(&Host::this());
    let lines = || {
        let each = findings.iter().map(|finding| {
            let (area, problem) = (finding.area, say::clean(&finding.problem));
            format!("{area}: {problem}\n  mend: {}", say::clean(&finding.mend))
        });
        each.collect()
    };
    context.show_list(
        &findings,
        args.format.json,
        lines,
        "nothing found: this host is protected",
    )?;
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failure
    })
}

#[derive(serde::Serialize)]
pub struct Form<'a> {
    area: &'a str,
    problem: &'a str,
    mend: &'a str,
}

impl json::View for crate::doctor::Finding {
    const KIND: &'static str = "Finding";
    type Form<'a> = Form<'a>;

    fn form(&self) -> Form<'_> {
        Form {
            area: self.area,
            problem: &self.problem,
            mend: &self.mend,
        }
    }
}
