//! The layer with the package under test, and the people of the stories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::debian::{Debian, Equipment};
use crate::host::Host;
use crate::layer::Layer;
use crate::people::PEOPLE;
use crate::store::{self, Image};
use crate::{base, need, tool};

/// Run in the host before its first boot.
const SETUP: &str = include_str!("setup");

/// What this process has made sure of already.
static READY: Mutex<Vec<(Kind, Vec<PathBuf>)>> = Mutex::new(Vec::new());

/// A kind of host.
type Kind = (Debian, Equipment);

/// The trees that a host stands on, the uppermost first: made or found good once in a process.
pub fn trees(debian: Debian, equipment: Equipment) -> Result<Vec<PathBuf>> {
    let mut ready = READY.lock().map_err(|error| anyhow!("{error}"))?;
    if let Some((_, trees)) = ready
        .iter()
        .find(|(known, _)| *known == (debian, equipment))
    {
        return Ok(trees.clone());
    }
    need::check()?;
    let lock = store::lock()?;
    let base = base::ensure_tree(debian, equipment)?;
    let trees = vec![ensure_tree((debian, equipment), &base)?, base];
    drop(lock);
    ready.push(((debian, equipment), trees.clone()));
    Ok(trees)
}

fn ensure_tree((debian, equipment): Kind, base: &Path) -> Result<PathBuf> {
    let package = package()?;
    let suffix = equipment.suffix();
    let image = Image::named(&format!("installed-{}{suffix}", debian.suite()));
    let people: Vec<_> = PEOPLE
        .iter()
        .map(|person| format!("{}:{}", person.name, person.groups))
        .collect();
    let key = format!(
        "{}\n{}\n{}\n{SETUP}",
        fs::read_to_string(base.with_file_name("manifest"))?,
        checksum(&package)?,
        people.join(" "),
    );
    if !image.is_good(&key, Duration::MAX)? {
        eprintln!("rig: installing the package on {debian}");
        image.clear()?;
        let layer = Layer::over(&[base.to_path_buf()])?;
        let mut command = layer.nspawn();
        command
            .arg("--pipe")
            .arg(format!("--bind-ro={}:/rig/tpa.deb", package.display()))
            .args(["/bin/sh", "-c", SETUP, "setup"])
            .args(&people);
        tool::run(&mut command, format!("setting up {debian}"))?;
        fs::rename(layer.upper(), image.tree())?;
        image.seal(&key)?;
    }
    Ok(image.tree())
}

/// The .deb that `packaging/build` made last, from the sources as they are now.
pub fn package() -> Result<PathBuf> {
    let folder = store::workspace().join("target/packages");
    let missing = || {
        format!(
            "no .deb in {}\n  next: run packaging/build",
            folder.display()
        )
    };
    let made_from = fs::read_to_string(folder.join("sources.sha256")).with_context(missing)?;
    let mut digest = Command::new(store::workspace().join("packaging/digest"));
    let sources = tool::run(&mut digest, "packaging/digest")?;
    ensure!(
        made_from.as_bytes() == sources,
        "the packages in {} are older than the sources\n  next: run packaging/build",
        folder.display()
    );
    fs::read_dir(&folder)
        .with_context(missing)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(missing)
}

/// Puts the package under test onto the host, and another one called by its name, in which a line
/// of shell has changed something.
pub fn bring(host: &Host, name: &str, change: &str) -> Result<()> {
    host.copy_in(&package()?, "/root/tpa.deb")?;
    host.root(&format!(
        "cd /root && dpkg-deb --raw-extract tpa.deb {name} && cd {name} && {change} && \
         dpkg-deb -Znone --root-owner-group --build . /root/{name}.deb"
    ))
    .ok()?;
    Ok(())
}

fn checksum(file: &Path) -> Result<String> {
    let mut command = Command::new("/usr/bin/sha256sum");
    let sum = tool::run(command.arg(file), format!("reading {}", file.display()))?;
    Ok(String::from_utf8_lossy(&sum).into_owned())
}
