//! What a grant runs is held by it: ways to get a process away from its end, and the cut that works
//! when nothing else does.

use anyhow::Result;
use tpa_tests::access::{Access, is_over, none_runs, stay};
use tpa_tests::chain;
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// A gate before sudo alone: alice's logins need no grant, so that only what is held by one ends.
const SUDO_ONLY: &str = r#"[gate]
login = []
sudo  = ["@engineers"]
"#;

/// What a role is made of: its commands, each as root and as postgres.
fn gives(commands: &str) -> String {
    format!(
        r#"[request]
who = ["@engineers"]
max = "4h"
[approve]
who = ["@oncall"]
[gives]
login = false
[[gives.sudo]]
as = "root"
run = [{commands}]
password = false
[[gives.sudo]]
as = "postgres"
run = ["/bin/bash"]
password = false
"#
    )
}

/// Settings under which sudo would open no session, and a rule that no grant gave.
const SETTINGS: &str = "Defaults:%engineers !pam_session
Defaults>postgres !pam_session
Defaults!/usr/bin/tail !pam_session
alice ALL=(root) NOPASSWD: /usr/bin/tail
";

/// Run by alice in her own service manager, in a control group that is hers: a group named like the
/// grant ($1), commands started from it, and every one of them moved away from wherever it stands.
const ATTACK: &str = r#"#!/bin/bash
root=/sys/fs/cgroup; [ ! -d $root/unified ] || root=$root/unified
own=$root$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir $own/tpa-$1 $own/other $own/nested $own/nested/tpa-$1
run() { (echo $BASHPID >$own/$from/cgroup.procs; exec "$@") </dev/null >>/tmp/attack.out 2>&1 & }
for from in tpa-$1 nested/tpa-$1 other; do
    run sudo -n /bin/bash -c 'exec -a held01 sleep 7200'
done
run sudo -n -b /bin/bash -c 'exec -a held02 sleep 7200'
run sudo -n -i exec -a held03 sleep 7200
run sudo -n /usr/bin/su - postgres -s /bin/bash -c 'exec -a held04 sleep 7200'
run sudo -n /usr/bin/su -s /bin/bash -c 'setsid --fork bash -c "exec -a held05 sleep 7200"'
run sudo -n /bin/bash -c '(su - -s /bin/bash -c "nohup bash -c \"exec -a held06 sleep 7200 &\" >/dev/null") &'
run sudo -n /usr/bin/tmux -L held new-session -d 'exec -a held07 sleep 7200'
run sudo -n -u postgres /bin/bash -c 'exec -a held08 sleep 7200'
run sudo -n /usr/bin/bash -c 'exec -a held09 sleep 7200'
ln -s /bin/bash ~/bash
run sudo -n ~/bash -c 'exec -a held10 sleep 7200'
run sudo -n -p "$(head -c 70000 /dev/zero | tr '\0' x)" /bin/bash -c 'exec -a held11 sleep 7200'
run env -C /bin sudo -n ./bash -c 'exec -a held12 sleep 7200'
run script -qfc "sudo -n bash -c 'exec -a held13 sleep 7200'" /dev/null
run sudo -n /usr/bin/tail -f /dev/null
# A newer sudo takes no link for the command that it leads to, which is one less.
until [ "$(pgrep -cf '^held[0-9]+ 7200')" -ge 14 ] && pgrep -xf '/usr/bin/tail -f /dev/null'; do sleep 0.2; done
for round in 1 2 3; do
    for pid in $(pgrep 'sudo|su|tmux|tail|sleep|bash'); do
        for to in other tpa-$1 nested; do echo $pid >$own/$to/cgroup.procs; done
    done
done 2>/dev/null
touch /tmp/moved
sleep 7200
"#;

