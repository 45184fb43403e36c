//! The text of a log line.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tpa_bus::text;

use super::ecs;
use crate::ledger::LINE_MAX;
use crate::policy::AuditFormat;
use crate::store::Record;

/// Longest value in a line, in characters. What is cut off stands whole in the database.
pub const VALUE_MAX: usize = LINE_MAX;

/// The line of a record, without the frame that syslog puts before it.
#[must_use]
pub fn render(record: &Record, format: AuditFormat) -> String {
    match format {
        AuditFormat::Kv => kv(record),
        AuditFormat::Cee => cee(record),
    }
}

/// `grant-activated grant=7H2KM4QX user=alice … code=TPA2000 … seq=12 hash=…`
fn kv(record: &Record) -> String {
    let mut line = record.name().to_owned();
    for (name, value) in record.fields() {
        if name != "event" {
            let _ = write!(line, " {name}={}", quoted(value));
        }
    }
    let _ = write!(line, " seq={} hash={}", record.seq, record.hash);
    line
}

/// A value as it is when that is plain, else in double quotes with `\`, `"` and every unsafe
/// character escaped.
fn quoted(value: &str) -> String {
    let plain = |c: char| !matches!(c, ' ' | '"' | '\'' | '\\' | '=') && !text::is_unsafe(c);
    if !value.is_empty() && value.chars().all(plain) && value.chars().count() <= VALUE_MAX {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len().saturating_add(2));
    quoted.push('"');
    for (count, c) in value.chars().enumerate() {
        if count == VALUE_MAX {
            quoted.push('…');
            break;
        }
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if text::is_unsafe(c) => quoted.extend(c.escape_default()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `@cee:{…}` with the names of the Elastic Common Schema; what that has no name for is in `tpa`.
fn cee(record: &Record) -> String {
    let mut root = Map::new();
    put(&mut root, "event.sequence", Value::from(record.seq));
    put(&mut root, "event.hash", Value::from(record.hash.as_str()));
    put(&mut root, "event.kind", Value::from("event"));
    for (name, value) in record.fields() {
        let number = || {
            value
                .parse::<u64>()
                .map_or_else(|_| Value::from(cut(value)), Value::from)
        };
        let value = if ecs::is_number(name) {
            number()
        } else {
            Value::from(cut(value))
        };
        put(&mut root, ecs::name(name), value);
    }
    let json = Value::Object(root).to_string();
    // serde_json leaves line separators and bidirectional marks as they are.
    let clean = json
        .chars()
        .fold(String::with_capacity(json.len()), |mut clean, c| {
            if text::is_unsafe(c) {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(clean, "\\u{unit:04x}");
                }
            } else {
                clean.push(c);
            }
            clean
        });
    format!("@cee:{clean}")
}

fn cut(value: &str) -> String {
    if value.chars().count() <= VALUE_MAX {
        return value.to_owned();
    }
    value.chars().take(VALUE_MAX).chain(['…']).collect()
}

/// Puts a value under a dotted name, as nested objects.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = object
                .entry(head)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Envelope, Event};
    use crate::store::{Body, Content};

    fn record(reason: &str) -> Record {
        Record {
            seq: 12,
            at: 0,
            code: "TPA5001".into(),
            body: Content::Known(Box::new(Body {
                envelope: Envelope {
                    at: 0,
                    actor: None,
                    actor_uid: None,
                    actor_login: None,
                    proof: None,
                    event: Event::DaemonStopped,
                },
                fields: vec![
                    ("code".into(), "TPA5001".into()),
                    ("event".into(), "daemon-stopped".into()),
                    ("reason".into(), reason.into()),
                    ("killed".into(), "7".into()),
                ],
            })),
            hash: "ab".into(),
        }
    }

    #[test]
    fn a_line_begins_with_its_event_and_ends_with_its_place_in_the_chain() {
        assert_eq!(
            render(&record("fix it"), AuditFormat::Kv),
            r#"daemon-stopped code=TPA5001 reason="fix it" killed=7 seq=12 hash=ab"#
        );
    }

    #[test]
    fn what_people_typed_stays_inside_its_quotes_and_its_line() {
        let line = render(&record("a\" user=root \\ \n\u{202e}x"), AuditFormat::Kv);
        assert!(
            line.contains(r#"reason="a\" user=root \\ \n\u{202e}x""#),
            "{line}"
        );
        assert!(!line.chars().any(text::is_unsafe));
        let line = render(&record("a\n\u{202e}"), AuditFormat::Cee);
        assert!(!line.chars().any(text::is_unsafe), "{line}");
        let json: Value = serde_json::from_str(line.strip_prefix("@cee:").unwrap()).unwrap();
        assert_eq!(json["event"]["reason"], "a\n\u{202e}");
        assert_eq!(json["tpa"]["killed"], 7);
    }

    #[test]
    fn long_values_are_cut_with_a_mark() {
        let line = render(&record(&"x".repeat(300)), AuditFormat::Kv);
        assert!(line.contains(&format!("reason=\"{}…\"", "x".repeat(VALUE_MAX))));
    }
}
