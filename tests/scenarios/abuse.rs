//! What a hostile person on the host gets: a refusal. The gate answers all the while.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tpa_tests::alone;
use tpa_tests::clock;
use tpa_tests::grant::{grant, request};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// The gate's module waits no longer for all its ways to tpad together, in microseconds.
const DEADLINE_US: u64 = 2_000_000;

/// More memory than this tpad may never have used, in KiB.
const MEMORY_KB: u64 = 128 * 1_024;

/// More memory than this may not stay behind of ten thousand calls that came to nothing, in KiB:
/// a hundred bytes for each, less than a connection's name and its state. Below that the
/// allocator's own pages speak: 304 KiB were seen once where nothing stayed.
const GROWN_KB: u64 = 1_000;

fn bring(host: &Host) -> Result<()> {
    host.copy_in(Path::new(env!("CARGO_BIN_EXE_abuse")), "/usr/bin/abuse")?;
    host.root("chmod 0755 /usr/bin/abuse").ok()?;
    Ok(())
}

/// Median and maximum of some calls of the gate, in microseconds.
fn gate(host: &Host, calls: u32) -> Result<(u64, u64)> {
    let said = host.root(&format!("abuse gate {calls}"));
    let (median, most) = said.ok()?.split_once(' ').context("two figures")?;
    Ok((median.parse()?, most.parse()?))
}

/// The most memory that tpad has had, in KiB.
fn memory(host: &Host) -> Result<u64> {
    let said = host.root(
        "awk '/^VmHWM/ {print $2}' /proc/$(systemctl show --property=MainPID --value tpad)/status",
    );
    Ok(said.ok()?.parse()?)
}

/// So many callers of mallory's leave before tpad reads their call, and then one stays: how long
/// all of it took, in seconds.
fn leave(host: &Host, calls: u32) -> Result<f64> {
    let left = host.root(&format!(
        "abuse left {calls} $(systemctl show --property=MainPID --value tpad) $(id -u mallory)"
    ));
    left.says(&format!("left {calls} calls"))?;
    left.says("stayed: done")?.ok()?;
    Ok(left.took.as_secs_f64())
}

/// What tpad has at a moment.
#[derive(Debug)]
struct Holding {
    events: i64,
    requests: usize,
    descriptors: BTreeMap<String, u32>,
    memory_kb: u64,
}

impl Holding {
    /// Descriptors are looked at first. A `tpactl` that is asked for something else has a
    /// connection on which it says which one on the bus is its own, and tpad holds that and the
    /// process until it hears that both have gone: two more, for a moment after each `tpactl`.
    fn of(host: &Host) -> Result<Self> {
        let descriptors = descriptors(host)?;
        // The log may have to catch up, which is not asked here.
        let verified = host.root("tpactl verify --json || test $? = 9").json()?;
        let filed = host.root("tpactl ls --json").json()?;
        let memory = host.root("awk '/^VmRSS/ {print $2}' /proc/$(systemctl show --property=MainPID --value tpad)/status");
        Ok(Self {
            events: verified.number("events")?,
            requests: filed.list("items")?.len(),
            descriptors,
            memory_kb: memory.ok()?.parse()?,
        })
    }
}

/// How many descriptors of each kind tpad has: the file, or what else it is of (proc(5)).
fn descriptors(host: &Host) -> Result<BTreeMap<String, u32>> {
    let listed =
        host.root("for fd in /proc/$(systemctl show --property=MainPID --value tpad)/fd/*; do readlink $fd || echo let go of; done");
    let mut kinds = BTreeMap::new();
    for target in listed.ok()?.lines() {
        // `socket:[7]`: the number differs for each.
        let kind = target.trim_end_matches(|last: char| last.is_ascii_digit() || last == ']');
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
    }
    Ok(kinds)
}

/// Waits until tpad has no more of any kind than this. It lets go of a caller once it has heard that
/// they are gone, and nothing tells when that is.
fn let_go(host: &Host, before: &BTreeMap<String, u32>) -> Result<()> {
    let end = clock::uptime()? + Duration::from_mins(1);
    loop {
        let now = descriptors(host)?;
        let is_more =
            |(kind, count): (&String, &u32)| *count > before.get(kind).copied().unwrap_or(0);
        if !now.iter().any(is_more) {
            return Ok(());
        }
        ensure!(clock::uptime()? < end, "before {before:?}, then {now:?}");
    }
}

/// The same tpad as before runs, in order.
fn unharmed(host: &Host) -> Result<()> {
    host.root("systemctl show --property=NRestarts tpad")
        .says("NRestarts=0")?;
    host.root("tpactl verify").ok()?;
    host.root("journalctl --unit tpad")
        .keeps_quiet_about("panick")?;
    let memory = memory(host)?;
    ensure!(memory <= MEMORY_KB, "tpad has used {memory} KiB");
    eprintln!("{}: tpad has used at most {memory} KiB", host.debian());
    Ok(())
}

