//! Whole commands against a `tpad` of the tests: what is printed, and the exit code.

pub mod daemon;
mod golden;
mod page;
mod player;
mod restart;
mod statement;

pub use statement::desk::Desk;

use std::os::unix::net::UnixStream;

use clap::Parser;
use futures_lite::future;
use tpa_bus::access::{Event, Request, Role, Verification};
use tpa_bus::error::Refusal;
use zbus::connection::Builder;

use crate::bus::Client;
use crate::cli::Cli;
use crate::clock::fixed;
use crate::context::Context;
use crate::fail::Exit;
use crate::sample;
use crate::screen::fake::screen;
use daemon::{Daemon, Looks};

/// What came of a command.
#[derive(Debug)]
struct Came {
    exit: Exit,
    out: String,
    err: String,
}

/// Runs a command at a terminal where `answers` are typed, or without a terminal.
async fn command(daemon: &Daemon, line: &str, answers: Option<&'static str>) -> Came {
    let (here, there) = UnixStream::pair().unwrap();
    let client = Client::over(Builder::unix_stream(here).p2p());
    let (client, _server) = future::zip(client, daemon.serve(there)).await;
    let (screen, out, err) = screen(answers);
    let context = Context {
        screen,
        clock: fixed(),
        connected: Some(client.unwrap()),
        host: "web-01".into(),
        outside: false,
    };
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let ended = crate::run(cli.verb, &context).await;
    let exit = crate::finish(ended, &context);
    Came {
        exit,
        out: anstream::adapter::strip_str(&out.text()).to_string(),
        err: anstream::adapter::strip_str(&err.text()).to_string(),
    }
}

fn run(daemon: &Daemon, line: &str, answers: Option<&'static str>) -> Came {
    zruntime::block_on(command(daemon, line, answers))
}

fn json(came: &Came) -> serde_json::Value {
    serde_json::from_str(&came.out).unwrap()
}

