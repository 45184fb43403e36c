//! `tpactl show`: everything about a request.

use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl show 7H2KM4QX
  tpactl show 7h2k --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request's id, or the beginning of it
    #[arg(add = completion::any())]
    id: String,
    #[command(flatten)]
    format: Format,
}

/// Shows it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let request = context.client().await?.get(&args.id).await?;
    if matches!(args.format.form(), Form::Json | Form::Csv) {
        context.show_outcome(&request, args.format.form())?;
        return Ok(Exit::Done);
    }
    context.lines(say::page::request(&request, &context.clock))?;
    if let Some(step) = say::page::next_step(&request) {
        context.screen.note(&format!("\n  next: {step}"));
    }
    Ok(Exit::Done)
}
