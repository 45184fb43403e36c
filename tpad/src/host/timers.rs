//! One transient timer for each live grant, held by PID 1, that runs `tpad reap ID`.
//!
//! It ends the grant when `tpad` cannot. The name carries the end, so that an extension starts a
//! new timer before the old one is stopped: at no moment is there none.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use tpa_bus::id::Id;
use zbus_systemd::systemd1::ManagerProxy;
use zruntime::SharedRuntime;

use crate::clock::{self, Now};
use crate::host::Report;
use crate::host::managed_dir::At;
use crate::host::manager::{self, Property, property};
use crate::host::paths::Paths;
use crate::plan::End;

/// How long after the end the reaper comes: `tpad`, when it lives, has ended everything and
/// proven it by then.
const GRACE_S: i64 = 2;

/// The reaper's timers.
#[derive(Debug, Default)]
pub struct Timers {
    /// Those there should be; `None` before the first look.
    started: Option<BTreeSet<String>>,
}

impl Timers {
    /// Makes the timers those of the live grants. Timers of the grants in `keep` are left alone:
    /// their end is not proven yet.
    pub async fn apply(
        &mut self,
        runtime: &SharedRuntime,
        paths: &Paths,
        reapers: &BTreeMap<Id, End>,
        keep: &BTreeSet<Id>,
        (now, at): (&Now, &At),
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        if reapers.is_empty() && self.started.as_ref().is_some_and(BTreeSet::is_empty) {
            return reports;
        }
        if matches!(at, At::Changed(_)) && self.are(reapers) {
            return reports;
        }
        let applied = self.reconcile(paths, reapers, keep, now, &mut reports);
        if let Err(error) = manager::within_limit(runtime, applied).await {
            reports.push(Report::failed("reaper timer", &error));
        }
        reports
    }

    /// Whether those that were started are those of these grants.
    fn are(&self, reapers: &BTreeMap<Id, End>) -> bool {
        self.started.as_ref().is_some_and(|started| {
            let mut names = reapers.iter().map(|(id, end)| name(*id, end));
            started.len() == reapers.len() && names.all(|name| started.contains(&name))
        })
    }

    async fn reconcile(
        &mut self,
        paths: &Paths,
        reapers: &BTreeMap<Id, End>,
        keep: &BTreeSet<Id>,
        now: &Now,
        reports: &mut Vec<Report>,
    ) -> anyhow::Result<()> {
        let connection = manager::connect(paths).await?;
        let manager = manager::manager(&connection).await?;
        let present = list(&manager).await?;
        let mut desired = BTreeSet::new();
        for (id, end) in reapers {
            let name = name(*id, end);
            if !present.contains(&name) {
                if self
                    .started
                    .as_ref()
                    .is_some_and(|started| started.contains(&name))
                {
                    reports.push(Report::Drift {
                        what: format!("timer {name}"),
                        id: Some(*id),
                    });
                }
                start(&manager, paths, *id, end, now).await?;
            }
            desired.insert(name);
        }
        for name in present.difference(&desired) {
            if grant_of(name).is_none_or(|id| !keep.contains(&id)) {
                manager
                    .stop_unit(name.clone(), "replace".to_owned())
                    .await?;
            }
        }
        self.started = Some(desired);
        Ok(())
    }
}

/// `tpa-reap-7H2KM4QX-1795493870.timer`
fn name(id: Id, end: &End) -> String {
    format!("{PREFIX}{}-{}.timer", id.as_str(), end.not_after)
}

const PREFIX: &str = "tpa-reap-";

fn grant_of(timer: &str) -> Option<Id> {
    let (id, _) = timer.strip_prefix(PREFIX)?.split_once('-')?;
    Id::parse(id).ok()
}

/// The timers that are there. One that was asked for a moment ago is not active yet: its job waits.
async fn list(manager: &ManagerProxy<'_>) -> zbus::Result<BTreeSet<String>> {
    let units = manager
        .list_units_by_patterns(Vec::new(), vec![format!("{PREFIX}*.timer")])
        .await?;
    let units = units.into_iter().filter(|unit| {
        let (state, job) = (unit.3.as_str(), unit.8.as_str());
        matches!(state, "active" | "activating") || job == "start"
    });
    Ok(units.map(|unit| unit.0).collect())
}

