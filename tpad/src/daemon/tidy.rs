//! Has removed what appeared of run-as accounts whose role has `tidy`, after the look at an end found it.
//!
//! That is PID 1's to run, in a unit of its own for each account: one account that makes its folders such
//! that a unit with them cannot begin keeps nothing of another's. It may write to the folders alone in which
//! something is to be removed. No end waits for it. Where tpad or the host goes down meanwhile, it is done
//! again: what is due stands in the trail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zruntime::SharedRuntime;

use super::residue::{AGAIN, CPU_IDLE, MEMORY, SANDBOX, TASKS, idle, run};
use crate::engine::Engine;
use crate::host::manager::{Property, property};
use crate::host::one_shot::{self, OneShot};
use crate::host::paths::Paths;
use crate::ledger::{CameTo, Tidied, TidyDue};
use crate::residue::{TidyOrder, came_to};

/// How long it may take for one account; systemd then ends it, and what it told by then counts.
const LIMIT: Duration = Duration::from_mins(1);

/// Rights of root's that it keeps (capabilities(7)): to read what is to be removed (`CAP_DAC_READ_SEARCH`),
/// and to act as whoever owns the folder (`CAP_SETGID`, `CAP_SETUID`), whose own rights are all that it
/// has then.
const CAPABILITIES: u64 = (1 << 2) | (1 << 6) | (1 << 7);

/// Removes what is due, one grant after the other.
pub async fn tidies(engine: Arc<Engine>, runtime: SharedRuntime, paths: Paths) {
    loop {
        let changed = engine.changed.listen();
        let Some(due) = engine.with(|core| core.tidy_due()) else {
            changed.await;
            continue;
        };
        let id = due.id;
        let tidied = tidy(&runtime, &paths, due).await;
        while let Err(error) = engine.with(|core| core.record_tidied(id, tidied.clone())) {
            tracing::warn!(%id, "what became of what was to be removed is not recorded: {error:#}");
            runtime.sleep(AGAIN).await;
        }
    }
}

/// Removes what is due after one end, one account after the other. What could not be begun is told, and not
/// tried again: an administrator reads that it is still there.
async fn tidy(runtime: &SharedRuntime, paths: &Paths, due: TidyDue) -> Vec<Tidied> {
    let mut tidied = Vec::new();
    let mut by_account: BTreeMap<u32, TidyOrder> = BTreeMap::new();
    for one in due.appeared {
        if let Some(why) = &one.stays {
            tidied.push(one.came_to(CameTo::Stays(why.clone())));
            continue;
        }
        let order = TidyOrder {
            id: due.id,
            account: one.account.clone(),
            appeared: Vec::new(),
        };
        let order = by_account.entry(one.account.uid).or_insert(order);
        order.appeared.push(one);
    }
    for order in by_account.into_values() {
        let done = remove(runtime, paths, &order).await;
        tidied.extend(match done {
            Ok((text, result)) => came_to(&order, &text, &result),
            Err(error) => came_to(&order, "", &format!("{error:#}")),
        });
    }
    tidied
}

async fn remove(
    runtime: &SharedRuntime,
    paths: &Paths,
    order: &TidyOrder,
) -> anyhow::Result<(String, String)> {
    let said = one_shot::answer()?;
    let properties = service(paths, order, &said)?;
    run(runtime, paths, ("tidy", properties, LIMIT), said).await
}

fn service(paths: &Paths, order: &TidyOrder, said: &File) -> anyhow::Result<Vec<Property>> {
    let unit = OneShot {
        description: format!("TPA removes what appeared of {}", order.account.name),
        command: (paths.tpad.display().to_string(), &["tidy"]),
        input: &serde_json::to_string(order)?,
        identifier: "tpad-tidy",
        limit: LIMIT,
        most: (MEMORY, TASKS),
    };
    let mut service = unit.properties()?;
    service.extend(one_shot::confined(CAPABILITIES, &["AF_UNIX"], &SANDBOX)?);
    let files = order.appeared.iter().filter_map(|one| one.file.as_ref());
    let folders = files.filter_map(|file| Path::new(&file.path).parent());
    let folders: BTreeSet<String> = folders.map(|at| format!("-{}", at.display())).collect();
    service.extend([
        // `confined` has taken it away with all that is privileged.
        property("SystemCallFilter", (true, vec!["@setuid"]))?,
        one_shot::says_into(said)?,
        property("CPUSchedulingPolicy", CPU_IDLE)?,
        property("ReadWritePaths", folders.into_iter().collect::<Vec<_>>())?,
    ]);
    service.extend(idle()?);
    Ok(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Appeared, Person, SeenFile};
    use tpa_bus::id::Id;

    fn order() -> TidyOrder {
        let account = Person {
            uid: 115,
            name: "shopdb".into(),
        };
        let appeared = |path: &str| Appeared {
            account: account.clone(),
            kind: "cron".into(),
            what: path.into(),
            file: Some(SeenFile {
                path: path.into(),
                dev: 1,
                ino: 2,
                owner: 115,
                size: 3,
                changed: (4, 5),
                sha256: "6".into(),
            }),
            is_line: false,
            stays: None,
        };
        TidyOrder {
            id: Id::from_random([0; 5]),
            account: account.clone(),
            appeared: vec![
                appeared("/var/spool/cron/crontabs/shopdb"),
                appeared("/x/.ssh/k"),
            ],
        }
    }

    #[test]
    fn it_may_write_to_the_folders_of_what_goes_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let said = one_shot::answer().unwrap();
        let service = service(&paths, &order(), &said).unwrap();
        let of = |wanted: &str| {
            let found = service.iter().filter(|(name, _)| name == wanted);
            found
                .map(|(_, value)| format!("{value:?}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (name, value) in [
            ("ProtectSystem", "strict"),
            ("ProtectHome", "read-only"),
            ("CapabilityBoundingSet", "196"),
            ("TimeoutStartUSec", "60000000"),
            ("ExecStart", "tidy"),
            ("SystemCallFilter", "@setuid"),
        ] {
            assert!(of(name).contains(value), "{name}: {}", of(name));
        }
        let writes = of("ReadWritePaths");
        assert!(writes.contains("\"-/var/spool/cron/crontabs\""), "{writes}");
        assert!(writes.contains("\"-/x/.ssh\""), "{writes}");
        assert_eq!(writes.matches("\"-").count(), 2, "{writes}");
    }

    #[test]
    fn what_is_not_told_of_stays_and_says_why() {
        let order = order();
        let told = serde_json::to_string(&order.appeared[0].came_to(CameTo::Removed)).unwrap();
        let all = came_to(&order, &told, "timeout");
        assert_eq!(all[0].came_to, CameTo::Removed);
        let CameTo::Stays(why) = &all[1].came_to else {
            panic!("{all:?}");
        };
        assert!(why.contains("timeout"), "{why}");
    }
}
