//! Has PID 1 run a program once, in a unit of its own, and waits until it and all that it started
//! are gone.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::OwnedFd;

use anyhow::{Context as _, bail};
use futures_lite::StreamExt as _;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::manager::{self, Property};
use super::paths::Paths;

/// Runs it; what systemd says came of it: `done`, `failed`, `timeout`.
///
/// # Errors
/// When it cannot be begun, or nobody tells of its end.
pub async fn run(paths: &Paths, unit: String, properties: Vec<Property>) -> anyhow::Result<String> {
    let connection = manager::connect(paths).await?;
    let manager = manager::manager(&connection).await?;
    manager.subscribe().await?;
    let mut removed = manager.receive_job_removed().await?;
    let job = manager
        .start_transient_unit(unit.clone(), "fail".to_owned(), properties, Vec::new())
        .await
        .with_context(|| format!("start {unit}"))?;
    while let Some(signal) = removed.next().await {
        let over = signal.args()?;
        if over.job == job {
            return Ok(over.result.clone());
        }
    }
    bail!("the system bus is gone")
}

/// A text as a file without a name. A property of the unit would be there for everyone to read
/// (systemd shows them to all users), and what people typed is not for everyone.
///
/// # Errors
/// When there is no memory for it.
pub fn unnamed(text: &str) -> anyhow::Result<OwnedFd> {
    let mut file = File::from(memfd_create("tpa-input", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// An empty file without a name, for what the program says.
///
/// # Errors
/// When there is no memory for it.
pub fn answer() -> anyhow::Result<File> {
    Ok(File::from(memfd_create("tpa-said", MFdFlags::MFD_CLOEXEC)?))
}
