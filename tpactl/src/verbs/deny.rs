//! `tpactl deny`: says no to requests.

use std::path::Path;

use tpa_statement::statement::Says;

use super::Each;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};

const EXAMPLES: &str = "\
Examples:
  tpactl deny 7H2KM4QX --reason \"not during the freeze\"
  tpactl deny 7H2K 9QXT --reason \"not today\" --json
  tpactl deny request.txt --reason \"not today\" --export denied.txt";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The requests' ids, or the beginnings of them; with --export the file of a signed request, - for
    /// stdin
    #[arg(required = true, value_name = "ID", add = completion::reviewable())]
    ids: Vec<String>,
    /// Why, for the requester to read
    #[arg(long, value_name = "TEXT", alias = "comment")]
    reason: String,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Denies them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(order) = args.export.order(&args.key)? {
        let [file] = args.ids.as_slice() else {
            return Err(Fail::new(
                Exit::Usage,
                "with --export one request is denied at a time",
                "name its file: tpactl deny FILE --reason TEXT --export FILE",
            ));
        };
        let reason = args.reason.clone();
        let says = |of| Says::Deny { of, reason };
        return order.decide(Path::new(file), says, |_| Ok(()), context);
    }
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
