//! A command runs as if it had been typed: its output, its exit code, its terminal, and Ctrl-C.

use anyhow::{Context, Result, ensure};
use tpa_tests::access::none_runs;
use tpa_tests::grant::{REASON, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;
use tpa_tests::terminal::INTERRUPT;

use super::{approved, how_often, prepare};

/// Says something to both, and ends as it is told: with an exit code, or by a signal.
const END: &str = "#!/bin/sh\necho out; echo err >&2\n\
                   case $1 in code) exit \"$2\";; signal) kill -\"$2\" $$;; esac\n";

/// What it has of a terminal.
const WINDOW: &str = "#!/bin/sh\nfor fd in 0 1 2; do test -t $fd && echo \"$fd on\" || echo \"$fd off\"; done\n\
                      stty size </dev/tty\n";

/// Goes on until it is interrupted, which it may take in its own way.
const HEED: &str = "#!/bin/sh\ntest -n \"$1\" && trap \"echo heard; exit $1\" INT\n\
                    echo ran >>/srv/count; echo began\nwhile :; do sleep 0.2; done\n";

/// A run on a terminal of 97 columns and 31 rows; what `tpactl` ended with is its last line.
fn on_a_terminal(user: &str, line: &str) -> String {
    format!("stty columns 97 rows 31; ssh -tt {user}@127.0.0.1 \"{line}; echo ended with \\$?.\"")
}

fn exit_code(host: &Host, id: &str) -> Result<i64> {
    host.logged_with(&[" command-run ", &format!("grant={id} ")])?;
    shown(host, id)?.object("command")?.number("exit_code")
}

/// With that exit code, or that of the signal as a shell tells it; stdout and stderr stay apart.
fn ends_as_it_ends(host: &Host) -> Result<()> {
    for (user, how, code) in [
        ("bob", "code 0", 0),
        ("alice", "code 255", 255),
        ("bob", "signal KILL", 137),
        ("alice", "signal INT", 130),
    ] {
        let id = approved(host, user, "postgres", &format!("/opt/shop/end {how}"))?;
        let resume = format!("tpactl run --resume {id}; code=$?; echo >&2; echo code $code");
        let run = host.ssh(user, &resume);
        ensure!(run.out == format!("out\ncode {code}\n"), "{how}: {run}");
        let err = run.err.lines().any(|line| line == "err");
        ensure!(err && !run.err.contains("out\n"), "{how}: {run}");
        ensure!(exit_code(host, &id)? == code, "{how}");
    }
    Ok(())
}

/// It has the terminal of whoever runs it, but for what is typed.
fn has_the_terminal(host: &Host) -> Result<()> {
    for user in ["alice", "bob"] {
        let id = approved(host, user, "root", "/opt/shop/window")?;
        let screen = host.terminal(&on_a_terminal(user, &format!("tpactl run --resume {id}")))?;
        let seen = screen.ends()?.replace('\r', "");
        ensure!(seen.contains("0 off\n1 on\n2 on\n31 97\n"), "{seen}");
        ensure!(seen.contains("ended with 0."), "{seen}");
    }
    Ok(())
}

/// Ctrl-C before the decision leaves the request as it is, and while it runs is the command's to heed.
fn takes_ctrl_c(host: &Host, user: &str, heed: &str, code: i64) -> Result<()> {
    let ask = format!("tpactl run once --as root --reason '{REASON}' -- /opt/shop/heed {heed}");
    let mut screen = host.terminal(&on_a_terminal(user, &format!("cd /srv; {ask}")))?;
    screen.sees("waits for")?;
    screen.presses(INTERRUPT)?;
    screen.ends()?;
    let mine = host.console(user, "tpactl ls --mine --state pending --json");
    let mine = mine.json()?;
    let id = mine
        .0
        .pointer("/items/0/id")
        .and_then(serde_json::Value::as_str)
        .with_context(|| format!("nothing waits: {}", mine.0))?;
    let resume = format!("trap : INT; tpactl run --resume {id}");
    let mut screen = host.terminal(&on_a_terminal(user, &resume))?;
    screen.sees("waits for")?;
    host.ssh("carol", &format!("tpactl approve {id} --yes"))
        .ok()?;
    screen.sees("began")?;
    screen.presses(INTERRUPT)?;
    let seen = screen.ends()?;
    ensure!(seen.contains(&format!("ended with {code}.")), "{seen}");
    ensure!(seen.contains("heard") != heed.is_empty(), "{seen}");
    ensure!(exit_code(host, id)? == code, "the trail tells otherwise");
    host.logged_event("grant-ended", id)?;
    none_runs(host, "-f '^/bin/sh /opt/shop/heed'")?;
    ensure!(how_often(host)? == 1, "not once");
    Ok(())
}

on_both_debians! {
    with play;

    fn a_command_runs_as_if_it_had_been_typed_there(host) {
        prepare(host)?;
        for (name, text) in [("end", END), ("window", WINDOW), ("heed", HEED)] {
            host.write(&format!("/opt/shop/{name}"), text)?;
        }
        host.root("chmod 0755 /opt/shop/*").ok()?;
        ends_as_it_ends(host)?;
        has_the_terminal(host)?;
        for (user, heed, code) in [("bob", "", 130), ("alice", "9", 9)] {
            takes_ctrl_c(host, user, heed, code).with_context(|| format!("{user}'s"))?;
        }
    }
}
