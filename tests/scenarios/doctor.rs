//! `tpactl doctor` finds what leaves a host open, or its people locked out. Each story makes one
//! thing true and mends it; a host as it should be has no finding but the clock's, which is the
//! machine's own and which nobody sets from inside a container.

use anyhow::{Result, ensure};
use tpa_tests::debian::Debian;
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::object::Object;
use tpa_tests::on_both_debians;
use tpa_tests::people::{WEB_OPS, recorded};
use tpa_tests::scenario::play;

/// What doctor finds, one `area: problem` each, the clock left out.
fn findings(host: &Host) -> Result<Vec<String>> {
    let said = host.root("tpactl doctor --json");
    ensure!(said.code <= 1, "{said}");
    let list: serde_json::Value = serde_json::from_str(&said.out)?;
    let mut found = Vec::new();
    for item in Object(list).list("items")? {
        let item = Object(item.clone());
        let (area, problem) = (item.text("area")?, item.text("problem")?);
        if area != "time" {
            found.push(format!("{area}: {problem}"));
        }
    }
    Ok(found)
}

/// Makes something true that is found in these words, mends it, and is clean again.
fn found_and_mended(host: &Host, harm: &str, problem: &str, mend: &str) -> Result<()> {
    host.root(harm).ok()?;
    let found = findings(host)?;
    ensure!(
        found.iter().any(|one| one.contains(problem)),
        "\"{problem}\" was expected after `{harm}` among {found:#?}"
    );
    host.root(mend).ok()?;
    clean(host)
}

fn clean(host: &Host) -> Result<()> {
    let found = findings(host)?;
    ensure!(found.is_empty(), "nothing was expected: {found:#?}");
    Ok(())
}

