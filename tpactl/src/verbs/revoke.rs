//! `tpactl revoke`: takes access away now.

use tpa_bus::access::{Filter, Request, RevokeWhat};
use tpa_bus::state::HELD;
use tpa_statement::statement::Says;

use super::confirm;
use crate::bus::Client;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl revoke 7H2KM4QX --reason \"the incident is over\"
  tpactl revoke --user alice --reason \"laptop stolen\" --yes
  tpactl revoke --all --reason \"host compromised\" --yes";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["ids", "user", "all"])))]
pub struct Args {
    /// The grants' ids, or the beginnings of them
    #[arg(value_name = "ID", add = completion::held())]
    ids: Vec<String>,
    /// All grants of this user
    #[arg(long)]
    user: Option<String>,
    /// Every grant on this host
    #[arg(long)]
    all: bool,
    /// Why, for the record and for the person to read
    #[arg(long, value_name = "TEXT", alias = "comment")]
    reason: String,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Shows what would end, asks, revokes.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(order) = args.export.order(&args.key)? {
        let [id] = args.ids.as_slice() else {
            return Err(Fail::new(
                Exit::Usage,
                "a signed revocation names one grant",
                "name it: tpactl revoke ID --reason TEXT --on HOST --export FILE",
            ));
        };
        let reason = args.reason.clone();
        return order.about(id, Says::Revoke { reason }, context);
    }
    context.screen.consent_possible(args.change.yes, "revoke")?;
    let client = context.client().await?;
    let mut ids = Vec::new();
    for id in &args.ids {
        ids.push(client.full_id(id).await?);
    }
    // An emergency does not wait for a list: with --yes it goes straight to the daemon.
    if !args.change.yes {
        let ending = ending(&client, &ids, args.user.as_deref()).await?;
        for line in say::request::table(&ending, &context.clock, context.screen.width) {
            context.screen.note(&line);
        }
        let question = format!("Revoke {} now?", say::count(ending.len(), "grant"));
        confirm(context, args.change.yes, &question)?;
    }
    let named = ids.len();
    let what = RevokeWhat {
        ids: (named > 0).then_some(ids),
        user: args.user,
        all: args.all.then_some(true),
    };
    let revoked = client
        .ask(client.access.revoke(&what, &args.reason))
        .await?;
    context.show_outcomes(&revoked, named, args.change.form())?;
    if revoked.is_empty() {
        return Err(Fail::new(
            Exit::NoChange,
            "there is no access to revoke",
            format!("see what there is: tpactl ls --state {}", HELD.join(",")),
        ));
    }
    Ok(Exit::Done)
}

/// The grants that would end: those named, else what the user, or anybody, holds.
async fn ending(client: &Client, ids: &[String], user: Option<&str>) -> Result<Vec<Request>, Fail> {
    if ids.is_empty() {
        let filter = Filter {
            states: Some(HELD.map(str::to_owned).to_vec()),
            user: user.map(str::to_owned),
            ..Filter::default()
        };
        let mut held = client.list(&filter).await?;
        held.retain(Request::is_held);
        return Ok(held);
    }
    let mut requests = Vec::new();
    for id in ids {
        requests.push(client.get(id).await?);
    }
    Ok(requests)
}
