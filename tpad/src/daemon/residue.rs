//! Has what a window leaves behind looked for: when a grant begins, and when it has ended.
//!
//! The look is PID 1's to run, in a unit of its own that may read everything and change nothing, at
//! idle priority and within limits ([`crate::residue`]). Nothing waits for it: neither the gate nor an
//! end. Notes, short looks and deep ones each go one at a time, and none of the three holds up another.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zruntime::SharedRuntime;

use crate::core::Core;
use crate::engine::Engine;
use crate::host::folder::Folder;
use crate::host::manager::{Property, property};
use crate::host::one_shot::{self, OneShot};
use crate::host::paths::Paths;
use crate::ledger::{BeginningNote, Depth, Residue, Subject};
use crate::residue::{Answer, FOLDER, Order};

/// How long a look may take; systemd then ends it, and what it told by then counts.
const NOTE_LIMIT: Duration = Duration::from_mins(1);
const SHORT_LIMIT: Duration = Duration::from_mins(2);
const DEEP_LIMIT: Duration = Duration::from_mins(30);

/// How much longer systemd may take to say that it is over.
const SLACK: Duration = Duration::from_secs(10);

/// How long to wait before what could not be recorded is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(30);

/// Memory and tasks that it may use (systemd.resource-control(5)).
pub(super) const MEMORY: u64 = 256 * 1_024 * 1_024;
pub(super) const TASKS: u64 = 8;

/// Most bytes of what it tells.
const ANSWER: u64 = 512 * 1_024;

/// Rights of root's that it keeps, to read what is others' (capabilities(7): `CAP_DAC_READ_SEARCH`) and
/// whose processes those are (`CAP_SYS_PTRACE`).
const CAPABILITIES: u64 = (1 << 2) | (1 << 19);

/// What it is kept from (systemd.exec(5)). Not `PrivateTmp=`: it looks there, too. Not
/// `RestrictSUIDSGID=`: with that, systemd has openat2(2) answer that there is no such call. Not
/// `NoNewPrivileges=`: with that, it shows every file system as one whose setuid files give nothing. It
/// starts no program, and no program would get more than its two rights.
pub(super) const SANDBOX: [&str; 10] = [
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "PrivateMounts",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "RestrictRealtime",
    "ProtectKernelTunables",
];

/// Tells the units of one tpad apart.
static COUNT: AtomicU64 = AtomicU64::new(1);

/// Notes beginnings, one note for all that began meanwhile.
pub async fn notes(engine: Arc<Engine>, runtime: SharedRuntime, paths: Paths) {
    loop {
        let changed = engine.changed.listen();
        let due = engine.with(|core| core.notes_due());
        if due.is_empty() {
            changed.await;
            continue;
        }
        forget_notes(&engine);
        let note = match look(&runtime, &paths, &Order::Note, NOTE_LIMIT).await {
            Ok((
                Answer {
                    note: Some(note), ..
                },
                _,
            )) => note,
            Ok((_, result)) => no_note(&engine, &result),
            Err(error) => no_note(&engine, &format!("{error:#}")),
        };
        while let Err(error) = engine.with(|core| core.record_notes(&due, &note)) {
            tracing::warn!("what was noted of beginnings is not recorded: {error:#}");
            runtime.sleep(AGAIN).await;
        }
    }
}

/// Looks at ends, so thoroughly, one after the other.
pub async fn looks(engine: Arc<Engine>, runtime: SharedRuntime, paths: Paths, depth: Depth) {
    let limit = match depth {
        Depth::Short => SHORT_LIMIT,
        Depth::Deep => DEEP_LIMIT,
    };
    loop {
        let changed = engine.changed.listen();
        let Some(subject) = engine.with(|core| core.look_due(depth)) else {
            changed.await;
            continue;
        };
        let order = Order::End(Box::new(subject.clone()));
        let looked = look(&runtime, &paths, &order, limit).await;
        let residue = residue(&engine, &subject, looked);
        while let Err(error) = engine.with(|core| core.record_residue(subject.id, residue.clone()))
        {
            let id = subject.id;
            tracing::warn!(%id, "what was found at an end is not recorded: {error:#}");
            runtime.sleep(AGAIN).await;
        }
    }
}

/// What a look came to. One that could not be begun is told as well, and is not tried again: an
/// administrator reads that nothing was looked for.
fn residue(
    engine: &Engine,
    subject: &Subject,
    looked: anyhow::Result<(Answer, String)>,
) -> Residue {
    let now_s = now_s(engine);
    match looked {
        Ok((answer, result)) => answer.residue(subject, &result, now_s),
        Err(error) => Residue::not_looked(subject.depth, &format!("{error:#}"), now_s),
    }
}