#[test]
fn a_request_without_a_terminal_does_not_wait() {
    let daemon = Daemon::default();
    let line = "tpactl request web-ops --for 2h --reason Restart --ticket OPS-1 --at 22:00";
    let came = run(&daemon, line, None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(
        came.out
            .starts_with("K0000001 is pending and waits for approval"),
        "{}",
        came.out
    );
    let new = daemon.state().filed.clone().unwrap();
    assert_eq!(
        (new.role.as_str(), new.duration_s),
        ("web-ops", Some(7_200))
    );
    assert_eq!(new.at, Some(fixed().now + 7 * 3_600 + 29 * 60));
}

fn web_ops() -> Role {
    Role {
        name: "web-ops".into(),
        description: "Restart the web tier".into(),
        default_s: 3_600,
        max_s: 14_400,
        ticket_required: true,
        ..Role::default()
    }
}

#[test]
fn at_a_terminal_a_bare_request_asks_and_shows_the_line_that_says_the_same() {
    let daemon = Daemon::default();
    daemon.state().roles = vec![web_ops()];
    let typed = "2h\nnginx hangs\nOPS-1\n";
    let came = run(&daemon, "tpactl request --no-wait --at 22:00", Some(typed));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    let line = "In one line: tpactl request web-ops --for 2h --reason 'nginx hangs' \
                --ticket OPS-1 --at 22:00 --no-wait\n";
    assert!(came.err.ends_with(line), "{}", came.err);
    let new = daemon.state().filed.clone().unwrap();
    assert_eq!(
        (new.role.as_str(), new.duration_s, new.reason.as_str()),
        ("web-ops", Some(7_200), "nginx hangs")
    );
    assert_eq!(new.ticket.as_deref(), Some("OPS-1"));
}

#[test]
fn a_line_that_says_all_is_asked_nothing_and_one_without_the_ticket_only_what_it_lacks() {
    let daemon = Daemon::default();
    daemon.state().roles = vec![Role {
        ticket_required: false,
        ..web_ops()
    }];
    let line = "tpactl request web-ops --reason Restart --no-wait";
    let came = run(&daemon, line, Some(""));
    assert_eq!((came.exit, came.err.as_str()), (Exit::Done, ""));
    daemon.state().roles = vec![web_ops()];
    let came = run(&daemon, &format!("{line} --for 1h"), Some("OPS-1\n"));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(
        came.err.starts_with("Ticket: In one line: "),
        "{}",
        came.err
    );
}

#[test]
fn questions_that_are_left_file_nothing() {
    let daemon = Daemon::default();
    daemon.state().roles = vec![web_ops()];
    for typed in ["", "2h\n", "2h\nnginx hangs\n", "2h\nnginx hangs\nOPS-1"] {
        let came = run(&daemon, "tpactl request", Some(typed));
        assert_eq!(came.exit, Exit::Failure, "{came:?}");
        assert!(daemon.state().filed.is_none(), "{typed:?}");
    }
}

#[test]
fn a_request_that_nobody_can_be_asked_about_is_2_and_says_what_it_lacks() {
    let daemon = Daemon::default();
    for (line, typed, lacks) in [
        ("tpactl request", None, "ROLE and --reason TEXT"),
        ("tpactl request web-ops", None, "--reason TEXT"),
        ("tpactl request --reason Restart", None, "ROLE"),
        (
            "tpactl request web-ops --json",
            Some("x\n"),
            "--reason TEXT",
        ),
        ("tpactl request web-ops --yes", Some("x\n"), "--reason TEXT"),
        (
            "tpactl request web-ops -o csv",
            Some("x\n"),
            "--reason TEXT",
        ),
        (
            "tpactl request web-ops --user bob",
            Some("x\n"),
            "--reason TEXT",
        ),
    ] {
        let came = run(&daemon, line, typed);
        assert_eq!(came.exit, Exit::Usage, "{line}");
        let error = format!("error: tpactl request needs {lacks}\n  next: ");
        assert!(came.err.starts_with(&error), "{}", came.err);
    }
    assert_eq!(daemon.state().calls, 0);
}

#[test]
fn a_decision_that_comes_before_the_answer_is_read_is_not_missed() {
    let daemon = Daemon::default();
    // Decided within the call: the signal is sent before the answer, which still says pending.
    daemon.state().decided_at_once = Some("active".into());
    let came = run(
        &daemon,
        "tpactl request web-ops --for 2h --reason Restart --wait",
        None,
    );
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(
        came.err
            .contains("waits for approval (0 of 2) by @oncall, carol"),
        "{}",
        came.err
    );
    assert!(came.out.contains("is active"), "{}", came.out);
}

#[test]
fn a_denied_request_ends_the_wait_with_5() {
    let daemon = Daemon::default();
    daemon.state().decided_at_once = Some("denied".into());
    let came = run(
        &daemon,
        "tpactl request web-ops --for 2h --reason Restart",
        Some(""),
    );
    assert_eq!(
        came.exit,
        Exit::Declined,
        "at a terminal it waits: {came:?}"
    );
}

#[test]
fn a_wait_that_runs_out_is_3_and_zero_is_zero() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::pending()];
    let came = run(&daemon, "tpactl wait K0 --for approved --timeout 0s", None);
    assert_eq!(came.exit, Exit::Pending, "{came:?}");
    assert!(
        came.err
            .contains("error: K0000001 is still pending after 0s"),
        "{}",
        came.err
    );
    let came = run(
        &daemon,
        "tpactl wait K0 --for approved --timeout 0s --json",
        None,
    );
    assert_eq!(json(&came)["state"], "pending");
}

