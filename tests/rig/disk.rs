//! The disk of an emulated machine: a host as [`crate::installed`] makes it, with Debian's own
//! kernel.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::base::{MAX_AGE, bootstrap};
use crate::debian::{Debian, Equipment};
use crate::layer::Layer;
use crate::store::{self, Image};
use crate::{installed, need, tool};

/// The kernel, and what loads its modules.
const PACKAGES: &str = "linux-image-cloud-amd64,busybox-static";

/// Makes the disk.
const SCRIPT: &str = include_str!("virtual-disk");

/// What this process has made sure of already.
static READY: Mutex<Vec<(Debian, PathBuf)>> = Mutex::new(Vec::new());

/// A folder with a disk, its kernel and the key that opens it: made or found good once in a
/// process.
pub fn image(debian: Debian) -> Result<PathBuf> {
    let trees = installed::trees(debian, Equipment::Plain)?;
    let mut ready = READY.lock().map_err(|error| anyhow!("{error}"))?;
    if let Some((_, image)) = ready.iter().find(|(known, _)| *known == debian) {
        return Ok(image.clone());
    }
    need::check_emulation()?;
    let lock = store::lock()?;
    let kernel = ensure_kernel(debian)?;
    let image = ensure_disk(debian, &trees, &kernel)?;
    drop(lock);
    ready.push((debian, image.clone()));
    Ok(image)
}

fn ensure_kernel(debian: Debian) -> Result<Image> {
    let image = Image::named(&format!("kernel-{}", debian.suite()));
    let key = format!("{} {PACKAGES}", debian.suite());
    if !image.is_good(&key, MAX_AGE)? {
        eprintln!("rig: fetching the kernel of {debian}");
        image.clear()?;
        bootstrap(debian, "extract", PACKAGES, &image)?;
        image.seal(&key)?;
    }
    Ok(image)
}

fn ensure_disk(debian: Debian, trees: &[PathBuf], kernel: &Image) -> Result<PathBuf> {
    let image = Image::named(&format!("disk-{}", debian.suite()));
    let mut key = SCRIPT.to_owned();
    for tree in trees.iter().chain([&kernel.tree()]) {
        let manifest = tree.with_file_name("manifest");
        key += &fs::read_to_string(&manifest)
            .with_context(|| format!("reading {}", manifest.display()))?;
    }
    if !image.is_good(&key, Duration::MAX)? {
        eprintln!("rig: making the disk of {debian}");
        image.clear()?;
        fs::create_dir(image.tree())?;
        let layer = Layer::over(trees)?;
        let mut command = layer.command();
        command
            .args(["/bin/bash", "-c", SCRIPT, "virtual-disk"])
            .args([layer.root(), kernel.tree(), image.tree()]);
        tool::run(&mut command, format!("making the disk of {debian}"))?;
        image.seal(&key)?;
    }
    Ok(image.tree())
}
