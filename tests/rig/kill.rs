//! tpad killed, and back by itself.

use anyhow::{Context, Result};

use crate::host::Host;

/// Kills tpad and waits until systemd says that it started it again. The journal is read from
/// where it stood before the kill: a `systemctl start` at this moment may come before systemd has
/// seen the death, and do nothing.
pub fn kill_tpad(host: &Host) -> Result<()> {
    let shown = host.root("journalctl --lines=0 --show-cursor");
    let cursor = shown
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("-- cursor: "))
        .with_context(|| format!("a cursor in {shown}"))?;
    host.root("systemctl kill --signal=KILL tpad").ok()?;
    host.start(&format!(
        "exec journalctl --follow --output=cat --after-cursor='{cursor}'"
    ))?
    .line_with("Started tpad.service")?;
    Ok(())
}
