//! Loads the configuration again by itself when names of it come that the name service did not
//! tell: a directory that is there only a while after boot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tpa_bus::groups::Answer;
use zruntime::SharedRuntime;

use super::Engine;
use crate::accounts::{Accounts, Lookups, When};
use crate::config::load::{Source, load};
use crate::config::problem::Problem;
use crate::ledger::Event;
use crate::policy::Policy;

/// As long as it takes: nobody waits for it.
const LONG: Duration = Duration::from_secs(99_999);

/// How soon the name service is asked again, at first and at most. Nothing tells when a directory
/// is there.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long somebody who wants a configuration loaded waits for the name service.
const RELOAD: Duration = Duration::from_secs(15);

/// A configuration that was read, and the names in it that the name service did not confirm.
pub(super) struct Loaded {
    pub result: Result<Policy, Vec<Problem>>,
    pub untold: BTreeSet<String>,
}

/// Reads the configuration.
pub(super) fn read(source: &Source, accounts: &Accounts, when: When) -> Loaded {
    let lookups = Lookups::new(accounts, when);
    let result = load(source, &lookups);
    Loaded {
        result,
        untold: lookups.untold(),
    }
}

/// Names of the configuration that are waited for.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// Users, and `@groups`.
    names: BTreeSet<String>,
    /// The configuration is not in force without them.
    rejected: bool,
}

impl Awaited {
    /// After a load.
    pub fn after(loaded: &Loaded) -> Self {
        let rejected = loaded.result.is_err();
        let names = loaded.untold.clone();
        Self { names, rejected }
    }
}

/// Runs until the process ends.
pub async fn names(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut pause = AGAIN.0;
    loop {
        let changed = engine.changed.listen();
        let awaited = engine.lock().awaited.names.clone();
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
    /// Loads the configuration anew. The one in force stays when that fails.
    ///
    /// # Errors
    /// What is wrong with it, one problem a line.
    pub async fn reload(&self, runtime: &SharedRuntime) -> anyhow::Result<()> {
        let loaded = self.read(runtime, When::Reload).await?;
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        match loaded.result {
            Ok(policy) => {
                inner.awaited = Awaited {
                    names: loaded.untold,
                    rejected: false,
                };
                self.put_in_force(&mut inner, policy, &now)
            }
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let text = problems.join("\n");
                let rejected = vec![Event::PolicyRejected { problems }];
                self.record(&mut inner, None, rejected, &now)?;
                Err(anyhow::anyhow!("{text}"))
            }
        }
    }

    async fn read(&self, runtime: &SharedRuntime, when: When) -> anyhow::Result<Loaded> {
        let source = self.source.clone();
        let reading = move |accounts: &Accounts| read(&source, accounts, when);
        let loaded = self.accounts.within(runtime, RELOAD, reading).await;
        loaded.map_err(|why| anyhow::anyhow!("the names in it cannot be looked up: {why}"))
    }

    fn put_in_force(
        &self,
        inner: &mut super::Inner,
        policy: Policy,
        now: &crate::clock::Now,
    ) -> anyhow::Result<()> {
        let revision = policy.revision.clone();
        self.record(inner, None, vec![Event::PolicyLoaded { revision }], now)?;
        inner.policy = Arc::new(policy);
        Ok(())
    }

    /// The name service tells of these by now. A configuration that lacked them is tried again.
    async fn have_come(&self, runtime: &SharedRuntime, came: &BTreeSet<String>) {
        let rejected = {
            let awaited = &mut self.lock().awaited;
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
        let mut inner = self.lock();
        inner.awaited = Awaited::after(&loaded);
        let Ok(policy) = loaded.result else { return };
        tracing::info!("the names in the configuration have come: it is loaded");
        let in_force = self
            .tick(&mut inner)
            .and_then(|now| self.put_in_force(&mut inner, policy, &now));
        if let Err(error) = in_force {
            tracing::error!("{error:#}");
        }
    }
}
