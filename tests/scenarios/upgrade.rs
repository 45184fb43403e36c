//! An upgrade that goes back, or wrong, while a grant lives: the grant goes on and ends on time, and
//! nobody else is kept out at any step.

use anyhow::{Result, ensure};
use rusqlite::Connection;
use tpa_tests::access::{Access, get_in, others};
use tpa_tests::chain;
use tpa_tests::grant::{grant, shown};
use tpa_tests::host::Host;
use tpa_tests::installed;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
use tpa_tests::scenario::play;

/// The database.
const DATABASE: &str = "/var/lib/tpa/tpa.db";

/// What makes of a package one of another version.
fn version(number: &str) -> String {
    format!("sed -i 's/^Version: .*/Version: {number}/' DEBIAN/control")
}

/// Who holds a grant gets in, and everybody who needs none.
fn gets_in(host: &Host) -> Result<()> {
    let others = others(host)?;
    host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un")
        .says("postgres")?
        .ok()?;
    get_in(others)
}

/// dpkg is at it, and what it says is told when it is through. Everybody gets in meanwhile.
fn installs(host: &Host, name: &str) -> Result<Output> {
    let dpkg = host.start(&format!("dpkg -i /root/{name}.deb"))?;
    gets_in(host)?;
    dpkg.finish()
}

/// The state that dpkg has the package in, and its version.
fn is(host: &Host, state: &str, version: &str) -> Result<()> {
    let said = host.root("dpkg-query --show --showformat '${db:Status-Status} ${Version}' tpa");
    ensure!(said.ok()? == format!("{state} {version}"), "{said}");
    Ok(())
}

/// Gives the database the number of a format that is not known yet, or back, while nobody has it
/// open. On a copy: `SQLite` would follow the way into the host to this machine's own files.
fn format_is(host: &Host, number: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("tpa.db");
    host.copy_out(DATABASE, &copy)?;
    let wal = format!("{DATABASE}-wal");
    if host.root(&format!("test -e {wal}")).code == 0 {
        host.copy_out(&wal, &folder.path().join("tpa.db-wal"))?;
    }
    let database = Connection::open(&copy)?;
    database.pragma_update(None, "user_version", number)?;
    database.close().map_err(|(_, error)| error)?;
    host.root(&format!("rm -f {DATABASE}-wal {DATABASE}-shm"))
        .ok()?;
    host.copy_in(&copy, DATABASE)
}

on_both_debians! {
    with play;

    fn a_downgrade_keeps_the_grant_and_a_database_it_does_not_know(host) {
        installed::bring(host, "older", &version("0.0.9"))?;
        let access = Access::begin_for(host, 28)?;
        installs(host, "older")?.ok()?;
        is(host, "installed", "0.0.9")?;
        host.root("systemctl is-active tpad").ok()?;
        shown(host, &access.id)?.has("state", "active")?;

        host.root("systemctl stop tpad").ok()?;
        format_is(host, 3)?;
        let kept = host.root(&format!("sha256sum {DATABASE}; ls /var/lib/tpa"));
        // The same step back again, to a tpad that knows less than the one before.
        installs(host, "older")?.says("tpad did not start")?.ok()?;
        host.root("journalctl --unit tpad --no-pager")
            .says(&format!("the database {DATABASE} has version 3, this tpad knows 2: install the newer tpad again"))?;
        gets_in(host)?;
        host.ssh("mallory", "true").fails()?.says("tpad is not answering; access denied")?;
        let id = access.id.clone();
        access.ends(host, "reaper-acted")?;
        get_in(others(host)?)?;
        // PID 1 goes on starting it, and each time it looks into the database.
        host.root("systemctl stop tpad").ok()?;
        let left = host.root(&format!("sha256sum {DATABASE}; ls /var/lib/tpa"));
        ensure!(left.ok()? == kept.ok()?, "{kept}{left}");

        format_is(host, 2)?;
        host.root("dpkg -i /root/tpa.deb").ok()?;
        shown(host, &id)?.has("state", "expired")?;
        host.logged_event("removal-confirmed", &id)?;
        chain::is_whole(host)?;
        grant(host, "alice", "web-ops", "1h")?;
        gets_in(host)?;
    }

    fn an_upgrade_that_fails_ends_no_grant_and_keeps_nobody_out(host) {
        installed::bring(host, "broken", &format!("{} && sed -i '1a exit 1' DEBIAN/postinst", version("9.0")))?;
        host.root("cd /root && head --bytes=$(($(stat -c %s tpa.deb) / 2)) tpa.deb >torn.deb").ok()?;
        let good = host.root("dpkg-query --show --showformat '${Version}' tpa");
        let good = good.ok()?;
        let access = Access::begin_for(host, 28)?;

        installs(host, "torn")?.fails()?.says("/root/torn.deb")?;
        is(host, "installed", good)?;
        host.root("dpkg --verify tpa | grep -v /etc/tpa/").code_is(1)?;
        host.root("find /usr /etc -name '*.dpkg-*' | grep .").code_is(1)?;
        host.root("systemctl is-active tpad").ok()?;

        installs(host, "broken")?.fails()?.says("post-installation script subprocess returned error")?;
        is(host, "half-configured", "9.0")?;
        gets_in(host)?;
        host.root("dpkg --configure tpa").fails()?;
        access.ends(host, "removal-confirmed")?;
        get_in(others(host)?)?;

        grant(host, "alice", "web-ops", "1h")?;
        installs(host, "tpa")?.ok()?;
        is(host, "installed", good)?;
        host.root("systemctl is-active tpad").ok()?;
        gets_in(host)?;
        chain::is_whole(host)?;
    }
}
