//! The audit chain, and the log that tells of it.

use anyhow::{Context, Result};

use crate::host::Host;

/// The chain is whole, and the log says the same, as soon as it has caught up.
pub fn is_whole(host: &Host) -> Result<()> {
    let walked = host.root("tpactl verify");
    let events = walked
        .out
        .strip_prefix("the audit chain is whole: ")
        .and_then(|rest| rest.split(' ').next())
        .with_context(|| format!("a number of events in {walked}"))?;
    host.logged(&format!(" seq={events} "))?;
    host.root("tpactl verify").ok()?;
    Ok(())
}
