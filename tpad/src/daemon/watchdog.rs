//! Proves to PID 1 that the gate answers (`WatchdogSec=`, `sd_watchdog_enabled(3)`).
//!
//! A timer that ticks on proves nothing. So `tpad` asks its own gate, over its own socket and as
//! the PAM module does, and says that it is alive only when an answer came. A tpad that hangs is
//! killed and started again by PID 1; meanwhile the state files let in whoever holds a grant.

use std::time::Duration;

use sd_notify::NotifyState;
use tpa_bus::gate::Query;
use tpa_bus::offline::Class;
use zruntime::SharedRuntime;

use crate::bus::client;

/// How long the gate may take to answer. The module gives up after two seconds; this is no place
/// to be as strict, since what follows is a restart.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks the gate twice in each span that PID 1 waits for. Never returns; does nothing when PID 1
/// waits for no word.
pub async fn watchdog(runtime: SharedRuntime) {
    let Some(span) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        runtime.sleep(span / 2).await;
        let told = async {
            ask().await?;
            Ok(sd_notify::notify(&[NotifyState::Watchdog])?)
        };
        let outcome: anyhow::Result<()> = match runtime.timeout(LIMIT, told).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("no answer within {} s", LIMIT.as_secs())),
        };
        if let Err(error) = outcome {
            tracing::error!("the gate does not answer tpad itself: {error:#}");
        }
    }
}

/// Asks what the gate would say of root: the whole way to a decision, of which nothing is kept.
async fn ask() -> anyhow::Result<()> {
    let connection = client::connect().await?;
    let query = Query {
        service: "tpad".to_owned(),
        class: Class::Login.as_str().to_owned(),
        user: "root".to_owned(),
        pid: std::process::id(),
        ..Query::default()
    };
    client::gate(&connection).await?.preview(&query).await?;
    Ok(())
}
