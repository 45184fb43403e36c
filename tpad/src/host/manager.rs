//! Talking to PID 1, org.freedesktop.systemd1(5).
//!
//! A connection lives for one operation. Nothing that ends access waits for one: what PID 1 is told
//! here prepares the end, or tidies up after it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};
use zbus_systemd::login1;
use zbus_systemd::systemd1::{ManagerProxy, ScopeProxy};
use zruntime::SharedRuntime;

use crate::host::cgroup::uid_of_slice;
use crate::host::paths::Paths;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Longest time for a whole operation of several calls.
const OPERATION: Duration = Duration::from_secs(3);

/// A property of a unit to be started.
pub type Property = (String, OwnedVariant);

/// Connects to the system bus. PID 1's own socket would need no bus daemon, but there its
/// messages name `org.freedesktop.systemd1` as the sender, which zbus takes for an error: on a
/// bus a sender is a unique name.
///
/// # Errors
/// When nobody answers there.
pub async fn connect(paths: &Paths) -> anyhow::Result<Connection> {
    Builder::address(paths.bus.as_str())
        .method_timeout(ANSWER)
        .build()
        .await
        .with_context(|| format!("reach systemd on {}", paths.bus))
}

/// The manager's methods.
///
/// # Errors
/// When the connection is gone.
pub async fn manager(connection: &Connection) -> zbus::Result<ManagerProxy<'_>> {
    ManagerProxy::builder(connection)
        // Keeping a cache up to date needs the bus daemon's match rules.
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// The properties of the scope at this path.
///
/// # Errors
/// When the connection is gone.
pub async fn scope(connection: &Connection, path: OwnedObjectPath) -> zbus::Result<ScopeProxy<'_>> {
    ScopeProxy::builder(connection)
        .path(path)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// Runs an operation with PID 1 within a limit.
///
/// # Errors
/// Those of the operation, and taking longer than 3 s.
pub async fn within_limit<T>(
    runtime: &SharedRuntime,
    operation: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    runtime
        .timeout(OPERATION, operation)
        .await
        .with_context(|| format!("systemd did not answer within {OPERATION:?}"))?
}

/// Names a property and gives its value.
///
/// # Errors
/// When the value holds a descriptor that cannot be duplicated; none of ours holds one.
pub fn property<'a>(name: &str, value: impl Into<Variant<'a>>) -> anyhow::Result<Property> {
    let value = OwnedVariant::try_from(value.into()).with_context(|| format!("property {name}"))?;
    Ok((name.to_owned(), value))
}

/// After everything of these people was killed: their own service managers shall not come back
/// before they log in (`loginctl disable-linger`), and nothing of theirs shall stand there as failed,
/// a login that PID 1 ended at its limit neither. Of what fails, tpad's own log tells: the access has
/// ended all the same.
///
/// One connection does for all: root's share of those of a bus is one that logins need too. And one
/// list does, since PID 1 goes through all its units for each.
pub async fn tidy(runtime: &SharedRuntime, paths: &Paths, uids: &BTreeSet<u32>) {
    let connection = match within_limit(runtime, connect(paths)).await {
        Ok(connection) => connection,
        Err(error) => return tracing::info!("tidy after people: {error:#}"),
    };
    if let Err(error) = within_limit(runtime, forget_failed(&connection, uids)).await {
        tracing::info!("tidy after people: {error:#}");
    }
    for uid in uids {
        if let Err(error) = within_limit(runtime, stop_lingering(&connection, *uid)).await {
            tracing::info!(uid, error = format!("{error:#}"), "tidy after a person");
        }
    }
}

async fn stop_lingering(connection: &Connection, uid: u32) -> anyhow::Result<()> {
    login1::ManagerProxy::builder(connection)
        .cache_properties(CacheProperties::No)
        .build()
        .await?
        .set_user_linger(uid, false, false)
        .await
        .context("switch lingering off")
}

/// Has PID 1 forget the units of these people that stand there as failed. A login's scope tells whose
/// it is by the slice that it was in.
async fn forget_failed(connection: &Connection, uids: &BTreeSet<u32>) -> anyhow::Result<()> {
    let manager = manager(connection).await?;
    let units = manager
        .list_units_by_patterns(
            vec!["failed".to_owned()],
            PEOPLES.map(str::to_owned).to_vec(),
        )
        .await?;
    for unit in units {
        let owner = if unit.0.starts_with("session-") {
            let scope = scope(connection, unit.6).await?;
            // It may have been forgotten meanwhile.
            scope
                .slice()
                .await
                .ok()
                .and_then(|slice| uid_of_slice(&slice))
        } else {
            owner(&unit.0)
        };
        if owner.is_some_and(|uid| uids.contains(&uid)) {
            // An error says that there is no such unit any more, as it should be.
            let _ = manager.reset_failed_unit(unit.0).await;
        }
    }
    Ok(())
}

/// The units of people, and their logins' scopes, as patterns of names.
const PEOPLES: [&str; 4] = [
    "user@*.service",
    "user-runtime-dir@*.service",
    "user-*.slice",
    "session-*.scope",
];

/// Whose unit it is, by its name (user@.service(5)).
fn owner(unit: &str) -> Option<u32> {
    let service = unit.strip_suffix(".service").and_then(|name| {
        name.strip_prefix("user@")
            .or_else(|| name.strip_prefix("user-runtime-dir@"))
    });
    match service {
        Some(uid) => uid.parse().ok(),
        None => uid_of_slice(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_unit_tells_whose_it_is() {
        for (unit, uid) in [
            ("user@1001.service", Some(1001)),
            ("user-runtime-dir@1001.service", Some(1001)),
            ("user-1001.slice", Some(1001)),
            ("session-1001.scope", None),
            ("user.slice", None),
            ("user-x.slice", None),
        ] {
            assert_eq!(owner(unit), uid, "{unit}");
        }
    }
}
