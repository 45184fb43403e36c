//! `tpactl sessions`: the logins and sudo commands that are open, and what goes on of closed logins.

use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl sessions
  tpactl sessions 7H2KM4QX --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it; all when not given
    #[arg(add = completion::active())]
    id: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = match &args.id {
        Some(id) => client.full_id(id).await?,
        None => String::new(),
    };
    let sessions = client.ask(client.access.sessions(&id)).await?;
    let table =
        || say::page::sessions(&sessions, &context.clock, context.width(args.format.form()));
    context.show_list(&sessions, args.format.form(), table, "no open sessions")?;
    Ok(Exit::Done)
}
