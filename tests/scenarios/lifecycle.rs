//! The package comes, changes and goes while a grant lives: nobody is kept out, and nothing is left
//! half done.

use anyhow::{Context as _, Result, ensure};
use tpa_tests::access::{get_in, others, stay};
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::installed;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

/// A role that lets its holder install and remove packages, and alice's grant of it.
fn grant_of_dpkg(host: &Host) -> Result<String> {
    let text = WEB_OPS.replace("\"/usr/bin/sleep 4711\"", "\"/usr/bin/dpkg\"");
    role(host, "packages", &text)?;
    grant(host, "alice", "packages", "1h")
}

/// alice is in on her grant, and everybody who needs none gets in.
fn all_get_in(host: &Host) -> Result<()> {
    let others = others(host)?;
    host.ssh("alice", "true").ok()?;
    get_in(others)
}

/// Makes of a package one whose scripts kill themselves and dpkg at the place, of those between their
/// parts, that stands in a file.
const DIES: &str = r#"for script in prerm postinst postrm; do
    awk -v script=$script '{ print }
        /^set -e$|^# End automatically/ {
            printf "[ \"$(cat /root/dies 2>/dev/null)\" != %s-%d ] || kill -9 $PPID $$\n", script, ++n
        }' DEBIAN/$script >DEBIAN/new && cat DEBIAN/new >DEBIAN/$script && rm DEBIAN/new
done"#;

/// Nobody is cut or kept out, and nobody let in, whatever state the package is in.
fn gate_is_as_before(host: &Host, state: &str) -> Result<()> {
    let stands = || {
        all_get_in(host)?;
        host.ssh("mallory", "true").fails()?.says("denied")?;
        host.runs("^sleep 4710", 1)
    };
    stands().with_context(|| format!("after {state}"))
}

