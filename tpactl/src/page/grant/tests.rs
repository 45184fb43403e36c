//! The page as it was looked at and found good, and that nothing anybody typed becomes markup in it.

use std::time::Duration;

use tpa_bus::access::{OneCommand, Recording, Warning};

use super::*;
use crate::clock::fixed;
use crate::page::story::tests::event;
use crate::sample;

/// What people could type, and what the page must never have of it.
const HOSTILE: &str = "</pre></style></title><script>alert(1)</script><img src=x onerror=alert(1)>\" onload=\"x\u{202e}\u{3164}\x1b[2J\n'&lt;";

fn replay(text: &[&str]) -> Replay {
    Replay {
        recording: Recording {
            name: "alice-00/00/01".into(),
            command: "/usr/bin/systemctl restart nginx".into(),
            target: "root".into(),
            started_at: fixed().now,
            bytes: 40,
            ..Recording::default()
        },
        length: Duration::from_secs(75),
        text: Ok(text.iter().map(|line| (*line).to_owned()).collect()),
        cut: false,
    }
}

fn story() -> Vec<Event> {
    vec![
        event(
            0,
            "approval-recorded",
            &[("actor", "carol"), ("proof", "touch"), ("touched", "true")],
        ),
        event(
            0,
            "grant-activated",
            &[("not_after", "2026-11-24T15:30:00Z")],
        ),
        event(
            300,
            "session-opened",
            &[
                ("pid", "7"),
                ("service", "sshd"),
                ("tty", "pts/0"),
                ("rhost", "192.0.2.7"),
            ],
        ),
        event(
            900,
            "sudo-opened",
            &[
                ("pid", "8"),
                ("service", "sudo"),
                ("target", "root"),
                ("command", "sudo systemctl restart nginx"),
            ],
        ),
        event(930, "sudo-closed", &[("pid", "8")]),
        event(
            1_200,
            "decision-refused",
            &[
                ("actor", "mallory"),
                ("why", "not-allowed"),
                ("outcome", "failure"),
            ],
        ),
        event(3_600, "grant-revoked", &[("why", "done")]),
        event(3_600, "session-killed", &[("pid", "7")]),
        event(
            3_601,
            "removal-confirmed",
            &[
                ("killed", "2"),
                ("survivors", "0"),
                ("looked_at", "its control groups"),
            ],
        ),
    ]
}

fn revoked() -> Request {
    let mut request = sample::ended("revoked");
    request.ended_at = request.not_before.map(|from| from + 3_600);
    request.end_reason = Some("revoked by dave: done".into());
    request.approvals[0].proof = Some("touch".into());
    request.approvals[0].key = Some("SHA256:abc".into());
    request
}

fn good() -> String {
    let replays = Some(Ok(vec![replay(&["$ systemctl restart nginx", "done"])]));
    page(&revoked(), &story(), replays, "web-01", &fixed())
}

/// With `GOLDEN=renew` in the environment the files are written anew: look at them in a browser, light,
/// dark, narrow and printed, before they are kept.
#[test]
fn the_pages_are_as_they_were_found_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/page/golden");
    let mut glass = sample::ended("expired");
    glass.break_glass = true;
    glass.review_due = Some(true);
    glass.approvals.clear();
    let requests = [revoked(), glass, sample::pending()];
    let month = crate::page::month(&requests, &story(), (0, None), "web-01", &fixed());
    for (name, page) in [("grant", good()), ("month", month)] {
        let file = format!("{folder}/{name}.html");
        if std::env::var_os("GOLDEN").is_some_and(|word| word == "renew") {
            std::fs::write(&file, &page).unwrap();
        }
        assert_eq!(page, std::fs::read_to_string(&file).unwrap(), "{name}");
    }
}

