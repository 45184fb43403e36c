//! What an event means, in sentences, with the command to type next.

use tpa_bus::text::one_line;

use crate::job::{Event, Job};
use crate::neutral::Piece;

/// What is told about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The sentence that says it.
    pub head: Vec<Piece>,
    /// What else is to be known, each under its name.
    pub facts: Vec<(&'static str, Piece)>,
    /// Commands that may be next; the first is the most likely.
    pub next: Vec<String>,
}

/// What to say of an event.
#[must_use]
pub fn notice(event: &Event, job: &Job) -> Notice {
    Notice {
        head: head(event, &job.host),
        facts: facts(event),
        next: next(event, job),
    }
}

/// What a message of `tpactl notify --test` says.
#[must_use]
pub fn test_notice(job: &Job) -> Notice {
    Notice {
        head: vec![Piece::ours(format!(
            "This is a test of TPA on {}: messages for this target get here.",
            name_of(&job.host)
        ))],
        facts: Vec::new(),
        next: Vec::new(),
    }
}

/// What is said of events that came too fast to be told one by one; `None` when there are none.
#[must_use]
pub fn more(job: &Job) -> Option<String> {
    let all: u64 = job.more.values().sum();
    let kinds: Vec<String> = job
        .more
        .iter()
        .map(|(name, count)| format!("{count} × {}", one_line(name, 40)))
        .collect();
    (all > 0).then(|| {
        format!(
            "And {all} more that came too fast to be told one by one: {}. All of them: tpactl log",
            kinds.join(", ")
        )
    })
}

/// The host's name as it can stand in a command.
fn name_of(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if !host.is_empty() && host.len() <= 253 && !host.starts_with('-') && host.chars().all(fits) {
        host.to_owned()
    } else {
        "HOST".to_owned()
    }
}

/// An id as it is shown; nothing where it is none.
fn id_of(event: &Event) -> &str {
    let id = event.field("grant");
    if id.len() == 8 && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        id
    } else {
        ""
    }
}

/// The command to type next: on the host, or over ssh where the host has a front door. The one
/// place that knows how either is called.
#[must_use]
pub fn command(job: &Job, verb: &str) -> String {
    if job.door {
        format!("ssh tpa@{} {verb}", name_of(&job.host))
    } else {
        format!("tpactl {verb}")
    }
}

/// The sentences of events: in braces a field of the event's, or `{on}`, which is this host.
const SENTENCES: [(&str, &str); 19] = [
    (
        "request-reminder",
        "Nobody has decided yet: {user} asks for {role}{on}",
    ),
    (
        "approval-recorded",
        "{actor} approved {role} for {user}{on}",
    ),
    ("request-denied", "{actor} denied {role} to {user}{on}"),
    (
        "request-withdrawn",
        "{user} took back the request for {role}{on}",
    ),
    (
        "request-lapsed",
        "The request of {user} for {role}{on} has lapsed",
    ),
    ("grant-activated", "{user} has {role}{on}"),
    ("grant-extended", "{user} has {role}{on} for longer"),
    ("grant-expired", "The time of {user} as {role}{on} is over"),
    ("grant-revoked", "{actor} took {role} from {user}{on}"),
    ("grant-ended", "{user} gave back {role}{on}"),
    (
        "break-glass-used",
        "BREAK GLASS: {user} took {role}{on} without an approval",
    ),
    (
        "break-glass-reviewed",
        "{actor} reviewed break-glass access of {user} as {role}{on}",
    ),
    (
        "exempt-login",
        "{user} came in{on} without a grant, as exempt",
    ),
    ("login-denied", "{user} was not let in{on}"),
    (
        "removal-failed",
        "What the access of {user} started{on} is still there after its end",
    ),
    (
        "decision-refused",
        "{actor} tried to decide{on} and may not",
    ),
    ("chain-broken", "The audit trail{on} was touched"),
    (
        "policy-rejected",
        "A configuration of TPA{on} was refused; the one before stays",
    ),
    (
        "notice-failed",
        "TPA{on} cannot reach the target {notify_target}",
    ),
];

/// The sentence of an event.
fn sentence(event: &Event) -> &'static str {
    let extends = !event.field("extends").is_empty();
    match (event.name(), event.waits()) {
        ("request-created", true) if extends => "{user} asks for more time as {role}{on}",
        ("request-created", false) if extends => "{user} asked for more time as {role}{on}",
        ("request-created", true) => "{user} asks for {role}{on}",
        ("request-created", false) => "{user} asked for {role}{on}",
        ("approval-recorded", _) if event.field("approval") == "auto" => {
            "{user} was given {role}{on} without an approver: the role says so"
        }
        ("approval-recorded", true) => {
            "{actor} approved {role} for {user}{on}, and one more approval at least is needed"
        }
        ("grant-revoked", _) if event.field("actor").is_empty() => {
            "{role} was taken from {user}{on}"
        }
        (name, _) => {
            let known = SENTENCES.into_iter().find(|(event, _)| *event == name);
            match known {
                Some((_, sentence)) => sentence,
                None if event.field("user").is_empty() => "{event}{on}",
                None => "{event}{on}: {user}",
            }
        }
    }
}

