//! The page of a time, such as a month: what stands out first, then what there was by person and by
//! role, then every request.

use std::collections::BTreeMap;

use tpa_bus::access::{Event, Request};

use super::html::{Html, class, plain, table};
use super::parts::{
    approvers, bounded, document, footer, maybe_time, of, paragraph, proof, section, time,
};
use super::story::field;
use crate::clock::Clock;
use crate::say;
use crate::say::event::said;
use crate::say::request::{lasted, review_due, state};
use crate::say::time::{dated, short};

/// The same again within so many seconds is one row.
const IN_A_ROW_S: i64 = 3_600;

/// Most rows of one table.
const ROWS: usize = 5_000;

/// The page.
pub fn page(
    requests: &[Request],
    exceptions: &[Event],
    (since, until): (i64, Option<i64>),
    host: &str,
    clock: &Clock,
) -> String {
    let shown = |at| dated(at, clock);
    let until = until.map_or_else(|| "now".to_owned(), shown);
    let title = format!("Access on {host}");
    let span = format!(
        "Asked for since {}, until {until}; as of {}.",
        shown(since),
        shown(clock.now)
    );
    let body: Html = [
        plain("h1", Html::text(&title)),
        paragraph(&span),
        totals(requests, exceptions, clock),
        section("Exceptions", stands_out(requests, exceptions, clock)),
        section(
            "By person",
            sums("Person", requests, |one| &one.user, clock),
        ),
        section("By role", sums("Role", requests, |one| &one.role, clock)),
        section("Requests", all(requests, clock)),
        footer(host, None, clock),
    ]
    .into_iter()
    .collect();
    document(&format!("{title}, {} to {until}", shown(since)), body)
}

/// Seconds that access was on, up to now.
fn held(request: &Request, clock: &Clock) -> u64 {
    let on = request.state == "active";
    let so_far = request
        .not_before
        .filter(|_| on)
        .map(|from| u64::try_from(clock.now.saturating_sub(from)).unwrap_or(0));
    lasted(request).or(so_far).unwrap_or(0)
}

/// Whether access was on at some time.
fn was_on(request: &Request) -> bool {
    request.state == "active" || lasted(request).is_some()
}

/// Of which event it tells, and how often it happened.
fn what(event: &Event) -> (&str, u64) {
    let count = field(event, "count").and_then(|count| count.parse().ok());
    match field(event, "of") {
        Some(of) => (of, count.unwrap_or(1)),
        None => (event.event.as_str(), 1),
    }
}

fn totals(requests: &[Request], exceptions: &[Event], clock: &Clock) -> Html {
    let count = |holds: &dyn Fn(&Request) -> bool| {
        let number = requests.iter().filter(|one| holds(one)).count();
        number.to_string()
    };
    let events = |name: &str| {
        let told = exceptions.iter().map(what);
        let of = told.filter(|(event, _)| *event == name);
        let sum = of.fold(0, |sum: u64, (_, count)| sum.saturating_add(count));
        sum.to_string()
    };
    let time = requests.iter().map(|one| held(one, clock));
    let time = short(time.fold(0, u64::saturating_add));
    let in_state = |word: &'static str| count(&move |one| one.state == word);
    let totals = [
        ("requests", count(&|_| true)),
        ("with access", count(&was_on)),
        ("time of access", time),
        ("denied", in_state("denied")),
        ("lapsed", in_state("lapsed")),
        ("revoked", in_state("revoked")),
        ("break-glass", count(&|one| one.break_glass)),
        ("not reviewed", count(&review_due)),
        ("refused logins", events("login-denied")),
        ("refused decisions", events("decision-refused")),
        ("removals that failed", events("removal-failed")),
        ("exempt logins", events("exempt-login")),
    ];
    let one = |(name, number): (&str, String)| {
        plain("li", plain("b", Html::text(&number)).then(Html::text(name)))
    };
    class("ul", "totals", totals.into_iter().map(one).collect())
}

