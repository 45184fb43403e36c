//! Access ends on time, whoever is dead: something on the host breaks while a grant lives, and
//! all that the grant started is gone within 5 s of its end all the same. Nobody else is kept out.

use anyhow::Result;
use tpa_tests::access::{Access, ends, get_in, is_by_now_on_time, none_runs, nothing_runs, others};
use tpa_tests::chain;
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::installed;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// A unit that alice's own service manager starts whenever it does.
const PLANT: &str = "mkdir -p ~/.config/systemd/user
printf '[Service]\nExecStart=/usr/bin/sleep 4717\n[Install]\nWantedBy=default.target\n' >~/.config/systemd/user/planted.service
systemctl --user --quiet enable --now planted.service";

/// The hour of what waits for at(1) has come: the name of its file ends with the minute, in hexadecimal.
const AT_NOW: &str = "cd /var/spool/cron/atjobs && for job in a*; do \
    mv $job ${job%????????}$(printf %08x $(($(date +%s) / 60))); done && systemctl kill --signal=HUP atd";

/// Breaks something by a line of shell while a grant lives; its id.
fn break_and_end(host: &Host, line: &str, witness: &str) -> Result<String> {
    breaks_and_ends(host, Access::begin_for(host, 5)?, line, witness)
}

fn breaks_and_ends(host: &Host, access: Access, line: &str, witness: &str) -> Result<String> {
    host.root(line).ok()?;
    let meanwhile = others(host)?;
    let id = access.id.clone();
    access.ends(host, witness)?;
    get_in(meanwhile)?;
    get_in(others(host)?)?;
    // Whoever ended it, it was no stranger.
    host.no_event_logged("host-drift")?;
    Ok(id)
}

/// tpad is back and says that nothing is left. The trail is whole, whoever brought about the end.
fn comes_back(host: &Host, id: &str) -> Result<()> {
    host.root(
        "systemctl unmask --runtime tpad; systemctl kill --signal=CONT tpad; systemctl start tpad",
    )
    .ok()?;
    host.logged_event("removal-confirmed", id)?;
    chain::is_whole(host)
}

/// tpad is stopped and so are the timers: PID 1 ends the login at its limit, and takes it for
/// failed. Once tpad is back nothing is, and what no limit ends has ended: a service manager of
/// alice's own, and what she left in the background.
fn the_limit_alone_ends_it(host: &Host) -> Result<()> {
    let access = Access::begin_for(host, 5)?;
    let (id, end) = (access.id.clone(), access.end);
    host.root(&format!(
        "systemctl stop tpad && systemctl stop 'tpa-reap-{id}-*.timer'"
    ))
    .ok()?;
    access.is_cut()?;
    is_by_now_on_time(end)?;
    let failed = "systemctl --failed --plain --no-legend";
    host.eventually(&format!("{failed} | grep session-"))?;
    comes_back(host, &id)?;
    nothing_runs(host)?;
    // Tidying up comes behind everything else, and nothing tells when it is done.
    host.eventually(&format!("[ -z \"$({failed})\" ]"))
}

