//! The audit trail on screen.

use tpa_bus::access::Event;
use tpa_bus::text::one_line;

use super::time::{dated, rfc3339};
use super::{clean, style};
use crate::clock::Clock;

/// Longest log line that is shown whole.
const LINE_MAX: usize = 8_000;

/// The log line, with its time; what is unusual stands out.
pub fn line(event: &Event) -> String {
    let line = format!("{}  {}", rfc3339(event.at), one_line(&event.line, LINE_MAX));
    match event.fields.get("unusual") {
        Some(why) => style::bold(&format!("! {}: {line}", clean(why))),
        None => line,
    }
}

/// What a report tells about an event: who, where, what, how many.
const TOLD: [&str; 32] = [
    "unusual",
    "of",
    "count",
    "user",
    "actor",
    "proof",
    "key",
    "signer",
    "service",
    "tty",
    "rhost",
    "target",
    "command",
    "command_sha256",
    "argv",
    "argv_sha256",
    "exit_code",
    "duration_ms",
    "why",
    "killed",
    "survivors",
    "looked_at",
    "left",
    "not_looked_at",
    "certain",
    "doubtful",
    "found",
    "looked_for",
    "not_looked_for",
    "not_noted",
    "what",
    "problem",
];

/// What the event says, part by part.
pub fn said(event: &Event) -> Vec<String> {
    TOLD.iter()
        .filter_map(|key| {
            let value = event.fields.get(*key).filter(|value| !value.is_empty())?;
            // A login is how nearly everything is said.
            if *key == "proof" && value == "session" {
                return None;
            }
            Some(format!("{} {}", key.replace('_', " "), clean(value)))
        })
        .collect()
}

/// The event as a line of a report: the time on the reader's clock, then what it says.
pub fn told(event: &Event, clock: &Clock) -> String {
    format!(
        "{}  {:21} {}",
        dated(event.at, clock),
        clean(&event.event),
        said(event).join(", ")
    )
    .trim_end()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;

    #[test]
    fn an_event_is_told_in_one_clean_line() {
        let mut event = Event {
            at: fixed().now,
            event: "removal-confirmed".into(),
            line: "removal-confirmed\n\x1b[2J grant=7H2KM4QX".into(),
            ..Event::default()
        };
        event.fields.insert("killed".into(), "7".into());
        event.fields.insert("survivors".into(), "0".into());
        let looked_at = "commands in the grant's control groups";
        event.fields.insert("looked_at".into(), looked_at.into());
        assert_eq!(
            told(&event, &fixed()),
            "2026-11-24 14:31:00 CET  removal-confirmed     killed 7, survivors 0, \
             looked at commands in the grant's control groups"
        );
        assert_eq!(
            line(&event),
            "2026-11-24T13:31:00Z  removal-confirmed\\n\\u{1b}[2J grant=7H2KM4QX"
        );
    }

    #[test]
    fn what_is_unusual_says_so_before_everything_else() {
        let mut event = Event {
            at: fixed().now,
            line: "login-allowed user=alice".into(),
            ..Event::default()
        };
        event.fields.insert("unusual".into(), "new-address".into());
        let line = anstream::adapter::strip_str(&line(&event)).to_string();
        assert_eq!(
            line,
            "! new-address: 2026-11-24T13:31:00Z  login-allowed user=alice"
        );
    }
}
