//! Has PID 1 run a program once, in a unit of its own, and waits until it and all that it started
//! are gone.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_lite::StreamExt as _;
use nix::sys::memfd::{MFdFlags, memfd_create};

use zbus::Fd;

use super::manager::{self, Property, property};
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

/// A program that is run once.
#[derive(Debug)]
pub struct OneShot<'a> {
    /// What it does, for whoever lists units.
    pub description: String,
    /// The program, and its arguments behind its own name.
    pub command: (String, &'a [&'a str]),
    /// What it reads on standard input.
    pub input: &'a str,
    /// The name that its words in the journal go by.
    pub identifier: &'a str,
    /// When systemd ends it.
    pub limit: Duration,
    /// Most memory, in bytes, and most tasks (systemd.resource-control(5)).
    pub most: (u64, u64),
}

impl OneShot<'_> {
    /// Its properties, but for what it may do and where its output goes.
    ///
    /// # Errors
    /// When there is no memory for the input.
    pub fn properties(self) -> anyhow::Result<Vec<Property>> {
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (program, arguments) = self.command;
        let own = std::iter::once(program.clone());
        let argv: Vec<String> = own
            .chain(arguments.iter().map(ToString::to_string))
            .collect();
        let (memory, tasks) = self.most;
        Ok(vec![
            property("Description", self.description)?,
            property("Type", "oneshot")?,
            property("ExecStart", vec![(program, argv, false)])?,
            property(
                "StandardInputFileDescriptor",
                Fd::from(unnamed(self.input)?),
            )?,
            property("StandardError", "journal")?,
            property("SyslogIdentifier", self.identifier)?,
            property("TimeoutStartUSec", us(self.limit))?,
            property("TimeoutStopUSec", us(Duration::from_secs(1)))?,
            property("CollectMode", "inactive-or-failed")?,
            property("MemoryMax", memory)?,
            property("TasksMax", tasks)?,
            property("UMask", 0o077_u32)?,
            property("LimitCORE", 0_u64)?,
        ])
    }
}

/// Has what it says go into the file that [`answer`] made.
///
/// # Errors
/// When there is no descriptor left.
pub fn says_into(answer: &File) -> anyhow::Result<Property> {
    let answer = Fd::from(OwnedFd::from(answer.try_clone()?));
    property("StandardOutputFileDescriptor", answer)
}

/// What keeps a program that needs no more than these capabilities(7), as a bit set, and sockets of these
/// families from everything else that systemd.exec(5) can: it writes nothing, and makes the calls of a
/// service alone. `switches` are those of systemd's that are on.
///
/// # Errors
/// Never, for values like these.
pub fn confined(
    capabilities: u64,
    families: &[&str],
    switches: &[&str],
) -> anyhow::Result<Vec<Property>> {
    let mut properties = vec![
        property("CapabilityBoundingSet", capabilities)?,
        property("RestrictNamespaces", 0_u64)?,
        property("ProtectSystem", "strict")?,
        property("SystemCallArchitectures", vec!["native"])?,
        property("SystemCallFilter", (true, vec!["@system-service"]))?,
        property(
            "SystemCallFilter",
            (false, vec!["@privileged", "@resources"]),
        )?,
        property("SystemCallErrorNumber", nix::libc::EPERM)?,
        property("RestrictAddressFamilies", (true, families.to_vec()))?,
    ];
    for name in switches {
        properties.push(property(name, true)?);
    }
    Ok(properties)
}

/// A text as a file without a name. A property of the unit would be there for everyone to read
/// (systemd shows them to all users), and what people typed is not for everyone.
fn unnamed(text: &str) -> anyhow::Result<OwnedFd> {
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
