//! The limits of logins that began on a grant, systemd.scope(5).
//!
//! PID 1 ends such a login by itself at `RuntimeMaxSec`, counted from its start, which the gate
//! set to the grant's end. When that end moves, the limit follows through a drop-in: it cannot be
//! set on a scope that runs. Logins without a limit did not begin on a grant and are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};
use zbus_systemd::systemd1::{ManagerProxy, UnitProxy};
use zruntime::SharedRuntime;

use crate::clock::{self, Now};
use crate::host::Report;
use crate::host::cgroup::uid_of_slice;
use crate::host::folder::Folder;
use crate::host::manager;
use crate::host::paths::Paths;
use crate::plan::End;

const FILE: &str = "60-tpa.conf";

/// Differences up to this are left: the login began some moments after its limit was computed.
const TOLERANCE_US: u64 = 2_000_000;

/// A login's scope with a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scope {
    unit: String,
    uid: u32,
    limit_us: u64,
    /// By `CLOCK_MONOTONIC`.
    started_us: u64,
}

/// Moves the limits of the logins to their people's ends.
pub async fn apply(
    runtime: &SharedRuntime,
    paths: &Paths,
    ends: &BTreeMap<u32, End>,
    now: &Now,
) -> Vec<Report> {
    let ours = ours(paths);
    if ends.is_empty() && ours.is_empty() {
        return Vec::new();
    }
    move_limits(runtime, paths, ends, &ours, now).await
}

/// The same, where limits were moved before.
pub async fn follow(
    runtime: &SharedRuntime,
    paths: &Paths,
    ends: &BTreeMap<u32, End>,
    now: &Now,
) -> Vec<Report> {
    let ours = ours(paths);
    if ours.is_empty() {
        return Vec::new();
    }
    move_limits(runtime, paths, ends, &ours, now).await
}

async fn move_limits(
    runtime: &SharedRuntime,
    paths: &Paths,
    ends: &BTreeMap<u32, End>,
    ours: &BTreeSet<String>,
    now: &Now,
) -> Vec<Report> {
    let moved = manager::within_limit(runtime, reconcile(paths, ends, ours, now)).await;
    match moved {
        Ok(()) => Vec::new(),
        Err(error) => vec![Report::failed("login limit", &error)],
    }
}

async fn reconcile(
    paths: &Paths,
    ends: &BTreeMap<u32, End>,
    ours: &BTreeSet<String>,
    now: &Now,
) -> anyhow::Result<()> {
    let connection = manager::connect(paths).await?;
    let manager = manager::manager(&connection).await?;
    let scopes = list(&connection, &manager).await?;
    let monotonic_us = clock::monotonic_us()?;
    let mut changed = false;
    for scope in &scopes {
        let Some(end) = ends.get(&scope.uid) else {
            continue;
        };
        let limit_us = limit_us(scope, end, now, monotonic_us);
        if scope.limit_us.abs_diff(limit_us) > TOLERANCE_US {
            write(paths, &scope.unit, limit_us)?;
            changed = true;
        }
    }
    // Session numbers come again: a drop-in must not wait for somebody else's login.
    for unit in ours
        .iter()
        .filter(|unit| scopes.iter().all(|scope| scope.unit != **unit))
    {
        remove(paths, unit)?;
        changed = true;
    }
    if changed {
        manager.reload().await?;
    }
    Ok(())
}

/// `RuntimeMaxSec` that ends the scope at `end`: what is over since its start, and what is left.
fn limit_us(scope: &Scope, end: &End, now: &Now, monotonic_us: u64) -> u64 {
    let by_wall = u64::try_from(end.not_after.saturating_sub(now.wall_s)).unwrap_or(0);
    let left_us = end
        .deadline_ms
        .saturating_sub(now.boottime_ms)
        .min(by_wall.saturating_mul(1_000))
        .saturating_mul(1_000);
    let elapsed_us = monotonic_us.saturating_sub(scope.started_us);
    // 0 would be taken for "at once" or, elsewhere in systemd, for "no limit".
    elapsed_us.saturating_add(left_us).max(1_000_000)
}

