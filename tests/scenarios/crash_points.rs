//! tpad killed at every point of a grant's life: before each system call that writes, renames,
//! unlinks, syncs or sends, while a grant is approved, extended and revoked.
//!
//! An ordinary run takes every third point, by turns on the one release and on the other, and the first
//! of each kind on both; `TPA_CRASH_STRIDE=1` takes all on both.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use anyhow::{Context, Result, ensure};
use tpa_tests::chain;
use tpa_tests::debian::Debian;
use tpa_tests::grant::{REASON, request, shown};
use tpa_tests::host::Host;
use tpa_tests::object::Object;
use tpa_tests::on_both_debians;
use tpa_tests::people::TPAD_TOML;
use tpa_tests::scenario::play;

/// The system calls before which tpad may die. It makes each of them in a grant's life.
const CALLS: [&str; 8] = [
    "fchmod", "fsync", "pwrite64", "renameat", "sendmsg", "sendto", "unlinkat", "write",
];

/// Where strace tells what it did.
const TRACE: &str = "/run/strace";

/// What of a grant's life tpad said yes to.
struct Promised {
    approved: bool,
    extended: bool,
    revoked: bool,
    /// What it said otherwise.
    refusals: String,
}

/// Goes through a grant's life, as far as tpad goes along.
fn live(host: &Host, id: &str) -> Promised {
    let mut refusals = String::new();
    let mut does = |who: &str, line: &str| {
        let said = host.console(who, line);
        if said.code != 0 {
            let _ = write!(refusals, "\n{said}");
        }
        said
    };
    let approve = |id: &str| format!("tpactl approve {id} --yes");
    let approved = does("carol", &approve(id)).code == 0;
    let extend = format!("tpactl extend {id} --for 30m --reason '{REASON}' --no-wait --json");
    let filed = does("alice", &extend).json();
    let extended = filed.is_ok_and(|filed| {
        filed
            .text("id")
            .is_ok_and(|id| does("carol", &approve(id)).code == 0)
    });
    let revoke = format!("tpactl revoke {id} --reason '{REASON}' --yes");
    let revoked = does("carol", &revoke).code == 0;
    Promised {
        approved,
        extended,
        revoked,
        refusals,
    }
}

/// Has tpad killed before it makes a system call for the so-manieth time. `Break` when a grant's
/// life has fewer of them.
fn kill_before(host: &Host, call: &str, number: usize) -> Result<ControlFlow<()>> {
    let id = request(host, "alice", "web-ops", "1h")?;
    let pid = host.root("systemctl show --property=MainPID --value tpad");
    let mut strace = host.start(&format!(
        "exec strace --attach={} --output={TRACE} --trace={call} \
         --inject={call}:signal=KILL:when={number} 2>&1",
        pid.ok()?
    ))?;
    strace.line_with("attached")?;
    let promised = live(host, &id);
    let whole = promised.approved && promised.extended && promised.revoked;
    if whole {
        host.root("pkill -x strace");
    }
    // It ends by itself when it has killed tpad.
    strace.finish()?;
    let killed = host.root(&format!("grep 'killed by SIGKILL' {TRACE}"));
    ensure!(
        whole || killed.code == 0,
        "tpad lives and says no: {}",
        promised.refusals
    );
    host.root("systemctl restart tpad").ok()?;
    is_whole(host, &id, &promised)?;
    clear(host)?;
    Ok(match killed.code {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    })
}