#[test]
fn it_tells_who_approved_and_how_what_ran_and_what_was_left() {
    let page = good();
    for part in [
        "signed with their security key, touched: SHA256:abc",
        "1h, of 2h",
        "ended with the access",
        "sudo systemctl restart nginx",
        "No process is left; 2 killed. Looked at: its control groups.",
        "! 1 event in the trail stands out.",
        "revoked by dave: done",
        "$ systemctl restart nginx\ndone",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
}

#[test]
fn what_was_not_proven_gone_is_said_first() {
    let mut events = story();
    events.pop();
    let page_of = |events: &[Event]| page(&revoked(), events, None, "web-01", &fixed());
    assert!(page_of(&events).contains("! That nothing is left has not been confirmed."));
    let left = [
        ("survivors", "1"),
        ("survived", "pid 9 sleep"),
        ("killed", "1"),
        ("outcome", "failure"),
    ];
    events.push(event(3_601, "removal-failed", &left));
    assert!(page_of(&events).contains("! Processes left: 1 (pid 9 sleep); 1 killed."));
    let active = page(&sample::active(), &[], None, "web-01", &fixed());
    assert!(active.contains("access has not ended"), "{active}");
    let pending = page(&sample::pending(), &[], None, "web-01", &fixed());
    assert!(pending.contains("Access never began."), "{pending}");
}

/// The names of all elements of a page.
fn elements(page: &str) -> std::collections::BTreeSet<&str> {
    let parts = page.split('<').skip(1);
    parts
        .map(|part| {
            part.split([' ', '>', '/', '\n'])
                .find(|name| !name.is_empty())
                .unwrap_or("")
        })
        .collect()
}

/// A request in which every text is hostile.
fn hostile() -> Request {
    let text = || HOSTILE.to_owned();
    let mut request = revoked();
    request.break_glass = true;
    request.review_due = Some(true);
    request.user = text();
    request.role = text();
    request.reason = text();
    request.ticket = Some(text());
    request.requested_by = text();
    request.approvers = vec![text()];
    request.decided_by = Some(text());
    request.decision_reason = Some(text());
    request.end_reason = Some(text());
    request.extends = Some(text());
    request.gives = vec![text()];
    request.goes_on = Some(text());
    request.tidies = Some(text());
    request.rules_rejected = Some(text());
    request.warnings = Some(vec![Warning {
        rule: text(),
        kind: text(),
        message: text(),
        next: text(),
    }]);
    let approval = &mut request.approvals[0];
    approval.by = text();
    approval.comment = Some(text());
    approval.proof = Some(text());
    approval.key = Some(text());
    request.command = Some(OneCommand {
        argv: vec![text()],
        line: text(),
        run_as: text(),
        directory: text(),
        program: text(),
        sha256: text(),
        ..OneCommand::default()
    });
    request
}

#[test]
fn nothing_that_anybody_typed_becomes_a_tag_an_attribute_or_a_turn() {
    let mut events = story();
    for event in &mut events {
        for (name, value) in &mut event.fields {
            if name != "pid" {
                *value = HOSTILE.to_owned();
            }
        }
        event.fields.insert("unusual".into(), HOSTILE.into());
        event.hash = HOSTILE.into();
    }
    let mut replay = replay(&[HOSTILE]);
    let one = &mut replay.recording;
    (one.name, one.command, one.target) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    let mut silent = self::replay(&[]);
    silent.text = Err(HOSTILE.into());
    let good = good();
    let known = elements(&good);
    let replays = Some(Ok(vec![replay, silent]));
    let grant = page(&hostile(), &events, replays, HOSTILE, &fixed());
    let month = crate::page::month(&[hostile()], &events, (0, None), HOSTILE, &fixed());
    for page in [&grant, &month] {
        // Elements of a break-glass grant, lists and totals beside those of the good one.
        let mut found = elements(page);
        found.retain(|name| !known.contains(name) && !known.contains(name.trim_start_matches('/')));
        let more: Vec<&str> = found.into_iter().collect();
        assert!(
            more.iter()
                .all(|name| ["b", "strong", "ul", "li"].contains(name)),
            "{more:?}"
        );
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
        assert!(!page.contains("\" onload="), "{page}");
        let seen = |c: char| c == '\n' || !tpa_bus::text::is_unsafe(c);
        assert!(page.chars().all(seen), "{page}");
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(
            page.matches("</title>").count(),
            page.matches("<title>").count()
        );
    }
    assert!(grant.contains("&lt;script&gt;alert(1)"), "{grant}");
}

#[test]
fn what_is_left_out_or_cannot_be_read_is_said() {
    let page_of = |replays| page(&revoked(), &story(), replays, "web-01", &fixed());
    assert!(page_of(None).contains("tpactl replay 7H2KM4QX --list"));
    let why = Err("the disk is gone".to_owned());
    assert!(page_of(Some(why)).contains("! It cannot be read here: the disk is gone"));
    let mut cut = replay(&["begin"]);
    cut.cut = true;
    let cut = page_of(Some(Ok(vec![cut])));
    assert!(
        cut.contains("There is more of it: tpactl replay 7H2KM4QX alice-00/00/01"),
        "{cut}"
    );
}
