//! Ways in that nobody told the gate of.

use anyhow::{Context as _, Result, ensure};
use tpa_tests::debian::Debian;
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
use tpa_tests::people;
use tpa_tests::scenario::play;
use tpa_tests::terminal::HIDDEN;

/// Has PID 1 let somebody in by a PAM service, as a program of that name would.
fn enter(host: &Host, service: &str, user: &str) -> Output {
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

/// As the person, on a terminal.
fn on_a_terminal(user: &str, line: &str) -> String {
    format!("ssh -tt {user}@127.0.0.1 '{line}; echo ended=$?'")
}

/// polkit refuses the person, and asks for no password first.
fn is_refused(host: &Host, user: &str, line: &str) -> Result<()> {
    let mut screen = host.terminal(&on_a_terminal(user, line))?;
    let said = screen.sees("ended=")?;
    let code = screen.sees("\n")?;
    ensure!(!said.contains("AUTHENTICATING"), "`{line}` asked:\n{said}");
    ensure!(code.trim() != "0", "`{line}` succeeded:\n{said}");
    Ok(())
}

/// polkit takes the person's own password.
fn takes_their_password(host: &Host, user: &str, line: &str) -> Result<()> {
    let mut screen = host.terminal(&on_a_terminal(user, line))?;
    let listed = screen.sees("Choose identity to authenticate as")?;
    let number = listed
        .lines()
        .find_map(|line| line.trim().strip_suffix(&format!(".  {user}")))
        .with_context(|| format!("{user} is not among those who may:\n{listed}"))?;
    screen.types(number)?;
    screen.sees("Password: ")?;
    // The agent asks first and then turns the echo off, which throws away what was typed by then.
    host.eventually(HIDDEN)?;
    screen.types(&format!("{user}-pw"))?;
    screen.sees("ended=0")?;
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

    fn polkit_makes_nobody_root_who_needs_a_grant(host) {
        host.root("for one in alice bob frank; do usermod -aG sudo $one; done").ok()?;
        role(host, "log-in", &people::role("Look around", "login = true\n"))?;
        grant(host, "alice", "log-in", "1h")?;
        let mut lines = vec!["systemctl restart cron", "systemd-run --wait true"];
        if host.debian() == Debian::Trixie {
            lines.push("run0 true");
        }
        for line in &lines {
            is_refused(host, "alice", line)?;
            takes_their_password(host, "bob", line)?;
        }
        takes_their_password(host, "frank", "systemctl restart cron")?;
        // pkexec, by its own action and by one that a program has for it.
        let may = |user: &str, asked: &str| {
            host.root(&format!(
                "setpriv --reuid {user} --regid {user} --init-groups sleep 60 & until [ $(stat -c %U /proc/$!) = {user} ]; do :; done; pkcheck --process $! {asked}; code=$?; kill $!; exit $code"
            ))
        };
        let pkexec = "--action-id org.freedesktop.policykit.exec";
        let program = "--action-id org.freedesktop.login1.reboot --detail program /usr/bin/id";
        for asked in [pkexec, program] {
            may("alice", asked).code_is(1)?.says("Not authorized")?;
            may("bob", asked).code_is(2)?;
        }
        host.logged("tpa-polkit: user alice needs a grant and is refused org.freedesktop.systemd1.manage-units")?;
        // Whatever else takes an administrator takes root.
        let other = "pkcheck --allow-user-interaction --enable-internal-agent --process $$ --action-id org.freedesktop.hostname1.set-static-hostname";
        let mut screen = host.terminal(&on_a_terminal("alice", other))?;
        screen.sees("Authenticating as: root")?;
        drop(screen);
        // Without tpad, and with a group of the gate that has another name now.
        host.root("systemctl mask --runtime --now tpad && groupmod -n builders engineers").ok()?;
        is_refused(host, "alice", "systemctl restart cron")?;
        takes_their_password(host, "bob", "systemctl restart cron")?;
        // Nor does the gate open: who was in it by its old name is in it.
        host.ssh("mallory", "true").fails()?.says("denied")?;
        host.root("systemctl unmask --runtime tpad && systemctl start tpad").ok()?;
        host.ssh("mallory", "true").fails()?.says("denied")?;
        host.root("tpactl doctor").says("engineers")?;
        host.ssh("bob", "true").ok()?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        // Where nobody can tell, everybody needs one but root.
        host.root("groupmod -n engineers builders && mv /var/lib/tpa/gate /root/").ok()?;
        may("alice", pkexec).code_is(1)?;
        may("bob", pkexec).code_is(1)?;
        host.root("systemctl restart cron && pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$").ok()?;
    }
}
