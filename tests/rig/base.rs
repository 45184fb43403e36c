//! The base image: a small Debian server, as Debian packages it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::debian::{Debian, Equipment};
use crate::store::Image;

/// After this the image is made anew, so that Debian's updates are what TPA is tried on.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// The tree of the base image, made when there is none, or none to be trusted. The caller holds
/// [`crate::store::lock`].
pub fn ensure_tree(debian: Debian, equipment: Equipment) -> Result<PathBuf> {
    let image = Image::named(&format!("base-{}{}", debian.suite(), equipment.suffix()));
    let packages = [&debian.packages(), equipment.packages()].concat();
    let key = format!("{} {}", debian.suite(), packages.join(" "));
    if !image.is_good(&key, MAX_AGE)? {
        eprintln!("rig: making the base image of {debian} (about 30 s)");
        image.clear()?;
        let output = Command::new("/usr/bin/mmdebstrap")
            .args(["--quiet", "--variant=minbase", "--format=directory"])
            .arg(format!("--include={}", packages.join(",")))
            .arg(debian.suite())
            .arg(image.tree())
            .output()?;
        ensure!(
            output.status.success(),
            "mmdebstrap could not make the base image of {debian}:\n{}\n  next: see that apt-get update works on this machine",
            String::from_utf8_lossy(&output.stderr)
        );
        image.seal(&key)?;
    }
    Ok(image.tree())
}
