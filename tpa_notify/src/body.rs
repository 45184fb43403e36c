//! What each kind of target reads. Pure: a job comes in, JSON goes out.

use serde_json::{Value, json};

use crate::job::{Job, Kind};
use crate::neutral::{Piece, in_code, ours_alone, plain};
use crate::words::{self, Notice};

/// Most characters that Discord takes in one message; a few are left for the count.
const DISCORD: usize = 1_800;

/// Most characters of a message elsewhere: what the strictest of the others takes.
const MOST: usize = 12_000;

/// Most characters of `PagerDuty`'s summary, and of Opsgenie's message.
const SUMMARY: usize = 1_000;
const ALERT: usize = 130;

/// The notices of a job, in their order.
#[must_use]
pub fn notices(job: &Job) -> Vec<Notice> {
    if job.test {
        return vec![words::test_notice(job)];
    }
    let events = job.events.iter();
    events.map(|event| words::notice(event, job)).collect()
}

/// What is sent; `secret` is the key that stands in it for `PagerDuty`.
#[must_use]
pub fn body(job: &Job, secret: Option<&str>) -> Value {
    match job.kind {
        Kind::Slack => slack(job),
        Kind::Teams => teams(job),
        Kind::Mattermost => json!({ "text": markdown(job, MOST) }),
        // Mentions are refused, and links get no picture (flag 4), whatever the text says.
        Kind::Discord => json!({
            "content": markdown(job, DISCORD), "allowed_mentions": { "parse": [] }, "flags": 4,
        }),
        Kind::Pagerduty => pagerduty(job, secret.unwrap_or_default()),
        Kind::Opsgenie => opsgenie(job),
        Kind::Webhook | Kind::Mail => webhook(job),
    }
}

/// The lines of a notice, each a sentence of pieces.
fn lines(notice: &Notice) -> Vec<Vec<Piece>> {
    let facts = notice
        .facts
        .iter()
        .map(|(name, value)| vec![Piece::ours(format!("{name}: ")), value.clone()]);
    facts.collect()
}

/// Adds lines for as long as there is room; what has none is named.
fn fit(lines: impl IntoIterator<Item = String>, most: usize) -> String {
    let mut text = String::new();
    let mut left = most;
    for line in lines {
        let Some(rest) = left.checked_sub(line.chars().count().saturating_add(1)) else {
            text.push_str("\n… the rest: tpactl log");
            break;
        };
        left = rest;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    text
}

fn markdown(job: &Job, most: usize) -> String {
    let notices = notices(job);
    let alone = notices.len() == 1;
    let of_one = notices.iter().flat_map(|notice| {
        let mut shown = vec![in_code(&notice.head)];
        if alone {
            shown.extend(lines(notice).iter().map(|line| in_code(line)));
        }
        let commands = notice.next.iter().take(if alone { 2 } else { 1 });
        shown.extend(commands.map(|command| format!("`{command}`")));
        shown
    });
    fit(of_one.chain(words::more(job)), most)
}

/// Rich text: its elements are literal, so that nothing in them is markup, a mention or a link. What
/// stands in `text`, which is markup, is of our own words alone.
fn slack(job: &Job) -> Value {
    let literal = |piece: &Piece| match piece {
        Piece::Ours(text) => json!({ "type": "text", "text": text }),
        Piece::Theirs(text) => json!({ "type": "text", "text": text, "style": { "code": true } }),
    };
    let is_something = |piece: &&Piece| match piece {
        Piece::Ours(text) | Piece::Theirs(text) => !text.is_empty(),
    };
    let notices = notices(job);
    let alone = notices.len() == 1;
    let mut elements = Vec::new();
    for notice in &notices {
        let mut pieces = notice.head.clone();
        for line in lines(notice).into_iter().filter(|_| alone) {
            pieces.push(Piece::ours("\n"));
            pieces.extend(line);
        }
        for command in notice.next.iter().take(if alone { 2 } else { 1 }) {
            pieces.extend([Piece::ours("\n"), Piece::Theirs(command.clone())]);
        }
        let literals: Vec<Value> = pieces.iter().filter(is_something).map(literal).collect();
        elements.push(json!({ "type": "rich_text_section", "elements": literals }));
    }
    if let Some(more) = words::more(job) {
        let more = literal(&Piece::Ours(format!("\n{more}")));
        elements.push(json!({ "type": "rich_text_section", "elements": [more] }));
    }
    let summary = match notices.as_slice() {
        [one] => ours_alone(&one.head),
        many => format!("{} events", many.len()),
    };
    json!({
        "text": escaped_for_slack(&format!("TPA: {}", summary.trim())),
        "unfurl_links": false, "unfurl_media": false,
        "blocks": [{ "type": "rich_text", "elements": elements }],
    })
}

fn escaped_for_slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// An adaptive card. Text runs know no Markdown, and a mention takes an entity, of which there are
/// none; what looks like an address is written so that it is none.
fn teams(job: &Job) -> Value {
    let run = |text: String, bold: bool| {
        json!({
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": text,
                          "weight": if bold { "Bolder" } else { "Default" } }],
        })
    };
    let notices = notices(job);
    let alone = notices.len() == 1;
    let mut blocks = Vec::new();
    for notice in &notices {
        blocks.push(run(plain(&notice.head), true));
        let facts = lines(notice).into_iter().filter(|_| alone);
        blocks.extend(facts.map(|line| run(plain(&line), false)));
        let commands = notice.next.iter().take(if alone { 2 } else { 1 });
        blocks.extend(commands.map(|command| run(command.clone(), false)));
    }
    blocks.extend(words::more(job).map(|more| run(more, false)));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard", "version": "1.4", "body": blocks,
            },
        }],
    })
}

