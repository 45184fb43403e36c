//! A person who floods the daemon gets refusals, keeps nobody out, and leaves no memory taken.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// More memory than this may a flood not have taken at its height, in KiB.
const GROWN_KB: u64 = 8 * 1_024;

/// Past requests of the host that is listed: more than one page.
const PAST: u32 = 5_000;

/// Memory of tpad at its height, in KiB (proc(5), `VmHWM`).
fn height(host: &Host) -> Result<u64> {
    let said = host.root("awk '/^VmHWM/ {print $2}' /proc/$(pidof tpad)/status");
    Ok(said.ok()?.trim().parse()?)
}

/// Closed requests as so many would have left them, copied from the one that there is.
fn fill(host: &Host) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tpa.db");
    host.root("systemctl stop tpad").ok()?;
    host.copy_out("/var/lib/tpa/tpa.db", &file)?;
    host.root("touch /var/lib/tpa/tpa.db-wal").ok()?;
    host.copy_out("/var/lib/tpa/tpa.db-wal", &folder.path().join("tpa.db-wal"))?;
    let database = rusqlite::Connection::open(&file)?;
    let row = "SELECT id FROM requests LIMIT 1";
    let id: String = database
        .query_row(row, [], |row| row.get(0))
        .context("a request")?;
    database.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PAST})
         INSERT INTO requests
         SELECT printf('%08d', i), state, 0, uid, user, requested_by, role, requested_at - i,
                changed_at - 90000 - i,
                json_set(body, '$.id', printf('%08d', i), '$.requested_at', requested_at - i)
         FROM requests, n WHERE id = '{id}'"
    ))?;
    drop(database);
    host.root("rm -f /var/lib/tpa/tpa.db-wal /var/lib/tpa/tpa.db-shm")
        .ok()?;
    host.copy_in(&file, "/var/lib/tpa/tpa.db")?;
    host.root("chmod 0600 /var/lib/tpa/tpa.db; systemctl start tpad")
        .ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn two_hundred_connections_take_no_memory_and_keep_nobody_out(host) {
        host.copy_in(Path::new(env!("CARGO_BIN_EXE_abuse")), "/usr/bin/abuse")?;
        host.root("chmod 0755 /usr/bin/abuse").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        let before = height(host)?;
        for member in ["Introspect", "ListRequests", "Status"] {
            let mut flood = host.start(&format!(
                "setpriv --reuid=bob --regid=bob --init-groups abuse flood-with {member} 4 200"
            ))?;
            flood.line("flooding")?;
            for _ in 0..3 {
                host.ssh("alice", "true").ok().context(member)?;
            }
            host.root("tpactl status --user alice").ok().context(member)?;
            flood.finish()?.ok()?;
            let grown = height(host)?.saturating_sub(before);
            ensure!(grown <= GROWN_KB, "{member}: tpad grew by {grown} KiB");
        }
        host.root("systemctl show --property=NRestarts tpad").says("NRestarts=0")?;
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
        host.root("systemctl show --property=NRestarts tpad").says("NRestarts=0")?;
    }
}