fn head(event: &Event, host: &str) -> Vec<Piece> {
    let mut head = Vec::new();
    for part in sentence(event).split('{') {
        // What stands before the first brace has none behind it.
        let (field, words) = part.split_once('}').unwrap_or(("", part));
        match field {
            "" => {}
            "on" => head.push(Piece::ours(format!(" on {}", name_of(host)))),
            "event" => head.push(Piece::theirs(event.name())),
            field => head.push(Piece::theirs(event.field(field))),
        }
        if !words.is_empty() {
            head.push(Piece::ours(words));
        }
    }
    if !id_of(event).is_empty() {
        head.push(Piece::ours(format!(" ({})", id_of(event))));
    }
    head
}

/// Fields that are told, and how they are called.
const FACTS: [(&str, &str); 21] = [
    ("reason", "reason"),
    ("ticket", "ticket"),
    ("comment", "comment"),
    ("why", "why"),
    ("gives", "gives"),
    ("approvers", "approvers"),
    ("approved_by", "approved by"),
    ("requested_by", "requested by"),
    ("not_before", "from"),
    ("not_after", "until"),
    ("extends", "extends"),
    ("service", "service"),
    ("rhost", "came from"),
    ("command", "command"),
    ("survived", "still there"),
    ("decision", "decision"),
    ("count", "count"),
    ("problem", "problem"),
    ("problems", "problems"),
    ("what", "what"),
    ("unusual", "unusual"),
];

fn facts(event: &Event) -> Vec<(&'static str, Piece)> {
    let user = event.field("user");
    let mut facts: Vec<_> = FACTS
        .into_iter()
        .filter(|(field, _)| {
            let value = event.field(field);
            !value.is_empty() && (*field != "requested_by" || value != user)
        })
        .map(|(field, name)| (name, Piece::theirs(event.field(field))))
        .collect();
    if let Ok(seconds) = event.field("duration_s").parse() {
        let span = tpa_bus::span::Span::from_secs(seconds).to_string();
        facts.insert(0, ("for", Piece::Ours(span)));
    }
    facts
}

fn next(event: &Event, job: &Job) -> Vec<String> {
    let id = id_of(event);
    if id.is_empty() {
        return Vec::new();
    }
    match event.name() {
        "request-created" | "request-reminder" | "approval-recorded" if event.waits() => vec![
            command(job, &format!("approve {id}")),
            command(job, &format!("deny {id} --reason …")),
        ],
        "break-glass-used" => vec![
            format!("tpactl review {id} --comment …"),
            format!("tpactl revoke {id} --reason …"),
        ],
        _ => vec![command(job, &format!("show {id}"))],
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::neutral::plain;

    /// A job about one event with these fields.
    pub fn job(kind: &str, event: &str, fields: &[(&str, &str)]) -> Job {
        let fields: serde_json::Map<_, _> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let job = json!({
            "kind": kind, "host": "web-01", "sent_at": 1_700_000_000, "id": "ab-7",
            "events": [{
                "apiVersion": "tpa/v1", "kind": "Event", "event": event, "seq": 7,
                "state_now": "pending", "fields": fields,
            }],
        });
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn who_decides_reads_who_asks_for_what_and_what_to_type() {
        let mut job = job(
            "slack",
            "request-created",
            &[
                ("user", "alice"),
                ("role", "web-ops"),
                ("grant", "7H2KM4QX"),
                ("reason", "the shop is down"),
                ("duration_s", "3600"),
            ],
        );
        let told = notice(&job.events[0], &job);
        assert_eq!(
            plain(&told.head),
            "alice asks for web-ops on web-01 (7H2KM4QX)"
        );
        assert_eq!(told.next[0], "tpactl approve 7H2KM4QX");
        assert_eq!(told.facts[0], ("for", Piece::ours("1h")));
        assert_eq!(told.facts[1], ("reason", Piece::theirs("the shop is down")));
        job.door = true;
        let told = notice(&job.events[0], &job);
        assert_eq!(told.next[0], "ssh tpa@web-01 approve 7H2KM4QX");
    }

    #[test]
    fn a_command_to_type_has_nothing_in_it_that_somebody_typed() {
        let fields = [("grant", "7H2K;rm"), ("user", "a;b"), ("role", "$(x)")];
        let mut job = job("mail", "request-created", &fields);
        assert_eq!(notice(&job.events[0], &job).next, Vec::<String>::new());
        job = self::job("mail", "request-created", &[("grant", "7H2KM4QX")]);
        job.host = "web-01; rm -rf /".into();
        job.door = true;
        let told = notice(&job.events[0], &job);
        assert_eq!(told.next[0], "ssh tpa@HOST approve 7H2KM4QX");
    }

    #[test]
    fn what_was_folded_is_counted() {
        let mut job = job("mail", "request-created", &[]);
        assert_eq!(more(&job), None);
        job.more = [
            ("login-denied".to_owned(), 3),
            ("exempt-login".to_owned(), 1),
        ]
        .into();
        assert_eq!(
            more(&job).unwrap(),
            "And 4 more that came too fast to be told one by one: 1 × exempt-login, \
             3 × login-denied. All of them: tpactl log"
        );
    }
}
