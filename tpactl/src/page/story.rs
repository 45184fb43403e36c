//! PURE: a grant's events as the story that the page tells: when access was on, what was open in it
//! from when to when, what stands out, and how it ended.

use std::collections::BTreeMap;

use chrono::DateTime;
use tpa_bus::access::{Event, Request};

use crate::say::report::EXCEPTIONS;

/// When access was on, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// It began.
    pub from: i64,
    /// It was on until then; nothing while it is.
    pub until: Option<i64>,
    /// It was to last until then.
    pub planned: i64,
    /// The last that happened, or was to: where the time line ends.
    pub last: i64,
}

/// How something that was open came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// By itself.
    Over,
    /// With the grant.
    Killed,
    /// With this exit code, where it is known.
    Exit(Option<String>),
    /// It is open, or nobody told of its end.
    Open,
}

/// Something that was open for a while: a login, a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    /// What began it.
    pub event: &'a Event,
    /// Its end, in seconds since 1970.
    pub until: Option<i64>,
    /// How it ended.
    pub close: Close,
}

/// The story.
#[derive(Debug, Default)]
pub struct Story<'a> {
    /// When access was on; nothing where it never was.
    pub window: Option<Window>,
    /// Logins, in order.
    pub logins: Vec<Span<'a>>,
    /// Commands, in order.
    pub commands: Vec<Span<'a>>,
    /// What stands out.
    pub alerts: Vec<&'a Event>,
    /// What belongs to the end.
    pub ends: Vec<&'a Event>,
}

/// A field that says something.
pub fn field<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let value = event.fields.get(name).map(String::as_str);
    value.filter(|value| !value.is_empty())
}

/// Whether an auditor wants to see it, whatever else happened.
pub fn stands_out(event: &Event) -> bool {
    EXCEPTIONS.contains(&event.code.as_str())
        || field(event, "unusual").is_some()
        // A command that failed is no more than that.
        || (field(event, "outcome") == Some("failure") && event.event != "command-run")
}

/// Tells it. `now` is the time of the page.
pub fn tell<'a>(request: &Request, events: &'a [Event], now: i64) -> Story<'a> {
    let mut story = Story::default();
    // Where in its list stands what is open: by process, or the one command that has none.
    let mut open: BTreeMap<Option<&str>, (bool, usize)> = BTreeMap::new();
    for event in events {
        let pid = field(event, "pid");
        let (key, is_command) = match event.event.as_str() {
            "session-opened" | "session-moved" => (pid, false),
            "sudo-opened" => (pid, true),
            "command-started" => (None, true),
            name => {
                let close = match name {
                    "session-closed" | "sudo-closed" => Some((pid, Close::Over)),
                    "session-killed" => Some((pid, Close::Killed)),
                    "command-run" => {
                        let code = field(event, "exit_code").map(str::to_owned);
                        Some((None, Close::Exit(code)))
                    }
                    _ => None,
                };
                if let Some((key, close)) = close
                    && let Some((is_command, place)) = open.remove(&key)
                {
                    story.close(is_command, place, event.at, close);
                }
                story.other(event);
                continue;
            }
        };
        let list = story.list(is_command);
        open.insert(key, (is_command, list.len()));
        list.push(Span {
            event,
            until: None,
            close: Close::Open,
        });
        story.other(event);
    }
    story.window = window(request, events, &story.ends, now);
    story
}

impl<'a> Story<'a> {
    fn list(&mut self, is_command: bool) -> &mut Vec<Span<'a>> {
        if is_command {
            &mut self.commands
        } else {
            &mut self.logins
        }
    }

    fn close(&mut self, is_command: bool, place: usize, at: i64, close: Close) {
        if let Some(span) = self.list(is_command).get_mut(place) {
            span.until = Some(at);
            span.close = close;
        }
    }

    fn other(&mut self, event: &'a Event) {
        if stands_out(event) {
            self.alerts.push(event);
        }
        if is_end(event) {
            self.ends.push(event);
        }
    }
}