on_both_debians! {
    with play;

    fn a_host_as_it_should_be_is_clean_but_for_its_clock(host) {
        clean(host)?;
        let said = host.root("tpactl doctor");
        said.says("time: the clock is not synchronised")?.says("  fix: ")?;
        grant(host, "alice", "web-ops", "1h")?;
        clean(host)?;
    }

    fn pam_lines_that_are_missing_or_in_the_wrong_place_are_found(host) {
        let keep = "cp -a /etc/pam.d /root/pam.d";
        let back = "cp -a /root/pam.d/* /etc/pam.d/";
        host.root(keep).ok()?;
        let table = [
            ("sed -i '/common-account/d' /etc/pam.d/sudo", "sudo has no account line"),
            ("sed -i '/pam_tpa.so *$/d' /etc/pam.d/common-session-noninteractive", "sudo has no session line"),
            ("sed -i '/pam_tpa.so *$/d' /etc/pam.d/common-session", "before pam_systemd.so"),
            ("sed -i '/pam_tpa.so scope/d' /etc/pam.d/common-session", "scope after pam_systemd.so"),
            (
                "sed -i '/pam_tpa/d' /etc/pam.d/common-account; echo 'account required pam_tpa.so' >>/etc/pam.d/common-account",
                "sshd asks pam_unix.so before pam_tpa.so in the account phase",
            ),
            (
                "sed -i '1i account sufficient pam_localuser.so' /etc/pam.d/sshd",
                "sshd asks pam_localuser.so before pam_tpa.so",
            ),
        ];
        for (harm, problem) in table {
            found_and_mended(host, harm, problem, back)?;
        }
        host.root("pam-auth-update --remove tpa").ok()?;
        let found = findings(host)?;
        for service in ["sshd", "login", "su", "sudo", "sudo-i", "cron", "atd"] {
            let problem = format!("pam: {service} has no account line with pam_tpa.so");
            ensure!(found.contains(&problem), "{problem} in {found:#?}");
        }
    }

    fn what_leaves_a_host_open_or_its_people_locked_out_is_found(host) {
        // People who ask at the prompt have too little time for it.
        let conf = "/etc/ssh/sshd_config.d/ask.conf";
        host.root("sed -i '1i auth required pam_tpa.so ask wait=10m' /etc/pam.d/sshd").ok()?;
        host.write(conf, "KbdInteractiveAuthentication yes\nLoginGraceTime 630\n")?;
        host.root(&format!("echo 'MaxStartups 20:30:100' >>{conf}")).ok()?;
        clean(host)?;
        found_and_mended(
            host,
            &format!("sed -i 's/ 20:/ 10:/' {conf}"),
            "sshd turns people away, the exempt too (MaxStartups 10:30:100)",
            &format!("sed -i 's/ 10:/ 20:/' {conf}"),
        )?;
        found_and_mended(
            host,
            &format!("sed -i 's/630/120/' {conf}"),
            "sshd ends a login after 2m (LoginGraceTime), while people who ask at its prompt wait for up to 10m",
            &format!("sed -i 's/120/630/' {conf}"),
        )?;
        found_and_mended(
            host,
            &format!("sed -i 's/yes/no/' {conf}"),
            "sshd never prompts (KbdInteractiveAuthentication no)",
            &format!("sed -i 's/no$/yes/' {conf}"),
        )?;
        host.root(&format!("rm {conf}; sed -i '/pam_tpa.so ask/d' /etc/pam.d/sshd")).ok()?;

        // What loginctl enable-linger leaves; logind itself cannot start anybody's systemd in every
        // container.
        found_and_mended(
            host,
            "install -D /dev/null /var/lib/systemd/linger/bob",
            "bob may run services without a login",
            "rm /var/lib/systemd/linger/bob",
        )?;
        let rule = "/usr/share/polkit-1/rules.d/00-tpa.rules";
        found_and_mended(
            host,
            &format!("mv {rule} /root/"),
            "00-tpa.rules is missing",
            &format!("mv /root/00-tpa.rules {rule}"),
        )?;

        // sudo gives something for ever, or nothing.
        let local = "/etc/sudoers.d/local";
        grant(host, "alice", "web-ops", "1h")?;
        found_and_mended(
            host,
            &format!("echo 'alice ALL=(postgres) /usr/bin/id' >{local}"),
            "alice has a rule without an end, outside every grant: (postgres) /usr/bin/id",
            &format!("rm {local}"),
        )?;
        found_and_mended(
            host,
            &format!("echo '%engineers ALL=(ALL:ALL) ALL' >{local}"),
            "mallory has a rule without an end, outside every grant: (ALL : ALL) ALL",
            &format!("rm {local}"),
        )?;
        // Neither who is not gated nor who may get in without a grant is meant.
        host.write(local, "bob,frank ALL=(ALL:ALL) ALL\n")?;
        clean(host)?;
        host.root(&format!("rm {local}")).ok()?;
        found_and_mended(
            host,
            "mv /etc/sudoers.d/tpa /root/tpa",
            "/etc/sudoers.d/tpa does not include /run/tpa/sudoers.d: grants give no sudo",
            "mv /root/tpa /etc/sudoers.d/tpa",
        )?;
        found_and_mended(
            host,
            "cp -a /etc/sudoers /root/sudoers; sed -i '/includedir/d' /etc/sudoers",
            "/etc/sudoers does not include /etc/sudoers.d",
            "cp -a /root/sudoers /etc/sudoers",
        )?;

        // Nobody is gated, nobody may get in whatever happens, or tpad is off.
        found_and_mended(
            host,
            "gpasswd --delete frank tpa-emergency",
            "gate.exempt has nobody in it",
            "gpasswd --add frank tpa-emergency",
        )?;
        found_and_mended(
            host,
            "cp /etc/tpa/tpad.toml /root/; : >/etc/tpa/tpad.toml; systemctl reload tpad",
            "nobody needs a grant on this host",
            "cp /root/tpad.toml /etc/tpa/; systemctl reload tpad",
        )?;
        found_and_mended(
            host,
            "systemctl disable tpad tpa-boot",
            "tpad.service is disabled: it does not start with the host",
            "systemctl enable tpad tpa-boot",
        )?;
        found_and_mended(
            host,
            "systemctl stop tpad",
            "tpad.service is inactive: nobody can be granted access",
            "systemctl start tpad",
        )?;
    }

    fn a_log_that_auditors_do_not_get_is_found(host) {
        found_and_mended(
            host,
            "systemctl stop rsyslog syslog.socket",
            "no syslog daemon runs",
            "systemctl start rsyslog",
        )?;
        host.root("sed -i 's/^auth,authpriv/#&/' /etc/rsyslog.conf && rm /var/log/auth.log").ok()?;
        host.root("systemctl restart rsyslog tpad").ok()?;
        let found = findings(host)?;
        let problem = "no line of tpad's stands in /var/log/auth.log";
        ensure!(found.iter().any(|one| one.contains(problem)), "{problem} in {found:#?}");
        host.root("sed -i 's/^#auth,authpriv/auth,authpriv/' /etc/rsyslog.conf").ok()?;
        host.root("systemctl restart rsyslog && systemctl restart tpad").ok()?;
        host.logged(" daemon-started ")?;
        clean(host)?;
    }

    fn ways_to_root_and_past_the_gate_that_are_no_grant_are_found(host) {
        let table = [
            ("gpasswd -a alice shadow", "alice is in group shadow", "gpasswd -d alice shadow"),
            (
                "echo 'carol ALL=(ALL) ALL' >/etc/sudoers.d/users",
                "/etc/sudoers.d/users is read after /etc/sudoers.d/tpa",
                "mv /etc/sudoers.d/users /etc/sudoers.d/0-users",
            ),
            ("mv /etc/sudoers.d/tpa /root/", "/etc/sudoers.d/tpa does not include", "mv /root/tpa /etc/sudoers.d/"),
            ("echo 'Defaults:%engineers !pam_acct_mgmt' >/etc/sudoers.d/more", "without asking for a grant", "rm /etc/sudoers.d/more"),
            ("echo 'Defaults !pam_session' >/etc/sudoers.d/more", "its sudo rules are not in force", "rm /etc/sudoers.d/more"),
            ("echo 'Defaults requiretty' >/etc/sudoers.d/more", "whoever has no terminal", "rm /etc/sudoers.d/more"),
            (
                "cp /etc/nsswitch.conf /root/; echo 'sudoers: files sss' >>/etc/nsswitch.conf",
                "rules of a directory",
                "cp /root/nsswitch.conf /etc/",
            ),
            (
                "echo 'UsePAM no' >/etc/ssh/sshd_config.d/0.conf",
                "sshd does not ask PAM for everybody (UsePAM no in /etc/ssh/sshd_config)",
                "rm /etc/ssh/sshd_config.d/0.conf",
            ),
            (
                "{ echo 'UsePAM no'; echo 'Port 2222'; echo 'PidFile /run/second.pid'; } >/etc/ssh/second; /usr/sbin/sshd -f /etc/ssh/second; until [ -s /run/second.pid ]; do :; done",
                "(UsePAM no in /etc/ssh/second)",
                "kill $(cat /run/second.pid); while [ -e /run/second.pid ]; do :; done",
            ),
        ];
        for (harm, problem, mend) in table {
            found_and_mended(host, harm, problem, mend)?;
        }
    }

    fn an_ordinary_user_is_told_to_run_it_as_root(host) {
        host.console("bob", "tpactl doctor").code_is(1)?.says("run it as root: sudo tpactl doctor")?;
        // Nothing is wrong that he can see, and he cannot see everything.
        let said = host.console("bob", "tpactl doctor --severity error");
        said.code_is(4)?
            .says("sshd -T does not tell")?
            .says("/etc/sudoers cannot be read")?
            .says("could not be looked at")?
            .keeps_quiet_about("error:")?;
        host.root("tpactl doctor --severity error").code_is(0)?;
        host.root("sed -i '/common-account/d' /etc/pam.d/sudo").ok()?;
        host.console("bob", "tpactl doctor --severity error").code_is(1)?.says("sudo has no account line")?;
    }
}

