//! A request on a page of its own.

use tpa_bus::access::{Approval, Request, Session};
use tpa_bus::text::{one_line, quoted};

use super::request::{lasted, outcome, review_due, state, warnings};
use super::table::Table;
use super::time::{self, relative, short};
use super::{clean, id, names, residue};
use crate::clock::Clock;

/// Column where the values begin.
const LABEL: usize = 12;

/// A label and its values, the further ones below the first.
pub fn field(label: &str, values: impl IntoIterator<Item = String>) -> Vec<String> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels
        .zip(values)
        .map(|(label, value)| format!("  {label:LABEL$}{value}"))
        .collect()
}

/// Everything there is to know about a request, as seen now.
pub fn request(request: &Request, clock: &Clock) -> Vec<String> {
    let heading = outcome(request, clock);
    let fields = fields(request, |moment| relative(moment, clock));
    [vec![heading, String::new()], fields].concat()
}

/// The same for whoever reads it on another day: with absolute times.
pub fn dated(request: &Request, clock: &Clock) -> Vec<String> {
    let heading = format!("{} is {}", id(&request.id), state(request));
    let fields = fields(request, |moment| time::dated(moment, clock));
    [vec![heading, String::new()], fields].concat()
}

fn fields(request: &Request, at: impl Fn(i64) -> String) -> Vec<String> {
    let said = |text: &Option<String>| text.as_deref().map(clean);
    let role = match request.role_gone {
        Some(true) => format!("{} (no longer configured)", clean(&request.role)),
        _ => clean(&request.role),
    };
    let asked = format!(
        "by {}, {}",
        clean(&request.requested_by),
        at(request.requested_at)
    );
    let approvals = request
        .approvals
        .iter()
        .map(|approval| approved(approval, &at));
    let given = format!("{} of {}", request.approvals.len(), request.needed);
    let ended = request.ended_at.map(|moment| {
        let why = request
            .end_reason
            .as_ref()
            .or(request.decision_reason.as_ref());
        let why = why.map(|why| format!(": {}", clean(why)));
        at(moment) + &why.unwrap_or_default()
    });
    let refused = match request.ended_at {
        None => said(&request.decision_reason),
        Some(_) => None,
    };
    let decided = request.decided_by.as_deref().map(|by| {
        let when = request.decided_at.map(|moment| format!(", {}", at(moment)));
        clean(by) + &when.unwrap_or_default()
    });
    // What is over has no end to come.
    let until = match request.ended_at {
        None => request.not_after,
        Some(_) => None,
    };
    let lapses = match request.use_by {
        None => request.lapses_at,
        Some(_) => None,
    };
    let review = match &request.reviewed_by {
        Some(by) => Some(format!("by {}", clean(by))),
        None => review_due(request).then(|| "due: access began without approval".to_owned()),
    };
    let sessions = request.sessions.iter().map(|open| session(open, &at));
    let left = request.residue.as_ref().map(|found| {
        let name = id(&request.id);
        format!("{}; see tpactl residue {name}", residue::count(found))
    });
    [
        field(
            "for",
            [format!("{} (uid {})", clean(&request.user), request.uid)],
        ),
        field("role", [role]),
        field("reason", [clean(&request.reason)]),
        field("ticket", said(&request.ticket)),
        field("extends", request.extends.as_deref().map(id)),
        field("asked", [asked]),
        field("length", [short(request.duration_s)]),
        field("approvals", std::iter::once(given).chain(approvals)),
        field("may decide", [names(&request.approvers)]),
        field("lapses", lapses.map(&at)),
        field("use by", request.use_by.map(&at)),
        field("decided by", decided),
        field("because", refused),
        field("from", request.not_before.map(&at)),
        field("until", until.map(&at)),
        field("ended", ended),
        field("lasted", lasted(request).map(short)),
        field("review", review),
        match request.command {
            Some(_) => one_command(request, &at),
            None => field("gives", request.gives.iter().map(|rule| clean(rule))),
        },
        field("warning", warnings(request.warnings.as_ref())),
        field("goes on", said(&request.goes_on)),
        field("removed", said(&request.tidies)),
        field("sessions", sessions),
        field("left", left),
    ]
    .concat()
}

/// The one command that it is for, and what became of it.
fn one_command(request: &Request, at: impl Fn(i64) -> String) -> Vec<String> {
    let Some(command) = &request.command else {
        return Vec::new();
    };
    let whole = |text: &str| one_line(text, usize::MAX);
    let folder = quoted(&[&command.directory]);
    let run = match (command.started_at, command.exit_code) {
        (None, _) => "not yet".to_owned(),
        (Some(when), Some(code)) => format!("{}, exit code {code}", at(when)),
        (Some(when), None) => format!("{}, exit code not known", at(when)),
    };
    [
        field("runs", [whole(&command.line)]),
        field("as", [clean(&command.run_as)]),
        field("in", [whole(&folder)]),
        field("program", [whole(&command.program)]),
        field("sha256", [whole(&command.sha256)]),
        field("was run", [run]),
    ]
    .concat()
}

/// The step that comes next, for those who may take it.
pub fn next_step(request: &Request) -> Option<String> {
    let name = id(&request.id);
    match (request.state.as_str(), request.reviewable) {
        ("pending", Some(true)) => Some(format!(
            "tpactl approve {name}, or tpactl deny {name} --reason …"
        )),
        (_, Some(true)) if review_due(request) => Some(format!("tpactl review {name} --comment …")),
        _ => None,
    }
}

