//! The screens as they were looked at and found good, on a terminal of 80 columns. With
//! `GOLDEN=renew` in the environment the files are written anew: look at the difference before
//! it is kept.

use tpa_bus::access::{Event, Role};
use unicode_width::UnicodeWidthStr;

use super::{Daemon, fixed, run, sample};
use crate::say::table::wrap;

/// Compares what a command shows with its file; no row is wider than the terminal.
fn golden(name: &str, shown: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/golden");
    let file = format!("{folder}/{name}.txt");
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "renew") {
        std::fs::write(&file, shown).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(shown, kept, "{name}");
}

fn narrow(shown: &str) {
    for row in shown.lines() {
        assert!(row.width() <= 80, "wider than the terminal: {row}");
    }
}

/// A host on which something of everything is going on.
fn daemon() -> Daemon {
    let daemon = Daemon::default();
    let mut glass = sample::ended("expired");
    glass.id = "M0RNW4TE".into();
    glass.role = "emergency".into();
    glass.break_glass = true;
    glass.review_due = Some(true);
    glass.ended_at = Some(fixed().now - 7_200);
    daemon.state().requests = vec![sample::active(), sample::pending(), glass];
    daemon.state().roles = vec![Role {
        name: "web-ops".into(),
        description: "Restart and reconfigure the web tier".into(),
        default_s: 3_600,
        max_s: 14_400,
        lapse_s: 3_600,
        reason_min: 10,
        ticket_required: true,
        ticket_pattern: Some("OPS-[0-9]+".into()),
        approvers: vec!["@oncall".into(), "carol".into()],
        needed: 1,
        gives: sample::active().gives,
        record: true,
        ..Role::default()
    }];
    daemon.state().events = [
        ("request-created", "actor", "alice", -120),
        ("approval-recorded", "actor", "carol", -60),
        ("login-allowed", "rhost", "192.0.2.7", -30),
        ("sudo-opened", "target", "root", -10),
    ]
    .into_iter()
    .zip(1..)
    .map(|((event, key, value, ago), seq)| Event {
        seq,
        at: fixed().now + ago,
        event: event.into(),
        line: format!("{event} grant=7H2KM4QX {key}={value}"),
        fields: [(key.to_owned(), value.to_owned())].into(),
        ..Event::default()
    })
    .collect();
    daemon
}

#[test]
fn every_screen_is_as_it_was_found_good() {
    for (name, line, answers) in [
        ("ls", "tpactl ls", None),
        ("show", "tpactl show 7H2K", None),
        ("status", "tpactl status", None),
        ("roles", "tpactl roles", None),
        ("sessions", "tpactl sessions", None),
        ("approve", "tpactl approve K0000001", Some("n\n")),
        (
            "request",
            "tpactl request --no-wait",
            Some("9h\n\nshort\nnginx hangs again\nOPS-4821\n"),
        ),
        ("report", "tpactl report 7H2K", None),
    ] {
        let came = run(&daemon(), line, answers);
        golden(name, &format!("{}{}", came.err, came.out));
    }
}

#[test]
fn what_is_waited_for_fits_the_terminal() {
    let said = crate::say::request::waiting(&sample::pending(), &fixed());
    let shown = wrap(&said, 2, Some(80)).join("\n") + "\n";
    narrow(&shown);
    golden("waiting", &shown);
}

#[test]
fn tables_and_findings_fit_the_terminal() {
    for line in ["tpactl ls", "tpactl sessions"] {
        narrow(&run(&daemon(), line, None).out);
    }
    let findings = crate::doctor::fake::broken();
    let shown = crate::verbs::doctor::lines(&findings, &findings, Some(80)).join("\n") + "\n";
    narrow(&shown);
    golden("doctor", &shown);
}
