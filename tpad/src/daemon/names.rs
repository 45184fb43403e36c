//! Loads the configuration again by itself when names of it come that the name service did not
//! tell: a directory that is there only a while after boot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tpa_bus::groups::Answer;
use zruntime::SharedRuntime;

use crate::accounts::{Accounts, When};
use crate::engine::Engine;
use crate::engine::loading::Awaited;

/// As long as it takes: nobody waits for it.
const LONG: Duration = Duration::from_secs(99_999);

/// How soon the name service is asked again, at first and at most. Nothing tells when a directory
/// is there.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Runs until the process ends.
pub async fn names(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut pause = AGAIN.0;
    loop {
        let changed = engine.changed.listen();
        let awaited = engine.awaited().names.clone();
        if awaited.is_empty() {
            pause = AGAIN.0;
            changed.await;
            continue;
        }
        runtime.sleep(pause).await;
        pause = pause.saturating_mul(2).min(AGAIN.1);
        let asked = move |accounts: &Accounts| {
            awaited
                .into_iter()
                .filter(|name| is_told(accounts, name))
                .collect::<BTreeSet<_>>()
        };
        let came = engine.accounts.within(&runtime, LONG, asked).await;
        if let Ok(came) = came
            && !came.is_empty()
        {
            engine.have_come(&runtime, &came).await;
        }
    }
}

fn is_told(accounts: &Accounts, name: &str) -> bool {
    match name.strip_prefix('@') {
        Some(group) => matches!(accounts.look_up_group(group), Answer::Found(_)),
        None => matches!(accounts.look_up(name), Answer::Found(_)),
    }
}

impl Engine {
    /// The name service tells of these by now. A configuration that lacked them is tried again.
    async fn have_come(&self, runtime: &SharedRuntime, came: &BTreeSet<String>) {
        let rejected = {
            let mut awaited = self.awaited();
            awaited.names.retain(|name| !came.contains(name));
            awaited.rejected
        };
        if !rejected {
            return;
        }
        let loaded = match self.read(runtime, When::Start).await {
            Ok(loaded) => loaded,
            Err(error) => return tracing::error!("configuration: {error:#}"),
        };
        *self.awaited() = Awaited::after(&loaded);
        let Ok(policy) = loaded.result else { return };
        tracing::info!("the names in the configuration have come: it is loaded");
        if let Err(error) = self.with(|core| core.put_in_force(policy)) {
            tracing::error!("{error:#}");
        }
    }
}
