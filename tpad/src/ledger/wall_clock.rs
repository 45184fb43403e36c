//! Which time it is when somebody sets the wall clock: chrony, an administrator, or a mistake.
//!
//! `CLOCK_BOOTTIME` cannot be set, so within a boot it tells by how much the wall clock should have
//! gone on. A clock that was set ahead is believed at once: it may be right, and what it ends must
//! end. What it would show otherwise is kept in mind, and a clock that goes back to that is believed
//! at once too. Any other clock that was set back is not believed before it has stood for a while;
//! until then the time goes on as if nobody had touched it. Whenever another time is believed, what
//! counts from a moment on that clock is moved with it, and no grant gets longer.

use serde::{Deserialize, Serialize};

use super::request::{Request, Stage};
use super::{Event, State};
use crate::clock::Now;

/// By how much the wall clock may differ from what is expected of it, in seconds: it is corrected
/// in small steps all the time.
pub(crate) const LAG_MAX: i64 = 60;

/// How long a clock must stand as it was set before it is no longer doubted, in milliseconds.
const STANDS_MS: u64 = 10 * 60 * 1_000;

/// What the events so far say about the wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WallClock {
    /// A moment that is believed. Within its boot the time goes on from it.
    pub anchor: Option<Now>,
    /// When another time was believed last.
    pub set: Option<ClockSet>,
}

/// From here on the time is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSet {
    /// The moment, by the time that is believed from now on.
    pub now: Now,
    /// The same moment by the time that was believed until now, in seconds since 1970.
    pub was: i64,
    /// The same moment by the clock that stood before it was set. None when it is set right again.
    pub before: Option<i64>,
}

/// A clock that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Since when, by `CLOCK_BOOTTIME` in milliseconds.
    since_ms: u64,
    /// By how much it differs from the time that is believed, in seconds.
    offset_s: i64,
}

/// What a reading of the clocks comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The moment to go by.
    pub now: Now,
    /// To be recorded: the clock was set.
    pub jump: Option<Event>,
    /// What is not believed of it.
    pub doubt: Option<Doubt>,
}

/// Reads the clocks with what is known of them. `doubt` is what came of the reading before: a
/// doubt is recorded when it begins.
#[must_use]
pub fn read(state: &State, doubt: Option<Doubt>, clocks: &Now) -> Reading {
    let expected = state.wall_clock.expected(state.newest, clocks);
    let offset_s = clocks.wall_s.saturating_sub(expected);
    let believed = |now: &Now, jump| Reading {
        now: now.clone(),
        jump,
        doubt: None,
    };
    if offset_s.abs() <= LAG_MAX {
        return believed(clocks, None);
    }
    let jump = |taken_for, set| Event::ClockJump {
        clock: clocks.wall_s,
        taken_for,
        set,
    };
    let set = |before| {
        let now = clocks.clone();
        let was = expected;
        Some(jump(clocks.wall_s, Some(ClockSet { now, was, before })))
    };
    if state.wall_clock.is_set_right(clocks) {
        return believed(clocks, set(None));
    }
    if offset_s > 0 || state.wall_clock.is_as_before(clocks) {
        let before = state.wall_clock.stood_before(expected, clocks);
        return believed(clocks, set(Some(before)));
    }
    let same = doubt.filter(|doubt| doubt.offset_s.abs_diff(offset_s) <= LAG_MAX.unsigned_abs());
    let since_ms = same.map_or(clocks.boottime_ms, |doubt| doubt.since_ms);
    if clocks.boottime_ms.saturating_sub(since_ms) >= STANDS_MS {
        return believed(clocks, set(Some(expected)));
    }
    Reading {
        now: Now {
            wall_s: expected,
            ..clocks.clone()
        },
        jump: same.is_none().then(|| jump(expected, None)),
        doubt: Some(Doubt { since_ms, offset_s }),
    }
}

impl Doubt {
    /// Milliseconds until the clock is believed, when it is not set again.
    #[must_use]
    pub fn left_ms(&self, now: &Now) -> u64 {
        STANDS_MS.saturating_sub(now.boottime_ms.saturating_sub(self.since_ms))
    }
}

impl WallClock {
    /// What the wall clock should show. Of another boot nothing is known but that time goes on.
    fn expected(&self, newest: i64, clocks: &Now) -> i64 {
        match &self.anchor {
            Some(anchor) if anchor.boot_id == clocks.boot_id => {
                anchor.wall_s.saturating_add(passed(anchor, clocks))
            }
            _ if clocks.wall_s >= newest.saturating_sub(LAG_MAX) => clocks.wall_s,
            _ => newest,
        }
    }

