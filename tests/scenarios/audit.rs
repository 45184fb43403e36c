//! Each step is a line of syslog, and the lines are a chain.

use anyhow::{Context, ensure};
use tpa_tests::grant::grant;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn the_whole_story_of_a_grant_stands_in_auth_log_in_order(host) {
        host.ssh("alice", "true").fails()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.root(&format!("tpactl revoke {id} --reason 'the sale begins' --yes")).ok()?;
        host.told("removal-confirmed", &id)?;
        let story = [
            "request-created",
            "approval-recorded",
            "grant-activated",
            "login-allowed",
            "session-opened",
            "sudo-opened",
            "sudo-closed",
            "session-closed",
            "grant-revoked",
            "removal-confirmed",
        ];
        let lines = host.root(&format!("grep 'tpad\\[.*grant={id}' /var/log/auth.log"));
        let mut told = lines.ok()?.lines();
        for event in story {
            let line = told
                .by_ref()
                .find(|line| line.contains(&format!(" {event} ")))
                .with_context(|| format!("{event}, in its place, in {lines}"))?;
            for field in ["code=TPA", "seq=", "hash=", "user=alice", "role=web-ops", "outcome="] {
                ensure!(line.contains(field), "{field} is missing: {line}");
            }
        }
    }

    fn the_chain_is_whole_and_its_numbers_have_no_gap(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.root("tpactl verify").ok()?;
        let numbers = host.root("grep -o 'tpad\\[.* seq=[0-9]*' /var/log/auth.log | sed 's/.*seq=//'");
        for (index, number) in numbers.ok()?.lines().enumerate() {
            ensure!(number == (index + 1).to_string(), "{numbers}");
        }
    }

    fn a_stopped_log_daemon_loses_nothing(host) {
        // What listens on /dev/log is journald; rsyslog gets its copy from there.
        host.root("kill -STOP $(pidof systemd-journald)").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("kill -CONT $(pidof systemd-journald)").ok()?;
        host.told("grant-activated", &id)?;
    }
}
