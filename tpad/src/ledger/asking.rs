//! Filing requests: for access, and for more of it.

use std::collections::BTreeSet;

use tpa_bus::id::Id;
use tpa_bus::offline::NOBODY;
use tpa_bus::span::Span;
use tpa_bus::text::one_line;

use super::checks::{TEXT_MAX, check_extension, check_text, listed};
use super::deciding::granted;
use super::exact;
use super::request::{Removal, Request, Stage};
use super::state::HOUR_S;
use super::{Asked, Caller, Event, Identity, Kind, LAG_MAX, Person, Refused, State};
use crate::clock::Now;
use crate::policy::{Policy, Role};

/// Longest ticket reference, in characters.
const TICKET_MAX: usize = 100;
/// How many times the number of undecided requests that a person may have they may file within
/// [`HOUR_S`]: enough for anybody, and too few to fill the disk or to slow the gate.
const HOURLY: usize = 20;
/// How far ahead access may be asked for: a year.
const AHEAD_MAX: i64 = 365 * 86_400;

pub(super) fn ask(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    asked: &Asked,
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    may_file(state, policy, caller, asked, now)?;
    let role = named(policy, &asked.role)?;
    check_reason(role, &asked.reason)?;
    check_ticket(role, asked.ticket.as_deref())?;
    let since = caller.said_at(now);
    let (duration_s, at) = span_of(role, asked, since)?;
    let command = exact::asked(role, asked.command.as_deref())?;
    let gives = match &command {
        Some(command) => exact::gives(&role.gives, id, command),
        None => role.gives.clone(),
    };
    let request = Request {
        id,
        user: asked.user.person.clone(),
        entry: asked.user.entry.clone(),
        requested_by: caller.person().clone(),
        requested_login: caller.login_person(),
        requested_at: now.wall_s,
        digest: None,
        others: BTreeSet::new(),
        role: role.name.clone(),
        reason: asked.reason.clone(),
        ticket: asked.ticket.clone(),
        duration_s,
        at,
        until: asked.until,
        needed: role.needed,
        lapses_at: caller.said_at(now).saturating_add_unsigned(role.lapse_s),
        reminded: false,
        extends: None,
        gives,
        approvals: Vec::new(),
        stage: Stage::Pending,
        reviewed: None,
        gave: None,
        command,
        looks: None,
        removal: Removal::None,
        closed_nth: 0,
    };
    let by_itself = approves_itself(role, caller, &asked.user.person);
    filed(state, role, request, caller, by_itself, now)
}

pub(super) fn extend(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    (grant, seconds, reason): (Id, u64, &str),
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    let target = state
        .requests
        .get(&grant)
        .ok_or_else(|| Refused::unknown_id(grant.as_str()))?;
    let role = policy.roles.get(&target.role).ok_or_else(|| {
        Refused::not_permitted(format!("the role {} no longer exists", target.role))
            .next("ask for another role: tpactl roles")
    })?;
    if !caller.acts_for(target.user.uid) && !caller.is_listed(&role.approvers) {
        return Err(Refused::not_permitted(format!("{grant} is not your grant"))
            .next("its holder or an approver of its role can ask for more time"));
    }
    if !target.is_live(now) {
        return Err(
            Refused::no_change(format!("{grant} is {}", target.state().word())).next(format!(
                "ask again: tpactl request {} --reason …",
                role.name
            )),
        );
    }
    within_limits(state, policy, caller, &target.user, now)?;
    check_reason(role, reason)?;
    if seconds == 0 {
        return Err(Refused::invalid("more time must be at least 1s"));
    }
    check_extension(role, target, seconds)?;
    let request = Request {
        id,
        requested_by: caller.person().clone(),
        requested_login: caller.login_person(),
        requested_at: now.wall_s,
        digest: None,
        others: BTreeSet::new(),
        reason: reason.to_owned(),
        duration_s: seconds,
        at: None,
        until: None,
        needed: role.needed,
        lapses_at: caller.said_at(now).saturating_add_unsigned(role.lapse_s),
        reminded: false,
        extends: Some(grant),
        approvals: Vec::new(),
        stage: Stage::Pending,
        reviewed: None,
        gave: None,
        command: None,
        looks: None,
        removal: Removal::None,
        closed_nth: 0,
        ..target.clone()
    };
    let by_itself = approves_itself(role, caller, &target.user);
    filed(state, role, request, caller, by_itself, now)
}

