//! `tpactl review`: closes the review that a break-glass grant waits for.

use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};

const EXAMPLES: &str = "\
Examples:
  tpactl ls --reviewable
  tpactl review 7H2K-M4QX --comment \"seen the report; the restart was needed\"";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it
    #[arg(add = completion::reviewable())]
    id: String,
    /// What you found, for the record
    #[arg(long, value_name = "TEXT")]
    comment: String,
    #[command(flatten)]
    change: Change,
}

/// Closes it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let request = client.ask(client.access.review(&id, &args.comment)).await?;
    context.show_outcome(&request, args.change.json)?;
    Ok(Exit::Done)
}
