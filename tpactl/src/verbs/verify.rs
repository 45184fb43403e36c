//! `tpactl verify`: walks the audit chain.

use crate::cli::Json;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::{json, say};

const EXAMPLES: &str = "\
Examples:
  tpactl verify
  tpactl verify --json || echo \"the trail was touched\"";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    format: Json,
}

/// Has `tpad` walk it and names the first break.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let found = client.ask(client.access.verify()).await?;
    let whole = found.first_break.is_none() && found.problem.is_none();
    if args.format.json {
        context.screen.data(&json::object(&found))?;
    } else if whole {
        let head = found
            .head
            .as_deref()
            .map_or_else(|| "none".to_owned(), say::clean);
        context.screen.data(&format!(
            "the audit chain is whole: {} events, head {head}",
            found.events
        ))?;
    }
    if whole {
        return Ok(Exit::Done);
    }
    let place = found
        .first_break
        .map_or_else(String::new, |seq| format!(" at event {seq}"));
    let problem = found
        .problem
        .unwrap_or_else(|| "it does not fit".to_owned());
    Err(Fail::new(
        Exit::Unverified,
        format!("the audit chain is broken{place}: {problem}"),
        "keep /var/lib/tpa as it is and compare with the log that left this host",
    ))
}