on_both_debians! {
    with play;

    fn a_flood_of_calls_fills_nothing_and_leaves_the_gate_open(host) {
        let _alone = alone::flood();
        bring(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        let before = gate(host, 50)?;
        let mut flood = host.start("setpriv --reuid=mallory --regid=mallory --init-groups abuse flood 10 8")?;
        flood.line_with("flooding")?;
        let during = gate(host, 50)?;
        let ssh = host.ssh("alice", "true");
        ssh.ok()?;
        let refused = host.ssh("mallory", "true");
        refused.fails()?.says("no active grant for mallory")?;
        let sent = flood.line_with("sent")?;
        flood.finish()?.ok()?;
        let after = gate(host, 50)?;
        eprintln!(
            "{}: {sent} calls; the gate's median/maximum in us: {before:?} before, {during:?} during, {after:?} after; ssh {:.1} s in, {:.1} s refused",
            host.debian(), ssh.took.as_secs_f64(), refused.took.as_secs_f64(),
        );
        ensure!(during.1 < DEADLINE_US, "{during:?}");
        let filed = host.root("tpactl ls --user mallory --json").json()?;
        ensure!(filed.list("items")?.len() == 5, "{}", filed.list("items")?.len());
        unharmed(host)?;
    }

    fn filing_and_withdrawing_in_a_loop_comes_to_an_end(host) {
        let line = "n=0; while id=$(tpactl request web-ops --reason 'again and again' --no-wait --json | grep -o '\"id\": *\"[^\"]*' | cut -d'\"' -f4) && [ \"$id\" ]; \
            do tpactl withdraw $id --yes >/dev/null || exit 3; n=$((n + 1)); done; echo $n";
        let said = host.console("mallory", line);
        said.says("within the hour")?;
        ensure!(said.out.trim() == "100", "{said}");
        request(host, "alice", "web-ops", "1h")?;
    }

    fn texts_of_a_megabyte_and_garbage_are_refused(host) {
        bring(host)?;
        let huge = host.console("mallory", "abuse huge");
        ensure!(huge.ok()?.lines().count() == 4, "{huge}");
        ensure!(huge.out.lines().all(|line| line.contains("org.tpa1.Error.")), "{huge}");
        let garbage = host.console("mallory", "abuse garbage");
        ensure!(garbage.ok()?.lines().count() == 4, "{garbage}");
        garbage.keeps_quiet_about("done")?;
        let id = request(host, "mallory", "web-ops", "1h")?;
        let many = host.console("mallory", &format!("echo {id} | abuse many"));
        ensure!(many.ok()?.lines().all(|line| line.ends_with("org.tpa1.Error.Invalid")), "{many}");
        ensure!(gate(host, 20)?.1 < DEADLINE_US, "the gate answers");
        unharmed(host)?;
    }

    fn with_all_connections_of_the_bus_taken_the_gate_answers(host) {
        let _alone = alone::flood();
        bring(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        let mut hold = host.start("tail -f /dev/null | setpriv --reuid=mallory --regid=mallory --init-groups abuse hold 256")?;
        let held = hold.line_with("holding")?;
        let times = gate(host, 50)?;
        eprintln!("{}: {held} connections; the gate's median/maximum in us: {times:?}", host.debian());
        ensure!(times.1 < DEADLINE_US, "{times:?}");
        host.ssh("alice", "true").ok()?;
        host.console("alice", "tpactl status").ok()?;
        unharmed(host)?;
    }

    fn callers_who_are_gone_in_mid_call_get_nothing(host) {
        let _alone = alone::flood();
        bring(host)?;
        // What so many need at once stays, and does not grow with how often they come. And SQLite
        // keeps the descriptor of a reading that is over for the next one.
        Holding::of(host)?;
        leave(host, 2_500)?;
        let before = Holding::of(host)?;
        let mut took = 0.0;
        for _ in 0..4 {
            took += leave(host, 2_500)?;
        }
        let_go(host, &before.descriptors)?;
        let after = Holding::of(host)?;
        eprintln!("{}: 10000 calls in {took:.1} s, {before:?} before, {after:?} after", host.debian());
        // Of the four who stayed, and of nobody else.
        ensure!((after.events, after.requests) == (before.events + 4, before.requests + 4), "{before:?} {after:?}");
        ensure!(after.memory_kb <= before.memory_kb + GROWN_KB, "{before:?} {after:?}");

        // Some of these are still there when tpad asks, and file something, in their own name.
        host.console("mallory", "abuse gone 1000").says("gone 1000 times")?.ok()?;
        let filed = host.root("tpactl ls --json").json()?;
        let all = filed.list("items")?;
        ensure!(all.len() <= 5 && all.iter().all(|item| item.get("user").is_some_and(|user| user == "mallory")), "{}", filed.0);
        ensure!(gate(host, 50)?.1 < DEADLINE_US, "the gate answers");
        unharmed(host)?;
    }
}
