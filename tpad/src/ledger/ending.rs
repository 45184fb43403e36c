//! Access that people end before its time, and requests they take back.

use tpa_bus::id::Id;

use super::checks::{TEXT_MAX, check_text};
use super::deciding::{in_good_standing, known};
use super::request::{Closed, Request, Stage};
use super::{Caller, Event, Refused, Session, State};
use crate::policy::Policy;

pub(super) fn withdraw(state: &State, caller: &Caller, id: Id) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    if !caller.acts_for(request.requested_by.uid) && !caller.acts_for(request.user.uid) {
        return Err(Refused::not_permitted(format!("{id} is not your request"))
            .next("an approver can deny it: tpactl deny ID --reason …"));
    }
    match request.stage {
        Stage::Pending => Ok(vec![Event::Closed {
            id,
            how: Closed::Withdrawn,
            why: None,
        }]),
        Stage::Active { .. } | Stage::Waiting { .. } => Err(Refused::no_change(format!(
            "{id} is {} already",
            request.state().word()
        ))
        .next(format!("give the access back: tpactl end {id}"))),
        Stage::Approved | Stage::Closed { .. } => Err(over(request)),
    }
}

pub(super) fn end(state: &State, caller: &Caller, id: Id) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    if caller.person().uid != request.user.uid {
        return Err(
            Refused::not_permitted(format!("{id} is not your grant")).next(format!(
                "an approver of its role can: tpactl revoke {id} --reason …"
            )),
        );
    }
    match request.stage {
        Stage::Active { .. } | Stage::Waiting { .. } => Ok(vec![Event::Closed {
            id,
            how: Closed::Ended,
            why: None,
        }]),
        Stage::Pending => Err(
            Refused::no_change(format!("{id} is pending: nothing to end"))
                .next(format!("take it back: tpactl withdraw {id}")),
        ),
        Stage::Approved | Stage::Closed { .. } => Err(over(request)),
    }
}

/// An approver of the role may revoke its grants; root may revoke any, and people their own.
pub(super) fn revoke(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    reason: &str,
) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    let approver = match policy.roles.get(&request.role) {
        Some(role) => caller.is_listed(&role.approvers),
        // The role is gone: those who said yes can still say that it is enough.
        None => request.has_yes_by_all(caller),
    };
    if !caller.is_root() && caller.person().uid != request.user.uid {
        if approver {
            in_good_standing(request, caller, "revoke")?;
        } else {
            let refused = Refused::not_permitted(format!("you may not revoke {id}"))
                .next(format!("an approver of {} or root can", request.role));
            return Err(refused.recorded(request, "revoke", "not-allowed"));
        }
    }
    check_text("reason", reason, 1, TEXT_MAX)?;
    match request.stage {
        Stage::Active { .. } | Stage::Waiting { .. } => Ok(vec![Event::Closed {
            id,
            how: Closed::Revoked,
            why: Some(reason.to_owned()),
        }]),
        Stage::Pending => Err(
            Refused::no_change(format!("{id} is pending: nothing to revoke"))
                .next(format!("deny it: tpactl deny {id} --reason …")),
        ),
        Stage::Approved | Stage::Closed { .. } => Err(over(request)),
    }
}

/// Every grant that lives or is to come, revoked at once: it was cut off on the host, where the
/// ledger was not asked.
#[must_use]
pub fn cut_off(state: &State, why: &str) -> Vec<Event> {
    let given =
        |request: &&Request| matches!(request.stage, Stage::Active { .. } | Stage::Waiting { .. });
    let closed = |request: &Request| Event::Closed {
        id: request.id,
        how: Closed::Revoked,
        why: Some(why.to_owned()),
    };
    state.requests.values().filter(given).map(closed).collect()
}

/// What a grant that has ended, and whose logins were left, leaves to another: its logins go on
/// under the one that lasts longest of those that give this person a login.
#[must_use]
pub fn reassign_sessions(state: &State, id: Id) -> Vec<Event> {
    let logins = state.sessions_of(id).filter(|session| !session.is_sudo());
    logins
        .filter_map(|session| {
            let others = state
                .requests
                .values()
                .filter(|other| other.id != id && other.gives.login && other.user == session.user);
            let (successor, _) = others
                .filter_map(|other| Some((other.id, other.deadline()?.not_after)))
                .max_by_key(|(_, not_after)| *not_after)?;
            Some(Event::SessionMoved {
                session: Session {
                    grant: successor,
                    ..session.clone()
                },
                from: id,
            })
        })
        .collect()
}

/// Whether it may still give access, or does.
#[must_use]
pub fn is_undecided_or_on(request: &Request) -> bool {
    !matches!(request.stage, Stage::Approved | Stage::Closed { .. })
}

/// The end of a request or grant that is not its person's fault.
#[must_use]
pub fn taken_away(request: &Request, why: &str) -> Event {
    let how = match request.stage {
        Stage::Pending => Closed::Lapsed,
        _ => Closed::Revoked,
    };
    Event::Closed {
        id: request.id,
        how,
        why: Some(why.to_owned()),
    }
}

fn over(request: &Request) -> Refused {
    Refused::no_change(format!(
        "{} is {} already",
        request.id,
        request.state().word()
    ))
    .next(format!("see it: tpactl show {}", request.id))
}
