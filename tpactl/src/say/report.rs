//! Reports: one grant on a page, many in a table.

use tpa_bus::access::{Event, Request};
use tpa_bus::text::one_line;

use super::request::review_due;
use super::time::rfc3339;
use super::{clean, event, id, page, style};
use crate::clock::Clock;
use crate::recordings::Recordings;

/// The sections of the page, each with the events it tells.
const SECTIONS: [(&str, &[&str]); 4] = [
    (
        "How it was decided",
        &[
            "request-created",
            "approval-recorded",
            "request-denied",
            "request-withdrawn",
            "request-lapsed",
            "decision-refused",
            "break-glass-used",
            "break-glass-reviewed",
        ],
    ),
    (
        "When it was used, and from where",
        &["login-allowed", "session-opened", "session-closed"],
    ),
    ("What was run", &["sudo-opened", "sudo-closed"]),
    (
        "How it ended",
        &[
            "grant-extended",
            "grant-expired",
            "grant-revoked",
            "grant-ended",
            "session-killed",
            "removal-failed",
            "removal-confirmed",
        ],
    ),
];

/// The whole story of a grant, on one page.
pub fn page(
    request: &Request,
    events: &[Event],
    recordings: &Recordings,
    clock: &Clock,
) -> Vec<String> {
    let mut lines = page::request(request, clock);
    for (heading, names) in SECTIONS {
        let told = events
            .iter()
            .filter(|event| names.contains(&event.event.as_str()));
        let told: Vec<String> = told
            .map(|told| format!("  {}", event::told(told, clock)))
            .collect();
        lines.extend([String::new(), style::bold(heading)]);
        if told.is_empty() {
            lines.push("  none".to_owned());
        }
        lines.extend(told);
    }
    lines.extend(recorded(recordings));
    lines
}

/// What sudo recorded, and how to see it.
fn recorded(recordings: &Recordings) -> Vec<String> {
    let heading = [String::new(), style::bold("What sudo recorded")];
    match recordings {
        Recordings::None => Vec::new(),
        Recordings::Unreadable(why) => {
            let why = format!(
                "  cannot be read here ({}): as root, repeat this",
                clean(why)
            );
            heading.into_iter().chain([why]).collect()
        }
        Recordings::Listed { folder, commands } => {
            let lines = commands
                .iter()
                .map(|line| format!("  {}", one_line(line, 1_000)));
            let replay = format!("  replay: sudoreplay -d {} TSID", folder.display());
            heading.into_iter().chain(lines).chain([replay]).collect()
        }
    }
}

/// Codes of the events that an auditor wants to see, whatever else happened: refused decisions
/// and logins, removals that failed, break-glass, exempt logins, clock jumps, broken chains, drift.
pub const EXCEPTIONS: [&str; 8] = [
    "TPA1005", "TPA2005", "TPA3001", "TPA4000", "TPA4002", "TPA5004", "TPA5005", "TPA5006",
];

/// What stands out in a time: the events above, and reviews that are due.
pub fn exceptions(requests: &[Request], events: &[Event], clock: &Clock) -> Vec<String> {
    let unreviewed = requests
        .iter()
        .filter(|request| review_due(request))
        .map(|request| {
            let (name, user) = (id(&request.id), clean(&request.user));
            format!("  {name}: break-glass by {user}, not reviewed")
        });
    let events = events
        .iter()
        .map(|told| format!("  {}", event::told(told, clock)));
    let mut lines: Vec<String> = unreviewed.chain(events).collect();
    let heading = match lines.len() {
        0 => "No exceptions".to_owned(),
        _ => "Exceptions".to_owned(),
    };
    lines.insert(0, style::bold(&heading));
    lines
}

const COLUMNS: &str = "id,state,user,role,ticket,requested_by,requested_at,duration_s,approved_by,\
                       not_before,not_after,ended_at,end_reason,break_glass,reviewed_by,reason";

/// The requests as CSV (RFC 4180), under a line with the names of the columns.
pub fn csv(requests: &[Request]) -> Vec<String> {
    let rows = requests.iter().map(|request| {
        let approvers: Vec<&str> = request
            .approvals
            .iter()
            .map(|one| one.by.as_str())
            .collect();
        let time = |at: Option<i64>| at.map(rfc3339).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            request.id.clone(),
            request.state.clone(),
            request.user.clone(),
            request.role.clone(),
            text(&request.ticket),
            request.requested_by.clone(),
            rfc3339(request.requested_at),
            request.duration_s.to_string(),
            approvers.join(" "),
            time(request.not_before),
            time(request.not_after),
            time(request.ended_at),
            text(&request.end_reason),
            request.break_glass.to_string(),
            text(&request.reviewed_by),
            request.reason.clone(),
        ]
        .map(|cell| cell_of(&cell))
        .join(",")
    });
    std::iter::once(COLUMNS.to_owned()).chain(rows).collect()
}

/// A clean cell. A spreadsheet takes what begins with one of `=+-@` for a formula, which a reason
/// must never be: an apostrophe before it makes it text.
fn cell_of(text: &str) -> String {
    let text = clean(text);
    let text = if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    };
    if text.contains([',', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::sample;

    fn event(name: &str) -> Event {
        Event {
            at: fixed().now,
            event: name.into(),
            ..Event::default()
        }
    }

    #[test]
    fn a_report_tells_the_story_in_order() {
        let events = [
            "request-created",
            "session-opened",
            "sudo-opened",
            "removal-confirmed",
        ];
        let recordings = Recordings::Listed {
            folder: "/var/log/sudo-io/7H2KM4QX".into(),
            commands: vec!["alice : COMMAND=/usr/bin/id".into()],
        };
        let request = sample::ended("expired");
        let lines = page(&request, &events.map(event), &recordings, &fixed()).join("\n");
        let mut rest = lines.as_str();
        for part in [
            "How it was decided",
            "request-created",
            "from where",
            "session-opened",
            "What was run",
            "sudo-opened",
            "How it ended",
            "removal-confirmed",
            "COMMAND=/usr/bin/id",
            "sudoreplay -d /var/log/sudo-io/7H2KM4QX TSID",
        ] {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{part} in {rest}"));
            rest = &rest[at..];
        }
    }

    #[test]
    fn what_stands_out_is_listed_and_so_is_that_nothing_does() {
        let mut used = sample::ended("expired");
        used.break_glass = true;
        let lines = exceptions(&[used], &[event("login-denied")], &fixed()).join("\n");
        assert!(lines.contains("7H2K-M4QX: break-glass by alice, not reviewed"));
        assert!(lines.contains("login-denied"));
        assert!(exceptions(&[sample::active()], &[], &fixed())[0].contains("No exceptions"));
    }

    #[test]
    fn csv_has_a_row_a_request_and_no_formula() {
        let mut request = sample::active();
        request.reason = "=cmd|' /C calc'!A0, \"x\"\n".into();
        let lines = csv(&[request]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("id,state,user,"));
        assert!(lines[1].starts_with(
            "7H2KM4QX,active,alice,web-ops,OPS-4821,alice,2026-11-24T13:29:00Z,7200,carol,"
        ));
        assert!(
            lines[1].ends_with(r#","'=cmd|' /C calc'!A0, ""x""\n""#),
            "{}",
            lines[1]
        );
    }
}