/// Breaks tpad, cuts everything off without it, brings it back: what was granted stays ended, and
/// is told as what it was.
fn cut_off(host: &Host, broken: &str, back: &str) -> Result<()> {
    let access = Access::begin(host, "1h")?;
    let id = access.id.clone();
    host.root(broken).ok()?;
    // What systemd has clear up behind a cut login runs in that person's slice: while it does, the
    // reaper says that something runs, and is to be asked again.
    host.eventually("tpad reap --all")?;
    access.is_cut()?;
    is_over(host, &id)?;
    host.root(back).ok()?;
    let told = [
        "grant-revoked",
        &format!("grant={id}"),
        "with tpad reap --all",
    ];
    host.logged_with(&told)?;
    host.logged_event("reaper-acted", &id)?;
    host.logged_event("removal-confirmed", &id)?;
    is_over(host, &id)?;
    host.root("ls /var/lib/tpa/cut-off /run/tpa/cut-off")
        .fails()?;
    // A new grant is a new grant.
    let again = grant(host, "alice", "web-ops", "1h")?;
    host.ssh("alice", "true").ok()?;
    host.root(&format!("tpactl revoke {again} --reason test --yes"))
        .ok()?;
    host.logged_event("removal-confirmed", &again)?;
    Ok(())
}

on_both_debians! {
    with play;

    fn what_a_grant_runs_ends_with_it_wherever_it_was_started(host) {
        host.write("/etc/tpa/tpad.toml", SUDO_ONLY)?;
        host.write("/etc/sudoers.d/a-local", SETTINGS)?;
        host.root("chmod 440 /etc/sudoers.d/a-local && visudo -c").ok()?;
        role(host, "narrow", &gives("\"/usr/bin/id\""))?;
        role(host, "tail", &gives("\"/bin/tail\""))?;
        role(host, "shell", &gives("\"/bin/bash\", \"/usr/bin/su\", \"/usr/bin/tmux\""))?;
        // What both may give counts as given by the one that ends first.
        let long = grant(host, "alice", "narrow", "2h")?;
        let short = grant(host, "alice", "shell", "1h")?;
        host.write("/tmp/attack", ATTACK)?;
        // Her service manager stays while she is logged in.
        let _in = stay(host, "alice")?;
        host.ssh("alice", &format!("systemd-run --user --quiet bash /tmp/attack {short}")).ok()?;
        host.root("until [ -e /tmp/moved ]; do sleep 0.2; done").ok()?;
        host.root(&format!("tpactl revoke {short} --reason test --yes")).ok()?;
        host.logged_event("removal-confirmed", &short)?;
        none_runs(host, "-f '^held[0-9]+ 7200'")?;
        none_runs(host, "-xf '/usr/bin/tail -f /dev/null'")?;
        // Her own goes on, and so does what the other grant gives.
        host.root("pgrep -u alice -f /tmp/attack").ok()?;
        host.ssh("alice", "sudo -n /usr/bin/id -u").says("0")?.ok()?;
        host.root(&format!("tpactl report {short}"))
            .says("command sudo -n -i exec -a held03")?
            .says("/usr/bin/bash -c 'exec -a held09 sleep 7200'")?;
        host.root(&format!("tpactl revoke {long} --reason test --yes")).ok()?;

        // What would run in no session is not given.
        let unheld = grant(host, "alice", "tail", "1h")?;
        host.root(&format!("tpactl show {unheld}"))
            .says("its sudo rules are not in force: \"Defaults !pam_session\"")?;
        host.root(&format!("ls /run/tpa/sudoers.d/{unheld}")).fails()?;
    }

    fn what_the_reaper_cut_off_stays_cut_off(host) {
        cut_off(host, "true", "true")?;
        cut_off(host, "systemctl kill --signal=STOP tpad", "systemctl kill --signal=CONT tpad")?;
        cut_off(host, "systemctl stop tpad", "systemctl start tpad")?;
        host.no_event_logged("host-drift")?;
        chain::is_whole(host)?;
        // It outlives a reboot in which no tpad ran.
        let access = Access::begin(host, "1h")?;
        host.root("systemctl disable --now tpad").ok()?;
        host.root("tpad reap --all").ok()?;
        host.reboot()?;
        host.root("systemctl enable --now tpad").ok()?;
        let told = ["grant-revoked", &format!("grant={}", access.id), "with tpad reap --all"];
        host.logged_with(&told)?;
        host.ssh("alice", "true").fails()?.says("denied")?;
    }
}