#[test]
fn every_refusal_comes_through_with_its_code_and_its_next_step() {
    for (refusal, exit) in [
        (
            Refusal::Invalid("no role x\ntpactl roles".into()),
            Exit::Usage,
        ),
        (
            Refusal::NotPermitted("not yours\nask carol".into()),
            Exit::NotPermitted,
        ),
        (
            Refusal::UnknownId("no request 7H2KM4QX".into()),
            Exit::UnknownId,
        ),
        (Refusal::NoChange("already denied".into()), Exit::NoChange),
        (Refusal::Failed("disk full".into()), Exit::Failure),
    ] {
        let daemon = Daemon::default();
        daemon.state().refusal = Some(refusal.clone());
        for line in [
            "tpactl withdraw 7H2KM4QX",
            "tpactl deny 7H2KM4QX --reason no",
            "tpactl show 7H",
        ] {
            let came = run(&daemon, line, None);
            assert_eq!(came.exit, exit, "{line}: {came:?}");
            let text = refusal.to_string().replace('\n', "\n  next: ");
            assert_eq!(
                (came.out.as_str(), came.err),
                ("", format!("error: {text}\n")),
                "{line}"
            );
        }
    }
}

#[test]
fn an_approval_is_asked_for_and_a_no_changes_nothing() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::pending()];
    let came = run(&daemon, "tpactl approve K0000001", Some("n\n"));
    assert_eq!(came.exit, Exit::Failure, "{came:?}");
    assert!(
        came.err.contains("bob asks for 1h of db-admin"),
        "{}",
        came.err
    );
    assert_eq!(daemon.request("K0000001").state, "pending");
    let came = run(&daemon, "tpactl approve K0000001", Some("y\n"));
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert_eq!(daemon.request("K0000001").state, "active");
}

#[test]
fn without_a_terminal_what_asks_fails_with_2_and_yes_goes_on() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::pending()];
    for line in [
        "tpactl approve",
        "tpactl review",
        "tpactl approve K0",
        "tpactl revoke --all --reason x",
        "tpactl end",
    ] {
        let came = run(&daemon, line, None);
        assert_eq!(came.exit, Exit::Usage, "{line}: {came:?}");
    }
    assert_eq!(daemon.state().calls, 0, "nothing was asked of tpad");
    let came = run(&daemon, "tpactl approve K0 --yes --json", None);
    assert_eq!(
        (came.exit, &json(&came)["state"]),
        (Exit::Done, &"active".into())
    );
}

#[test]
fn one_id_that_is_refused_does_not_stop_the_others() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::pending()];
    let came = run(
        &daemon,
        "tpactl deny 00000000 K0000001 --reason no --json",
        None,
    );
    assert_eq!(came.exit, Exit::UnknownId);
    assert_eq!(json(&came)["items"][0]["id"], "K0000001");
    assert_eq!(daemon.request("K0000001").state, "denied");
    assert_eq!(daemon.state().said.as_deref(), Some("no"));
}

#[test]
fn revoking_shows_what_ends_asks_and_says_when_there_is_nothing() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::active(), sample::pending()];
    let came = run(
        &daemon,
        "tpactl revoke --user alice --reason over",
        Some("y\n"),
    );
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(came.err.contains("Revoke 1 grant now?"), "{}", came.err);
    assert_eq!(daemon.request("7H2KM4QX").state, "revoked");
    let came = run(&daemon, "tpactl revoke --all --reason over --yes", None);
    assert_eq!(came.exit, Exit::NoChange, "{came:?}");
}

#[test]
fn what_was_approved_and_not_used_yet_is_revoked_too_and_an_extension_is_not_shown_with_it() {
    let daemon = Daemon::default();
    let extension = Request {
        id: "EXTENS10".into(),
        state: "approved".into(),
        extends: Some("7H2KM4QX".into()),
        ..sample::active()
    };
    daemon.state().requests = vec![sample::active(), sample::unused(), extension];
    let came = run(&daemon, "tpactl revoke --all --reason over", Some("n\n"));
    assert!(came.err.contains("Revoke 2 grants now?"), "{}", came.err);
    assert!(came.err.contains("K0000001  approved"), "{}", came.err);
}

