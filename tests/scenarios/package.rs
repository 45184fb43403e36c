//! Installing, upgrading and removing never locks anybody out.

use anyhow::ensure;
use tpa_tests::access::{none_runs, stay};
use tpa_tests::grant::grant;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn the_lines_of_pam_stand_in_their_order(host) {
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

    fn removal_is_refused_while_a_line_is_left_that_it_did_not_write(host) {
        host.root("echo 'account required pam_tpa.so' >>/etc/pam.d/sshd").ok()?;
        host.root("dpkg --remove tpa").fails()?.says("/etc/pam.d/sshd")?;
        host.root("systemctl is-active tpad").ok()?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.ssh("root", "true").ok()?;
    }

    fn systemd_finds_nothing_wrong_with_the_units(host) {
        host.root("systemd-analyze verify --man=no tpad.service tpa-boot.service")
            .keeps_quiet_about("tpa")?
            .ok()?;
        host.root("systemctl is-active tpad tpa-boot").ok()?;
        host.root("systemctl --failed --quiet | grep .").code_is(1)?;
    }
}
