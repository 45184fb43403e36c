//! `tpactl review`: closes the review that a break-glass grant waits for; without an id, lets the
//! person decide on everything that waits for them.

use tpa_statement::statement::Says;

use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::picker;

const EXAMPLES: &str = "\
Examples:
  tpactl review                       (choose from what waits)
  tpactl review 7H2KM4QX --comment \"seen the report; the restart was needed\"";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it; on a terminal, choose when not given
    #[arg(add = completion::reviewable(), requires = "comment")]
    id: Option<String>,
    /// What you found, for the record
    #[arg(long, value_name = "TEXT", requires = "id", alias = "reason")]
    comment: Option<String>,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Closes it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let (Some(id), Some(comment)) = (args.id, args.comment) else {
        return picker::run("review", &Key::default(), args.change.form(), context).await;
    };
    if let Some(order) = args.export.order(&args.key)? {
        return order.about(&id, Says::Review { comment }, context);
    }
    let client = context.client().await?;
    let id = client.full_id(&id).await?;
    let request = client.ask(client.access.review(&id, &comment)).await?;
    context.show_outcome(&request, args.change.form())?;
    Ok(Exit::Done)
}