#[test]
fn a_wait_for_access_goes_on_until_an_approved_grant_is_used() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::unused()];
    let came = run(&daemon, "tpactl wait K0 --for active --timeout 0s", None);
    assert_eq!(came.exit, Exit::Pending, "{came:?}");
    assert!(
        came.err.contains("K0000001 is still approved after 0s"),
        "{}",
        came.err
    );
    let came = run(&daemon, "tpactl wait K0 --for approved", None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert!(
        came.out.contains("starts at first use, within "),
        "{}",
        came.out
    );
}

#[test]
fn lists_and_pages_come_as_words_and_as_json() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::active(), sample::pending()];
    let came = run(&daemon, "tpactl ls", None);
    assert_eq!(came.out.lines().count(), 3, "{}", came.out);
    let came = run(&daemon, "tpactl ls --json --state pending", None);
    assert_eq!(json(&came)["items"][0]["id"], "K0000001");
    assert_eq!(json(&came)["items"].as_array().map(Vec::len), Some(1));
    let came = run(&daemon, "tpactl show 7h2k", None);
    assert!(
        came.out.contains("for         alice (uid 1001)"),
        "{}",
        came.out
    );
    let came = run(&daemon, "tpactl status --json", None);
    assert_eq!(json(&came)["kind"], "RequestList");
    let came = run(&daemon, "tpactl sessions 7H2KM4QX", None);
    assert!(came.out.contains("192.0.2.7"), "{}", came.out);
    let came = run(&daemon, "tpactl roles", None);
    assert_eq!((came.exit, came.out.as_str()), (Exit::Done, ""));
    assert!(came.err.contains("no role that you may ask for"));
}

fn events(number: u64) -> Vec<Event> {
    (1..=number)
        .map(|seq| Event {
            seq,
            at: fixed().now,
            event: "login-denied".into(),
            line: format!("login-denied seq={seq}"),
            ..Event::default()
        })
        .collect()
}

#[test]
fn the_trail_is_read_to_its_end_page_by_page() {
    let daemon = Daemon::default();
    daemon.state().events = events(2_000);
    let came = run(&daemon, "tpactl log", None);
    assert_eq!(came.out.lines().count(), 2_000);
    assert!(came.out.ends_with("login-denied seq=2000\n"));
    let came = run(&daemon, "tpactl log --json", None);
    assert_eq!(json(&came)["items"].as_array().map(Vec::len), Some(2_000));
}

#[test]
fn following_shows_each_event_once_until_the_connection_ends() {
    let daemon = Daemon::default();
    daemon.state().events = events(2);
    // As soon as the two are read, a third is recorded, then the daemon goes away.
    daemon.state().hangs_up = true;
    daemon.state().last_words = events(3).split_off(2);
    let came = run(&daemon, "tpactl log --follow --json", None);
    let seqs: Vec<u64> = came
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(came.exit, Exit::Unreachable, "{}", came.err);
}

/// Two pieces of a chain behind a checkpoint.
fn pieces() -> Vec<Verification> {
    let piece = |after: u64, done| Verification {
        after,
        hashes: vec![format!("h{}", after + 1), format!("h{}", after + 2)],
        done,
        ..Verification::default()
    };
    vec![piece(10, false), piece(12, true)]
}

#[test]
fn a_broken_chain_is_9_and_the_break_is_named() {
    let daemon = Daemon::default();
    daemon.state().chain = pieces();
    let came = run(&daemon, "tpactl verify --log none --json", None);
    assert_eq!(came.exit, Exit::Done);
    assert_eq!(json(&came)["whole"], true);
    assert_eq!(json(&came)["events"], 4);
    assert_eq!(json(&came)["pruned_through"], 10);
    assert_eq!(json(&came)["head"], "h14");
    daemon.state().chain[1].first_break = Some(14);
    daemon.state().chain[1].problem = Some("its hash does not fit".into());
    let came = run(&daemon, "tpactl verify --log none", None);
    assert_eq!(came.exit, Exit::Unverified);
    let said = "broken at event 14: its hash does not fit";
    assert!(came.err.contains(said), "{}", came.err);
}