async fn start(
    manager: &ManagerProxy<'_>,
    paths: &Paths,
    id: Id,
    end: &End,
    now: &Now,
) -> anyhow::Result<()> {
    let startup_us = manager.userspace_timestamp_monotonic().await?;
    let running_us = clock::monotonic_us()?.saturating_sub(startup_us);
    let timer = name(id, end);
    let service = timer.replace(".timer", ".service");
    let aux = vec![(service, service_properties(paths, id)?)];
    manager
        .start_transient_unit(
            timer,
            "replace".to_owned(),
            timer_properties(id, end, now, running_us)?,
            aux,
        )
        .await?;
    Ok(())
}

/// Both clocks, systemd.timer(5): `OnStartupSec` goes on when the wall clock is set back,
/// `OnCalendar` when the host was suspended or the clock is set forward. It counts from the start
/// of PID 1, `running_us` ago: `OnActiveSec` begins anew with every `daemon-reload`.
fn timer_properties(
    id: Id,
    end: &End,
    now: &Now,
    running_us: u64,
) -> anyhow::Result<Vec<Property>> {
    let remaining_ms = end.deadline_ms.saturating_sub(now.boottime_ms);
    let delay_us = remaining_ms.saturating_mul(1_000) + GRACE_S.unsigned_abs() * 1_000_000;
    let delay_us = delay_us.saturating_add(running_us);
    Ok(vec![
        property("Description", format!("End of the access grant {id}"))?,
        property("TimersMonotonic", vec![("OnStartupSec", delay_us)])?,
        property(
            "TimersCalendar",
            vec![("OnCalendar", calendar(end.not_after + GRACE_S))],
        )?,
        property("AccuracyUSec", 100_000_u64)?,
        property("RemainAfterElapse", false)?,
    ])
}

/// systemd.time(7): `2026-11-24 04:17:50 UTC`
fn calendar(at: i64) -> String {
    DateTime::from_timestamp(at, 0)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .format("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}

fn service_properties(paths: &Paths, id: Id) -> anyhow::Result<Vec<Property>> {
    let program = paths.tpad.display().to_string();
    let arguments = vec![program.clone(), "reap".to_owned(), id.as_str().to_owned()];
    Ok(vec![
        property("Description", format!("End of the access grant {id}"))?,
        property("Type", "oneshot")?,
        property("ExecStart", vec![(program, arguments, false)])?,
        property("TimeoutStartUSec", 30_000_000_u64)?,
        property("CollectMode", "inactive-or-failed")?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: End = End {
        not_after: 1_795_493_870,
        deadline_ms: 60_000,
    };

    #[test]
    fn a_timers_name_tells_the_grant_and_its_end() {
        let id = Id::parse("7H2KM4QX").unwrap();
        let name = name(id, &END);
        assert_eq!(name, "tpa-reap-7H2KM4QX-1795493870.timer");
        assert_eq!(grant_of(&name), Some(id));
        assert_eq!(grant_of("tpa-reap-x.timer"), None);
    }

    #[test]
    fn the_wall_clock_is_written_in_utc() {
        assert_eq!(calendar(END.not_after), "2026-11-24 04:17:50 UTC");
    }

    #[test]
    fn a_deadline_that_has_passed_still_makes_a_timer_that_fires() {
        let now = Now {
            wall_s: END.not_after + 9,
            boottime_ms: 90_000,
            boot_id: String::new(),
        };
        let id = Id::parse("7H2KM4QX").unwrap();
        let properties = timer_properties(id, &END, &now, 5_000_000).unwrap();
        let monotonic = &properties[1];
        assert_eq!(monotonic.0, "TimersMonotonic");
        assert!(
            format!("{:?}", monotonic.1).contains("7000000"),
            "{monotonic:?}"
        );
    }
}
