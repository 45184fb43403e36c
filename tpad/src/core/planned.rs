//! The host as it should be, and what was done on it.

use std::sync::Arc;

use tpa_bus::id::Id;

use super::Core;
use crate::clock::Now;
use crate::ledger::{Event, Logins, Removed, State, removed};
use crate::plan::{Ending, Plan, PlanInputs, RETRY_MS, Report, plan};

impl Core {
    /// The moment, what the host should be like at it, and of which generation that is.
    ///
    /// # Errors
    /// When the clocks cannot be read, or the database is somebody else's by now.
    pub fn plan(&mut self) -> anyhow::Result<(Now, Plan, u64)> {
        let now = self.tick()?;
        anyhow::ensure!(
            !self.store.is_touched(),
            "the database is not as tpad left it: starting again"
        );
        let policy = Arc::clone(&self.policy);
        let inputs = PlanInputs {
            gated: &|person| self.world.is_gated(&policy.gate, person),
            say_time: &|at| self.world.local_time(at),
            warn_before: &policy.warn_before,
            said: &self.said,
        };
        let mut planned = plan(&self.state, &inputs, &now);
        let believed = self.doubt.map(|doubt| doubt.left_ms(&now));
        let counted = self.repeats.next_due().map(|at| {
            let seconds = u64::try_from(at.saturating_sub(now.wall_s)).unwrap_or(0);
            seconds.saturating_mul(1_000)
        });
        let moments = [planned.wake_ms, believed, counted];
        planned.wake_ms = moments.into_iter().flatten().min();
        if !self.unrecorded.is_empty() {
            // Nothing tells when there is room again.
            planned.wake_ms = Some(planned.wake_ms.map_or(RETRY_MS, |ms| ms.min(RETRY_MS)));
        }
        Ok((now, planned, self.generation))
    }

    /// Whether the end of any of these ends the person's own logins.
    pub fn gave_logins(&self, ids: &[Id]) -> bool {
        ids.iter().any(|id| {
            let gave = self
                .state
                .requests
                .get(id)
                .and_then(|request| request.gave.as_ref());
            gave.is_some_and(|gave| gave.logins == Logins::Given)
        })
    }

    /// Takes in what the host layer did.
    pub fn record_reports(&mut self, planned: &Plan, reports: Vec<Report>) {
        if reports.is_empty() {
            return;
        }
        // What the reaper has taken away meanwhile is known for that from here on.
        let now = match self.tick() {
            Ok(now) => now,
            Err(error) => return tracing::error!("{error:#}"),
        };
        for report in &reports {
            self.keep_rejected(report);
        }
        let events: Vec<_> = reports
            .into_iter()
            .filter(|report| !self.is_the_reapers(report))
            .flat_map(|report| events_of(report, &planned.desired.endings, &self.state))
            .collect();
        if !events.is_empty()
            && let Err(error) = self.record(None, events, &now)
        {
            tracing::error!("{error:#}");
        }
    }

    /// Keeps in mind what was said of requests that are still there.
    pub fn has_said(&mut self, planned: &Plan) {
        let Self {
            said,
            cut_off,
            state,
            ..
        } = self;
        said.extend(&planned.said);
        said.retain(|said| state.requests.contains_key(&said.id));
        cut_off.retain(|id| state.requests.contains_key(id));
    }
}

impl Core {
    /// Whether a file was missed that `tpad reap --all` has taken away.
    fn is_the_reapers(&self, report: &Report) -> bool {
        matches!(report, Report::Drift { id: Some(id), .. } if self.cut_off.contains(id))
    }

    /// Keeps in mind which grants have no rules, for whoever looks at them.
    fn keep_rejected(&mut self, report: &Report) {
        match report {
            Report::RuleRejected { id, why } => drop(self.rejected.insert(*id, why.clone())),
            Report::RuleWritten { id } | Report::Ended { id, .. } => drop(self.rejected.remove(id)),
            _ => {}
        }
    }
}

/// What a report of the host comes to; what is none of the ledger's is said.
fn events_of(report: Report, endings: &[Ending], state: &State) -> Vec<Event> {
    match report {
        Report::Ended {
            id,
            killed,
            survivors,
            looked_for,
        } => {
            let mut endings = endings.iter();
            let with_logins = endings.any(|ending| ending.id == id && ending.takes.logins());
            let end = Removed {
                id,
                killed: u32::try_from(killed).unwrap_or(u32::MAX),
                survivors,
                looked_for,
                with_logins,
            };
            removed(state, end)
        }
        Report::Drift { what, id } => vec![Event::HostDrift { id, what }],
        Report::RuleRejected { id, why } => {
            tracing::error!("the rules of {id} cannot be written: {why}");
            Vec::new()
        }
        Report::Failed { what, why } => {
            tracing::error!("cannot {what}: {why}");
            Vec::new()
        }
        Report::RuleWritten { id } => {
            tracing::info!("the rules of {id} are in place");
            Vec::new()
        }
        Report::Notified { .. } => Vec::new(),
    }
}
