//! Reports: one grant on a page, many in a table.

use tpa_bus::access::{Event, Request};
use tpa_bus::text::one_line;

use super::request::review_due;
use super::time::dated;
use super::{clean, event, id, page, style};
use crate::clock::Clock;
use crate::recordings::Recordings;

/// The section that says nothing of what was not looked for.
const LEFT: &str = "What it left behind";

/// The sections of the page, each with the events it tells.
const SECTIONS: [(&str, &[&str]); 5] = [
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
    (LEFT, &["residue", "residue-tidied"]),
];

/// The whole story of a grant, on one page.
pub fn page(
    request: &Request,
    events: &[Event],
    recordings: &Recordings,
    host: &str,
    clock: &Clock,
) -> Vec<String> {
    let now = dated(clock.now, clock);
    let mut lines = vec![format!("Report of {host}, {now}"), String::new()];
    lines.extend(page::dated(request, clock));
    for (heading, names) in SECTIONS {
        let told = events
            .iter()
            .filter(|event| names.contains(&event.event.as_str()));
        let told: Vec<String> = told
            .map(|told| format!("  {}", event::told(told, clock)))
            .collect();
        lines.extend([String::new(), style::bold(heading)]);
        if told.is_empty() {
            let none = if heading == LEFT {
                "  not looked for yet"
            } else {
                "  none"
            };
            lines.push(none.to_owned());
        }
        lines.extend(told);
    }
    lines.extend(recorded(&request.id, recordings));
    lines
}

/// What sudo recorded, and how to see it.
fn recorded(grant: &str, recordings: &Recordings) -> Vec<String> {
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
        Recordings::Listed { commands, .. } => {
            let grant = id(grant);
            let lines = commands.iter().flat_map(|line| {
                let name = tsid(line).unwrap_or("TSID");
                let replay = format!("  replay: tpactl replay {grant} {name}");
                [format!("  {}", one_line(line, 1_000)), replay]
            });
            heading.into_iter().chain(lines).collect()
        }
    }
}

/// The name of the recording of a line that `sudoreplay` listed: the value of `TSID`, where it
/// needs no quotes in a shell, and where no folder or command says that it is another.
fn tsid(line: &str) -> Option<&str> {
    let mut ids = line
        .split(" ; ")
        .filter_map(|field| field.strip_prefix("TSID="));
    let id = ids.next().filter(|_| ids.next().is_none())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    (!id.is_empty() && !id.starts_with('-') && id.chars().all(plain)).then_some(id)
}

/// Codes of the events that an auditor wants to see, whatever else happened: refused decisions
/// and logins, removals that failed, break-glass, exempt logins, clock jumps, broken chains, drift.
pub const EXCEPTIONS: [&str; 10] = [
    "TPA1005", "TPA1007", "TPA2005", "TPA3001", "TPA4000", "TPA4002", "TPA5004", "TPA5005",
    "TPA5006", "TPA5008",
];

/// What the table that follows is of: the host, the time that it covers, and when it was made.
pub fn heading(host: &str, since: i64, until: Option<i64>, clock: &Clock) -> Vec<String> {
    let (since, now) = (dated(since, clock), dated(clock.now, clock));
    let until = until.map_or_else(|| "now".to_owned(), |until| dated(until, clock));
    vec![
        format!("Report of {host}, {now}"),
        format!("asked for since {since}, until {until}"),
        String::new(),
    ]
}

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
    fn what_can_be_typed_to_replay_is_sudos_own() {
        for (line, id) in [
            (
                "alice : CWD=/ ; TSID=alice-00/00/01 ; COMMAND=/bin/id",
                Some("alice-00/00/01"),
            ),
            (
                "alice : CWD=/x ; TSID=bob-1 ; y ; TSID=alice-00/00/01 ; COMMAND=/bin/id",
                None,
            ),
            ("alice : CWD=/ ; TSID=$(id) ; COMMAND=/bin/id", None),
            ("alice : CWD=/ ; TSID=-l ; COMMAND=/bin/id", None),
            ("alice : CWD=/ ; COMMAND=/bin/id", None),
        ] {
            assert_eq!(tsid(line), id, "{line}");
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
            commands: vec!["alice : USER=root ; TSID=alice-00/00/01 ; COMMAND=/usr/bin/id".into()],
        };
        let request = sample::ended("expired");
        let lines = page(
            &request,
            &events.map(event),
            &recordings,
            "web-01",
            &fixed(),
        )
        .join("\n");
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
            "replay: tpactl replay 7H2KM4QX alice-00/00/01",
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
        used.review_due = Some(true);
        let lines = exceptions(&[used], &[event("login-denied")], &fixed()).join("\n");
        assert!(lines.contains("7H2KM4QX: break-glass by alice, not reviewed"));
        assert!(lines.contains("login-denied"));
        assert!(exceptions(&[sample::active()], &[], &fixed())[0].contains("No exceptions"));
    }
}
