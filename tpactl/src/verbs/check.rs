//! `tpactl check`: checks the configuration. The one implementation is `tpad`'s own, run as a
//! program so that what is checked is what will be loaded.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;

/// The daemon, where the packages put it.
const TPAD: &str = "/usr/sbin/tpad";

const EXAMPLES: &str = "\
Examples:
  tpactl check && systemctl reload tpad
  tpactl check --user alice
  tpactl check ./etc-tpa --json
  tpactl check --strict --quiet web-ops.toml";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder with tpad.toml and roles.d, or one such file; /etc/tpa when not given
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    dir: Option<PathBuf>,
    /// Explain what it means to this person
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Say nothing of what is good
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    format: WholeFormat,
}

/// Becomes `tpad check`; comes back only when that fails.
pub fn run(args: &Args) -> Result<Exit, Fail> {
    let mut command = Command::new(TPAD);
    command.arg("check");
    if args.format.is_json() {
        command.arg("--json");
    }
    if args.strict {
        command.arg("--strict");
    }
    if args.quiet {
        command.arg("--quiet");
    }
    if let Some(user) = &args.user {
        // In one word, so that no name is taken for an option.
        command.arg(format!("--user={user}"));
    }
    if let Some(dir) = &args.dir {
        // In full, so that its name is never taken for an option, and problems name it whole.
        command.arg(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
    }
    let error = command.exec();
    Err(Fail::new(
        Exit::Failure,
        format!("cannot run {TPAD} check: {error}"),
        "install the tpa package again",
    ))
}
