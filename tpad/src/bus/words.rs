//! What people read at the gate.

use tpa_bus::names::DOOR_ACCOUNT;
use tpa_bus::offline::Class;
use tpa_bus::text::one_line;

use super::view::say_span;
use crate::clock::Now;
use crate::ledger::{Deadline, Request, Stage, Why};
use crate::sys::local_time;

/// Whether whoever is refused can ask through the front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Door {
    /// By `ssh tpa@HOST`.
    Open,
    /// On the host alone.
    Closed,
}

/// How somebody asks for a role.
pub(super) fn request_by(door: Door, host: &str, role: &str) -> String {
    let with = match door {
        Door::Open => format!("ssh {DOOR_ACCOUNT}@{host}"),
        Door::Closed => "tpactl".to_owned(),
    };
    format!("{with} request {role}")
}

/// Why someone is refused and what they can do, line by line. `ask` is how they ask for
/// a role, see [`request_by`].
pub(super) fn refusal(
    class: Class,
    host: &str,
    user: &str,
    why: &Why,
    about: Option<&Request>,
    ask: Option<&str>,
    help: &str,
) -> Vec<String> {
    let door = match class {
        Class::Login => "access to",
        Class::Sudo => "sudo on",
    };
    let lacks = match why {
        Why::OtherUse(id) => format!("grant {id} of {user} does not give this"),
        _ => format!("no active grant for {user}"),
    };
    let mut lines = vec![format!("tpa: {door} {host} denied: {lacks}.")];
    lines.extend(about.and_then(|request| story(why, request)));
    let ask = match (why, ask) {
        // What is waiting need not be asked for again.
        (Why::Pending(_) | Why::Scheduled(_), _) | (_, None) => String::new(),
        (_, Some(ask)) => format!("Request:  {ask} --for 1h --reason \"…\""),
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
            let no = request.no_of_others().map(|no| format!(", {no}"));
            let (at, no) = (local_time(*at), no.unwrap_or_default());
            Some(format!("tpa: grant {id} ended {at}{no}."))
        }
        (Why::Declined(_), Stage::Closed { why, .. }) => {
            let no = request.no_of_others().map(|no| format!("was {no}"));
            let how = no.unwrap_or_else(|| {
                let why = why.as_ref().map(|why| format!(": {}", one_line(why, 200)));
                format!("{}{}", request.state().word(), why.unwrap_or_default())
            });
            Some(format!("tpa: request {id} {how}."))
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
    let recorded = if grant.gives.record {
        " What runs under sudo is recorded and may be watched."
    } else {
        ""
    };
    format!(
        "tpa: grant {} ({}{ticket}): {} left, until {}. This login is audited.{recorded}",
        grant.id,
        grant.role,
        say_span(deadline.remaining_ms(now).div_ceil(1_000)),
        local_time(deadline.not_after)
    )
}

/// What somebody who is in hears of another request of theirs that others said no to.
pub(super) fn no_line(request: &Request) -> Option<String> {
    let no = request.no_of_others()?;
    let (id, role) = (request.id, &request.role);
    let what = match request.extends {
        Some(grant) => format!("request {id} for more time of {grant}"),
        None => format!("request {id} ({role})"),
    };
    Some(format!("tpa: {what} was {no}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::request;
    use crate::ledger::{Closed, Person};

    fn told(how: Closed, by: Option<&str>, why: &str, since: Option<i64>) -> String {
        let mut request = request(1, "alice");
        request.stage = Stage::Closed {
            how,
            at: 1_000_100,
            by: by.map(|name| Person {
                uid: 1003,
                name: name.into(),
            }),
            why: (!why.is_empty()).then(|| why.to_owned()),
            since,
            not_after: since,
        };
        let why = match since {
            Some(_) => Why::Ended(request.id),
            None => Why::Declined(request.id),
        };
        refusal(
            Class::Login,
            "web-01",
            "alice",
            &why,
            Some(&request),
            None,
            "",
        )
        .join("\n")
    }

    #[test]
    fn what_is_refused_is_named() {
        let id = request(1, "alice").id;
        for (class, why, expected) in [
            (
                Class::Login,
                Why::NoGrant,
                "tpa: access to web-01 denied: no active grant for alice.",
            ),
            (
                Class::Sudo,
                Why::NoGrant,
                "tpa: sudo on web-01 denied: no active grant for alice.",
            ),
            (
                Class::Sudo,
                Why::OtherUse(id),
                "tpa: sudo on web-01 denied: grant 00000001 of alice does not give this.",
            ),
        ] {
            let lines = refusal(class, "web-01", "alice", &why, None, None, "");
            assert_eq!(lines, [expected]);
        }
    }

    #[test]
    fn whoever_is_kept_out_is_told_the_way_to_ask_that_is_open_to_them() {
        let said = |door| {
            let ask = request_by(door, "web-01", "web-ops");
            let lines = refusal(
                Class::Login,
                "web-01",
                "alice",
                &Why::NoGrant,
                None,
                Some(&ask),
                "",
            );
            lines.join("\n")
        };
        let way = "Request:  ssh tpa@web-01 request web-ops --for 1h --reason \"…\"";
        assert!(said(Door::Open).contains(way));
        assert!(said(Door::Closed).contains("Request:  tpactl request web-ops --for 1h"));
    }

    #[test]
    fn whoever_was_refused_or_lost_their_grant_reads_by_whom_and_why() {
        let on = Some(1_000_000);
        let end = local_time(1_000_100);
        for (shown, expected) in [
            (
                told(Closed::Denied, Some("carol"), "not\x1b[2J today", None),
                "tpa: request 00000001 was denied by carol: not\\u{1b}[2J today.".to_owned(),
            ),
            (
                told(Closed::Revoked, Some("carol"), "laptop stolen", None),
                "tpa: request 00000001 was revoked by carol: laptop stolen.".to_owned(),
            ),
            (
                told(Closed::Lapsed, None, "nobody decided in time", None),
                "tpa: request 00000001 lapsed: nobody decided in time.".to_owned(),
            ),
            (
                told(Closed::Revoked, Some("carol"), "laptop stolen", on),
                format!("tpa: grant 00000001 ended {end}, revoked by carol: laptop stolen."),
            ),
            (
                told(Closed::Revoked, None, "the account is gone", on),
                format!("tpa: grant 00000001 ended {end}, revoked: the account is gone."),
            ),
            (
                told(Closed::Expired, None, "", on),
                format!("tpa: grant 00000001 ended {end}."),
            ),
        ] {
            let lines = shown.lines().collect::<Vec<_>>();
            assert_eq!(lines.get(1), Some(&expected.as_str()), "{shown}");
        }
    }
}