/// Only this release has what the stories are about: OpenSSH from 9.8 on, and sudo-rs.
fn on_debian_13(story: fn(&Host) -> Result<()>) -> Result<()> {
    play(Debian::Trixie, story)
}

#[test]
fn penalties_that_shut_out_an_office_are_found() -> Result<()> {
    on_debian_13(|host| {
        let conf = "/etc/ssh/sshd_config.d/office.conf";
        found_and_mended(
            host,
            &format!("mv {conf} /root/"),
            "four refused logins make sshd shut out their source address (PerSourcePenalties)",
            &format!("mv /root/office.conf {conf}"),
        )?;
        host.root(&format!("mv {conf} /root/; tpactl doctor"))
            .says("add PerSourcePenaltyExemptList with your networks to /etc/ssh/sshd_config")?;
        Ok(())
    })
}

#[test]
fn a_role_that_sudo_rs_cannot_record_is_found() -> Result<()> {
    on_debian_13(|host| {
        host.write("/etc/tpa/roles.d/web-ops.toml", &recorded(WEB_OPS))?;
        found_and_mended(
            host,
            "mv /usr/bin/sudo /usr/bin/sudo.was; cp /usr/lib/cargo/bin/sudo /usr/bin/sudo",
            "web-ops wants what runs under it recorded, which sudo-rs cannot",
            "mv /usr/bin/sudo.was /usr/bin/sudo",
        )
    })
}
