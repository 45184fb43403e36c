//! `tpactl version`: which version this is.

use serde::Serialize;

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;
use crate::json;

const EXAMPLES: &str = "\
Examples:
  tpactl version
  tpactl version --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    format: WholeFormat,
}

/// `Version`
#[derive(Serialize)]
struct Version<'a> {
    version: &'a str,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let version = env!("CARGO_PKG_VERSION");
    let text = if args.format.is_json() {
        json::kind("Version", Version { version })
    } else {
        format!("tpactl {version}")
    };
    context.screen.data(&text)?;
    Ok(Exit::Done)
}