fn is_end(event: &Event) -> bool {
    let name = event.event.as_str();
    is_stop(name) || matches!(name, "removal-failed" | "removal-confirmed")
}

fn is_stop(name: &str) -> bool {
    matches!(name, "grant-expired" | "grant-revoked" | "grant-ended")
}

/// The window, from the events; where those of its beginning are no longer kept, from the request.
fn window(request: &Request, events: &[Event], ends: &[&Event], now: i64) -> Option<Window> {
    let begins =
        |event: &&Event| matches!(event.event.as_str(), "grant-activated" | "break-glass-used");
    let began = events.iter().find(begins).map(|event| event.at);
    let was_on = request.state == "active" || request.ended_at.is_some();
    let from = began.or(request.not_before.filter(|_| was_on))?;
    // What was planned is told by the events before the end: a request that was ended sooner has
    // that as its end.
    let planned = events
        .iter()
        .filter(|event| matches!(event.event.as_str(), "grant-activated" | "grant-extended"))
        .filter_map(|event| field(event, "not_after").and_then(unix))
        .next_back()
        .or(request.not_after)
        .unwrap_or(from);
    let stop = ends.iter().find(|event| is_stop(&event.event));
    let until = stop.map(|event| event.at).or(request.ended_at);
    let end = ends.last().map_or(from, |event| event.at);
    let last = until.unwrap_or(now).max(planned).max(end);
    Some(Window {
        from,
        until,
        planned,
        last: last.max(from.saturating_add(1)),
    })
}

fn unix(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok();
    time.map(|time| time.timestamp())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::sample;

    /// An event so many seconds after the grant of [`sample::active`] began.
    pub fn event(after: i64, name: &str, fields: &[(&str, &str)]) -> Event {
        Event {
            seq: u64::try_from(after + 100).unwrap(),
            at: fixed().now - 60 + after,
            event: name.into(),
            fields: fields
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Event::default()
        }
    }

    #[test]
    fn what_was_open_is_told_from_its_beginning_to_its_end() {
        let events = [
            event(
                0,
                "grant-activated",
                &[("not_after", "2026-11-24T15:30:00Z")],
            ),
            event(1, "session-opened", &[("pid", "7"), ("service", "sshd")]),
            event(2, "sudo-opened", &[("pid", "8"), ("service", "sudo")]),
            event(3, "sudo-closed", &[("pid", "8")]),
            event(4, "sudo-opened", &[("pid", "8"), ("service", "sudo")]),
            event(5, "command-started", &[("argv", "id")]),
            event(
                6,
                "command-run",
                &[("exit_code", "3"), ("outcome", "failure")],
            ),
            event(9, "grant-revoked", &[]),
            event(9, "session-killed", &[("pid", "8")]),
            event(
                10,
                "removal-failed",
                &[("survivors", "1"), ("outcome", "failure")],
            ),
        ];
        let story = tell(&sample::ended("revoked"), &events, fixed().now);
        let closes = |spans: &[Span]| -> Vec<Close> {
            spans.iter().map(|span| span.close.clone()).collect()
        };
        assert_eq!(closes(&story.logins), [Close::Open]);
        let exit = Close::Exit(Some("3".into()));
        assert_eq!(closes(&story.commands), [Close::Over, Close::Killed, exit]);
        assert_eq!(story.alerts.len(), 1, "{:?}", story.alerts);
        assert_eq!(story.ends.len(), 2);
        let from = fixed().now - 60;
        let window = Window {
            from,
            until: Some(from + 9),
            planned: from + 7_200,
            last: from + 7_200,
        };
        assert_eq!(story.window, Some(window));
    }

    #[test]
    fn what_never_began_has_no_window() {
        for request in [sample::pending(), sample::unused()] {
            assert_eq!(tell(&request, &[], fixed().now).window, None);
        }
        assert!(tell(&sample::active(), &[], fixed().now).window.is_some());
    }
}