/// What was promised is recorded, once, and the host is as the records say.
fn is_whole(host: &Host, id: &str, promised: &Promised) -> Result<()> {
    // An end that was told has its proof, which may take a moment.
    let tells = |event: &str| format!("tpactl log {id} | grep -q ' {event} '");
    let (end, proof) = (tells("grant-revoked"), tells("removal-confirmed"));
    host.eventually(&format!("! {{ {end}; }} || {proof}"))?;
    chain::is_whole(host)?;
    let active = ids(host, "active")?;
    let rules = names(host, "/run/tpa/sudoers.d")?;
    ensure!(rules == active, "rules {rules:?} of grants {active:?}");
    let states = names(host, "/run/tpa/state")?;
    ensure!(
        states.len() == active.len(),
        "state files {states:?} of grants {active:?}"
    );
    let log = host.root(&format!("tpactl log {id} --json")).json()?;
    let [activated, extended, revoked, confirmed] = [
        "grant-activated",
        "grant-extended",
        "grant-revoked",
        "removal-confirmed",
    ]
    .map(|event| count(&log, event));
    ensure!(
        [activated, extended, revoked, confirmed]
            .iter()
            .all(|count| *count <= 1),
        "told twice: {log:?}"
    );
    ensure!(
        activated >= usize::from(promised.approved)
            && extended >= usize::from(promised.extended)
            && revoked >= usize::from(promised.revoked),
        "promised and lost: {log:?}"
    );
    ensure!(confirmed == revoked, "an end without its proof: {log:?}");
    let state = match (activated, revoked) {
        (0, _) => "pending",
        (_, 0) => "active",
        _ => "revoked",
    };
    shown(host, id)?.has("state", state)?;
    Ok(())
}

fn count(log: &Object, event: &str) -> usize {
    let items = log.list("items").unwrap_or_default();
    items
        .iter()
        .filter(|item| item.get("event").is_some_and(|name| name == event))
        .count()
}

/// The requests in a state.
fn ids(host: &Host, state: &str) -> Result<BTreeSet<String>> {
    let list = host
        .root(&format!("tpactl ls --state {state} --json"))
        .json()?;
    let id = |item: &serde_json::Value| Some(item.get("id")?.as_str()?.to_owned());
    Ok(list.list("items")?.iter().filter_map(id).collect())
}

/// Everything in a folder, also what is hidden.
fn names(host: &Host, folder: &str) -> Result<BTreeSet<String>> {
    let listed = host.root(&format!("ls -A {folder}"));
    Ok(listed.ok()?.lines().map(str::to_owned).collect())
}

/// Ends what is open, for the next point.
fn clear(host: &Host) -> Result<()> {
    for id in ids(host, "active")? {
        host.root(&format!("tpactl revoke {id} --reason '{REASON}' --yes"))
            .ok()?;
    }
    for id in ids(host, "pending")? {
        host.console("alice", &format!("tpactl withdraw {id}"))
            .ok()?;
    }
    let rules = names(host, "/run/tpa/sudoers.d")?;
    ensure!(rules.is_empty(), "rules without a grant: {rules:?}");
    Ok(())
}

/// How far apart the points are that are taken.
fn stride() -> Result<usize> {
    Ok(match env::var("TPA_CRASH_STRIDE") {
        Ok(text) => text.parse()?,
        Err(_) => 3,
    })
}

/// The points that are taken on this host. It is the same tpad on both releases.
fn points(host: &Host) -> Result<impl Iterator<Item = usize>> {
    let stride = stride()?;
    let (first, apart) = match (stride, host.debian()) {
        (1, _) => (0, 1),
        (_, Debian::Bookworm) => (1, 2 * stride),
        _ => (1 + stride, 2 * stride),
    };
    Ok((1..).filter(move |number| *number == 1 || number % apart == first))
}

on_both_debians! {
    with play;

    fn killed_before_any_system_call_tpad_keeps_its_word_and_leaves_no_stray_rule(host) {
        // Many lives within an hour.
        let roomy = format!("{TPAD_TOML}[limits]\npending_per_user = 100\n");
        host.write("/etc/tpa/tpad.toml", &roomy)?;
        host.root("systemctl reload tpad").ok()?;
        for call in CALLS {
            for number in points(host)? {
                let point = kill_before(host, call, number)
                    .with_context(|| format!("killed before {call} number {number}"))?;
                if point.is_break() {
                    ensure!(number > 1, "tpad makes no {call}");
                    break;
                }
            }
        }
        // What it had not finished is its own.
        host.no_event_logged("host-drift")?;
    }
}
