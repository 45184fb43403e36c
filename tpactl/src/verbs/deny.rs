//! `tpactl deny`: says no to requests.

use super::Each;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};

const EXAMPLES: &str = "\
Examples:
  tpactl deny 7H2KM4QX --reason \"not during the freeze\"
  tpactl deny 7H2K 9QXT --reason \"not today\" --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The requests' ids, or the beginnings of them
    #[arg(required = true, value_name = "ID", add = completion::reviewable())]
    ids: Vec<String>,
    /// Why, for the requester to read
    #[arg(long, value_name = "TEXT", alias = "comment")]
    reason: String,
    #[command(flatten)]
    change: Change,
}

/// Denies them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let mut each = Each::default();
    for id in &args.ids {
        let denied = async {
            let id = client.full_id(id).await?;
            client.ask(client.access.deny(&id, &args.reason)).await
        };
        match denied.await {
            Ok(request) => each.done.push(request),
            Err(fail) => each.refused(context, &fail),
        }
    }
    each.show(context, args.ids.len(), args.change.form())
}
