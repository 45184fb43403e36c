//! The administrator's program is told of each event, and can harm nothing.

use anyhow::ensure;
use tpa_tests::grant::{grant, request};
use tpa_tests::host::Host;
use tpa_tests::object::Object;
use tpa_tests::on_both_debians;
use tpa_tests::people::TPAD_TOML;
use tpa_tests::scenario::play;

const PROGRAM: &str = "/etc/tpa/notify";

/// Has tpad tell a program with these lines of shell.
fn hook(host: &Host, lines: &str) -> anyhow::Result<()> {
    host.write(PROGRAM, &format!("#!/bin/sh\n{lines}\n"))?;
    host.root(&format!("chmod 0755 {PROGRAM}")).ok()?;
    host.write(
        "/etc/tpa/tpad.toml",
        &format!("{TPAD_TOML}[notify]\nrun = \"{PROGRAM}\"\n"),
    )?;
    host.root("systemctl reload tpad").ok()?;
    Ok(())
}

/// Waits for a line of the program's in the journal.
fn says(host: &Host, text: &str) -> anyhow::Result<String> {
    let line = "journalctl --follow --no-tail --identifier=tpa-notify --output=cat";
    host.start(line)?.line_with(text)
}

on_both_debians! {
    with play;

    fn each_event_comes_in_order_as_json_on_standard_input(host) {
        hook(host, "cat; echo \"as $(id -u)\"")?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        for event in ["policy-loaded", "request-created", "approval-recorded", "grant-activated"] {
            let line = says(host, &format!("\"event\":\"{event}\""))?;
            let object = Object(serde_json::from_str(&line)?);
            object.has("apiVersion", "tpa/v1")?.has("kind", "Event")?;
            if event != "policy-loaded" {
                ensure!(line.contains(&format!("\"grant\":\"{id}\"")), "{line}");
            }
        }
        let told = host.root("journalctl --identifier=tpa-notify --output=cat | grep -o '\"seq\":[0-9]*' | cut -d: -f2 > /tmp/told; sort --numeric-sort --unique /tmp/told | diff - /tmp/told");
        told.ok()?;
        let who = says(host, "as ")?;
        ensure!(who != "as 0", "{who}");
    }

    fn it_has_no_rights(host) {
        hook(host, "echo \"$(id -u) $(cat /etc/shadow /run/tpa/state/* /var/lib/tpa/* 2>&1 | grep -c denied)\"; \
            touch /etc/x /var/x /run/x /home/alice/x 2>/dev/null; grep -h '^CapEff\\|^NoNewPrivs\\|^CapBnd' /proc/self/status; echo looked")?;
        says(host, "looked")?;
        host.root("ls /etc/x /var/x /run/x /home/alice/x 2>/dev/null | grep .").code_is(1)?;
        let said = host.root("journalctl --identifier=tpa-notify --output=cat");
        said.says("CapEff:\t0000000000000000")?.says("CapBnd:\t0000000000000000")?.says("NoNewPrivs:\t1")?;
        ensure!(!said.out.lines().any(|line| line.starts_with("0 ")), "{said}");
        request(host, "alice", "web-ops", "1h")?;
        // What people typed is not a property that everybody may read.
        host.console("mallory", "systemctl show 'tpa-notify-*' ; cat /run/systemd/transient/tpa-notify-* 2>/dev/null")
            .keeps_quiet_about("the shop answers")?;
    }

    fn one_that_hangs_is_killed_and_holds_up_nobody(host) {
        hook(host, "trap '' TERM; sleep 4718 & sleep 4719")?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        let mut journal = host.start("journalctl --follow --no-tail --unit tpad --output=cat")?;
        journal.line_with("cannot tell /etc/tpa/notify of event")?;
        // Never two at once, and nothing of the one before.
        let left: u32 = host.root("pgrep -fc '^sleep 4718'").out.trim().parse()?;
        ensure!(left <= 1, "{left} of them sleep");
        host.root("systemctl is-active tpad").ok()?;
    }

    fn one_that_fails_or_is_missing_harms_nothing_and_is_named(host) {
        hook(host, "exit 1")?;
        let mut journal = host.start("journalctl --follow --no-tail --unit tpad --output=cat")?;
        journal.line_with("cannot tell /etc/tpa/notify of event")?;
        host.root(&format!("rm {PROGRAM}")).ok()?;
        host.root("tpactl check").ok()?;
        host.root("tpactl check").says("nobody is told of events: /etc/tpa/notify is not there")?;
        host.root("systemctl reload tpad && systemctl restart tpad").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.root("systemctl --failed --quiet | grep .").code_is(1)?;
    }

    fn one_that_others_can_change_is_refused(host) {
        hook(host, "cat")?;
        host.root(&format!("chmod 0777 {PROGRAM}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("tpad.toml:")?.says("can be written by others")?;
        host.root("systemctl reload tpad").fails()?;
        host.root(&format!("chmod 0755 {PROGRAM} && chown bob {PROGRAM}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("not to root")?;
        host.root(&format!("mv {PROGRAM} /root/n && chown root /root/n && ln -s /root/n {PROGRAM}")).ok()?;
        host.root("tpactl check").code_is(1)?.says("is a link")?;
    }
}