/// Exceptions that are the same and follow each other, as one.
#[derive(Debug, PartialEq, Eq)]
struct Folded<'a> {
    /// The first of them.
    event: &'a Event,
    /// How many.
    count: u64,
    /// Where the first and the last stand in time.
    first: i64,
    last: i64,
}

/// What makes two exceptions the same.
const SAME: [&str; 7] = [
    "grant", "user", "service", "rhost", "decision", "why", "actor",
];

fn fold<'a>(events: &'a [Event]) -> Vec<Folded<'a>> {
    let mut folded: Vec<Folded<'a>> = Vec::new();
    let mut last: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for event in events {
        let (name, count) = what(event);
        // What was counted rather than told one by one does not say from where.
        let fields = SAME.iter().filter(|key| **key != "rhost");
        let fields = fields.map(|key| field(event, key).unwrap_or_default());
        let key: Vec<&str> = std::iter::once(name).chain(fields).collect();
        let before = last.get(&key).and_then(|place| folded.get_mut(*place));
        match before {
            Some(row) if event.at.saturating_sub(row.last) <= IN_A_ROW_S => {
                row.count = row.count.saturating_add(count);
                row.last = event.at;
                // Shown is the one that stands out, as the third refusal in a row does.
                if field(event, "unusual").is_some() {
                    row.event = event;
                }
            }
            _ => {
                last.insert(key, folded.len());
                folded.push(Folded {
                    event,
                    count,
                    first: event.at,
                    last: event.at,
                });
            }
        }
    }
    folded
}

/// How grave an exception is: those that are dealt with first come first.
fn rank(event: &Event) -> u8 {
    match what(event).0 {
        "break-glass-used" => 0,
        "removal-failed" | "chain-broken" => 1,
        "clock-jump" | "host-drift" => 2,
        "exempt-login" => 3,
        _ => 4,
    }
}

fn stands_out(requests: &[Request], exceptions: &[Event], clock: &Clock) -> Html {
    let unreviewed = requests.iter().filter(|one| review_due(one)).map(|one| {
        vec![
            maybe_time(one.not_before, clock),
            plain("strong", Html::text("! break-glass, not reviewed")),
            Html::text("1"),
            Html::text(&say::id(&one.id)),
            Html::text(&format!("{}, {}: {}", one.user, one.role, one.reason)),
        ]
    });
    let mut folded = fold(exceptions);
    folded.sort_by_key(|row| (rank(row.event), row.first));
    let rows = folded.iter().map(|row| {
        let event = row.event;
        let mut when = time(row.first, clock);
        if row.last != row.first {
            let last = time(row.last, clock);
            when = when.then(Html::own(" to ")).then(last);
        }
        vec![
            when,
            Html::text(what(event).0),
            Html::text(&row.count.to_string()),
            of(event, "grant"),
            Html::command(&said(event).join(", ")),
        ]
    });
    let heading = ["When", "What", "Times", "Grant", "What it says"];
    let count = folded.len().saturating_add(unreviewed.clone().count());
    let rows = (unreviewed.chain(rows), count);
    bounded("Exceptions", &heading, rows, ROWS, "tpactl log")
}

/// What there was of each.
#[derive(Default)]
struct Sum {
    requests: u64,
    with_access: u64,
    seconds: u64,
    denied: u64,
    break_glass: u64,
    unreviewed: u64,
}

fn sums<'a>(
    name: &str,
    requests: &'a [Request],
    by: impl Fn(&'a Request) -> &'a String,
    clock: &Clock,
) -> Html {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for request in requests {
        let sum = sums.entry(by(request)).or_default();
        let add = |to: &mut u64, holds: bool| *to = to.saturating_add(u64::from(holds));
        add(&mut sum.requests, true);
        add(&mut sum.with_access, was_on(request));
        add(&mut sum.denied, request.state == "denied");
        add(&mut sum.break_glass, request.break_glass);
        add(&mut sum.unreviewed, review_due(request));
        sum.seconds = sum.seconds.saturating_add(held(request, clock));
    }
    let number = |number: u64| Html::text(&number.to_string());
    let rows = sums.into_iter().map(|(name, sum)| {
        vec![
            Html::text(name),
            number(sum.requests),
            number(sum.with_access),
            Html::text(&short(sum.seconds)),
            number(sum.denied),
            number(sum.break_glass),
            number(sum.unreviewed),
        ]
    });
    let heading = [
        name,
        "Requests",
        "With access",
        "Time of access",
        "Denied",
        "Break-glass",
        "Not reviewed",
    ];
    table(name, &heading, rows).unwrap_or_else(|| paragraph("None."))
}

