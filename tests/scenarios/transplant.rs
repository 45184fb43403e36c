//! A database that comes from another host: it keeps its story, and grants nothing.

use anyhow::{Context, Result, ensure};
use tpa_tests::chain;
use tpa_tests::debian::Equipment;
use tpa_tests::grant::{grant, request, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// All that tpad keeps.
const KEPT: &str = "/var/lib/tpa";

/// Puts what tpad keeps on one host in place of what it keeps on another, whose log is new too.
fn transplant(from: &Host, to: &Host) -> Result<()> {
    from.root(&format!("tar --create --file /root/kept.tar {KEPT}"))
        .ok()?;
    let folder = tempfile::tempdir()?;
    let kept = folder.path().join("kept.tar");
    from.copy_out("/root/kept.tar", &kept)?;
    to.copy_in(&kept, "/root/kept.tar")?;
    to.root(&format!(
        "systemctl stop tpad && rm -r {KEPT} && truncate --size 0 /var/log/auth.log && \
         tar --extract --directory / --file /root/kept.tar && systemctl start tpad"
    ))
    .ok()?;
    Ok(())
}

/// Puts an older copy in place of what tpad keeps.
const PUT_BACK: &str = "rm -r /var/lib/tpa && cp -a /root/copy /var/lib/tpa";

/// Alice has a grant and a login, it is revoked, and `put_back` puts a copy from before in its place:
/// she gets nothing, and that is told.
fn gives_nothing(host: &Host, copy: &str, put_back: &str) -> Result<()> {
    let id = grant(host, "alice", "web-ops", "1h")?;
    host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un")
        .says("postgres")?
        .ok()?;
    // tpad has nothing more to write: a file that is copied in mid-write is another story.
    for event in ["beginning-noted", "sudo-closed", "session-closed"] {
        host.logged_event(event, &id)?;
    }
    host.root(&format!("rm -rf /root/copy; {copy}")).ok()?;
    host.console(
        "carol",
        &format!("tpactl revoke {id} --reason enough --yes"),
    )
    .ok()?;
    let length = host.log_length()?;
    host.root(put_back).ok()?;
    // A tpad that goes on running finds out when it next writes.
    host.ssh("alice", "true").fails()?;
    host.logged_behind(
        length,
        &[" chain-broken ", "an older copy of it was put back"],
    )?;
    // What the copy knew is ended once more, and whatever runs as her with it.
    host.logged_event_behind(length, "removal-confirmed", &id)?;
    host.ssh("alice", "true")
        .fails()?
        .says("no active grant for alice")?;
    host.console("alice", "sudo -n -u postgres /usr/bin/id -un")
        .fails()?;
    host.none_of("/run/tpa/sudoers.d/* /run/tpa/state/*")?;
    shown(host, &id)?.has("state", "revoked")?;
    host.root("tpactl doctor")
        .says("an older copy of it was put back")?;
    host.root("tpactl verify --log none").ok()?;
    Ok(())
}

/// How many events the chain has.
fn events(host: &Host) -> Result<u64> {
    let walked = host.root("tpactl verify --log none --json").json()?;
    Ok(walked.number("events")?.try_into()?)
}

on_both_debians! {
    with play;

    fn a_copied_database_keeps_its_story_and_grants_nothing(host) {
        let live = grant(host, "alice", "web-ops", "1h")?;
        let later = "tpactl request web-ops --at $(date --date '+1 hour' +%FT%TZ) --for 1h --reason 'the sale begins' --no-wait --json";
        let scheduled = host.console("mallory", later).json()?.text("id")?.to_owned();
        host.console("carol", &format!("tpactl approve {scheduled} --yes")).ok()?;
        shown(host, &scheduled)?.has("state", "scheduled")?;
        let asked = request(host, "mallory", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        for event in ["beginning-noted", "session-closed"] {
            host.logged_event(event, &live)?;
        }
        let before = events(host)?;

        let other = Host::boot_gated(host.debian(), Equipment::Plain)?;
        ensure!(host.root("cat /etc/machine-id").ok()? != other.root("cat /etc/machine-id").ok()?, "two machines");
        transplant(host, &other)?;
        other.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        other.console("alice", "sudo -n -u postgres /usr/bin/id -un").fails()?;
        other.root("find /run/tpa/sudoers.d /run/tpa/state -type f | grep .").code_is(1)?;
        other.root("systemctl list-timers --all | grep tpa-reap").code_is(1)?;
        for (id, state, event) in [
            (&live, "revoked", "grant-revoked"),
            (&scheduled, "revoked", "grant-revoked"),
            (&asked, "lapsed", "request-lapsed"),
        ] {
            shown(&other, id)?.has("state", state).with_context(|| format!("{id}, {event}"))?;
            let told = other.logged_event(event, id)?;
            ensure!(told.contains("the database comes from another machine"), "{told}");
        }

        chain::is_whole(&other)?;
        ensure!(events(&other)? > before, "the chain goes on from event {before}");
        other.root(&format!("tpactl log {live}")).says("grant-activated")?.says("carol")?.ok()?;
        grant(&other, "alice", "web-ops", "1h")?;
        other.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        other.root("systemctl restart tpad").ok()?;
        other.ssh("alice", "true").ok()?;
        // Where it was copied from nothing has changed.
        ensure!(events(host)? == before, "nothing happened at home");
        shown(host, &live)?.has("state", "active")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;

        // An older copy of its own, with tpad stopped and under a tpad that runs.
        host.console("carol", &format!("tpactl revoke {live} --reason enough --yes")).ok()?;
        let stopped = format!("systemctl stop tpad && {PUT_BACK} && systemctl start tpad");
        gives_nothing(host, "systemctl stop tpad && cp -a /var/lib/tpa /root/copy && systemctl start tpad", &stopped)?;
        gives_nothing(host, "cp -a /var/lib/tpa /root/copy", &stopped)?;
        // Whatever way it gets there, and whether tpad is told to start again or finds it by itself.
        let files = "rm /var/lib/tpa/tpa.db* && cp -a /root/copy/tpa.db* /var/lib/tpa/";
        gives_nothing(host, "cp -a /var/lib/tpa /root/copy", &format!("{files} && systemctl restart tpad"))?;
        let over_it = "cp /root/copy/tpa.db /root/copy/tpa.db-wal /var/lib/tpa/";
        gives_nothing(host, "cp -a /var/lib/tpa /root/copy", over_it)?;
        let killed = format!("{files} && kill -9 $(systemctl show --property=MainPID --value tpad)");
        gives_nothing(host, "cp -a /var/lib/tpa /root/copy", &killed)?;
        host.root("systemctl restart tpad").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
    }
}
