//! `tpactl extend`: asks for more time on a live grant.

use tpa_bus::span::Span;
use tpa_statement::statement::Says;

use super::request::Waiting;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::goal::Goal;
use crate::waiting::Wait;
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl extend 7H2KM4QX --for 30m --reason \"the restore takes longer\"
  tpactl extend 7H2K --for 1h --reason \"still at it\" --no-wait --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it
    #[arg(add = completion::my_active())]
    id: String,
    /// How much longer
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    length: Span,
    /// Why
    #[arg(long, value_name = "TEXT", alias = "comment")]
    reason: String,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Files the extension, which is a request of its own and waited for like one.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(order) = args.export.order(&args.key)? {
        return order.about(
            &args.id,
            Says::Extend {
                duration_s: args.length.as_secs(),
                reason: args.reason.clone(),
            },
            context,
        );
    }
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let extend = client
        .access
        .extend(&id, args.length.as_secs(), &args.reason);
    let Some(wait_limit) = args.waiting.wait_limit(context.screen.watched) else {
        let request = client.ask(extend).await?;
        context.show_outcome(&request, args.change.form())?;
        return Ok(Exit::Done);
    };
    let wait = Wait::begin(&client, wait_limit.limit()).await?;
    let request = client.ask(extend).await?;
    wait.until(
        Goal::Approved,
        request,
        &client,
        context,
        args.change.form(),
    )
    .await
}