on_both_debians! {
    with play;

    fn tpad_killed(host) {
        break_and_end(host, "systemctl kill --signal=KILL tpad", "removal-confirmed")?;
        chain::is_whole(host)?;
    }

    fn tpad_stopped(host) {
        let id = break_and_end(host, "systemctl stop tpad", "reaper-acted")?;
        comes_back(host, &id)?;
        the_limit_alone_ends_it(host)?;
    }

    fn tpad_masked_and_killed(host) {
        let id = break_and_end(
            host,
            "systemctl mask --runtime tpad; systemctl kill --signal=KILL tpad",
            "reaper-acted",
        )?;
        comes_back(host, &id)?;
    }

    fn tpad_hung(host) {
        let id = break_and_end(host, "systemctl kill --signal=STOP tpad", "reaper-acted")?;
        comes_back(host, &id)?;
    }

    fn tpad_upgraded(host) {
        host.copy_in(&installed::package()?, "/root/tpa.deb")?;
        // dpkg is through with it by then.
        let access = Access::begin_for(host, 15)?;
        breaks_and_ends(host, access, "dpkg -i /root/tpa.deb", "removal-confirmed")?;
        host.root("systemctl is-active tpad").ok()?;
    }

    fn the_bus_stopped(host) {
        break_and_end(host, "systemctl stop dbus.socket dbus.service", "removal-confirmed")?;
    }

    fn the_bus_hung(host) {
        let access = Access::begin_for(host, 5)?;
        host.root("systemctl kill --signal=STOP dbus").ok()?;
        let waiting = others(host)?;
        access.ends(host, "removal-confirmed")?;
        // They are through the gate; the line of pam_systemd waits 90 s for the bus, as it does on
        // a host without TPA.
        for user in ["bob", "root", "frank"] {
            host.logged_with(&["(sshd:session)", &format!("session opened for user {user}")])?;
        }
        drop(waiting);
    }

    fn logind_restarted_and_systemd_reloaded(host) {
        break_and_end(
            host,
            "systemctl restart systemd-logind; systemctl daemon-reload",
            "removal-confirmed",
        )?;
    }

    fn logind_gone(host) {
        break_and_end(host, "systemctl mask --runtime --now systemd-logind", "removal-confirmed")?;
    }

    fn tpad_and_the_bus_dead(host) {
        break_and_end(
            host,
            "systemctl mask --runtime tpad; systemctl kill --signal=KILL tpad; systemctl stop dbus.socket dbus.service",
            "reaper-acted",
        )?;
    }

    fn tpad_dead_and_the_bus_hung(host) {
        let access = Access::begin_for(host, 5)?;
        host.root("systemctl mask --runtime tpad; systemctl kill --signal=KILL tpad").ok()?;
        host.root("systemctl kill --signal=STOP dbus").ok()?;
        access.ends(host, "reaper-acted")?;
    }

    fn what_was_left_to_run_later_runs_no_more(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("install -D /dev/null /var/lib/systemd/linger/alice").ok()?;
        host.ssh("alice", "systemd-run --user --quiet sleep 4716").ok()?;
        host.ssh("alice", "echo 'touch /tmp/by-at' | at now + 1 hour").ok()?;
        host.ssh("alice", "echo '* * * * * touch /tmp/by-cron' | crontab -").ok()?;
        host.ssh("alice", PLANT).ok()?;
        host.runs("^(/usr/bin/)?sleep 471[67]", 2)?;
        host.root("tpactl revoke --user alice --reason 'for the test' --yes").ok()?;
        host.logged_event("removal-confirmed", &id)?;
        // A full minute may have come while the grant lived.
        host.root("rm -f /tmp/by-cron").ok()?;
        none_runs(host, "-f '^(/usr/bin/)?sleep 471'")?;
        let denied = |service| [" login-denied ", " user=alice ", service];
        host.root(AT_NOW).ok()?;
        host.logged_with(&denied("service=atd"))?;
        // cron looks once a minute, and did so for the first time since the end when it is denied.
        host.logged_with(&denied("service=cron"))?;
        host.none_of("/tmp/by-at /tmp/by-cron /var/lib/systemd/linger/alice")?;
        host.root("systemctl restart systemd-logind").ok()?;
        host.reboot()?;
        none_runs(host, "-u alice")?;
    }

    fn the_host_rebooted(host) {
        let access = Access::begin_for(host, 20)?;
        host.reboot()?;
        none_runs(host, "-f '^(/usr/bin/)?sleep 471'")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        ends(host, &access.id, access.end, "removal-confirmed")?;
        get_in(others(host)?)?;
    }

    fn the_power_cut(host) {
        let access = Access::begin_for(host, 20)?;
        host.cut_power()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        ends(host, &access.id, access.end, "removal-confirmed")?;
        chain::is_whole(host)?;
        get_in(others(host)?)?;
    }

    fn before_tpad_is_there_after_a_power_cut_a_grant_gives_nothing(host) {
        let access = Access::begin(host, "1h")?;
        host.root("systemctl disable tpad").ok()?;
        host.cut_power()?;
        host.root(&format!("ls /run/tpa/sudoers.d/{}", access.id)).fails()?;
        host.ssh("alice", "true").fails()?.says("tpad is not answering; access denied")?;
        get_in(others(host)?)?;
        host.root("systemctl enable --now tpad").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
    }
}