/// tpad runs, whatever came before.
fn installs_and_runs(host: &Host) -> Result<()> {
    host.root("dpkg -i /root/tpa.deb").ok()?;
    host.root("systemctl is-active tpad && dpkg --audit").ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn an_upgrade_that_breaks_off_anywhere_or_meets_a_broken_tpad_cuts_nobody_and_opens_nothing(host) {
        installed::bring(host, "dying", DIES)?;
        host.root("dpkg -i /root/dying.deb").ok()?;
        grant(host, "alice", "web-ops", "1h")?;
        let _login = stay(host, "alice")?;

        // Killed in a script, between unpacking two files, and by a disk that is full.
        for place in ["prerm-1", "postinst-1", "postinst-5"] {
            host.root(&format!("echo {place} >/root/dies && dpkg -i /root/dying.deb; rm /root/dies"));
            host.root("dpkg-query --show --showformat '${db:Status-Status}' tpa | grep -x installed").code_is(1)?;
            gate_is_as_before(host, place)?;
        }
        let strace = "strace --follow-forks --output=/dev/null --trace=";
        for (call, fault) in [("rename", "signal=KILL:when=9"), ("write", "error=ENOSPC:when=40+")] {
            host.root(&format!("{strace}{call} --inject={call}:{fault} dpkg -i /root/tpa.deb")).fails()?;
            gate_is_as_before(host, fault)?;
        }
        installs_and_runs(host)?;
        host.root("find /usr /etc -name '*.dpkg-*' | grep .").code_is(1)?;

        // A tpad that does not start, and one that hangs.
        let broken = "printf '#!/bin/sh\nexit 1\n' >/root/tpad && chmod 0755 /root/tpad && \
                      mv /root/tpad /usr/sbin/tpad && systemctl kill --signal=KILL tpad";
        host.root(broken).ok()?;
        gate_is_as_before(host, "tpad breaking")?;
        installs_and_runs(host)?;
        host.root("systemctl kill --signal=STOP tpad").ok()?;
        installs_and_runs(host)?;
        gate_is_as_before(host, "tpad hanging")?;

        // A removal on a full disk is none. One without a tpad that works says what it did not do.
        host.root(&format!("{strace}fsync --inject=fsync:error=ENOSPC dpkg --remove tpa")).fails()?;
        gate_is_as_before(host, "a removal that failed")?;
        installs_and_runs(host)?;
        host.root(broken).ok()?;
        host.root("dpkg --remove tpa")
            .says("nobody needs a grant on this host from now on")?
            .says("what grants had started was not ended")?
            .ok()?;
        get_in(others(host)?)?;
        host.root("dpkg --purge tpa && visudo -c").ok()?;
        get_in(others(host)?)?;
    }

    fn whoever_is_in_on_a_grant_may_upgrade_and_is_refused_a_removal_with_nothing_changed(host) {
        installed::bring(host, "newer", "sed -i 's/^Version: .*/Version: 9.0/' DEBIAN/control")?;
        let id = grant_of_dpkg(host)?;
        let mut login = stay(host, "alice")?;
        host.ssh("alice", "sudo -n /usr/bin/dpkg -i /root/newer.deb").ok()?;
        all_get_in(host)?;

        let state = "systemctl show -p ActiveState,MainPID tpad; sha256sum /etc/pam.d/*; find /run/tpa /etc/tpa | sort";
        let before = host.root(state);
        for removal in ["--remove", "--purge"] {
            host.ssh("alice", &format!("sudo -n /usr/bin/dpkg {removal} tpa"))
                .fails()?
                .says("this runs under a grant")?
                .says("nothing was removed")?;
        }
        let after = host.root(state);
        ensure!(before.ok()? == after.ok()?, "{before}{after}");
        all_get_in(host)?;
        host.root(&format!("tpactl show {id} --json")).json()?.has("state", "active")?;

        // What is said to be the next step takes its end, and alice with it.
        host.root("systemd-run --quiet --wait --pipe dpkg --remove tpa").ok()?;
        ensure!(login.line("never").is_err(), "alice is still in");
        get_in(others(host)?)?;
    }

    fn a_removal_that_is_killed_half_way_leaves_the_host_gated_once_it_is_installed_again(host) {
        installed::bring(host, "newer", "true")?;
        host.root("sed -i 's/^    end_grants$/    kill -9 $PPID; exit 1/' /var/lib/dpkg/info/tpa.prerm").ok()?;
        host.root("dpkg --remove tpa").fails()?;
        host.root("grep pam_tpa /etc/pam.d/common-account").code_is(1)?;
        get_in(others(host)?)?;
        host.root("dpkg -i /root/newer.deb").ok()?;
        host.root("grep pam_tpa /etc/pam.d/common-account && grep 'pam_tpa.so scope' /etc/pam.d/common-session").ok()?;
        host.ssh("mallory", "true").fails()?.says("no active grant for mallory")?;
        get_in(others(host)?)?;
    }

    fn an_upgrade_asks_nothing_and_a_purge_says_what_goes(host) {
        // A package of before, in which the file was one that dpkg asks about.
        installed::bring(host, "conffile", "mkdir -p etc/tpa && echo '# as it came' >etc/tpa/tpad.toml && \
                                 echo /etc/tpa/tpad.toml >>DEBIAN/conffiles")?;
        host.root("dpkg --force-confold -i /root/conffile.deb").ok()?;
        let mine = host.root("cat /etc/tpa/tpad.toml");
        host.root("dpkg -i /root/tpa.deb </dev/null").ok()?;
        ensure!(host.root("cat /etc/tpa/tpad.toml").ok()? == mine.ok()?, "{mine}");
        host.root("mkdir -p /var/log/sudo-io/7H2KM4QX /var/log/sudo-io/00").ok()?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        grant_survives_nothing(host)?;
        host.root("dpkg --remove tpa </dev/null").ok()?;
        host.root("ls /var/lib/tpa/tpa.db /var/log/sudo-io/7H2KM4QX /etc/tpa/tpad.toml").ok()?;
        get_in(others(host)?)?;
        host.root("dpkg --purge tpa </dev/null").says("/var/lib/tpa")?.ok()?;
        host.none_of("/var/lib/tpa /var/log/sudo-io/7H2KM4QX /etc/tpa/tpad.toml")?;
        host.root("ls -d /var/log/sudo-io/00").ok()?;
        get_in(others(host)?)?;
    }
}

/// With tpad gone whoever holds no grant stays out, and the others get in.
fn grant_survives_nothing(host: &Host) -> Result<()> {
    host.ssh("mallory", "true").fails()?;
    get_in(others(host)?)
}