/// The events of a request just filed: with those of its approval where none has to be waited for.
fn filed(
    state: &State,
    role: &Role,
    mut request: Request,
    caller: &Caller,
    by_itself: bool,
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    if request.lapses_at <= now.wall_s {
        return Err(Refused::invalid(format!(
            "it comes too late: undecided, it would have lapsed {} after it was signed",
            Span::from_secs(role.lapse_s)
        ))
        .next("ask again"));
    }
    let said = caller.proof.said();
    request.digest = Some(said.map_or_else(|| request.own_digest(), |said| said.digest.clone()));
    request.others = said.map(|said| said.others.clone()).unwrap_or_default();
    let (request, since) = (&request, caller.said_at(now));
    let mut events = vec![Event::RequestCreated(Box::new(request.clone()))];
    // A grant that somebody approved is not extended without them because its role has changed.
    if role.gives.break_glass && request.gives.break_glass {
        events.push(Event::BreakGlassUsed {
            id: request.extends.unwrap_or(request.id),
        });
        events.extend(granted(state, role, request, (None, since), now)?);
    } else if by_itself {
        events.extend(granted(state, role, request, (None, since), now)?);
    }
    Ok(events)
}

/// Whether the role says yes by itself: to a person whom it names, asking for themselves, who has
/// proven who they are as surely as the role asks of approvers.
fn approves_itself(role: &Role, caller: &Caller, user: &Person) -> bool {
    caller.person().uid == user.uid
        && caller.is_listed(&role.auto)
        && caller.proof.level() >= Some(role.proof)
}

/// Whether a role may be asked for on behalf of somebody, by themselves or another.
#[must_use]
pub fn may_ask_for(policy: &Policy, role: &Role, user: &Identity) -> bool {
    !needs_no_grant(user.person.uid) && user.is_meant(policy, &role.requesters)
}

/// Whether somebody may file a request for a role at all: before anything is looked at for it.
///
/// # Errors
/// Why not.
pub fn may_file(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    asked: &Asked,
    now: &Now,
) -> Result<(), Refused> {
    let role = named(policy, &asked.role)?;
    may_ask(policy, role, caller, asked)?;
    within_limits(state, policy, caller, &asked.user.person, now)
}

fn named<'p>(policy: &'p Policy, name: &str) -> Result<&'p Role, Refused> {
    policy.roles.get(name).ok_or_else(|| {
        Refused::invalid(format!("there is no role {}", one_line(name, 40)))
            .next("see what there is: tpactl roles")
    })
}

/// root, whom the gate lets in, and the numbers that stand for nobody.
fn needs_no_grant(uid: u32) -> bool {
    [0, NOBODY, u32::MAX].contains(&uid)
}

fn may_ask(policy: &Policy, role: &Role, caller: &Caller, asked: &Asked) -> Result<(), Refused> {
    let user = &asked.user.person;
    if needs_no_grant(user.uid) {
        return Err(
            Refused::invalid(format!("{} needs no grant", one_line(&user.name, 40)))
                .next("name the person who is to have access: --user NAME"),
        );
    }
    let for_self = caller.person().uid == user.uid;
    let untold = |who: Option<&str>, refused: Refused| match who {
        Some(why) => Refused {
            why: format!(
                "{}, as far as is known: the name service does not tell all groups ({why})",
                refused.why
            ),
            ..refused.next("try again when it answers: getent group")
        },
        None => refused,
    };
    if !for_self && !caller.is_listed(&role.approvers) {
        let refused = Refused::not_permitted(format!(
            "you may not ask for {} on behalf of {}",
            role.name, user.name
        ))
        .next(format!("only its approvers may: {}", listed(role)));
        return Err(untold(caller.untold(), refused));
    }
    if !may_ask_for(policy, role, &asked.user) {
        let whom = if for_self {
            "you are".to_owned()
        } else {
            format!("{} is", user.name)
        };
        let refused =
            Refused::not_permitted(format!("{whom} not allowed to request {}", role.name))
                .next("see what you may ask for: tpactl roles");
        return Err(untold(asked.user.untold.as_deref(), refused));
    }
    Ok(())
}

