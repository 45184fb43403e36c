//! A module in the host's own stack of PAM that makes somebody else of a person on their way in,
//! as one of a directory service may: `modules/pam_change_user.rs`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::{store, tool};

/// The services whose stack it is put into.
const SERVICES: &str = "/etc/pam.d/sshd /etc/pam.d/login /etc/pam.d/su";

/// Where it stands on the host.
const PLACE: &str = "/usr/local/lib/pam_change_user.so";

/// Brings the module onto the host. No line names it yet.
pub fn bring(host: &Host) -> Result<()> {
    host.copy_in(&built("pam_change_user")?, PLACE)
}

/// Has it change people (`mallory=alice bob=alice`) in a phase: the last thing in `auth`, where
/// the services include others' lines, and the first in the other two. In no other phase.
pub fn changes(host: &Host, phase: &str, whom: &str) -> Result<()> {
    let line = format!("{phase} required {PLACE} {whom}");
    let put = if phase == "auth" {
        format!("sed -i '/^@include common-auth/a {line}' {SERVICES}")
    } else {
        format!("sed -i '1i {line}' {SERVICES}")
    };
    host.root(&format!("sed -i /pam_change_user/d {SERVICES}; {put}"))
        .ok()?;
    let count = host.root(&format!("cat {SERVICES} | grep -c pam_change_user"));
    ensure!(count.ok()? == "3", "a line for each service: {count}");
    Ok(())
}

/// Builds a module: where the stories alone are run, nothing else has.
pub fn built(name: &str) -> Result<PathBuf> {
    Ok(example(name)?.join(format!("lib{name}.so")))
}

/// Builds a program for the stories' own hosts.
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(example(name)?.join(name))
}

/// Builds an example of this package; the folder that it is in.
fn example(name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--package", "tpa_tests"])
        .args(["--example", name])
        .current_dir(store::workspace());
    tool::run(&mut cargo, "building the module")?;
    // target/debug/deps/TEST
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).context("no target folder")?;
    Ok(folder.join("examples"))
}
