//! Tells the administrator's program of each event: `notify.run` in `tpad.toml`.
//!
//! PID 1 runs it, as a service of its own that has no rights, so nothing here forks or changes a
//! uid. One event at a time and in order, from the moment the daemon starts; what a slow program
//! leaves behind is dropped. Whatever the program does, or does not, harms nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_lite::StreamExt as _;
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::json;
use zbus::Fd;
use zruntime::SharedRuntime;

use crate::audit::{fields, line};
use crate::engine::Engine;
use crate::host::manager::{self, Property, property};
use crate::host::paths::Paths;
use crate::policy::AuditFormat;
use crate::store::Record;

/// How long the program may take for one event; systemd then kills it and what it started.
const LIMIT: Duration = Duration::from_secs(10);

/// How much longer systemd may take to say that it is over.
const SLACK: Duration = Duration::from_secs(5);

/// Most events that wait for the program.
const BACKLOG: u64 = 1_000;

/// Memory and tasks that the program may use (systemd.resource-control(5)).
const MEMORY: u64 = 256 * 1_024 * 1_024;
const TASKS: u64 = 64;

/// What the program is kept from beyond what `DynamicUser=` keeps it from (systemd.exec(5)). The
/// network is left to it: those who are to be told sit there.
const SANDBOX: [&str; 16] = [
    "DynamicUser",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictRealtime",
    "RestrictSUIDSGID",
];

/// What it may open sockets of: names are resolved with the help of the last two.
const FAMILIES: [&str; 4] = ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"];

/// Tells the program of each event. Never returns.
pub async fn notify(engine: Arc<Engine>, runtime: SharedRuntime, paths: Paths) {
    let mut last = engine.head();
    let mut dropped = 0_u64;
    let mut failing = false;
    loop {
        for record in engine.news(&mut last).await {
            let Some(program) = engine.policy().notify.clone() else {
                continue;
            };
            if engine.head().saturating_sub(record.seq) > BACKLOG {
                dropped = dropped.saturating_add(1);
                continue;
            }
            if dropped > 0 {
                tracing::warn!("{program} is too slow: {dropped} events were not told to it");
                dropped = 0;
            }
            let told = tell(&paths, &program, &record);
            let outcome = match runtime.timeout(LIMIT + SLACK, told).await {
                Ok(outcome) => outcome,
                Err(_) => Err(anyhow::anyhow!("systemd does not say that it is over")),
            };
            // A program that keeps failing is named once.
            if let (Err(error), false) = (&outcome, failing) {
                tracing::warn!("cannot tell {program} of event {}: {error:#}", record.seq);
            }
            failing = outcome.is_err();
        }
    }
}

/// Runs the program for one event, and waits until it and all that it started are gone.
async fn tell(paths: &Paths, program: &str, record: &Record) -> anyhow::Result<()> {
    let connection = manager::connect(paths).await?;
    let manager = manager::manager(&connection).await?;
    manager.subscribe().await?;
    let mut removed = manager.receive_job_removed().await?;
    let unit = format!("tpa-notify-{}.service", record.seq);
    let properties = service(program, record)?;
    let job = manager
        .start_transient_unit(unit.clone(), "fail".to_owned(), properties, Vec::new())
        .await
        .with_context(|| format!("start {unit}"))?;
    while let Some(signal) = removed.next().await {
        let over = signal.args()?;
        if over.job == job {
            return match over.result.as_str() {
                "done" => Ok(()),
                result => bail!("{result}; next: journalctl -t tpa-notify"),
            };
        }
    }
    bail!("the system bus is gone")
}

fn service(program: &str, record: &Record) -> anyhow::Result<Vec<Property>> {
    let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let command = (program.to_owned(), vec![program.to_owned()], false);
    let mut service = vec![
        property("Description", format!("Notice of event {}", record.seq))?,
        property("Type", "oneshot")?,
        property("ExecStart", vec![command])?,
        property("StandardInputFileDescriptor", Fd::from(input(record)?))?,
        property("StandardOutput", "journal")?,
        property("StandardError", "journal")?,
        property("SyslogIdentifier", "tpa-notify")?,
        property("TimeoutStartUSec", us(LIMIT))?,
        property("TimeoutStopUSec", us(Duration::from_secs(1)))?,
        property("CollectMode", "inactive-or-failed")?,
        property("MemoryMax", MEMORY)?,
        property("TasksMax", TASKS)?,
        property("CapabilityBoundingSet", 0_u64)?,
        property("RestrictNamespaces", 0_u64)?,
        property("ProtectSystem", "strict")?,
        property("ProtectHome", "yes")?,
        property("ProtectProc", "invisible")?,
        property("UMask", 0o077_u32)?,
        property("SystemCallArchitectures", vec!["native"])?,
        property("SystemCallFilter", (true, vec!["@system-service"]))?,
        property(
            "SystemCallFilter",
            (false, vec!["@privileged", "@resources"]),
        )?,
        property("SystemCallErrorNumber", nix::libc::EPERM)?,
        property("RestrictAddressFamilies", (true, FAMILIES.to_vec()))?,
    ];
    for name in SANDBOX {
        service.push(property(name, true)?);
    }
    Ok(service)
}

/// The event as a file without a name. A property of the unit would be there for everyone to read
/// (systemd shows them to all users), and what people typed is not for everyone.
fn input(record: &Record) -> anyhow::Result<OwnedFd> {
    let mut file = File::from(memfd_create("tpa-event", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text(record).as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// One line of JSON: an `Event` as `tpactl log --json` prints it.
fn text(record: &Record) -> String {
    let event = record.name();
    let fields: BTreeMap<_, _> = record.fields().iter().cloned().collect();
    let object = json!({
        "apiVersion": "tpa/v1",
        "kind": "Event",
        "seq": record.seq,
        "at": fields::time(record.at),
        "code": record.code,
        "event": event,
        "hash": record.hash,
        "fields": fields,
        "line": line::render(record, AuditFormat::Kv),
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::ledger::{Envelope, Event};
    use crate::store::{Body, Content};

    fn record() -> Record {
        Record {
            seq: 7,
            at: 1_700_000_000,
            code: "TPA5001".to_owned(),
            body: Content::Known(Box::new(Body {
                envelope: Envelope {
                    at: 1_700_000_000,
                    actor: None,
                    actor_uid: None,
                    actor_login: None,
                    proof: None,
                    event: Event::DaemonStopped,
                },
                fields: vec![("host".to_owned(), "web\n01".to_owned())],
            })),
            hash: "ab".to_owned(),
        }
    }

    #[test]
    fn the_program_reads_one_line_of_json() {
        let mut read = String::new();
        File::from(input(&record()).unwrap())
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&read).unwrap();
        assert_eq!(object["kind"], "Event");
        assert_eq!(object["event"], "daemon-stopped");
        assert_eq!(object["at"], "2023-11-14T22:13:20Z");
        assert_eq!(object["fields"]["host"], "web\n01");
    }

    #[test]
    fn the_program_gets_no_rights_and_a_limit() {
        let service = service("/etc/tpa/notify", &record()).unwrap();
        let value = |name: &str| {
            let found = service.iter().find(|(known, _)| known == name);
            format!("{:?}", found.unwrap().1)
        };
        assert!(value("DynamicUser").contains("true"));
        assert!(value("CapabilityBoundingSet").contains("(0"));
        assert!(value("TimeoutStartUSec").contains("10000000"));
        assert!(value("ExecStart").contains("/etc/tpa/notify"));
    }
}
