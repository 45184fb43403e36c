//! A recording that is over cannot be changed or removed without `tpactl verify` saying so.

use anyhow::ensure;
use tpa_tests::grant::{grant, role};
use tpa_tests::on_both_debians;
use tpa_tests::people::{WEB_OPS, recorded};
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn a_closed_recording_that_is_changed_or_missing_fails_verify(host) {
        role(host, "web-ops", &recorded(WEB_OPS))?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let closed = host.logged_event("recording-closed", &id)?;
        ensure!(closed.contains("recording=alice-00/00/0") && closed.contains("recording_sha256="), "{closed}");
        host.root("tpactl verify").says("1 recording is what the trail says")?.ok()?;

        // What the end cuts is closed with it; once, also over a restart.
        let running = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
        host.logged_with(&["sudo-opened", "sleep 4711"])?;
        host.root("systemctl restart tpad").ok()?;
        host.root(&format!("tpactl revoke {id} --reason enough --yes")).ok()?;
        let _ = running.finish()?;
        host.logged_event("removal-confirmed", &id)?;
        host.eventually("tpactl verify | grep -q '2 recordings are what the trail says'")?;
        let count = host.root(&format!("grep -c 'recording-closed grant={id}' /var/log/auth.log"));
        ensure!(count.ok()? == "2", "{count}");

        // One byte.
        let file = host.root(&format!("find /var/log/sudo-io/{id} -name 'ttyout*' -o -name 'stdout*' | sort | head -n1"));
        let file = file.ok()?.to_owned();
        host.root(&format!("cp -p {file} /root/kept; printf X | dd of={file} bs=1 conv=notrunc status=none")).ok()?;
        host.root("tpactl verify").code_is(9)?.says("it is not what it was when it was closed")?;
        let json = host.root("tpactl verify --json");
        ensure!(json.code_is(9)?.to_string().contains(&id), "{json}");
        host.root(&format!("cat /root/kept > {file}")).ok()?;
        host.root("tpactl verify").ok()?;

        // All of it: only the configuration may let it go, which is told.
        host.root(&format!("mv /var/log/sudo-io/{id} /root/moved")).ok()?;
        host.root("tpactl verify").code_is(9)?.says("it is missing")?;
        host.root(&format!("mv /root/moved /var/log/sudo-io/{id}")).ok()?;
        host.root("tpactl verify").ok()?;
        // tpad removes what was kept for long enough: it may write there, and to no other log.
        host.root("nsenter -t $(systemctl show --property=MainPID --value tpad) -m sh -c 'test -w /var/log/sudo-io && ! test -w /var/log'").ok()?;
    }
}
