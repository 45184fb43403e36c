//! `tpactl approve`: says yes to requests.

use tpa_bus::access::{ApproveOptions, Request};
use tpa_bus::span::Span;

use super::{Each, confirm};
use crate::bus::Client;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::picker;
use crate::say;
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl approve                      (choose from what waits)
  tpactl approve 7H2KM4QX
  tpactl approve 7H2KM4QX --for 30m --comment \"half an hour is enough\"
  tpactl approve 7H2K 9QXT --yes --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The requests' ids, or the beginnings of them; on a terminal, choose when not given
    #[arg(value_name = "ID", add = completion::reviewable())]
    ids: Vec<String>,
    /// Grant a shorter time than was asked for
    #[arg(long = "for", value_name = "SPAN", value_parser = span, requires = "ids")]
    shorter: Option<Span>,
    /// A word on it, for the record
    #[arg(long, value_name = "TEXT", requires = "ids", alias = "reason")]
    comment: Option<String>,
    #[command(flatten)]
    change: Change,
}

/// Shows each request, asks, approves.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if args.ids.is_empty() {
        return picker::run("approve", args.change.form(), context).await;
    }
    context
        .screen
        .consent_possible(args.change.yes, "approve")?;
    let client = context.client().await?;
    let options = ApproveOptions {
        duration_s: args.shorter.map(Span::as_secs),
        comment: args.comment,
    };
    let mut each = Each::default();
    for id in &args.ids {
        match one(id, &options, args.change.yes, &client, context).await {
            Ok(request) => each.done.push(request),
            Err(fail) => each.refused(context, &fail),
        }
    }
    each.show(context, args.ids.len(), args.change.form())
}

async fn one(
    id: &str,
    options: &ApproveOptions,
    yes: bool,
    client: &Client,
    context: &Context,
) -> Result<Request, Fail> {
    let id = if yes {
        client.full_id(id).await?
    } else {
        consented(id, options, client, context).await?
    };
    client.ask(client.access.approve(&id, options)).await
}

/// The id of a request that was shown, and to which the person said yes.
async fn consented(
    id: &str,
    options: &ApproveOptions,
    client: &Client,
    context: &Context,
) -> Result<String, Fail> {
    let request = client.get(id).await?;
    // What was decided already is not asked about: the daemon says so.
    if request.state == "pending" {
        for line in say::request::to_approve(&request, options.duration_s, &context.clock) {
            context.screen.note(&line);
        }
        let question = format!("Approve {}?", say::id(&request.id));
        confirm(context, false, &question)?;
    }
    Ok(request.id)
}
