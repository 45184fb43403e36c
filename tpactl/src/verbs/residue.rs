//! `tpactl residue`: what a grant left behind.

use crate::completion;
use crate::context::Context;
use crate::csv;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::{json, say};

const EXAMPLES: &str = "\
Examples:
  tpactl residue 7H2KM4QX
  tpactl residue 7H2KM4QX --json
Nothing is put back by this: what is to go, you remove, but for what the role\nhas removed of its run-as accounts (tidy), which is told.";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it
    #[arg(add = completion::any())]
    id: String,
    #[command(flatten)]
    format: Format,
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let residue = client.ask(client.access.residue(&id)).await?;
    match args.format.form() {
        Form::Json => context.screen.data(&json::object(&residue))?,
        Form::Csv => context.lines(csv::lines(&residue.findings, &context.host))?,
        Form::Table | Form::Wide => context.lines(say::residue::page(&residue, &context.clock))?,
    }
    Ok(Exit::Done)
}
