//! Keeps the host as the plan says: after each event that asks something new of it, at each moment
//! the plan names, when someone else touches what is the daemon's, and within the hour.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use zruntime::{AsyncIo, Shared, SharedRuntime};

use crate::clock::{Clock, Now};
use crate::core::Core;
use crate::engine::Engine;
use crate::host::managed_dir::At;
use crate::host::{Host, Report, failed};
use crate::plan::{Due, Followed, Plan};
use crate::watch::{Since, Touched, Watching};

/// The shortest wait.
const SOON: Duration = Duration::from_millis(50);

/// Runs until the process ends. `ready` is called when the host follows the ledger for the first
/// time.
///
/// # Errors
/// When there is no timer to wait with.
pub async fn run(
    engine: Arc<Engine>,
    runtime: SharedRuntime,
    mut host: Host,
    ready: impl FnOnce() + Send,
) -> anyhow::Result<()> {
    let timer = Timer::new(&runtime)?;
    let mut watch = Watching::over_ours();
    let mut followed = Followed::default();
    let mut touched = BTreeSet::new();
    let mut ready = Some(ready);
    let mut groups_written = 0;
    engine.knows_people(&runtime).await;
    loop {
        let changed = engine.changed.listen();
        let told = engine.accounts.told();
        let policy = engine.policy();
        let (now, planned, generation) = engine.with(Core::plan)?;
        let is_touched = !touched.is_empty();
        let due = followed.due(&planned.desired, is_touched, &host.outside(), &now);
        let at = match due {
            Due::Nothing | Due::Changes => At::Changed(std::mem::take(&mut touched)),
            Due::Look => At::Everything,
        };
        let mut reports = host.write_gate(&policy.gate, &at);
        if let Some((groups, changes)) = engine.accounts.groups_after(groups_written) {
            reports.extend(host.write_groups(&groups));
            groups_written = changes;
        }
        let again = followed.again_ms(&planned.desired, &now);
        let wake_ms = [planned.wake_ms, again].into_iter().flatten().min();
        timer.set(&engine.clock, &now, wake_ms)?;
        engine.with(|core| core.record_reports(&planned, reports));
        let follows = match due {
            Due::Nothing => {
                let limits = host.follow_limits(&planned.desired, &now);
                match timer.unless_fired(limits).await {
                    None => continue,
                    Some(reports) => reports,
                }
            }
            Due::Changes | Due::Look => {
                let looked = engine.look(&mut host, &timer, &planned, (&now, &at));
                match looked.await {
                    Looked::CutShort => {
                        followed.forget();
                        continue;
                    }
                    Looked::Owes(reports) => {
                        followed.forget();
                        reports
                    }
                    Looked::Whole(reports) => {
                        match at {
                            At::Everything => {
                                followed.looked(&planned.desired, host.outside(), &now);
                            }
                            At::Changed(_) => followed.followed(&planned.desired, host.outside()),
                        }
                        reports
                    }
                }
            }
        };
        engine.with(|core| core.record_reports(&planned, follows));
        engine.follows(generation);
        if let Some(ready) = ready.take() {
            ready();
        }
        // The folders are there from the first run on. What was touched while nobody watched is
        // found at the next look.
        if watch.open(&runtime) != Since::Before {
            followed.forget();
        }
        let by_touch = async { Woken::Touched(watch.touched().await) };
        let else_woken = async {
            or(told, or(changed, timer.fired())).await;
            Woken::Otherwise
        };
        match or(by_touch, else_woken).await {
            Woken::Touched(Touched::Files(files)) => touched.extend(files),
            Woken::Touched(Touched::Anything) => followed.forget(),
            Woken::Otherwise => {}
        }
    }
}

/// Why it is time to see whether the host is as it should be.
enum Woken {
    /// Somebody touched what is the daemon's, it itself perhaps.
    Touched(Touched),
    /// Something was recorded or told, or it is time.
    Otherwise,
}

/// What a look at the host came to, and what is still to be taken in of it.
#[must_use]
enum Looked {
    /// It is as it should be.
    Whole(Vec<Report>),
    /// Something is not done, and is tried again at the next event.
    Owes(Vec<Report>),
    /// The next end is due: it goes first.
    CutShort,
}