fn approved(approval: &Approval, at: impl Fn(i64) -> String) -> String {
    let comment = approval
        .comment
        .as_ref()
        .map(|comment| format!(": {}", clean(comment)));
    let proof = match approval.proof.as_deref() {
        None | Some("session") => None,
        Some("touch") => Some("touched"),
        Some("pin") => Some("touched, PIN or finger"),
        Some(_) => Some("signed"),
    };
    let key = approval.key.as_deref().map(clean).unwrap_or_default();
    let proof = proof.map(|proof| format!(" ({proof}, {key})"));
    let (by, when) = (clean(&approval.by), at(approval.at));
    format!(
        "{by}, {when}{}{}",
        proof.unwrap_or_default(),
        comment.unwrap_or_default()
    )
}

fn session(session: &Session, at: impl Fn(i64) -> String) -> String {
    let tty = session
        .tty
        .as_ref()
        .map(|tty| format!(" on {}", clean(tty)));
    let from = session
        .rhost
        .as_ref()
        .map(|host| format!(" from {}", clean(host)));
    format!(
        "{}{}{}, {}",
        clean(&session.service),
        tty.unwrap_or_default(),
        from.unwrap_or_default(),
        at(session.opened_at)
    )
}

/// Open sessions, one a row.
pub fn sessions(sessions: &[Session], clock: &Clock, width: Option<usize>) -> Vec<String> {
    let mut table = Table::new(["GRANT", "USER", "SERVICE", "TTY", "PID", "SINCE", "FROM"]);
    let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), clean);
    for session in sessions {
        let service = clean(&session.service);
        let goes_on = session.detached == Some(true);
        table.row([
            id(&session.grant),
            clean(&session.user),
            if goes_on {
                format!("{service} (login closed)")
            } else {
                service
            },
            or_dash(&session.tty),
            session.pid.to_string(),
            super::time::distance(session.opened_at, clock),
            or_dash(&session.rhost),
        ]);
    }
    table.lines(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::sample;

    fn page(of: &Request) -> String {
        let page = request(of, &fixed()).join("\n");
        anstream::adapter::strip_str(&page).to_string()
    }

    #[test]
    fn the_page_of_an_active_grant() {
        assert_eq!(
            page(&sample::active()),
            "\
7H2KM4QX is active: 1h59m left (until 16:30 CET, 15:30Z)

  for         alice (uid 1001)
  role        web-ops
  reason      Restart nginx after the certificate change
  ticket      OPS-4821
  asked       by alice, 2m ago (14:29 CET, 13:29Z)
  length      2h
  approvals   1 of 1
              carol, 1m ago (14:30 CET, 13:30Z): go
  may decide  @oncall, carol
  decided by  carol
  from        1m ago (14:30 CET, 13:30Z)
  until       in 1h59m (16:30 CET, 15:30Z)
  gives       login
              sudo as root: /usr/bin/systemctl restart nginx
  sessions    sshd on pts/0 from 192.0.2.7, 30s ago (14:30 CET, 13:30Z)"
        );
    }

    #[test]
    fn what_is_over_shows_no_end_to_come() {
        let mut revoked = sample::ended("revoked");
        revoked.ended_at = Some(fixed().now - 60);
        revoked.end_reason = Some("revoked by dave: the sale begins".into());
        let page = page(&revoked);
        assert!(!page.contains("until") && !page.contains("in 1h"), "{page}");
        assert!(page.contains("ended       1m ago"), "{page}");
        assert!(page.contains("revoked by dave: the sale begins"), "{page}");
    }

    #[test]
    fn the_page_of_an_unused_grant_says_by_when_it_is_to_be_used() {
        let page = page(&sample::unused());
        for line in [
            "use by      in 1h59m (16:30 CET, 15:30Z)",
            "decided by  carol, 1m ago",
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
        assert!(!page.contains("lapses"), "{page}");
    }

    #[test]
    fn a_role_that_is_gone_is_said_to_be() {
        let mut request = sample::active();
        request.role_gone = Some(true);
        assert!(page(&request).contains("web-ops (no longer configured)"));
    }

    #[test]
    fn the_next_step_is_told_to_those_who_may_take_it() {
        let mut request = sample::pending();
        assert_eq!(next_step(&request), None);
        request.reviewable = Some(true);
        assert!(
            next_step(&request)
                .unwrap()
                .starts_with("tpactl approve K0000001")
        );
        let mut used = sample::ended("expired");
        used.break_glass = true;
        used.review_due = Some(true);
        used.reviewable = Some(true);
        assert!(
            next_step(&used)
                .unwrap()
                .starts_with("tpactl review 7H2KM4QX")
        );
    }

    #[test]
    fn nothing_typed_reaches_the_page_as_it_was() {
        let mut request = sample::active();
        let hostile = String::from("x\x1b[2J\n\u{202e}y");
        request.reason.clone_from(&hostile);
        request.ticket = Some(hostile.clone());
        request.user.clone_from(&hostile);
        request.requested_by.clone_from(&hostile);
        request.approvals[0].comment = Some(hostile.clone());
        request.approvers = vec![hostile.clone()];
        request.gives = vec![hostile.clone()];
        request.sessions[0].rhost = Some(hostile.clone());
        request.end_reason = Some(hostile);
        request.ended_at = Some(0);
        for line in page(&request).lines() {
            assert!(!line.chars().any(tpa_bus::text::is_unsafe), "{line:?}");
        }
    }
}
