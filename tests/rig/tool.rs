//! Programs of this machine that the rig has do something, and that have to succeed.

use std::fmt::Display;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What the program says; an error with what it complains of when it fails. `doing` completes
/// "… failed".
pub fn run(command: &mut Command, doing: impl Display) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("{doing}: starting {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{doing} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}
