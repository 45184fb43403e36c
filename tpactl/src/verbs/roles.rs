//! `tpactl roles`: what may be asked for.

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl roles
  tpactl roles --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    format: Format,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let roles = client.ask(client.access.roles()).await?;
    let pages = || {
        let pages: Vec<Vec<String>> = roles.iter().map(say::role::role).collect();
        pages.join(&String::new())
    };
    let nothing = "there is no role that you may ask for";
    context.show_list(&roles, args.format.form(), pages, nothing)?;
    Ok(Exit::Done)
}