fn no_note(engine: &Engine, why: &str) -> BeginningNote {
    BeginningNote {
        sha256: None,
        at: now_s(engine),
        not_noted: vec![format!("anything: {why}")],
    }
}

fn now_s(engine: &Engine) -> i64 {
    engine.with(Core::now).map_or(0, |now| now.wall_s)
}

/// Removes the notes that no look needs any more.
fn forget_notes(engine: &Engine) {
    let needed = engine.with(|core| core.notes_needed());
    let forgotten = Folder::create(Path::new(FOLDER), 0o700).and_then(|folder| {
        for name in folder.names()? {
            if !needed.contains(&name) {
                folder.remove(&name)?;
            }
        }
        Ok(())
    });
    if let Err(error) = forgotten {
        tracing::warn!("old notes of beginnings: {error:#}");
    }
}

/// Has the look done; what it told, and what systemd says came of it.
async fn look(
    runtime: &SharedRuntime,
    paths: &Paths,
    order: &Order,
    limit: Duration,
) -> anyhow::Result<(Answer, String)> {
    Folder::create(Path::new(FOLDER), 0o700)?;
    let said = one_shot::answer()?;
    let properties = service(paths, order, &said, limit)?;
    let (text, result) = run(runtime, paths, ("look", properties, limit), said).await?;
    Ok((Answer::read(&text), result))
}

/// Has a unit run, of this kind, with these properties and this limit; what it said into the file, and what
/// systemd says came of it.
pub(super) async fn run(
    runtime: &SharedRuntime,
    paths: &Paths,
    (kind, properties, limit): (&str, Vec<Property>, Duration),
    mut said: File,
) -> anyhow::Result<(String, String)> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unit = format!("tpa-{kind}-{}-{count}.service", std::process::id());
    let run = one_shot::run(paths, unit, properties);
    let result = match runtime.timeout(limit.saturating_add(SLACK), run).await {
        Ok(result) => result?,
        Err(_) => "systemd does not say that it is over".to_owned(),
    };
    let mut text = Vec::new();
    said.rewind()?;
    said.take(ANSWER).read_to_end(&mut text)?;
    Ok((String::from_utf8_lossy(&text).into_owned(), result))
}

fn service(
    paths: &Paths,
    order: &Order,
    said: &File,
    limit: Duration,
) -> anyhow::Result<Vec<Property>> {
    let unit = OneShot {
        description: "TPA looks at what is there".to_owned(),
        command: (paths.tpad.display().to_string(), &["look"]),
        input: &serde_json::to_string(order)?,
        identifier: "tpad-look",
        limit,
        most: (MEMORY, TASKS),
    };
    let mut service = unit.properties()?;
    service.extend(one_shot::confined(CAPABILITIES, &["AF_UNIX"], &SANDBOX)?);
    service.extend([
        one_shot::says_into(said)?,
        property("ReadWritePaths", vec![FOLDER])?,
    ]);
    service.extend(idle()?);
    // A note is to be there before much has happened: it waits for its share, and not for idleness.
    if let Order::End(_) = order {
        service.push(property("CPUSchedulingPolicy", CPU_IDLE)?);
    }
    Ok(service)
}

/// What everything that looks or tidies up has: it waits for whoever has more to do, and finds homes, but no
/// secrets.
///
/// # Errors
/// Never, for values like these.
pub(super) fn idle() -> anyhow::Result<[Property; 5]> {
    Ok([
        property("OOMScoreAdjust", 500_i32)?,
        property("IOSchedulingClass", IO_IDLE)?,
        property("Nice", 19_i32)?,
        property("ProtectHome", "read-only")?,
        property("InaccessiblePaths", vec!["-/etc/tpa/secrets"])?,
    ])
}

/// `IOPRIO_CLASS_IDLE` (`ioprio_set(2)`) and `SCHED_IDLE` (sched(7)).
const IO_IDLE: i32 = 3;
pub(super) const CPU_IDLE: i32 = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_look_reads_everything_changes_nothing_and_has_its_limits() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let said = one_shot::answer().unwrap();
        let service = service(&paths, &Order::Note, &said, NOTE_LIMIT).unwrap();
        let known: BTreeMap<_, _> = service
            .iter()
            .map(|(name, value)| (name.as_str(), format!("{value:?}")))
            .collect();
        for (name, value) in [
            ("ProtectSystem", "strict"),
            ("ProtectHome", "read-only"),
            ("ReadWritePaths", FOLDER),
            ("CapabilityBoundingSet", "524292"),
            ("LockPersonality", "true"),
            ("MemoryMax", "268435456"),
            ("TimeoutStartUSec", "60000000"),
            ("IOSchedulingClass", "3"),
            ("ExecStart", "look"),
        ] {
            assert!(known[name].contains(value), "{name}: {}", known[name]);
        }
    }
}