/// One timerfd on the wall clock, which also fires when somebody sets that clock
/// (`timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`).
struct Timer(AsyncIo<TimerFd, Shared>);

impl Timer {
    fn new(runtime: &SharedRuntime) -> anyhow::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
        Ok(Self(AsyncIo::new_nonblocking(runtime, timer)?))
    }

    /// Fires so many milliseconds after `now`, or only when the clock is set.
    fn set(&self, clock: &Clock, now: &Now, after_ms: Option<u64>) -> anyhow::Result<()> {
        // A year ahead stands for never: a timer that is not set does not see the clock being set.
        let after_ms = after_ms.unwrap_or(365 * 86_400_000);
        let at = fires_at(&clock.now()?, now, after_ms);
        // A moment is the beginning of its second, so what is left of a clock that was set may lie
        // within the second that has begun: then a little later, not in the past.
        let at = at.max(clock.wall()?.saturating_add(SOON));
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let expiration = Expiration::OneShot(TimeSpec::from_duration(at));
        Ok(self.0.get_ref().set(expiration, flags)?)
    }

    /// Does something that the next moment must not wait for: `None` when that has come before.
    async fn unless_fired<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        let done = async { Some(doing.await) };
        let fired = async {
            self.fired().await;
            None
        };
        or(done, fired).await
    }

    async fn fired(&self) {
        // Whether it expired or was cancelled, it is time to look again.
        let _ = self
            .0
            .read_with(|timer| match timer.wait() {
                Err(nix::Error::EAGAIN) => Err(std::io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            })
            .await;
    }
}

/// When `after_ms` after `now` is, by the wall clock as it is set at present. A clock that was set
/// back is not gone by, so `now` may be far ahead of it: a timer would never get there. One that
/// was set ahead since `now` has to be looked at, at once.
fn fires_at(present: &Now, now: &Now, after_ms: u64) -> Duration {
    let second = |now: &Now| Duration::from_secs(u64::try_from(now.wall_s).unwrap_or(0));
    let passed_ms = present.boottime_ms.saturating_sub(now.boottime_ms);
    let left = Duration::from_millis(after_ms.saturating_sub(passed_ms));
    let after = Duration::from_millis(after_ms);
    let by_now = second(now).saturating_add(after);
    by_now.min(second(present).saturating_add(left))
}

impl Engine {
    /// Looks at the host, makes it as planned, and has PID 1 know of the ends to come.
    async fn look(
        &self,
        host: &mut Host,
        timer: &Timer,
        planned: &Plan,
        (now, at): (&Now, &At),
    ) -> Looked {
        let enforced = host.enforce(&planned.desired, now, at).await;
        self.with(|core| {
            core.record_reports(planned, enforced.reports);
            core.has_said(planned);
        });
        // A bus that hangs must not keep the next end from being enforced.
        let prepared = host.prepare(&planned.desired, &enforced.unproven, now, at);
        match timer.unless_fired(prepared).await {
            None => Looked::CutShort,
            Some(reports) if enforced.owes || failed(&reports) => Looked::Owes(reports),
            Some(reports) => Looked::Whole(reports),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(wall_s: i64, boottime_ms: u64) -> Now {
        Now {
            wall_s,
            boottime_ms,
            boot_id: "here".to_owned(),
        }
    }

    #[test]
    fn what_has_passed_since_the_look_is_not_waited_for_again() {
        let fires = fires_at(&at(1_003, 8_000), &at(1_000, 5_000), 20_000);
        assert_eq!(fires, Duration::from_mins(17));
    }

    #[test]
    fn with_the_clock_set_back_the_timer_goes_by_the_clock_as_it_is() {
        let taken_for = at(1_000 * DAY, 5_000);
        let fires = fires_at(&at(DAY, 6_000), &taken_for, 20_000);
        assert_eq!(fires, Duration::from_secs(86_400 + 19));
    }

    #[test]
    fn a_clock_set_ahead_since_the_look_is_looked_at_at_once() {
        let fires = fires_at(&at(DAY, 6_000), &at(1_000, 5_000), 20_000);
        assert!(fires < Duration::from_hours(24), "{fires:?}");
    }
}
