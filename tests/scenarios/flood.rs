//! A person who floods the daemon gets refusals, keeps nobody out, and leaves no memory taken.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tpa_tests::access::{Access, PROMISE, is_on_time, is_over, none_runs, seconds_for, stay};
use tpa_tests::alone;
use tpa_tests::calls::calls;
use tpa_tests::clock;
use tpa_tests::grant::{grant, role as grant_role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people;
use tpa_tests::scenario::play;

/// More memory than this may a flood not have taken at its height, in KiB.
const GROWN_KB: u64 = 8 * 1_024;

/// Past requests of the host that is listed: more than one page.
const PAST: u32 = 5_000;

/// So many control groups somebody makes.
const MADE: u32 = 10_000;

/// More system calls than this an end may not take beyond those of one without these groups: some hundred
/// are seen, and to look into each of them takes three at least.
const BESIDE: u32 = MADE;

/// Run by a person in their own service manager: so many control groups below their own.
const GROUPS: &str = r"#!/bin/bash
root=/sys/fs/cgroup; [ ! -d $root/unified ] || root=$root/unified
cd $root$(sed -n 's/^0:://p' /proc/self/cgroup)
seq 1 $1 | xargs mkdir
echo made >/tmp/made
exec sleep 4790
";

/// Has somebody make them, whose service manager runs; they stay while that does.
fn makes_groups(host: &Host, user: &str) -> Result<()> {
    host.root("rm -f /tmp/made && mkfifo -m 0666 /tmp/made")
        .ok()?;
    host.ssh(
        user,
        &format!("systemd-run --user --quiet --unit=many bash /tmp/groups {MADE}"),
    )
    .ok()?;
    host.root("timeout 240 cat /tmp/made").says("made")?.ok()?;
    Ok(())
}

/// Revokes a grant: what tpad and all that it starts take until its end is proven.
fn end_costs(host: &Host, id: &str) -> Result<u32> {
    calls(host, "--follow-forks", || {
        host.root(&format!("tpactl revoke {id} --reason over --yes"))
            .ok()?;
        host.logged_event("removal-confirmed", id)?;
        Ok(())
    })
}

/// Takes them away, beside the service manager that may be at it too.
fn clear(host: &Host) -> Result<()> {
    host.root(
        "pkill -xf 'sleep 4790'; while find /sys/fs/cgroup -type d -name many.service | grep -q .; do
         find /sys/fs/cgroup -depth -type d -path '*/many.service*' -delete 2>/dev/null; done; true",
    )
    .ok()?;
    Ok(())
}

/// Memory of tpad at its height, in KiB (proc(5), `VmHWM`).
fn height(host: &Host) -> Result<u64> {
    let said = host.root(
        "awk '/^VmHWM/ {print $2}' /proc/$(systemctl show --property=MainPID --value tpad)/status",
    );
    Ok(said.ok()?.trim().parse()?)
}

/// Closed requests as so many would have left them, copied from the one that there is.
fn fill(host: &Host) -> Result<()> {
    let row = "SELECT id FROM requests LIMIT 1";
    change_database(
        host,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PAST})
             INSERT INTO requests
             SELECT printf('%08d', i), state, 0, uid, user, requested_by, role, requested_at - i,
                    changed_at - 90000 - i,
                    json_set(body, '$.id', printf('%08d', i), '$.requested_at', requested_at - i)
             FROM requests, n WHERE id = ({row})"
        ),
    )
}

/// Changes the database while tpad is away.
fn change_database(host: &Host, statement: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tpa.db");
    host.root("systemctl stop tpad").ok()?;
    host.copy_out("/var/lib/tpa/tpa.db", &file)?;
    host.root("touch /var/lib/tpa/tpa.db-wal").ok()?;
    host.copy_out("/var/lib/tpa/tpa.db-wal", &folder.path().join("tpa.db-wal"))?;
    let database = rusqlite::Connection::open(&file)?;
    database.execute_batch(statement)?;
    drop(database);
    host.root("rm -f /var/lib/tpa/tpa.db-wal /var/lib/tpa/tpa.db-shm")
        .ok()?;
    host.copy_in(&file, "/var/lib/tpa/tpa.db")?;
    host.root("chmod 0600 /var/lib/tpa/tpa.db; systemctl start tpad")
        .ok()?;
    Ok(())
}

/// So many people beside alice have a live grant in the end.
const MANY: u32 = 100;

/// So many of them have something running on a terminal when all grants end at one instant.
const AT_WORK: usize = 30;

