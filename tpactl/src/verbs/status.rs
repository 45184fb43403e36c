//! `tpactl status`: what access somebody holds, and until when.

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl status
  tpactl status --user alice --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Of this user instead of mine
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Lists the live and scheduled grants.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let user = args.user.as_deref().unwrap_or_default();
    let grants = client.ask(client.access.status(user)).await?;
    let lines = || {
        let lines = grants.iter().map(|grant| {
            let line = say::request::outcome(grant, &context.clock);
            format!("{}: {line}", say::clean(&grant.role))
        });
        lines.collect()
    };
    context.show_list(&grants, args.format.form(), lines, "no access")?;
    Ok(Exit::Done)
}
