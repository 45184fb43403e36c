//! How many system calls tpad makes.

use anyhow::{Context as _, Result};

use crate::host::Host;

/// How many system calls tpad makes meanwhile, with these options of strace(1).
pub fn calls(host: &Host, options: &str, story: impl FnOnce() -> Result<()>) -> Result<u32> {
    let table = table(host, options, story)?;
    total(&table).with_context(|| format!("no total in {table}"))
}

/// The same, where none at all is an answer too: of none, strace makes no table.
pub fn calls_if_any(host: &Host, options: &str, story: impl FnOnce() -> Result<()>) -> Result<u32> {
    let table = table(host, options, story)?;
    if table.trim().is_empty() {
        return Ok(0);
    }
    total(&table).with_context(|| format!("no total in {table}"))
}

fn table(host: &Host, options: &str, story: impl FnOnce() -> Result<()>) -> Result<String> {
    // Not by name: what tpad is about to start has its name for a moment.
    let mut strace = host.start(&format!(
        "exec strace --attach=$(systemctl show --property=MainPID --value tpad) {options} --summary-only --output=/root/calls 2>&1"
    ))?;
    strace.line_with("attached")?;
    story()?;
    host.root("pkill -x strace").ok()?;
    strace.finish()?;
    Ok(host.root("cat /root/calls").ok()?.to_owned())
}

fn total(table: &str) -> Option<u32> {
    let total = table
        .lines()
        .find(|line| line.trim_end().ends_with(" total"))?;
    // Columns: % of time, seconds, microseconds a call, calls, errors.
    total.split_whitespace().nth(3)?.parse().ok()
}