/// So many more people, each with a live grant, as copies of the one that there is.
fn live(host: &Host, from: u32, to: u32) -> Result<()> {
    host.root(&format!(
        "gid=$(id -g alice); for n in $(seq {from} {to}); do \
         echo u$n:x:$((20000 + n)):$gid::/nonexistent:/usr/sbin/nologin; done >>/etc/passwd"
    ))
    .ok()?;
    change_database(
        host,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
             INSERT INTO requests
             SELECT printf('9%07d', i), state, open, 20000 + i, 'u' || i, 20000 + i, role,
                    requested_at, changed_at,
                    json_set(body, '$.id', printf('9%07d', i),
                             '$.user', json_object('uid', 20000 + i, 'name', 'u' || i),
                             '$.requested_by', json_object('uid', 20000 + i, 'name', 'u' || i))
             FROM requests, n WHERE user = 'alice' AND open = 1"
        ),
    )
}

/// Has all live grants end so many seconds from now: the moment, since 1970 in UTC.
fn all_end_in(host: &Host, seconds: u64) -> Result<Duration> {
    let end = clock::wall()?.as_secs().saturating_add(seconds);
    change_database(
        host,
        &format!(
            "UPDATE requests
             SET body = json_set(body, '$.stage.active.deadline.not_after', {end}) WHERE open = 1"
        ),
    )?;
    Ok(Duration::from_secs(end))
}

/// Most system calls that one refused login may cost tpad, however many grants live, beside those that
/// write the pages of the database, which are four to eight: 96 to 108 on either Debian, of which ten are
/// those who wait for what a window left behind, woken as all who wait for something are. A tpad that
/// is let run less often wakes up some times more; one call for each of [`MANY`] would be far above.
const REFUSAL: u32 = 150;

/// What tpad takes while somebody is refused who was refused before, and nothing else is going on. Accounts
/// that were changed a moment ago are read again at each refusal, and once more after that.
fn refusal(host: &Host) -> Result<u32> {
    host.eventually("[ $(($(date +%s) - $(stat --format=%Z /etc/passwd))) -gt 3 ]")?;
    host.ssh("mallory", "true").fails()?;
    calls(host, "--follow-forks --trace=!pwrite64", || {
        host.ssh("mallory", "true").fails()?;
        Ok(())
    })
}

/// What tpad and all that it starts take while somebody is refused, somebody comes in, and a request is
/// filed and withdrawn, which changes nothing on the host; and what tpad itself takes while a grant
/// begins and ends. The sudo that is asked about its rule reads all rules.
fn costs(host: &Host) -> Result<[u32; 2]> {
    let nothing = calls(host, "--follow-forks", || {
        host.ssh("mallory", "true").fails()?;
        host.ssh("alice", "true").ok()?;
        let id = tpa_tests::grant::request(host, "mallory", "web-ops", "1h")?;
        host.console("mallory", &format!("tpactl withdraw {id} --yes"))
            .ok()?;
        host.logged_event("request-withdrawn", &id)?;
        Ok(())
    })?;
    let one = calls(host, "", || {
        let id = grant(host, "mallory", "web-ops", "1h")?;
        host.root(&format!("tpactl revoke {id} --reason 'no longer' --yes"))
            .ok()?;
        host.logged_event("removal-confirmed", &id)?;
        Ok(())
    })?;
    Ok([nothing, one])
}

/// Gives a command with whatever arguments.
const IDS: &str = r#"login = true
[[gives.sudo]]
as  = "root"
run = ["/usr/bin/id"]
password = false
"#;

/// What is on the disk of the audit trail, in bytes.
fn trail(host: &Host) -> Result<u64> {
    // What waits in the write-ahead log goes into the database when nobody has it open.
    host.root("systemctl restart tpad").ok()?;
    let said = host.root("stat -c %s /var/lib/tpa/tpa.db");
    Ok(said.ok()?.trim().parse()?)
}

/// Waits until logind is reached over the bus.
const BUS_PASSES_ON: &str = "until busctl --system --timeout=200 call org.freedesktop.login1 \
    /org/freedesktop/login1 org.freedesktop.DBus.Peer Ping 2>/dev/null; do sleep 0.2; done";

/// alice, who is in, calls sudo once the flood is there.
const IN_THE_FLOOD: &str = "echo in; until [ -e /tmp/flooded ]; do sleep 0.1; done; \
                            sudo -n -u postgres /usr/bin/id -un";

