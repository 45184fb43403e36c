//! The steps that most stories begin with.

use anyhow::Result;

use crate::host::Host;
use crate::object::Object;

/// A reason long enough for every role.
pub const REASON: &str = "the shop answers with errors";

/// Files a request from the console; its id, eight characters.
pub fn request(host: &Host, user: &str, role: &str, length: &str) -> Result<String> {
    let line = format!("tpactl request {role} --for {length} --reason '{REASON}' --no-wait --json");
    let filed = host.console(user, &line).json()?;
    filed.has("state", "pending")?;
    Ok(filed.text("id")?.to_owned())
}

/// Files a request and has carol approve it over ssh; returns once access is there.
pub fn grant(host: &Host, user: &str, role: &str, length: &str) -> Result<String> {
    let id = request(host, user, role, length)?;
    host.ssh("carol", &format!("tpactl approve {id} --yes"))
        .ok()?;
    let wait = format!("tpactl wait {id} --for active --timeout 60s");
    host.console(user, &wait).ok()?;
    Ok(id)
}

/// Adds a role, or changes it, as an administrator would.
pub fn role(host: &Host, name: &str, text: &str) -> Result<()> {
    host.write(&format!("/etc/tpa/roles.d/{name}.toml"), text)?;
    host.root("systemctl reload tpad").ok()?;
    Ok(())
}

/// What `tpactl show ID --json` says.
pub fn shown(host: &Host, id: &str) -> Result<Object> {
    host.root(&format!("tpactl show {id} --json")).json()
}