fn all(requests: &[Request], clock: &Clock) -> Html {
    let rows = requests.iter().map(|one| {
        let proofs: Vec<String> = one.approvals.iter().map(proof).collect();
        let mut by = Html::text(&approvers(one));
        if !proofs.is_empty() {
            by = by.then(Html::text(&format!(" ({})", proofs.join("; "))));
        }
        let why = match &one.ticket {
            Some(ticket) => format!("{ticket}: {}", one.reason),
            None => one.reason.clone(),
        };
        let length = lasted(one).map_or_else(|| "-".to_owned(), short);
        vec![
            Html::text(&say::id(&one.id)),
            Html::text(&state(one)),
            Html::text(&one.user),
            Html::text(&one.role),
            time(one.requested_at, clock),
            by,
            maybe_time(one.not_before, clock),
            maybe_time(one.ended_at.or(one.not_after), clock),
            Html::text(&length),
            Html::text(&why),
        ]
    });
    let heading = [
        "Id",
        "State",
        "Person",
        "Role",
        "Asked",
        "Approved by",
        "From",
        "Until",
        "Lasted",
        "Why",
    ];
    let rows = (rows, requests.len());
    bounded("Requests", &heading, rows, ROWS, "tpactl ls")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::page::story::tests::event;
    use crate::sample;

    fn denied(after: i64, user: &str) -> Event {
        event(
            after,
            "login-denied",
            &[("user", user), ("why", "no-grant"), ("service", "sshd")],
        )
    }

    #[test]
    fn refused_in_a_row_is_one_row_with_its_count() {
        let again = [
            ("of", "login-denied"),
            ("count", "40"),
            ("user", "mallory"),
            ("why", "no-grant"),
            ("service", "sshd"),
        ];
        let events = [
            denied(0, "mallory"),
            denied(5, "bob"),
            denied(10, "mallory"),
            event(60, "repeated", &again),
            denied(9_000, "mallory"),
        ];
        let folded = fold(&events);
        let counts: Vec<u64> = folded.iter().map(|row| row.count).collect();
        assert_eq!(counts, [42, 1, 1]);
        assert_eq!(folded[0].last - folded[0].first, 60);
        let page = page(&[], &events, (0, None), "web-01", &fixed());
        assert!(page.contains("<b>44</b>refused logins"), "{page}");
    }

    #[test]
    fn what_is_not_reviewed_comes_first_then_what_failed() {
        let mut glass = sample::ended("expired");
        glass.break_glass = true;
        glass.review_due = Some(true);
        glass.approvals.clear();
        let events = [
            denied(0, "bob"),
            event(1, "removal-failed", &[("survived", "pid 7")]),
            event(2, "break-glass-used", &[]),
        ];
        let requests = [glass, sample::pending()];
        let page = page(&requests, &events, (0, None), "web-01", &fixed());
        let mut rest = page.as_str();
        for part in [
            "! break-glass, not reviewed",
            "break-glass-used",
            "removal-failed",
            "login-denied",
            "By person",
            "<td>2h</td>",
            "By role",
            "Requests",
            "nobody: break-glass",
        ] {
            // The totals stand before all of it.
            let from = rest.find("<h2>Exceptions").unwrap_or(0);
            let at = rest[from..]
                .find(part)
                .unwrap_or_else(|| panic!("{part} in {page}"));
            rest = &rest[from + at + part.len()..];
        }
    }
}
