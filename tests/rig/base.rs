//! The base image: a small Debian server, as Debian packages it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::debian::{Debian, Equipment};
use crate::store::Image;
use crate::tool;

/// After this what came from Debian is fetched anew, so that its updates are what TPA is tried on.
pub const MAX_AGE: Duration = Duration::from_hours(168);

/// The tree of the base image, made when there is none, or none to be trusted. The caller holds
/// [`crate::store::lock`].
pub fn ensure_tree(debian: Debian, equipment: Equipment) -> Result<PathBuf> {
    let image = Image::named(&format!("base-{}{}", debian.suite(), equipment.suffix()));
    let packages = [&debian.packages(), equipment.packages()].concat();
    let key = format!("{} {}", debian.suite(), packages.join(" "));
    if !image.is_good(&key, MAX_AGE)? {
        eprintln!("rig: making the base image of {debian} (about 30 s)");
        image.clear()?;
        bootstrap(debian, "minbase", &packages.join(","), &image)?;
        image.seal(&key)?;
    }
    Ok(image.tree())
}

/// Has mmdebstrap(1) make a tree of Debian's packages: of a variant, and these.
pub fn bootstrap(debian: Debian, variant: &str, packages: &str, image: &Image) -> Result<()> {
    let mut command = Command::new("/usr/bin/mmdebstrap");
    command
        .args(["--quiet", "--format=directory"])
        .arg(format!("--variant={variant}"))
        .arg(format!("--include={packages}"))
        .arg(debian.suite())
        .arg(image.tree());
    if debian == Debian::Forky {
        // What says which packages testing has counts for a week; a mirror may be behind.
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    }
    tool::run(&mut command, "mmdebstrap").with_context(|| {
        format!("the packages of {debian} cannot be had\n  next: see that apt-get update works on this machine")
    })?;
    Ok(())
}
