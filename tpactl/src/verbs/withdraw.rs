//! `tpactl withdraw`: takes one's own request back.

use tpa_statement::statement::Says;

use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};

const EXAMPLES: &str = "\
Examples:
  tpactl withdraw 7H2KM4QX";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request's id, or the beginning of it
    #[arg(add = completion::my_pending())]
    id: String,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Takes it back.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(order) = args.export.order(&args.key)? {
        return order.about(&args.id, Says::Withdraw, context);
    }
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let request = client.ask(client.access.withdraw(&id)).await?;
    context.show_outcome(&request, args.change.form())?;
    Ok(Exit::Done)
}