#[test]
fn what_was_not_looked_at_is_told_and_only_an_older_tpad_is_excused() {
    let daemon = Daemon::default();
    daemon.state().chain = pieces();
    let text = || run(&daemon, "tpactl verify --log none", None);
    let what = |came: &Came| {
        let missed = json(came)["not_looked_at"].clone();
        let missed = missed.as_array().unwrap().iter();
        let what: Vec<_> = missed.map(|one| one["what"].clone()).collect();
        what
    };
    let as_json = || run(&daemon, "tpactl verify --log none --json", None);
    for says in ["statements", "recordings"] {
        let says = format!("{says} were not looked at: this tpad is older");
        assert!(text().out.contains(&says), "{}", text().out);
    }
    assert_eq!(text().exit, Exit::Done);
    assert_eq!(what(&as_json()), ["statements", "recordings"]);
    daemon.state().looks = Looks::Well;
    assert!(!text().out.contains("not looked at"), "{}", text().out);
    assert_eq!(text().exit, Exit::Done);
    assert!(what(&as_json()).is_empty());
    for (refusal, exit) in [
        (Refusal::Failed("the disk is broken".into()), Exit::Failure),
        (Refusal::NotPermitted("not you".into()), Exit::NotPermitted),
    ] {
        daemon.state().looks = Looks::Refused(refusal.clone());
        let came = text();
        assert_eq!(came.exit, exit, "{came:?}");
        assert!(came.err.contains(&refusal.to_string()), "{}", came.err);
        assert!(came.out.contains("the audit chain is whole"), "{came:?}");
        assert_eq!(what(&as_json()), ["statements", "recordings"]);
    }
    // What was looked at comes first.
    daemon.state().chain[1].first_break = Some(14);
    assert_eq!(text().exit, Exit::Unverified);
}

#[test]
fn a_log_that_does_not_say_what_the_chain_says_is_9() {
    let daemon = Daemon::default();
    daemon.state().chain = pieces();
    daemon.state().events = (11..15)
        .map(|seq| Event {
            seq,
            line: format!("login-denied user=mallory seq={seq} hash=h{seq}"),
            ..Event::default()
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    let head = "2026-11-24T10:00:00+00:00 web-01 tpad[1]: login-denied";
    let lines = |user: &str| -> String {
        let line = |seq| format!("{head} user={user} seq={seq} hash=h{seq}\n");
        (11..15).map(line).collect()
    };
    let verify = format!("tpactl verify --json --log {}", log.display());
    std::fs::write(&log, lines("mallory")).unwrap();
    let came = run(&daemon, &verify, None);
    assert_eq!(came.exit, Exit::Done, "{came:?}");
    assert_eq!(json(&came)["log"]["lines"], 4);
    let few: String = lines("mallory").split_inclusive('\n').step_by(3).collect();
    std::fs::write(&log, few).unwrap();
    let came = run(&daemon, &format!("{verify} --tell-again"), None);
    assert_eq!(came.exit, Exit::Unverified, "what was found is the answer");
    assert_eq!(daemon.state().told_again, [12, 13]);
    std::fs::write(&log, lines("alice")).unwrap();
    let came = run(&daemon, &verify, None);
    assert_eq!(came.exit, Exit::Unverified);
    assert_eq!(json(&came)["log"]["altered"]["count"], 4);
    assert!(came.err.contains("the log was edited"), "{}", came.err);
}

#[test]
fn reports_come_as_a_page_a_table_csv_and_json() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::active()];
    daemon.state().events = events(1);
    let came = run(&daemon, "tpactl report 7H2K", None);
    assert!(came.out.contains("How it was decided"), "{}", came.out);
    let came = run(&daemon, "tpactl report --since 1d", None);
    assert!(
        came.out.contains("Exceptions") && came.out.contains("login-denied"),
        "{}",
        came.out
    );
    let came = run(
        &daemon,
        "tpactl report --since 1d --until 2026-11-24 --csv",
        None,
    );
    assert_eq!(
        came.out.lines().count(),
        1,
        "asked for after that: {}",
        came.out
    );
    let came = run(&daemon, "tpactl report --since 1d --json", None);
    assert_eq!(json(&came)["exceptions"][0]["seq"], 1);
    let came = run(&daemon, "tpactl report 7H2K --json", None);
    assert_eq!(json(&came)["request"]["id"], "7H2KM4QX");
}

