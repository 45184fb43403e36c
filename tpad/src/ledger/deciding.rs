//! Yes and no.

use tpa_bus::id::Id;
use tpa_bus::span::Span;

use super::checks::{TEXT_MAX, check_extension, check_text, listed};
use super::exact::{gives_for, still_allowed};
use super::request::{Approval, Closed, Deadline, Request, Stage};
use super::{Caller, Event, Proof, Refused, Standing, State};
use crate::clock::Now;
use crate::policy::{Policy, ProofLevel, Role};

/// For how long after the end of a grant its holder is taken to be able to act as those whom it
/// gave, in seconds: a day.
const ACTED_AS_S: i64 = 86_400;

pub(super) fn approve(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    (shorter_s, comment): (Option<u64>, Option<&str>),
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    let role = role_of(policy, request)?;
    may_decide(state, role, request, caller, "approve", now)?;
    still_pending(request).map_err(|refused| late(refused, request, "approve"))?;
    if request.lapses_at <= now.wall_s {
        return Err(late(too_late(request, "it has lapsed"), request, "approve"));
    }
    check_text("comment", comment.unwrap_or_default(), 0, TEXT_MAX)?;
    proves_enough(role, request, caller)?;
    let duration_s = match shorter_s {
        Some(0) => return Err(Refused::invalid("the time given is nothing")),
        Some(seconds) if seconds > request.duration_s => {
            let (given, asked) = (
                Span::from_secs(seconds),
                Span::from_secs(request.duration_s),
            );
            return Err(
                Refused::invalid(format!("{given} is longer than the {asked} asked for"))
                    .next("an approver can shorten the time, not lengthen it"),
            );
        }
        shorter => shorter.unwrap_or(request.duration_s),
    };
    if request.has_yes_of(caller) {
        let refused = Refused::no_change(format!("you have approved {id} already"))
            .next(format!("another of {} must decide", listed(role)));
        return Err(refused.recorded(request, "approve", "twice"));
    }
    let approval = yes(caller, now, comment);
    let given = u32::try_from(request.approvals.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    if given < role.needed {
        return Ok(vec![Event::ApprovalRecorded {
            id,
            approval: Some(approval),
            duration_s,
            needed: role.needed,
            next: None,
            gives: None,
        }]);
    }
    granted(
        state,
        role,
        &Request {
            duration_s,
            ..request.clone()
        },
        (Some(approval), caller.said_at(now)),
        now,
    )
}

/// A yes takes as sure a proof of who says it as the role asks for.
fn proves_enough(role: &Role, request: &Request, caller: &Caller) -> Result<(), Refused> {
    let id = request.id;
    if caller.proof.level() >= Some(role.proof) {
        return Ok(());
    }
    let (what, next) = match role.proof {
        ProofLevel::Session | ProofLevel::Key => (
            "signed with an SSH key",
            format!(
                "sign it: tpactl approve {id}, or with another key: tpactl approve {id} --key FILE"
            ),
        ),
        ProofLevel::Touch => (
            "signed with a security key that you touch",
            format!("sign it: tpactl approve {id}, with the security key at hand"),
        ),
        ProofLevel::Pin => (
            "signed with a security key that asks for your PIN or finger",
            format!(
                "sign it: tpactl approve {id}; such a key is made with: ssh-keygen -t ed25519-sk -O verify-required"
            ),
        ),
    };
    let next = match (&caller.proof, role.proof) {
        // Whose key sshd has proven is not where it can sign.
        (Proof::Key(_), ProofLevel::Touch) => {
            "come in with a security key that you touch".to_owned()
        }
        (Proof::Key(_), _) => {
            "sign it on your own machine, and have the text submitted here: --export".to_owned()
        }
        _ => next,
    };
    let why = format!("the role {} asks for approvals that are {what}", role.name);
    Err(Refused::not_permitted(why)
        .next(next)
        .recorded(request, "approve", "proof"))
}

pub(super) fn deny(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    reason: &str,
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    may_decide(
        state,
        role_of(policy, request)?,
        request,
        caller,
        "deny",
        now,
    )?;
    still_pending(request).map_err(|refused| late(refused, request, "deny"))?;
    check_text("reason", reason, 1, TEXT_MAX)?;
    Ok(vec![Event::Closed {
        id,
        how: Closed::Denied,
        why: Some(reason.to_owned()),
    }])
}

pub(super) fn review(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    id: Id,
    comment: &str,
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    let request = known(state, id)?;
    if !request.gives.break_glass || request.extends.is_some() {
        return Err(
            Refused::invalid(format!("{id} was not a break-glass access"))
                .next("see what waits for a review: tpactl ls --reviewable"),
        );
    }
    match policy.roles.get(&request.role) {
        Some(role) => may_decide(state, role, request, caller, "review", now)?,
        // Nobody is on the list of a role that is gone, and the review is still owed.
        None if caller.is_root() && !is_own(request, caller) => {}
        None => {
            return Err(Refused::not_permitted(format!(
                "the role {} no longer exists",
                request.role
            ))
            .next("somebody else can, as root: sudo tpactl review ID --comment …"));
        }
    }
    if let Some(review) = &request.reviewed {
        return Err(Refused::no_change(format!(
            "{id} was reviewed by {} already",
            review.by.name
        )));
    }
    check_text("comment", comment, 1, TEXT_MAX)?;
    Ok(vec![Event::BreakGlassReviewed {
        id,
        review: yes(caller, now, Some(comment)),
    }])
}

/// The events of the last yes: `approval` is a person's, or nobody's when the role says yes by
/// itself. Time runs from when it was said, not from the asking: a statement that comes late gives
/// less, and one that comes too late nothing.
pub(super) fn granted(
    state: &State,
    role: &Role,
    request: &Request,
    (approval, said_at): (Option<Approval>, i64),
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    let recorded = |next: Option<Stage>, duration_s| Event::ApprovalRecorded {
        id: request.id,
        approval,
        duration_s,
        needed: role.needed,
        next,
        gives: Some(gives_for(role, request)),
    };
    if request.extends.is_none() {
        still_allowed(role, request)?;
    }
    if let Some(grant) = request.extends {
        let target = known(state, grant)?;
        let deadline = target
            .deadline()
            .filter(|deadline| !deadline.is_over(now))
            .ok_or_else(|| too_late(request, &format!("{grant} is {}", target.state().word())))?;
        check_extension(role, target, request.duration_s)?;
        let deadline = deadline.extended(request.duration_s);
        return Ok(vec![
            recorded(Some(Stage::Approved), request.duration_s),
            Event::GrantExtended {
                id: grant,
                by_request: request.id,
                deadline,
            },
        ]);
    }
    // A start that the clock was set past waits until the clock has stood.
    let held = request
        .at
        .filter(|at| state.wall_clock.held_ms(*at, now).is_some());
    let from = held.unwrap_or_else(|| request.at.map_or(said_at, |at| at.max(said_at)));
    let duration_s = duration_from(request, from)?.min(role.max_s);
    let waits = |use_by| Stage::Waiting { from, use_by };
    let next = match role.use_within_s {
        Some(within) => {
            let use_by = from.saturating_add_unsigned(within);
            let use_by = use_by.min(request.until.unwrap_or(use_by));
            if use_by <= now.wall_s {
                return Err(too_late(request, "it had to be used before now"));
            }
            Some(waits(Some(use_by)))
        }
        None if from > now.wall_s || held.is_some() => Some(waits(None)),
        None => None,
    };
    let starts_now = next.is_none();
    let mut events = vec![recorded(next, duration_s)];
    events.extend(
        request
            .command
            .as_ref()
            .map(|command| Event::CommandApproved {
                id: request.id,
                sha256: command.digest(),
            }),
    );
    if starts_now {
        let late = u64::try_from(now.wall_s.saturating_sub(from)).unwrap_or(0);
        let duration_s = duration_s.saturating_sub(late);
        if duration_s == 0 {
            return Err(too_late(request, "its time is over"));
        }
        events.push(Event::GrantActivated {
            id: request.id,
            deadline: Deadline::after(now, duration_s),
            gave: None,
        });
    }
    Ok(events)
}

/// Seconds of access when it starts at `from`: what was asked for, cut by a fixed end.
pub(super) fn duration_from(request: &Request, from: i64) -> Result<u64, Refused> {
    let Some(until) = request.until else {
        return Ok(request.duration_s);
    };
    let left = u64::try_from(until.saturating_sub(from)).unwrap_or(0);
    if left == 0 {
        return Err(too_late(request, "the end asked for has passed"));
    }
    Ok(request.duration_s.min(left))
}

pub(super) fn known(state: &State, id: Id) -> Result<&Request, Refused> {
    state
        .requests
        .get(&id)
        .ok_or_else(|| Refused::unknown_id(id.as_str()))
}

fn role_of<'a>(policy: &'a Policy, request: &Request) -> Result<&'a Role, Refused> {
    policy.roles.get(&request.role).ok_or_else(|| {
        Refused::not_permitted(format!("the role {} no longer exists", request.role))
            .next("nobody can decide it: withdraw it, or let it lapse")
    })
}