on_both_debians! {
    with play;

    fn what_a_person_types_or_repeats_takes_no_room_in_the_trail_and_is_not_lost(host) {
        host.write("/etc/sudoers.d/local", "mallory ALL=(root) NOPASSWD: /usr/bin/true\n")?;
        host.console("mallory", "for n in $(seq 100); do sudo -n true 2>/dev/null; done").fails()?;
        let one_by_one = host.root("tpactl log | grep -c ' login-denied '");
        let one_by_one: u32 = one_by_one.ok()?.trim().parse()?;
        ensure!(one_by_one <= 20, "{one_by_one} of 100 were told one by one");

        grant_role(host, "ids", &people::role("Ask who people are", IDS))?;
        grant(host, "alice", "ids", "1h")?;
        let before = trail(host)?;
        let long = "sudo -n /usr/bin/id $(head -c 100000 /dev/zero | tr '\\0' A)";
        let words = "printf '%s\\0' sudo -n /usr/bin/id $(head -c 100000 /dev/zero | tr '\\0' A) | sha256sum";
        host.ssh("alice", &format!("for n in $(seq 60); do {long} 2>/dev/null; done")).fails()?;
        let grown = trail(host)?.saturating_sub(before);
        ensure!(grown <= 60 * 16 * 1_024, "60 commands took {grown} bytes");
        let hash = host.root(words).ok()?.split(' ').next().unwrap_or_default().to_owned();
        host.logged_with(&["sudo-opened", "command_bytes=100021", &format!("command_sha256={hash}")])?;

        // tpad was restarted twice since the last refusal was counted.
        let counted = host.logged_with(&[" repeated ", " of=login-denied ", " user=mallory ", " service=sudo "])?;
        let rest = format!(" count={} ", 100 - one_by_one);
        ensure!(counted.contains(&rest), "{rest}: {counted}");
        host.root("tpactl verify").ok()?;
    }

    fn whoever_opens_sessions_without_end_keeps_nobody_from_coming_in_or_from_ending_it(host) {
        host.root(
            "mkdir -p /etc/systemd/system/tpad.service.d && \
             printf '[Service]\\nLimitNOFILE=96\\n' >/etc/systemd/system/tpad.service.d/few.conf && \
             systemctl daemon-reload && systemctl restart tpad",
        ).ok()?;
        let alices = grant(host, "alice", "web-ops", "1h")?;
        let mallorys = grant(host, "mallory", "web-ops", "1h")?;
        // Ten at a time: how many can be asked for at one moment is the processors' to say.
        let many = "for n in $(seq 11); do for m in $(seq 10); do sudo -n sleep 4711 & done; \
                    until [ $(pgrep -cf '^sleep 4711') -ge $((n * 10)) ]; do sleep 0.1; done; done; wait";
        let _many = host.start_ssh("alice", &["-T", many])?;
        host.root("until [ $(pgrep -cf '^sleep 4711') -ge 110 ]; do sleep 0.2; done").ok()?;
        // Of 96. The last of them may just be asking.
        host.eventually("[ $(ls /proc/$(systemctl show --property=MainPID --value tpad)/fd | wc -l) -lt 64 ]")?;
        host.ssh("mallory", "true").ok()?;
        host.ssh("carol", &format!("tpactl revoke {alices} --reason 'too many' --yes")).ok()?;
        host.logged_event("removal-confirmed", &alices)?.contains("survivors=0").then_some(()).context("survivors")?;
        none_runs(host, "-f '^sleep 4711'")?;
        host.root(&format!("tpactl revoke {mallorys} --reason 'enough' --yes")).ok()?;
        host.ssh("mallory", "true").fails()?;
        host.root("journalctl -u tpad --no-pager").keeps_quiet_about("Too many open files")?;
    }

    fn two_hundred_connections_take_no_memory_and_keep_nobody_out(host) {
        let _alone = alone::flood();
        host.copy_in(Path::new(env!("CARGO_BIN_EXE_abuse")), "/usr/bin/abuse")?;
        host.root("chmod 0755 /usr/bin/abuse").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        let before = height(host)?;
        for member in ["Introspect", "ListRequests", "Status"] {
            let mut alice = host.start_ssh("alice", &["-T", IN_THE_FLOOD])?;
            alice.line("in")?;
            let mut flood = host.start(&format!(
                "setpriv --reuid=bob --regid=bob --init-groups abuse flood-with {member} 4 200"
            ))?;
            flood.line("flooding")?;
            // What logind does for a login waits its turn on the bus, behind the flood. The gate does not.
            host.root("abuse gate 50").ok().context(member)?;
            host.root("touch /tmp/flooded").ok()?;
            alice.line("postgres").context(member)?;
            host.root("rm /tmp/flooded").ok()?;
            flood.finish()?.ok()?;
            // It is over when the bus has passed on what stood in its queue: until then it lets whoever
            // connects wait, and gives up on them.
            host.root(BUS_PASSES_ON).ok().context(member)?;
            host.ssh("alice", "true").ok().context(member)?;
            host.root("tpactl status --user alice").ok().context(member)?;
            let grown = height(host)?.saturating_sub(before);
            ensure!(grown <= GROWN_KB, "{member}: tpad grew by {grown} KiB");
        }
        host.root("systemctl show --property=NRestarts tpad").says("NRestarts=0")?;
    }

    fn many_grants_cost_a_login_nothing_and_end_at_one_instant_on_time(host) {
        grant(host, "alice", "web-ops", "1h")?;
        live(host, 1, 10)?;
        host.ssh("alice", "true").ok()?;
        let few = costs(host)?;
        live(host, 11, MANY)?;
        let refused = refusal(host)?;
        eprintln!("{refused}");
        ensure!(refused <= REFUSAL, "a refused login took {refused} system calls at {MANY} live grants");
        host.ssh("alice", "true").ok()?;
        let many = costs(host)?;
        // What sudo's programs say of all rules is read in pieces, and grows with them.
        let [nothing, one] = few;
        eprintln!("{few:?} {many:?}");
        let within = many[0] <= nothing + 150 && many[1] <= one + 4 * MANY;
        ensure!(within, "{few:?} system calls at 11 live grants, {many:?} at {MANY}");

        let login = stay(host, "alice")?;
        let uids = format!("$(seq 20001 $((20000 + {AT_WORK})))");
        host.root(&format!(
            "for uid in {uids}; do setsid --fork setpriv --reuid=$uid --clear-groups \
             script -qc 'sleep 4720' /dev/null </dev/null >/dev/null 2>&1; done"
        )).ok()?;
        host.runs("^sleep 4720", AT_WORK)?;
        let end = all_end_in(host, seconds_for(host, 15)?)?;
        login.finish()?.code_is(255)?;
        host.eventually(&format!("[ $(grep -c ' removal-confirmed ' /var/log/auth.log) = {} ]", MANY + 3))?;
        none_runs(host, "-f '^sleep 47'")?;
        let last = host.root("grep ' removal-confirmed ' /var/log/auth.log | tail -n 1");
        eprintln!("{end:?} {last}");
        is_on_time(host, last.ok()?, end, PROMISE)?;
        host.root("ls /run/tpa/sudoers.d/* /run/tpa/state/*").fails()?;
    }

    fn a_long_past_is_listed_in_pages_and_keeps_nobody_waiting(host) {
        let id = tpa_tests::grant::request(host, "alice", "web-ops", "1h")?;
        host.console("carol", &format!("tpactl deny {id} --reason 'not now' --yes")).ok()?;
        fill(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        let listed = host.root("tpactl ls --json | grep -c '\"id\"'");
        let listed: u32 = listed.ok()?.trim().parse()?;
        ensure!(listed >= PAST, "{listed} of {PAST} were listed");
        for line in ["tpactl status", "tpactl ls --mine --state active"] {
            host.console("alice", line).ok()?.contains("web-ops").then_some(()).context(line)?;
        }
        host.ssh("alice", "true").ok()?;
        // An auditor who asks behind the end hears so, and nothing is recorded of it.
        host.root("groupadd --force tpa-audit && usermod -aG tpa-audit erin").ok()?;
        let events = || host.root("tpactl log --json | grep -c '\"seq\"'").ok().map(str::to_owned);
        let before = events()?;
        host.ssh("erin", "busctl call org.tpa1 /org/tpa1 org.tpa1.Access Verify t 999998")
            .fails()?
            .says("there is no event 999998")?;
        ensure!(events()? == before, "it was recorded");
        // Nor does a second daemon take anything from the first.
        host.root("timeout 60 tpad daemon").code_is(1)?.says("another tpad runs already")?;
        host.console("alice", "tpactl status").ok()?;
        host.root("systemctl show --property=NRestarts tpad").says("NRestarts=0")?;
    }

    fn whoever_makes_control_groups_without_end_delays_no_end_and_keeps_nobody_out(host) {
        host.write("/tmp/groups", GROUPS)?;
        let mut bob = host.start_ssh("bob", &["-tt", "echo in; exec sleep 4791"])?;
        bob.line("in")?;
        grant(host, "mallory", "web-ops", "1h")?;
        let comes_and_goes = "n=0; until [ -e /tmp/enough ]; do \
            ssh -T mallory@127.0.0.1 true || echo refused; n=$((n + 1)); done; echo logins=$n";
        let access = Access::begin(host, "1h")?;
        let usual = end_costs(host, &access.id)?;
        for user in ["bob", "alice"] {
            let access = Access::begin(host, "1h")?;
            let logins = host.start(comes_and_goes)?;
            makes_groups(host, user)?;
            host.root("touch /tmp/enough").ok()?;
            logins.finish()?.keeps_quiet_about("refused")?.says("logins=")?.ok()?;
            let cost = end_costs(host, &access.id)?;
            eprintln!("{cost} system calls with {user}'s groups, {usual} without");
            ensure!(cost <= usual + BESIDE, "{cost} system calls with {user}'s groups, {usual} without");
            is_over(host, &access.id)?;
            clear(host)?;
            host.root("rm /tmp/enough").ok()?;
        }
    }
}
