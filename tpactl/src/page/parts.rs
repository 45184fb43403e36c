//! What both pages are made of.

use tpa_bus::access::{Approval, Event, Request};

use super::html::{Html, class, plain, table};
use super::story::field;
use crate::clock::Clock;
use crate::say::event::said;
use crate::say::time::{dated, rfc3339, short};

/// Nothing is fetched and nothing runs, whatever should come to stand in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole document.
pub fn document(title: &str, body: Html) -> String {
    let meta = |attributes| Html::empty("meta", attributes).then(Html::own("\n"));
    let head: Html = [
        meta(&[("charset", "utf-8")]),
        meta(&[
            ("http-equiv", "Content-Security-Policy"),
            ("content", POLICY),
        ]),
        meta(&[
            ("name", "viewport"),
            ("content", "width=device-width, initial-scale=1"),
        ]),
        meta(&[("name", "referrer"), ("content", "no-referrer")]),
        meta(&[("name", "color-scheme"), ("content", "light dark")]),
        plain("title", Html::text(title)),
        plain("style", Html::own(include_str!("style.css"))),
    ]
    .into_iter()
    .collect();
    let page = plain("head", head).then(plain("body", plain("main", body)));
    let page = Html::element("html", &[("lang", "en")], page);
    format!("<!DOCTYPE html>\n{}\n", page.as_str())
}

/// A section under its heading; none where there is nothing in it.
pub fn section(heading: &str, inside: Html) -> Html {
    if inside.is_empty() {
        return inside;
    }
    let heading = plain("h2", Html::text(heading));
    plain("section", heading.then(inside)).then(Html::own("\n"))
}

/// A paragraph of text.
pub fn paragraph(text: &str) -> Html {
    plain("p", Html::text(text))
}

/// What stands out: it begins with a sign, so that it does without colour.
pub fn alert(text: &str) -> Html {
    class("p", "alert", Html::text(&format!("! {text}")))
}

/// A table of at most so many rows; of how many it leaves out it says where they are.
pub fn bounded(
    label: &str,
    heading: &[&str],
    (rows, count): (impl Iterator<Item = Vec<Html>>, usize),
    most: usize,
    rest: &str,
) -> Html {
    let table = table(label, heading, rows.take(most));
    let left = count.saturating_sub(most);
    let note = (left > 0).then(|| {
        let text = format!("{left} more are in {rest}.");
        class("p", "note", Html::text(&text))
    });
    table
        .unwrap_or_else(|| paragraph("None."))
        .then(note.unwrap_or_default())
}

/// Names and what they stand for.
pub fn facts(facts: impl IntoIterator<Item = (&'static str, Option<Html>)>) -> Html {
    let one = |(name, value): (&'static str, Option<Html>)| {
        let value = value?;
        Some(plain("dt", Html::text(name)).then(plain("dd", value)))
    };
    plain("dl", facts.into_iter().filter_map(one).collect())
}

/// A list of texts; nothing where there are none.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> Option<Html> {
    let items = texts.into_iter();
    let items: Html = items.map(|text| plain("li", Html::command(text))).collect();
    (!items.is_empty()).then(|| plain("ul", items))
}

/// A moment on the reader's clock, and for programs in UTC.
pub fn time(at: i64, clock: &Clock) -> Html {
    let machine = rfc3339(at);
    let attributes = [("datetime", machine.as_str())];
    Html::element("time", &attributes, Html::text(&dated(at, clock)))
}

/// The same where it is known.
pub fn maybe_time(at: Option<i64>, clock: &Clock) -> Html {
    at.map_or_else(|| Html::text("-"), |at| time(at, clock))
}

/// A span of time, from one moment to another.
pub fn span(from: i64, until: i64) -> String {
    short(u64::try_from(until.saturating_sub(from)).unwrap_or(0))
}

/// A field of an event.
pub fn of(event: &Event, name: &str) -> Html {
    Html::command(field(event, name).unwrap_or("-"))
}

/// An event as a row: when, what it is, what it says.
pub fn row(event: &Event, clock: &Clock) -> Vec<Html> {
    vec![
        time(event.at, clock),
        Html::text(&event.event),
        Html::command(&said(event).join(", ")),
    ]
}

/// How an approver proved who they are.
pub fn proof(approval: &Approval) -> String {
    let how = match approval.proof.as_deref() {
        None => "not recorded",
        Some("session") => "by their login on the host",
        Some("key") => "signed with their SSH key",
        Some("touch") => "signed with their security key, touched",
        Some("pin") => "signed with their security key, touched, with its PIN or a finger",
        Some(other) => other,
    };
    match &approval.key {
        Some(key) => format!("{how}: {key}"),
        None => how.to_owned(),
    }
}

/// Who approved it, in one line.
pub fn approvers(request: &Request) -> String {
    let names: Vec<&str> = request
        .approvals
        .iter()
        .map(|one| one.by.as_str())
        .collect();
    match names.as_slice() {
        [] if request.break_glass => "nobody: break-glass".to_owned(),
        [] if request.decided_by.as_deref() == Some("auto") => "the role itself".to_owned(),
        [] => "-".to_owned(),
        names => names.join(", "),
    }
}

/// Where the page comes from, and how it is checked.
pub fn footer(host: &str, last: Option<&Event>, clock: &Clock) -> Html {
    let made = format!("Made on {host} by tpactl {}, ", env!("CARGO_PKG_VERSION"));
    let made = plain("p", Html::text(&made).then(time(clock.now, clock)));
    let chain = last.map(|last| {
        let text = format!(
            "Its last event is number {} of the audit chain, with the hash {}. On the host, tpactl verify \
             checks the chain, and tpactl log shows each event with its hash.",
            last.seq, last.hash
        );
        paragraph(&text)
    });
    plain("footer", made.then(chain.unwrap_or_default()))
}
