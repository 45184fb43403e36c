//! What sudo lets somebody do on this host by rules that are no grant's: they have no end.

use std::ffi::OsStr;
use std::path::Path;

use nix::unistd::geteuid;
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
