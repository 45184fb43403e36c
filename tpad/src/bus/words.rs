//! What people read at the gate.

use super::view::say_span;
use crate::clock::Now;
use crate::ledger::{Deadline, Request, Stage, Why};
use crate::sys::local_time;

/// Why someone is refused and what they can do, line by line. `role` is one that they may ask
/// for.
pub(super) fn refusal(
    host: &str,
    user: &str,
    why: &Why,
    about: Option<&Request>,
    role: Option<&str>,
    help: &str,
) -> Vec<String> {
    let mut lines = vec![match why {
        Why::OtherUse(id) => {
            format!("tpa: access to {host} denied: grant {id} of {user} does not give this.")
        }
        _ => format!("tpa: access to {host} denied: no active grant for {user}."),
    }];
    lines.extend(about.and_then(|request| story(why, request)));
    let ask = match (why, role) {
        // What is waiting need not be asked for again.
        (Why::Pending(_) | Why::Scheduled(_), _) | (_, None) => String::new(),
        (_, Some(role)) => format!("Request:  tpactl request {role} --for 1h --reason \"…\""),
    };
    let last = [ask.as_str(), help]
        .into_iter()
        .filter(|part| !part.is_empty());
    let last = last.collect::<Vec<_>>().join("       ");
    if !last.is_empty() {
        lines.push(format!("     {last}"));
    }
    lines
}

fn story(why: &Why, request: &Request) -> Option<String> {
    let id = request.id;
    match (why, &request.stage) {
        (Why::Pending(_), _) => {
            let (given, needed) = (request.approvals.len(), request.needed);
            Some(format!(
                "tpa: request {id} is waiting ({given} of {needed} approvals)."
            ))
        }
        (Why::Scheduled(_), Stage::Waiting { from, .. }) => {
            Some(format!("tpa: grant {id} starts {}.", local_time(*from)))
        }
        (Why::Ended(_), Stage::Closed { at, .. }) => {
            Some(format!("tpa: grant {id} ended {}.", local_time(*at)))
        }
        _ => None,
    }
}

/// The grant line: on which grant someone is in, and for how long.
pub(super) fn grant_line(grant: &Request, deadline: &Deadline, now: &Now) -> String {
    let ticket = grant
        .ticket
        .as_ref()
        .map(|ticket| format!(", {ticket}"))
        .unwrap_or_default();
    format!(
        "tpa: grant {} ({}{ticket}): {} left, until {}. This login is audited.",
        grant.id,
        grant.role,
        say_span(deadline.remaining_ms(now).div_ceil(1_000)),
        local_time(deadline.not_after)
    )
}
