//! Ways in that nobody told the gate of.

use anyhow::Result;
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::said::Said;
use tpa_tests::scenario::play;

/// Has PID 1 let somebody in by a PAM service, as a program of that name would.
fn enter(host: &Host, service: &str, user: &str) -> Said {
    let line = format!("systemd-run --quiet --pipe --wait -p User={user} -p PAMName={service}");
    host.root(&format!("{line} /usr/bin/id -un"))
}

/// Nobody gated gets in by the service, and everybody else does.
fn is_closed(host: &Host, service: &str) -> Result<()> {
    enter(host, service, "alice")
        .fails()?
        .keeps_quiet_about("alice\n")?;
    enter(host, service, "bob").ok()?;
    enter(host, service, "frank").ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn a_service_in_no_list_lets_nobody_in_who_needs_a_grant(host) {
        let services = ["cockpit", "vsftpd", "xrdp-sesman", "dropbear"];
        for service in services {
            let file = format!("/etc/pam.d/{service}");
            host.write(&file, "@include common-auth\n@include common-account\n@include common-session\n")?;
            is_closed(host, service)?;
        }
        // Nor by one without a file, for which PAM takes `other`.
        is_closed(host, "no-file")?;
        host.logged_with(&[" login-denied ", " user=alice ", "unlisted-service", " service=cockpit "])?;
        host.logged_with(&["service \"vsftpd\" is in no list of gate.services"])?;
        let said = host.root("tpactl doctor");
        for service in services {
            said.says(&format!("{service} is in no list of gate.services"))?;
        }
        // A grant gives what its role says, and nobody said what this gives.
        grant(host, "alice", "web-ops", "1h")?;
        is_closed(host, "cockpit")?;
        host.ssh("alice", "systemctl is-active user@$(id -u)").ok()?;
        host.console("alice", "echo alice-pw | chsh -s /bin/sh").ok()?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        is_closed(host, "cockpit")?;
        host.root("systemctl unmask --runtime tpad && systemctl start tpad").ok()?;
        // What mends it.
        let listed = "services.login = [\"sshd\", \"login\", \"su\", \"su-l\", \"cron\", \"atd\", \"cockpit\"]";
        host.root(&format!("sed -i '/^help/a {listed}' /etc/tpa/tpad.toml && systemctl reload tpad")).ok()?;
        enter(host, "cockpit", "alice").ok()?;
        enter(host, "cockpit", "mallory").fails()?;
    }
}
