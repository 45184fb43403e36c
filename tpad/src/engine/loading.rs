//! Reads the configuration, and puts it in force.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tpa_statement::signers::Signers;
use zruntime::SharedRuntime;

use super::Engine;
use crate::accounts::{Accounts, Lookups, When};
use crate::aside::aside;
use crate::config::load::{Source, left_out, load, load_signers};
use crate::config::problem::Problem;
use crate::policy::Policy;

/// How long somebody who wants a configuration loaded waits for the name service.
const RELOAD: Duration = Duration::from_secs(15);

/// How long a login at the front door waits for the file of signers to be read: within what the module
/// waits.
const READING: Duration = Duration::from_secs(1);

/// A configuration that was read, and the names in it that the name service did not confirm.
pub(crate) struct Loaded {
    pub result: Result<Policy, Vec<Problem>>,
    pub untold: BTreeSet<String>,
}

/// Reads the configuration.
pub(crate) fn read(source: &Source, accounts: &Accounts, when: When) -> Loaded {
    let lookups = Lookups::new(accounts, when);
    let result = load(source, &lookups);
    if let Ok(policy) = &result {
        tell_left_out(&left_out(&source.folder(), policy));
    }
    Loaded {
        result,
        untold: lookups.untold(),
    }
}

/// Most lines that are told one by one.
const TOLD: usize = 20;

fn tell_left_out(problems: &[Problem]) {
    for problem in problems.iter().take(TOLD) {
        tracing::error!("left out of the configuration: {problem}");
    }
    if let Some(more) = problems.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::error!("left out of the configuration: {more} lines more: tpactl check");
    }
}

/// Names of the configuration that are waited for.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    /// Users, and `@groups`.
    pub names: BTreeSet<String>,
    /// The configuration is not in force without them.
    pub rejected: bool,
}

impl Awaited {
    /// After a load.
    pub fn after(loaded: &Loaded) -> Self {
        let rejected = loaded.result.is_err();
        let names = loaded.untold.clone();
        Self { names, rejected }
    }
}

impl Engine {
    /// Loads the configuration anew. The one in force stays when that fails.
    ///
    /// # Errors
    /// What is wrong with it, one problem a line.
    pub async fn reload(&self, runtime: &SharedRuntime) -> anyhow::Result<()> {
        let loaded = self.read(runtime, When::Reload).await?;
        match loaded.result {
            Ok(policy) => {
                *self.awaited() = Awaited {
                    names: loaded.untold,
                    rejected: false,
                };
                self.with(|core| core.put_in_force(policy))
            }
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let text = problems.join("\n");
                self.with(|core| core.reject_policy(problems))?;
                Err(anyhow::anyhow!("{text}"))
            }
        }
    }

    /// Who signs as whom by the file as it is now, whether that is in force or not: what sshd goes by.
    /// None where it cannot be read, or not in time.
    pub(crate) async fn signers_on_disk(&self, runtime: &SharedRuntime) -> Option<Signers> {
        let source = self.source.clone();
        let reading = aside(move || load_signers(&source));
        let read = runtime.timeout(READING, reading).await;
        read.ok()?.ok()?.ok()?
    }

    pub(crate) async fn read(&self, runtime: &SharedRuntime, when: When) -> anyhow::Result<Loaded> {
        let source = self.source.clone();
        let reading = move |accounts: &Accounts| read(&source, accounts, when);
        let loaded = self.accounts.within(runtime, RELOAD, reading).await;
        loaded.map_err(|why| anyhow::anyhow!("the names in it cannot be looked up: {why}"))
    }

    /// Names that are waited for.
    pub(crate) fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
