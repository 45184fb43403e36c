//! Installing, upgrading and removing never locks anybody out.

use anyhow::{Result, ensure};
use tpa_tests::access::{none_runs, stay};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::TPAD_TOML;
use tpa_tests::scenario::play;

/// What systemd thinks can still be done by whoever takes a unit over: 1.5 of 10 at most.
fn is_little_exposed(host: &Host, unit: &str) -> Result<()> {
    host.root(&format!(
        "systemd-analyze security --no-pager --threshold=15 {unit}"
    ))
    .ok()
    .map(|_| ())
}

on_both_debians! {
    with play;

    fn the_lines_of_pam_stand_in_their_order_and_one_that_it_did_not_write_keeps_the_package_in_place(host) {
        let lines = host.root("grep -ho 'pam_unix.so\\|pam_systemd.so\\|pam_tpa.so.*' /etc/pam.d/common-session");
        let order: Vec<_> = lines.ok()?.lines().map(str::trim).collect();
        ensure!(
            order == ["pam_tpa.so", "pam_unix.so", "pam_systemd.so", "pam_tpa.so scope"],
            "{lines}"
        );
        let lines = host.root("grep -ho 'pam_[a-z]*.so.*' /etc/pam.d/common-session-noninteractive | grep tpa");
        ensure!(lines.ok()?.trim() == "pam_tpa.so", "{lines}");
        for service in ["sshd", "login", "su", "sudo", "sudo-i", "cron", "atd"] {
            host.root(&format!("grep '^@include common-account' /etc/pam.d/{service}")).ok()?;
        }

        host.root("echo 'account required pam_tpa.so' >>/etc/pam.d/sshd").ok()?;
        // Another inode would be a gate that was open in between.
        let lines = "stat --format '%n %i %z' /etc/pam.d/*";
        let before = host.root(lines);
        host.root("dpkg --remove tpa").fails()?.says("/etc/pam.d/sshd")?;
        let after = host.root(lines);
        ensure!(before.ok()? == after.ok()?, "{before}{after}");
        host.root("systemctl is-active tpad").ok()?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.ssh("root", "true").ok()?;
    }

    fn removal_ends_every_grant_and_leaves_no_line_to_a_missing_module(host) {
        grant(host, "alice", "web-ops", "1h")?;
        let login = stay(host, "alice")?;
        host.root("dpkg --remove tpa").ok()?;
        login.finish()?.code_is(255)?;
        none_runs(host, "-u alice")?;
        host.root("grep -l pam_tpa /etc/pam.d/*").code_is(1)?;
        host.root("ls /run/tpa").fails()?;
        for user in ["alice", "bob", "frank", "root"] {
            host.ssh(user, "true").ok()?;
        }
        host.root("dpkg --purge tpa").ok()?;
        host.root("ls -d /var/lib/tpa /etc/tpa/tpad.toml").fails()?;
        host.root("visudo -c").ok()?;
    }

    fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed(host) {
        host.root("systemd-analyze verify --man=no tpad.service tpa-boot.service")
            .keeps_quiet_about("tpa")?
            .ok()?;
        host.root("systemctl is-active tpad tpa-boot").ok()?;
        host.root("systemctl --failed --quiet | grep .").code_is(1)?;
        for unit in ["tpad.service", "tpa-boot.service"] {
            is_little_exposed(host, unit)?;
        }
        host.write("/etc/tpa/notify", "#!/bin/sh\nexec sleep 9\n")?;
        let toml = format!("{TPAD_TOML}\n[notify]\nrun = \"/etc/tpa/notify\"\n");
        host.write("/etc/tpa/tpad.toml", &toml)?;
        host.root("chmod 0755 /etc/tpa/notify && systemctl reload tpad").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        let reaper = format!("systemctl list-timers --all --no-legend 'tpa-reap-{id}-*' | grep -o 'tpa-reap-[^ ]*service'");
        is_little_exposed(host, host.root(&reaper).ok()?)?;
        // It has its time limit, so it is looked at while it runs.
        let running = "systemctl list-units --plain --no-legend 'tpa-notify-*' | cut -d' ' -f1 | grep .";
        host.eventually(&format!("unit=$({running}) && systemd-analyze security --no-pager --threshold=15 $unit >/dev/null"))?;
    }

    fn a_tpad_whose_gate_no_longer_answers_is_started_again_and_grants_go_on(host) {
        // Quicker than the unit as it comes; what it proves is the same.
        host.root("mkdir -p /run/systemd/system/tpad.service.d").ok()?;
        host.write("/run/systemd/system/tpad.service.d/quick.conf", "[Service]\nWatchdogSec=8s\n")?;
        host.root("systemctl daemon-reload && systemctl restart tpad").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        let pid = host.root("systemctl show --value -p MainPID tpad");
        // One that answers says so again and again, and lives on.
        let answered = host.root("systemctl show --value -p WatchdogTimestampMonotonic tpad");
        host.eventually(&format!("[ $(systemctl show --value -p WatchdogTimestampMonotonic tpad) -gt $(({} + 8000000)) ]", answered.ok()?))?;
        ensure!(host.root("systemctl show --value -p MainPID tpad").ok()? == pid.ok()?, "{pid}");
        host.root("systemctl kill --signal=STOP tpad").ok()?;
        host.eventually("[ \"$(systemctl show --value -p NRestarts tpad)\" = 1 ] && systemctl is-active --quiet tpad")?;
        host.root("journalctl --unit tpad --no-pager").says("watchdog")?;
        host.ssh("alice", "true").ok()?;
        host.ssh("mallory", "true").fails()?.says("no active grant for mallory")?;
    }
}
