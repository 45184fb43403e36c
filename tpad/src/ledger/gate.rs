//! Who may come in.

use std::cmp::Reverse;

use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use super::request::{Closed, Deadline, Request, Stage};
use super::{Event, Person, State, SudoCall};
use crate::clock::Now;

/// Someone at the gate, as PAM and NSS know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessQuery {
    /// Who.
    pub user: Person,
    /// To do what.
    pub class: Class,
    /// What sudo was called to run, when it was called.
    pub sudo: Option<SudoCall>,
}

/// What the gate does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum AccessDecision {
    /// Let in, on this grant; the events are its start on first use, where that is what this is.
    Allow {
        /// For a login the grant that lasts longest; for sudo, of those that may give what is to be
        /// run, the one that ends first.
        grant: Id,
        /// Its end.
        deadline: Deadline,
        /// To be recorded first.
        first_use: Option<Box<Event>>,
    },
    /// Refused.
    Deny(Why),
}

/// Why someone is refused; the request is the one that explains most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// They hold nothing.
    NoGrant,
    /// A request of theirs is undecided.
    Pending(Id),
    /// A grant of theirs starts later.
    Scheduled(Id),
    /// A grant of theirs has ended.
    Ended(Id),
    /// A request of theirs was denied, or lapsed, or was revoked before its time.
    Declined(Id),
    /// They hold a grant, which gives something else.
    OtherUse(Id),
}

impl Why {
    /// The request that explains most.
    #[must_use]
    pub fn about(&self) -> Option<Id> {
        match self {
            Self::NoGrant => None,
            Self::Pending(id)
            | Self::Scheduled(id)
            | Self::Ended(id)
            | Self::Declined(id)
            | Self::OtherUse(id) => Some(*id),
        }
    }

    /// One word for the audit trail.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoGrant | Self::Declined(_) => "no-grant",
            Self::Pending(_) => "pending",
            Self::Scheduled(_) => "scheduled",
            Self::Ended(_) => "ended",
            Self::OtherUse(_) => "other-use",
        }
    }
}

/// The word for a refusal that the module decides by itself: at a PAM service that is in no list
/// of the configuration. The trail has it beside [`Why::as_str`].
pub const UNLISTED_SERVICE: &str = "unlisted-service";

/// Judges. The name and the uid must both be those of the grant: an account made anew under
/// either one of them inherits nothing.
pub fn judge(state: &State, at: &AccessQuery, now: &Now) -> AccessDecision {
    let theirs = || {
        state
            .requests
            .values()
            .filter(|r| r.user == at.user && r.extends.is_none())
    };
    let fit = |request: &Request| at.sudo.as_ref().map(|call| call.fit(&request.gives));
    let live = theirs()
        .filter(|request| gives(request, at.class))
        .filter_map(|request| Some((request, request.deadline()?)))
        .filter(|(_, deadline)| !deadline.is_over(now))
        .max_by_key(|(request, deadline)| {
            let left = deadline.remaining_ms(now);
            let (last, first) = match at.class {
                Class::Login => (Some(left), None),
                Class::Sudo => (None, Some(Reverse(left))),
            };
            (fit(request), last, first)
        });
    let unused = theirs()
        .filter(|request| gives(request, at.class) && usable(state, request, now))
        .max_by_key(|request| fit(request));
    // One that waits for its first use is not begun while another gives the same.
    if let Some((request, deadline)) = live
        && unused.is_none_or(|unused| fit(unused) <= fit(request))
    {
        return AccessDecision::Allow {
            grant: request.id,
            deadline: deadline.clone(),
            first_use: None,
        };
    }
    if let Some(request) = unused {
        let deadline = first_use_deadline(request, now);
        let first_use = Some(Box::new(Event::GrantActivated {
            id: request.id,
            deadline: deadline.clone(),
            gave: None,
        }));
        return AccessDecision::Allow {
            grant: request.id,
            deadline,
            first_use,
        };
    }
    AccessDecision::Deny(why_not(state, theirs(), now))
}

/// Whether somebody is let through sudo for what none of their grants is certain to give.
#[must_use]
pub fn is_outside_role(state: &State, at: &AccessQuery, now: &Now) -> bool {
    let Some(call) = &at.sudo else { return false };
    let mut theirs = state.requests.values().filter(|request| {
        let is_on = request.is_live(now) || usable(state, request, now);
        request.user == at.user && is_on
    });
    !theirs.any(|request| call.is_given_by(&request.gives))
}

fn gives(request: &Request, class: Class) -> bool {
    match class {
        Class::Login => request.gives.login,
        Class::Sudo => request.gives.uses_sudo(),
    }
}

/// Approved, its time has come, and first use starts its clock.
fn usable(state: &State, request: &Request, now: &Now) -> bool {
    matches!(request.stage, Stage::Waiting { from, use_by: Some(use_by) }
        if from <= now.wall_s && now.wall_s < use_by && state.wall_clock.held_ms(from, now).is_none())
        && request.until.is_none_or(|until| until > now.wall_s)
}

fn first_use_deadline(request: &Request, now: &Now) -> Deadline {
    let seconds = super::deciding::duration_from(request, now.wall_s).unwrap_or(0);
    Deadline::after(now, seconds)
}

fn why_not<'a>(state: &State, theirs: impl Iterator<Item = &'a Request>, now: &Now) -> Why {
    // The one that explains most: what lives, then what is to come, then the last that was.
    let rank = |request: &Request| match request.stage {
        Stage::Active { .. } if request.is_live(now) => Some((4, (0, 0))),
        // It could be used now, and gives something else.
        Stage::Waiting { .. } if usable(state, request, now) => Some((4, (0, 0))),
        Stage::Waiting { from, .. } if from > now.wall_s => Some((3, (0, 0))),
        Stage::Pending => Some((2, (request.requested_at, 0))),
        Stage::Active { .. } => Some((1, (i64::MAX, 0))),
        // What people took back themselves they need not be told.
        Stage::Closed { how, .. } if how != Closed::Withdrawn => Some((1, request.closed_at()?)),
        Stage::Closed { .. } | Stage::Waiting { .. } | Stage::Approved => None,
    };
    let best = theirs
        .filter_map(|request| Some((rank(request)?, request)))
        .max_by_key(|(r, _)| *r);
    match best {
        Some(((4, _), request)) => Why::OtherUse(request.id),
        Some(((3, _), request)) => Why::Scheduled(request.id),
        Some(((2, _), request)) => Why::Pending(request.id),
        Some((_, request)) if request.was_active() => Why::Ended(request.id),
        Some((_, request)) => Why::Declined(request.id),
        None => Why::NoGrant,
    }
}