fn still_pending(request: &Request) -> Result<(), Refused> {
    if request.is_pending() {
        return Ok(());
    }
    Err(Refused::no_change(format!(
        "{} is {} already",
        request.id,
        request.state().word()
    ))
    .next(format!("see it: tpactl show {}", request.id)))
}

fn too_late(request: &Request, why: &str) -> Refused {
    Refused::no_change(format!("too late to approve {}: {why}", request.id)).next(format!(
        "ask again: tpactl request {} --reason …",
        request.role
    ))
}

/// Only a person on the role's list decides, and never about themselves: nobody who may be behind
/// the call may have asked, or be the one it is for, or be somebody whom that one can act as.
fn may_decide(
    state: &State,
    role: &Role,
    request: &Request,
    caller: &Caller,
    decision: &str,
    now: &Now,
) -> Result<(), Refused> {
    let (why, word) = if is_own(request, caller) {
        let why = format!("you cannot {decision} your own request ({})", request.id);
        (why, "self")
    } else if !caller.is_listed(&role.approvers) {
        let why = format!(
            "you may not {decision} requests for {} ({})",
            role.name, request.id
        );
        (why, "not-allowed")
    } else if let Some(grant) = acts_as(state, caller, now) {
        let why = format!(
            "you cannot {decision} {}: under {} {} can act as you",
            request.id, grant.id, grant.user.name
        );
        (why, "acts-as")
    } else {
        return in_good_standing(request, caller, decision);
    };
    let refused = Refused::not_permitted(why).next(format!("ask one of {}", listed(role)));
    Err(refused.recorded(request, decision, word))
}