/// All of a job as plain text, for pagers and mail.
#[must_use]
pub fn text(job: &Job) -> String {
    let of_all = notices(job);
    let all = of_all.iter().enumerate().flat_map(|(index, notice)| {
        let mut shown = Vec::new();
        if index > 0 {
            shown.push(String::new());
        }
        shown.push(plain(&notice.head));
        shown.extend(
            lines(notice)
                .iter()
                .map(|line| format!("  {}", plain(line))),
        );
        shown.extend(notice.next.iter().map(|command| format!("  {command}")));
        shown
    });
    let more = words::more(job).into_iter();
    fit(all.chain(more.flat_map(|more| [String::new(), more])), MOST)
}

/// One line that says what the job is about.
#[must_use]
pub fn summary(job: &Job, most: usize) -> String {
    let notices = notices(job);
    let line = match notices.as_slice() {
        [one] if job.more.is_empty() => plain(&one.head),
        many => {
            let all = job
                .more
                .values()
                .fold(many.len() as u64, |sum, count| sum.saturating_add(*count));
            format!("{all} events of TPA")
        }
    };
    tpa_bus::text::one_line(&line, most)
}

/// What events of one story share, so that a pager shows them as one.
fn story(job: &Job) -> String {
    let grants: Vec<_> = job
        .events
        .iter()
        .map(|event| event.field("grant"))
        .collect();
    match grants.as_slice() {
        [grant] if !grant.is_empty() => format!("tpa-{}", tpa_bus::text::one_line(grant, 40)),
        _ => format!("tpa-{}", job.id),
    }
}

fn pagerduty(job: &Job, key: &str) -> Value {
    let loud = |name: &str| {
        matches!(
            name,
            "break-glass-used" | "exempt-login" | "chain-broken" | "removal-failed"
        )
    };
    let severity = if job.events.iter().any(|event| loud(event.name())) {
        "critical"
    } else if job.test {
        "info"
    } else {
        "warning"
    };
    json!({
        "routing_key": key, "event_action": "trigger", "dedup_key": story(job),
        "payload": {
            "summary": summary(job, SUMMARY), "source": job.host, "severity": severity,
            "component": "tpa", "custom_details": { "text": text(job) },
        },
    })
}

fn opsgenie(job: &Job) -> Value {
    json!({
        "message": summary(job, ALERT), "alias": story(job), "description": text(job),
        "source": job.host, "entity": "tpa", "tags": ["tpa"],
    })
}

/// The events as they are, for programs: what people typed is a JSON string there and nothing else.
fn webhook(job: &Job) -> Value {
    json!({
        "apiVersion": "tpa/v1", "kind": "Notice", "id": job.id, "host": job.host,
        "sent_at": job.sent_at, "test": job.test, "text": text(job),
        "events": job.events, "more": job.more,
    })
}

#[cfg(test)]
mod tests;
