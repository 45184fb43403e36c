//! `tpactl completions`: what a shell needs to complete verbs, options, roles and live ids.

use clap_complete::env::Shells;

use crate::completion::VARIABLE;
use crate::context::Context;
use crate::fail::{Exit, Fail};

const EXAMPLES: &str = "\
Examples:
  bash:  tpactl completions bash > ~/.local/share/bash-completion/completions/tpactl
  zsh:   tpactl completions zsh > \"${fpath[1]}/_tpactl\"
  fish:  tpactl completions fish > ~/.config/fish/completions/tpactl.fish";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

/// Prints the script that has the shell ask `tpactl` itself.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let script = script(&args.shell).ok_or_else(|| {
        Fail::new(
            Exit::Failure,
            format!("cannot write completions for {}", args.shell),
            "report this as a bug",
        )
    })?;
    context.screen.data(script.trim_end())?;
    Ok(Exit::Done)
}

fn script(shell: &str) -> Option<String> {
    let mut script = Vec::new();
    Shells::builtins()
        .completer(shell)?
        .write_registration(VARIABLE, "tpactl", "tpactl", "tpactl", &mut script)
        .ok()?;
    String::from_utf8(script).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_a_script_that_asks_tpactl() {
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell).unwrap();
            assert!(
                script.contains(VARIABLE) && script.contains("tpactl"),
                "{shell}"
            );
        }
    }
}
