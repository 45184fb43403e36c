//! `tpactl end`: ends one's own access now.

use tpa_bus::access::Request;
use tpa_statement::statement::Says;

use super::confirm;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl end 7H2KM4QX
  tpactl end --yes";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it; all of my access when not given
    #[arg(add = completion::my_held())]
    id: Option<String>,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Ends one grant, or all after asking.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(order) = args.export.order(&args.key)? {
        let id = args.id.as_deref().ok_or_else(|| {
            Fail::new(
                Exit::Usage,
                "a signed end names its grant",
                "name it: tpactl end ID --on HOST --export FILE",
            )
        })?;
        return order.about(id, Says::End, context);
    }
    match &args.id {
        Some(id) => one(id, &args, context).await,
        None => all(&args, context).await,
    }
}

async fn one(id: &str, args: &Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = client.full_id(id).await?;
    let ended = client.ask(client.access.end(&id)).await?;
    context.show_outcomes(&ended, 1, args.change.form())?;
    Ok(Exit::Done)
}

async fn all(args: &Args, context: &Context) -> Result<Exit, Fail> {
    context.screen.consent_possible(args.change.yes, "end")?;
    let client = context.client().await?;
    if !args.change.yes {
        let live = client.ask(client.access.status("")).await?;
        consent(&live, context)?;
    }
    let ended = client.ask(client.access.end("")).await?;
    context.show_outcomes(&ended, 0, args.change.form())?;
    Ok(Exit::Done)
}

/// Shows what would end, and asks. Of nothing the daemon says that there is nothing.
fn consent(live: &[Request], context: &Context) -> Result<(), Fail> {
    if live.is_empty() {
        return Ok(());
    }
    for line in say::request::table(live, &context.clock, context.screen.width) {
        context.screen.note(&line);
    }
    let question = format!("End {} of yours now?", say::count(live.len(), "grant"));
    confirm(context, false, &question)
}
