//! `tpactl wait`: waits for a request to be decided, for its access to begin or to end.

use tpa_bus::span::Span;

use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::goal::Goal;
use crate::waiting::Wait;
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl wait 7H2KM4QX --for approved --timeout 10m
  tpactl wait 7H2KM4QX --for ended && tpactl report 7H2KM4QX";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request's id, or the beginning of it
    #[arg(add = completion::any())]
    id: String,
    /// What to wait for
    #[arg(long = "for", value_enum)]
    goal: Goal,
    /// Wait at most so long
    #[arg(long, value_name = "SPAN", value_parser = span)]
    timeout: Option<Span>,
    #[command(flatten)]
    format: Format,
}

/// Waits.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let wait = Wait::begin(&client, args.timeout).await?;
    let request = client.get(&args.id).await?;
    wait.until(args.goal, request, &client, context, args.format.form())
        .await
}
