//! What time alone brings about.

use super::request::{Closed, Deadline, Request, Stage};
use super::{Event, State};
use crate::clock::Now;

/// Why requests lapse.
const UNDECIDED: &str = "nobody decided in time";
const NOTHING_TO_EXTEND: &str = "the grant that it was to extend is over";
const UNUSED: &str = "nobody used it in time";
const MISSED: &str = "its time had passed before it could start";

/// The events that are due: requests lapse, grants start and end.
#[must_use]
pub fn due(state: &State, now: &Now) -> Vec<Event> {
    let closed = |id, how, why: Option<&str>| Event::Closed {
        id,
        how,
        why: why.map(str::to_owned),
    };
    let lapsed = |id, why| closed(id, Closed::Lapsed, Some(why));
    let is_due = |at: i64| at <= now.wall_s && state.wall_clock.held_ms(at, now).is_none();
    let mut events = Vec::new();
    for request in state.requests.values() {
        let id = request.id;
        match &request.stage {
            Stage::Pending if is_due(request.lapses_at) => {
                events.push(lapsed(id, UNDECIDED));
            }
            Stage::Pending if extends_nothing(state, request, now) => {
                events.push(lapsed(id, NOTHING_TO_EXTEND));
            }
            Stage::Pending if remind_at(request).is_some_and(is_due) => {
                events.push(Event::RequestReminder { id });
            }
            Stage::Waiting {
                use_by: Some(use_by),
                ..
            } if is_due(*use_by) => {
                events.push(lapsed(id, UNUSED));
            }
            Stage::Waiting { from, use_by: None } if is_due(*from) => {
                // The window was fixed when it was approved: a late start does not move its end.
                let end = from.saturating_add_unsigned(request.duration_s);
                let left = u64::try_from(end.saturating_sub(now.wall_s)).unwrap_or(0);
                events.push(if left == 0 {
                    lapsed(id, MISSED)
                } else {
                    Event::GrantActivated {
                        id,
                        deadline: Deadline::after(now, left),
                        gave: None,
                    }
                });
            }
            Stage::Active { deadline, .. } if deadline.is_over(now) => {
                events.push(closed(id, Closed::Expired, None));
            }
            _ => {}
        }
    }
    events
}

/// Shortest time for a decision, in seconds, at the end of which somebody is reminded.
const REMINDED_FROM_S: i64 = 600;

/// How long before its end they are reminded at most, in seconds.
const REMINDED_BEFORE_S: i64 = 900;

/// When those who decide are reminded that a request lapses: in the last quarter of its time, once.
/// `None` where that was done, and where there is so little time that the first word is enough.
fn remind_at(request: &Request) -> Option<i64> {
    let given = request.lapses_at.saturating_sub(request.requested_at);
    let is_told = request.reminded || given < REMINDED_FROM_S;
    (!is_told).then(|| {
        let before = (given / 4).min(REMINDED_BEFORE_S);
        request.lapses_at.saturating_sub(before)
    })
}

/// Whether it asks for more of a grant that is over.
fn extends_nothing(state: &State, request: &Request, now: &Now) -> bool {
    request.extends.is_some_and(|grant| {
        let grant = state.requests.get(&grant);
        !grant.is_some_and(|grant| grant.is_live(now))
    })
}

/// Milliseconds until [`due`] next has something; `None` when time alone brings nothing.
#[must_use]
pub fn next_moment(state: &State, now: &Now) -> Option<u64> {
    let until = |wall: i64| {
        let ms = u64::try_from(wall.saturating_sub(now.wall_s)).unwrap_or(0);
        let held_ms = state.wall_clock.held_ms(wall, now);
        held_ms.unwrap_or(ms.saturating_mul(1_000))
    };
    state
        .requests
        .values()
        .filter_map(|request| match &request.stage {
            Stage::Pending => {
                let lapses = until(request.lapses_at);
                Some(remind_at(request).map_or(lapses, |at| until(at).min(lapses)))
            }
            Stage::Waiting {
                use_by: Some(use_by),
                ..
            } => Some(until(*use_by)),
            Stage::Waiting { from, use_by: None } => Some(until(*from)),
            Stage::Active { deadline, .. } => Some(deadline.remaining_ms(now)),
            Stage::Approved | Stage::Closed { .. } => None,
        })
        .min()
}