fn is_own(request: &Request, caller: &Caller) -> bool {
    let of = [
        Some(&request.user),
        Some(&request.requested_by),
        request.requested_login.as_ref(),
    ];
    of.into_iter()
        .flatten()
        .any(|person| caller.may_be(person.uid))
}

/// The grant by which another person can act as somebody behind this call, whoever asked for what
/// is decided: they may have asked, or approved already, or do it for a friend. A command's call
/// looks like that somebody's in every way, and what it left behind (a job of cron's, a key) may
/// speak for as long again after the grant's end.
fn acts_as<'a>(state: &'a State, caller: &Caller, now: &Now) -> Option<&'a Request> {
    let on = |other: &&Request| match other.stage {
        Stage::Active { .. } => true,
        Stage::Closed {
            since: Some(_), at, ..
        } => at > now.wall_s.saturating_sub(ACTED_AS_S),
        _ => false,
    };
    let mut held = state.requests.values().filter(on);
    held.find(|other| {
        let mut who = caller
            .identities()
            .filter(|who| who.person.uid != other.user.uid);
        who.any(|who| who.names.iter().any(|name| other.acts_as(name)))
    })
}

/// Whoever may not use their account decides nothing, whatever of theirs still runs.
pub(super) fn in_good_standing(
    request: &Request,
    caller: &Caller,
    decision: &str,
) -> Result<(), Refused> {
    for who in caller.identities() {
        let name = &who.person.name;
        let see_to_it = format!("passwd --status {name}, chage --list {name}");
        let (why, word, look) = match &who.standing {
            Standing::Good => continue,
            Standing::Locked => (format!("the account {name} is locked"), "locked", see_to_it),
            Standing::Expired => (
                format!("the account {name} has expired"),
                "expired",
                see_to_it,
            ),
            Standing::Lent(to) => (
                format!(
                    "{to} may use uid {} of {name} in a container (/etc/subuid)",
                    who.person.uid
                ),
                "lent-uid",
                "tpactl doctor".to_owned(),
            ),
            Standing::Unknown(why) => (
                format!("cannot tell whether the account {name} is locked: {why}"),
                "unknown-account",
                see_to_it,
            ),
            Standing::Untold(why) => (
                format!(
                    "the name service does not tell whether the account {name} is still there ({why})"
                ),
                "unknown-account",
                format!("getent passwd {name}"),
            ),
        };
        let refused = Refused::not_permitted(format!("{why}, so it decides nothing"))
            .next(format!("an admin can see to it: {look}"));
        return Err(refused.recorded(request, decision, word));
    }
    Ok(())
}

fn late(refused: Refused, request: &Request, decision: &str) -> Refused {
    refused.recorded(request, decision, "too-late")
}

/// Whether this caller may decide this request as it stands: for lists of what waits for them.
#[must_use]
pub fn may_decide_now(
    state: &State,
    policy: &Policy,
    request: &Request,
    caller: &Caller,
    now: &Now,
) -> bool {
    let Some(role) = policy.roles.get(&request.role) else {
        return false;
    };
    let open = request.is_pending() || request.awaits_review();
    let known = caller.proof != Proof::Unproven;
    let may = || may_decide(state, role, request, caller, "approve", now).is_ok();
    open && known && !request.has_yes_of(caller) && may()
}

/// A yes by this caller at this time.
fn yes(caller: &Caller, now: &Now, comment: Option<&str>) -> Approval {
    Approval {
        by: caller.person().clone(),
        login: caller.login_person(),
        at: now.wall_s,
        comment: comment.filter(|text| !text.is_empty()).map(str::to_owned),
        proof: caller.proof.level(),
        key: caller.proof.key().map(|key| key.fingerprint.clone()),
    }
}