async fn list(connection: &Connection, manager: &ManagerProxy<'_>) -> anyhow::Result<Vec<Scope>> {
    let states = vec!["active".to_owned()];
    let units = manager
        .list_units_by_patterns(states, vec!["session-*.scope".to_owned()])
        .await?;
    let mut scopes = Vec::new();
    for unit in units {
        // It may end at any moment; then it needs no limit.
        if let Ok(Some(scope)) = look_at(connection, unit.0, unit.6).await {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

async fn look_at(
    connection: &Connection,
    unit: String,
    path: OwnedObjectPath,
) -> zbus::Result<Option<Scope>> {
    let scope = manager::scope(connection, path.clone()).await?;
    let limit_us = scope.runtime_max_u_sec().await?;
    let uid = uid_of_slice(&scope.slice().await?);
    let started_us = UnitProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await?
        .active_enter_timestamp_monotonic()
        .await?;
    Ok(uid.filter(|_| limit_us != u64::MAX).map(|uid| Scope {
        unit,
        uid,
        limit_us,
        started_us,
    }))
}

/// The units that have a drop-in of ours.
fn ours(paths: &Paths) -> BTreeSet<String> {
    std::fs::read_dir(&paths.units)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".d").map(str::to_owned))
        .filter(|unit| is_session(unit) && folder_of(paths, unit).join(FILE).exists())
        .collect()
}

fn is_session(unit: &str) -> bool {
    unit.strip_prefix("session-")
        .and_then(|rest| rest.strip_suffix(".scope"))
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn folder_of(paths: &Paths, unit: &str) -> PathBuf {
    paths.units.join(format!("{unit}.d"))
}

fn write(paths: &Paths, unit: &str, limit_us: u64) -> anyhow::Result<()> {
    anyhow::ensure!(is_session(unit), "{unit} is no login's scope");
    let text =
        format!("# Written by tpad: the end of the grant.\n[Scope]\nRuntimeMaxSec={limit_us}us\n");
    Folder::create(&folder_of(paths, unit), 0o755)?.write(FILE, &text, 0o644)
}

fn remove(paths: &Paths, unit: &str) -> anyhow::Result<()> {
    let path = folder_of(paths, unit);
    Folder::open(&path)?.remove(FILE)?;
    // Stays when somebody else has put a drop-in there.
    let _ = std::fs::remove_dir(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            unit: "session-3.scope".into(),
            uid: 1001,
            limit_us: 60_000_000,
            started_us: 100_000_000,
        }
    }

    fn now() -> Now {
        Now {
            wall_s: 1_000,
            boottime_ms: 500_000,
            boot_id: String::new(),
        }
    }

    #[test]
    fn a_limit_counts_from_the_logins_start_and_ends_by_the_earlier_clock() {
        let limit = |not_after, deadline_ms| {
            let end = End {
                not_after,
                deadline_ms,
            };
            limit_us(&scope(), &end, &now(), 130_000_000)
        };
        assert_eq!(limit(1_090, 590_000), 120_000_000);
        assert_eq!(limit(1_010, 590_000), 40_000_000);
        assert_eq!(limit(1_090, 500_500), 30_500_000);
        assert_eq!(limit(900, 400_000), 30_000_000);
    }

    #[test]
    fn a_limit_is_never_zero() {
        let end = End {
            not_after: 0,
            deadline_ms: 0,
        };
        assert_eq!(limit_us(&scope(), &end, &now(), 0), 1_000_000);
    }

    #[test]
    fn only_logins_of_people_are_meant() {
        assert_eq!(uid_of_slice("user-1001.slice"), Some(1001));
        assert_eq!(uid_of_slice("user.slice"), None);
        assert!(is_session("session-c3.scope"));
        assert!(!is_session("session-.scope") && !is_session("session-../x.scope"));
    }

    #[test]
    fn a_drop_in_is_found_again_and_removed_with_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::below(dir.path());
        write(&paths, "session-3.scope", 40_000_000).unwrap();
        assert_eq!(ours(&paths), BTreeSet::from(["session-3.scope".to_owned()]));
        let text = std::fs::read_to_string(paths.units.join("session-3.scope.d/60-tpa.conf"));
        assert!(
            text.unwrap()
                .ends_with("[Scope]\nRuntimeMaxSec=40000000us\n")
        );
        remove(&paths, "session-3.scope").unwrap();
        assert!(!paths.units.join("session-3.scope.d").exists());
    }
}