    /// Whether the clock shows again what it would if it had not been set. After a reboot, which
    /// takes its time, that is any time since; but not before this boot has begun, since what is left
    /// of each grant is told by the time that was believed.
    fn is_set_right(&self, clocks: &Now) -> bool {
        let begun = |anchor: &Now| anchor.boot_id == clocks.boot_id;
        let Some((set, before)) = self
            .unconfirmed()
            .filter(|_| self.anchor.as_ref().is_some_and(begun))
        else {
            return false;
        };
        if set.now.boot_id == clocks.boot_id {
            let expected = before.saturating_add(passed(&set.now, clocks));
            clocks.wall_s.abs_diff(expected) <= LAG_MAX.unsigned_abs()
        } else {
            let since = before.saturating_sub(LAG_MAX)..set.now.wall_s;
            since.contains(&clocks.wall_s)
        }
    }

    /// Whether the clock shows again what it would if it had not been set the last time: of several
    /// settings in a row that one alone was a mistake.
    fn is_as_before(&self, clocks: &Now) -> bool {
        self.unconfirmed().is_some_and(|(set, _)| {
            let expected = set.was.saturating_add(passed(&set.now, clocks));
            set.now.boot_id == clocks.boot_id
                && clocks.wall_s.abs_diff(expected) <= LAG_MAX.unsigned_abs()
        })
    }

    /// What the clock shows that stood before it was set, once more or several times in a row.
    fn stood_before(&self, expected: i64, clocks: &Now) -> i64 {
        match self.unconfirmed() {
            Some((set, before)) if self.is_unsettled(clocks) => {
                before.saturating_add(passed(&set.now, clocks))
            }
            _ => expected,
        }
    }

    /// The last setting of the clock that was not undone, with what it would show otherwise.
    fn unconfirmed(&self) -> Option<(&ClockSet, i64)> {
        let set = self.set.as_ref()?;
        Some((set, set.before?))
    }

    /// Whether the clock was set so lately that it may be set back.
    #[must_use]
    pub fn is_unsettled(&self, now: &Now) -> bool {
        self.settles_in_ms(now) > 0
    }

    fn settles_in_ms(&self, now: &Now) -> u64 {
        match self.unconfirmed() {
            Some((set, _)) if set.now.boot_id == now.boot_id => {
                STANDS_MS.saturating_sub(now.boottime_ms.saturating_sub(set.now.boottime_ms))
            }
            _ => 0,
        }
    }

    /// Milliseconds until something that is due at this time may happen, when the clock was set
    /// past it and may be set back: what would be lost by it waits.
    #[must_use]
    pub fn held_ms(&self, at: i64, now: &Now) -> Option<u64> {
        let (set, _) = self.unconfirmed()?;
        let jumped_over = set.was < at && at <= set.now.wall_s;
        let left = self.settles_in_ms(now);
        (jumped_over && left > 0).then_some(left)
    }
}

/// Seconds between two moments of a boot.
fn passed(from: &Now, to: &Now) -> i64 {
    let ms = to.boottime_ms.saturating_sub(from.boottime_ms);
    i64::try_from(ms.saturating_add(500) / 1_000).unwrap_or(i64::MAX)
}

impl ClockSet {
    /// Moves what counts from a moment of the clock as it was. A time that somebody named stays.
    pub(super) fn carry(&self, request: &mut Request) {
        let moved = self.now.wall_s.saturating_sub(self.was);
        let counts_from_approval = request.at.is_none() && request.until.is_none();
        match &mut request.stage {
            Stage::Pending => request.lapses_at = request.lapses_at.saturating_add(moved),
            Stage::Waiting {
                from,
                use_by: Some(use_by),
            } if counts_from_approval => {
                *from = from.saturating_add(moved);
                *use_by = use_by.saturating_add(moved);
            }
            Stage::Active { since, deadline } => {
                let left = self
                    .now
                    .wall_s
                    .saturating_add_unsigned(deadline.boottime_left_s(&self.now));
                // By a clock that is set right again the end is what it was. Otherwise the wall
                // clock may only bring it nearer.
                let end = match self.before {
                    None => left,
                    Some(_) => left.min(deadline.not_after),
                };
                let moved = end.saturating_sub(deadline.not_after);
                *since = since.saturating_add(moved);
                deadline.not_after = end;
            }
            Stage::Waiting { .. } | Stage::Approved | Stage::Closed { .. } => {}
        }
    }
}
