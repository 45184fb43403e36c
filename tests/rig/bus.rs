//! tpad's interfaces on the system bus, as busctl(1) calls them.

use anyhow::{Context, Result};

use crate::host::Host;
use crate::output::Output;

/// tpad's errors, up to the name.
pub const OURS: &str = "org.tpa1.Error.";

/// The bus itself says no.
pub const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";

/// Calls a method of tpad's object as somebody. `arguments` are a signature and values.
pub fn call(host: &Host, who: &str, interface: &str, method: &str, arguments: &str) -> Output {
    // Only the debug log of busctl names an error, rather than what it says.
    let line = format!(
        "SYSTEMD_LOG_LEVEL=debug busctl --system --timeout=60 call org.tpa1 /org/tpa1 {interface} {method} {arguments}"
    );
    if who == "root" {
        host.root(&line)
    } else {
        host.console(who, &line)
    }
}

/// The name of the error that a call was answered with; nothing when it was done.
pub fn error(said: &Output) -> Result<Option<&str>> {
    if said.code == 0 {
        return Ok(None);
    }
    let answer = said.err.lines().find(|line| line.contains("type=error "));
    let name = answer.and_then(|line| line.split(" error-name=").nth(1)?.split(' ').next());
    name.map(Some)
        .with_context(|| format!("an answer was expected of {said}"))
}
