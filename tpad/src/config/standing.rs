//! What sudo lets somebody do on this host by rules that are no grant's: they have no end.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context as _;
use nix::unistd::geteuid;
use serde_json::{Deserializer, Value};
use tpa_bus::sudo_list;
use tpa_bus::text;
use zruntime::SharedRuntime;

use crate::host::paths::Paths;
use crate::host::program;
use crate::host::rules::in_rust;

/// The rules without an end that sudo has for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rules {
    /// These.
    Are(Vec<String>),
    /// They were not looked at, and why.
    NotLookedAt(String),
}

/// Has sudo list them.
pub(super) fn rules_of(name: &str) -> Rules {
    let sudo = Paths::default().sudo;
    match listed(&sudo, name) {
        Ok(text) => {
            let rules = sudo_list::endless(&text);
            Rules::Are(rules.map(|rule| text::one_line(rule, 200)).collect())
        }
        Err(why) => Rules::NotLookedAt(why),
    }
}

fn listed(sudo: &Path, name: &str) -> Result<String, String> {
    if !geteuid().is_root() {
        return Err("run this as root".to_owned());
    }
    match in_rust(sudo) {
        Ok(false) => {}
        Ok(true) => return Err("sudo-rs does not list them".to_owned()),
        Err(_) => return Ok(String::new()),
    }
    let runtime = SharedRuntime::new().map_err(|error| error.to_string())?;
    // One word for the name, so that none is taken for an option.
    let whose = format!("--other-user={name}");
    let arguments = ["-n", "-l", &whose].map(OsStr::new);
    let ran = runtime.block_on(program::run(&runtime, sudo, &arguments));
    ran.map(|ran| ran.text)
        .map_err(|error| text::one_line(&format!("{error:#}"), 200))
}

/// What cvtsudoers(1) says of sudo's whole configuration; `None` where it is not looked at: only root
/// can read it, and sudo-rs has no such program.
pub(crate) fn sudoers() -> Option<Result<Value, String>> {
    let paths = Paths::default();
    if !geteuid().is_root() || !matches!(in_rust(&paths.sudo), Ok(false)) {
        return None;
    }
    let said = |error: anyhow::Error| text::one_line(&format!("{error:#}"), 200);
    Some(converted(&paths).map_err(said))
}

fn converted(paths: &Paths) -> anyhow::Result<Value> {
    let left_out = OsStr::new("defaults,aliases");
    let options = ["-e", "-f", "json", "-s"].map(OsStr::new);
    let arguments = [&options[..], &[left_out, paths.main_sudoers.as_os_str()]].concat();
    let runtime = SharedRuntime::new()?;
    let ran = runtime.block_on(program::run(&runtime, &paths.cvtsudoers, &arguments))?;
    // Before it stand warnings.
    let json = ran.text.find('{').and_then(|at| ran.text.get(at..));
    let mut values = Deserializer::from_str(json.unwrap_or_default()).into_iter();
    values
        .next()
        .context("cvtsudoers says nothing")?
        .map_err(Into::into)
}
