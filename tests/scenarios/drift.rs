//! What tpad derives and someone else changes is put right, and said. What is not tpad's is never
//! touched.

use anyhow::{Context, Result};
use tpa_tests::access::stay;
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// A state file that would let mallory in, made of alice's.
const FORGE: &str = r#"cd /run/tpa/state && uid=$(id -u mallory) &&
sed "s/^uid .*/uid $uid/; s/^user .*/user mallory/; s/^grant [^ ]*/grant 8H2KM4QX/; s/^began [^ ]*/began 8H2KM4QX/" $(id -u alice) >$uid &&
chmod 600 $uid"#;

/// Someone changes something; tpad says what, and the file is as it was.
fn put_right(host: &Host, file: &str, what: &str, change: &str) -> Result<()> {
    let before = host.root(&format!("sha256sum {file}; stat -c '%a %u' {file}"));
    before.ok()?;
    let length = host.log_length()?;
    host.root(change).ok()?;
    host.logged_behind(length, &[" host-drift ", what])
        .with_context(|| format!("after {change}"))?;
    let after = host.root(&format!("sha256sum {file}; stat -c '%a %u' {file}"));
    anyhow::ensure!(after.ok()? == before.ok()?, "{change}: {before} {after}");
    Ok(())
}

on_both_debians! {
    with play;

    fn rules_and_files_are_put_right(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let uid = host.root("id -u alice");
        let uid = uid.ok()?;
        let rule = format!("/run/tpa/sudoers.d/{id}");
        let state = format!("/run/tpa/state/{uid}");
        let gate = "/var/lib/tpa/gate";
        let widen = format!("sed 's/NOTAFTER=2/NOTAFTER=3/; s,/usr/bin/sleep 4711,ALL,' {rule} >/tmp/wide; cat /tmp/wide >{rule}");
        for change in [widen, format!("rm {rule}"), format!("chmod 666 {rule}"), format!("ln -s /etc/passwd /run/tpa/link && mv -T /run/tpa/link {rule}")] {
            put_right(host, &rule, &format!("rule {id}"), &change)?;
        }
        for change in [format!("echo >{state}"), format!("rm {state}"), format!("chmod 644 {state}")] {
            put_right(host, &state, &format!("state file {uid}"), &change)?;
        }
        for change in [format!("echo >{gate}"), format!("rm {gate}")] {
            put_right(host, gate, "gate file", &change)?;
        }
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.ssh("alice", "sudo -n /bin/sh -c id").fails()?;
        host.root("visudo -c").ok()?;
    }

    fn what_someone_puts_beside_them_is_removed(host) {
        host.write("/run/tpa/sudoers.d/7H2KM4QX", "mallory ALL=(ALL) NOPASSWD: ALL\n")?;
        host.logged_with(&[" host-drift ", "rule 7H2KM4QX"])?;
        host.write("/run/tpa/sudoers.d/mine", "mallory ALL=(ALL) NOPASSWD: ALL\n")?;
        host.logged_with(&[" host-drift ", "rule mine"])?;
        host.root("echo 'tpa-state 1' >/run/tpa/state/4242").ok()?;
        host.logged_with(&[" host-drift ", "state file 4242"])?;
        host.root("ls -A /run/tpa/sudoers.d /run/tpa/state | grep -v : | grep .").code_is(1)?;

        // The same while tpad is not there to see it.
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("systemctl stop tpad").ok()?;
        host.write("/run/tpa/sudoers.d/8H2KM4QX", "mallory ALL=(ALL) NOPASSWD: ALL\n")?;
        host.root(FORGE).ok()?;
        host.ssh("mallory", "true").ok().context("the file that lets them in is a good one")?;
        host.root("systemctl start tpad").ok()?;
        host.logged_with(&[" host-drift ", "rule 8H2KM4QX"])?;
        let uid = host.root("id -u mallory");
        host.logged_with(&[" host-drift ", &format!("state file {}", uid.ok()?)])?;
        host.ssh("mallory", "true").fails()?;
        host.root("ls /run/tpa/sudoers.d /run/tpa/state").keeps_quiet_about("8H2KM4QX")?.keeps_quiet_about(uid.ok()?)?;
        // What is tpad's own is no news.
        host.root(&format!("grep ' host-drift .*{id}' /var/log/auth.log")).code_is(1)?;
    }

    fn what_changed_while_tpad_was_down_is_put_right_and_said(host) {
        let (id, other) = (grant(host, "alice", "web-ops", "1h")?, grant(host, "mallory", "web-ops", "1h")?);
        let (rule, others) = (format!("/run/tpa/sudoers.d/{id}"), format!("/run/tpa/sudoers.d/{other}"));
        let state = host.root("echo /run/tpa/state/$(id -u alice)");
        let state = state.ok()?;
        let files = format!("sha256sum {rule} {others} {state} /var/lib/tpa/gate");
        let right = host.root(&files);
        host.root("systemctl restart tpad; systemctl kill --signal=KILL tpad; systemctl restart tpad").ok()?;
        host.no_event_logged("host-drift")?;

        host.root("systemctl stop tpad").ok()?;
        host.root(&format!(
            "sed 's,/usr/bin/sleep 4711,ALL,' {rule} >/tmp/wide; cat /tmp/wide >{rule}; rm {others}; \
             chmod 644 {state}; echo 'tpa-gate 1' >/var/lib/tpa/gate"
        )).ok()?;
        host.root("systemctl start tpad").ok()?;
        let uid = state.rsplit('/').next().unwrap_or_default();
        for what in [format!("rule {id}"), format!("rule {other}"), format!("state file {uid}"), "gate file".to_owned()] {
            host.logged_with(&[" host-drift ", &what])?;
        }
        anyhow::ensure!(host.root(&files).ok()? == right.ok()?, "{right}");
        let said = host.root("grep -c ' host-drift ' /var/log/auth.log");
        anyhow::ensure!(said.ok()? == "4", "{said}");
    }

    fn timers_and_limits_are_there_again_after_the_next_grant(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let _login = stay(host, "alice")?;
        let more = host.console("alice", &format!("tpactl extend {id} --for 30m --reason 'more of the same' --no-wait --json")).json()?;
        host.console("carol", &format!("tpactl approve {} --yes", more.text("id")?)).ok()?;
        let limit = "ls /run/systemd/system/session-*.scope.d/60-tpa.conf";
        host.root(limit).ok()?;
        host.root(&format!("systemctl stop 'tpa-reap-{id}-*.timer'; rm /run/systemd/system/session-*.scope.d/60-tpa.conf; systemctl daemon-reload")).ok()?;
        grant(host, "mallory", "web-ops", "1h")?;
        host.logged_with(&[" host-drift ", &format!("timer tpa-reap-{id}")])?;
        host.root(&format!("systemctl list-units --plain --no-legend 'tpa-reap-{id}-*.timer' | grep .")).ok()?;
        // Later than the line, because the limits come after the timers.
        host.root("systemctl stop tpad").ok()?;
        host.root(limit).ok()?;
    }

    fn what_is_not_tpads_is_never_touched(host) {
        host.write("/etc/sudoers.d/local", "bob ALL=(root) NOPASSWD: /usr/bin/true\n")?;
        host.root("install -D /dev/null /run/systemd/system/session-9.scope.d/50-local.conf").ok()?;
        host.root("systemd-run --unit=tpa-local --on-active=1h true").ok()?;
        let all = "sha256sum /etc/sudoers /etc/sudoers.d/* /etc/pam.d/* /etc/passwd /etc/group /run/systemd/system/session-9.scope.d/*; crontab -l -u bob";
        host.console("bob", "echo '0 0 1 1 * true' | crontab -").ok()?;
        let before = host.root(all);
        let mut bob = host.start_ssh("bob", &["-tt", "echo in; sleep 4720; echo out"])?;
        bob.line("in")?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.root("systemctl restart tpad").ok()?;
        host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        anyhow::ensure!(host.root(all).ok()? == before.ok()?, "{before}");
        host.root("systemctl is-active tpa-local.timer").ok()?;
        host.root("pkill -f '^sleep 4720'").ok()?;
        bob.line("out")?;
    }
}