fn within_limits(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    user: &Person,
    now: &Now,
) -> Result<(), Refused> {
    let most = usize::try_from(policy.pending_per_user).unwrap_or(usize::MAX);
    for person in [caller.person(), user] {
        let pending = |request: &&Request| request.is_pending() && request.is_of(person.uid);
        if state.requests.values().filter(pending).count() >= most {
            return Err(Refused::new(
                Kind::Limit,
                format!("{} has {most} undecided requests already", person.name),
            )
            .next("withdraw one: tpactl ls --mine --state pending, tpactl withdraw ID"));
        }
    }
    let hour_ago = now.wall_s.saturating_sub(HOUR_S);
    // What was filed while the clock was set ahead is none of this hour's.
    let hour = hour_ago.saturating_add(1)..=now.wall_s.saturating_add(LAG_MAX);
    let recent = |request: &&Request| {
        request.requested_by.uid == caller.person().uid && hour.contains(&request.requested_at)
    };
    let most = most.saturating_mul(HOURLY);
    if state.requests.values().filter(recent).count() >= most {
        return Err(Refused::new(
            Kind::Limit,
            format!(
                "{} has filed {most} requests within the hour",
                caller.person().name
            ),
        )
        .next("wait, or have an admin raise limits.pending_per_user"));
    }
    Ok(())
}

fn check_reason(role: &Role, reason: &str) -> Result<(), Refused> {
    let least = usize::try_from(role.reason_min)
        .unwrap_or(usize::MAX)
        .max(1);
    check_text("reason", reason, least, TEXT_MAX)
}

fn check_ticket(role: &Role, ticket: Option<&str>) -> Result<(), Refused> {
    let Some(ticket) = ticket else {
        return if role.ticket_required {
            Err(
                Refused::invalid(format!("the role {} needs a ticket", role.name))
                    .next("add --ticket TICKET"),
            )
        } else {
            Ok(())
        };
    };
    check_text("ticket", ticket, 1, TICKET_MAX)?;
    if role.accepts_ticket(ticket) {
        return Ok(());
    }
    let pattern = role.ticket_pattern.as_deref().unwrap_or_default();
    Err(Refused::invalid(format!(
        "the ticket {} does not look like one (pattern {pattern})",
        one_line(ticket, 40)
    ))
    .next("write all of it as the pattern says: --ticket T"))
}

/// For how long, and from when.
fn span_of(role: &Role, asked: &Asked, now_s: i64) -> Result<(u64, Option<i64>), Refused> {
    let start = match asked.at {
        Some(at) if at < now_s => {
            return Err(Refused::invalid("the start lies in the past").next("leave --at out"));
        }
        Some(at) if at > now_s.saturating_add(AHEAD_MAX) => {
            return Err(Refused::invalid("the start lies more than a year ahead"));
        }
        at => at.unwrap_or(now_s),
    };
    let seconds = match (asked.duration_s, asked.until) {
        (Some(_), Some(_)) => {
            return Err(Refused::invalid("both a length and an end are given")
                .next("use either --for or --until"));
        }
        (Some(seconds), None) => seconds,
        (None, Some(until)) => u64::try_from(until.saturating_sub(start)).unwrap_or(0),
        (None, None) => role.default_s,
    };
    if seconds == 0 {
        return Err(Refused::invalid("the time asked for is nothing").next("ask for at least 1s"));
    }
    if seconds > role.max_s {
        let (asked, most) = (Span::from_secs(seconds), Span::from_secs(role.max_s));
        return Err(Refused::invalid(format!(
            "{asked} is more than the {most} that {} allows",
            role.name
        ))
        .next(format!("ask for at most {most}: --for {most}")));
    }
    Ok((seconds, asked.at))
}