#[test]
fn what_can_be_listed_comes_wide_and_as_csv_too() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::active()];
    daemon.state().events = events(2);
    let wide = run(&daemon, "tpactl ls -o wide", None).out;
    assert!(wide.contains("APPROVED BY"), "{wide}");
    assert!(wide.contains("2026-11-24 16:30:00 CET"), "{wide}");
    for (line, rows, begins) in [
        ("tpactl ls -o csv", 1, "id,state,"),
        ("tpactl show 7H2K -o csv", 1, "id,state,"),
        ("tpactl status -o csv", 1, "id,state,"),
        ("tpactl log -o csv", 2, "seq,at,"),
        ("tpactl report 7H2K -o csv", 2, "seq,at,"),
        ("tpactl report --since 1d --csv", 1, "id,state,"),
    ] {
        let came = run(&daemon, line, None);
        assert_eq!(came.out.lines().count(), 1 + rows, "{line}: {}", came.out);
        assert!(came.out.starts_with(begins), "{line}: {}", came.out);
        assert!(
            came.out.lines().skip(1).all(|row| row.ends_with(",web-01")),
            "{line}: {}",
            came.out
        );
    }
    let nothing = run(&Daemon::default(), "tpactl sessions -o csv", None);
    assert_eq!(nothing.out.lines().count(), 1, "{}", nothing.out);
}

#[test]
fn a_daemon_that_goes_away_in_the_middle_is_8() {
    let daemon = Daemon::default();
    daemon.state().hangs_up = true;
    let came = run(&daemon, "tpactl show 7H2KM4QX", None);
    assert_eq!(came.exit, Exit::Unreachable, "{came:?}");
    assert!(
        came.err.ends_with("next: systemctl status tpad\n"),
        "{}",
        came.err
    );
}

#[test]
fn an_extension_is_waited_for_like_a_request() {
    let daemon = Daemon::default();
    daemon.state().decided_at_once = Some("approved".into());
    let line = "tpactl extend 7H2KM4QX --for 30m --reason more --wait --json";
    let came = run(&daemon, line, None);
    assert_eq!(
        (came.exit, &json(&came)["extends"]),
        (Exit::Done, &"7H2KM4QX".into())
    );
}

#[test]
fn a_target_that_was_not_told_is_named_and_fails() {
    let daemon = Daemon::default();
    assert_eq!(run(&daemon, "tpactl notify --test", None).exit, Exit::Done);
    let told = tpa_bus::access::NoticeTest {
        target: "oncall".into(),
        kind: "slack".into(),
        reached: true,
        why: None,
    };
    daemon.state().notices = vec![
        told.clone(),
        tpa_bus::access::NoticeTest {
            target: "pager".into(),
            kind: "pagerduty".into(),
            reached: false,
            why: Some("it answers\x1b[2J with 500".into()),
        },
    ];
    let came = run(&daemon, "tpactl notify --test", None);
    assert_eq!(came.exit, Exit::Failure);
    assert_eq!(
        came.out,
        "oncall (slack): told\npager (pagerduty): not told: it answers\\u{1b}[2J with 500\n"
    );
    let came = run(&daemon, "tpactl notify --test oncall --json", None);
    assert_eq!(came.exit, Exit::Done);
    assert_eq!(json(&came)["items"][0]["reached"], true);
    assert_eq!(json(&came)["items"][0]["why"], serde_json::Value::Null);
}
