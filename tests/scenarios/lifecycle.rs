//! The package comes, changes and goes while a grant lives: nobody is kept out, and nothing is left
//! half done.

use anyhow::{Result, ensure};
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

on_both_debians! {
    with play;

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
        host.root("grep pam_tpa /etc/pam.d/common-account").ok()?;
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
