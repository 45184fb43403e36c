//! Several grants of one person: ending one takes what the others do not give, and no more.

use anyhow::ensure;
use tpa_tests::access::{none_runs, seconds_for};
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

/// A role with the same login and another sudo command, also as root.
fn reports(host: &Host) -> anyhow::Result<()> {
    let text = WEB_OPS
        .replace("/usr/bin/sleep 4711", "/usr/bin/sleep 4716")
        .replace("\"/usr/bin/id -un\"", "\"/usr/bin/id -gn\"");
    role(host, "reports", &text)
}

fn revoke(host: &Host, id: &str) -> anyhow::Result<()> {
    let line = format!("tpactl revoke {id} --reason 'no longer needed' --yes");
    host.ssh("carol", &line).ok()?;
    host.logged_event("removal-confirmed", id)?;
    Ok(())
}

fn sleeps(host: &Host) -> String {
    let found =
        host.root("pgrep -af '^(/usr/bin/)?sleep 471[16]' | cut -d' ' -f3 | sort | paste -sd,");
    found.out.trim().to_owned()
}

/// `tpactl sessions` shows that person the sleep of a closed login under this grant.
fn goes_on(host: &Host, viewer: &str, id: &str) -> anyhow::Result<()> {
    let seen =
        format!("setpriv --reuid={viewer} --regid={viewer} --init-groups tpactl sessions {id}");
    host.eventually(&format!("{seen} | grep -q 'sleep (login closed)'"))
}

on_both_debians! {
    with play;

    fn in_the_same_role_the_one_that_is_left_gives_everything(host) {
        let (short, long) = (grant(host, "alice", "web-ops", "1h")?, grant(host, "alice", "web-ops", "2h")?);
        let mut login = host.start_ssh("alice", &["-tt", "echo in; exec cat"])?;
        login.line("in")?;
        // What goes on of a login that was closed, as tmux and mosh do, is seen under the same grant.
        host.ssh("alice", "setsid -f sleep 7342 >/dev/null 2>&1 </dev/null").ok()?;
        goes_on(host, "alice", &long)?;
        host.console("bob", "tpactl sessions").keeps_quiet_about("sleep")?;
        revoke(host, &long)?;
        host.logged_event("session-moved", &short)?;
        goes_on(host, "carol", &short)?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.root("pgrep -u alice -x cat").ok()?;
        host.console("alice", "tpactl sessions --json").says(&short)?.keeps_quiet_about(&long)?;
        revoke(host, &short)?;
        login.finish()?.code_is(255)?;
        none_runs(host, "-u alice")?;
    }

    fn in_different_roles_each_end_takes_its_own_commands(host) {
        reports(host)?;
        let (web, other) = (grant(host, "alice", "web-ops", "1h")?, grant(host, "alice", "reports", "2h")?);
        let mut login = host.start_ssh("alice", &["-tt", "echo in; exec cat"])?;
        login.line("in")?;
        let first = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
        host.logged("COMMAND=/usr/bin/sleep 4711")?;
        let second = host.start_ssh("alice", &["-T", "sudo -n sleep 4716"])?;
        host.logged("COMMAND=/usr/bin/sleep 4716")?;
        host.runs("^(/usr/bin/)?sleep 471[16]", 2)?;
        ensure!(sleeps(host) == "4711,4716", "{}", sleeps(host));
        host.logged_event("sudo-opened", &web)?;
        host.logged_event("sudo-opened", &other)?;
        revoke(host, &web)?;
        ensure!(sleeps(host) == "4716", "{}", sleeps(host));
        host.root("pgrep -u alice -x cat").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").fails()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -gn").ok()?;
        revoke(host, &other)?;
        ensure!(sleeps(host).is_empty(), "{}", sleeps(host));
        login.finish()?.code_is(255)?;
        first.finish()?.fails()?;
        second.finish()?.fails()?;
    }

    fn a_login_lives_until_the_last_grant_ends(host) {
        let seconds = seconds_for(host, 6)?;
        let first = grant(host, "alice", "web-ops", &format!("{seconds}s"))?;
        let mut login = host.start_ssh("alice", &["-tt", "echo in; exec cat"])?;
        login.line("in")?;
        let last = grant(host, "alice", "web-ops", &format!("{}s", seconds * 2))?;
        host.logged_event("removal-confirmed", &first)?;
        let moved = host.logged_event("session-moved", &last)?;
        ensure!(moved.contains(&format!(" from={first} ")), "{moved}");
        host.root("pgrep -u alice -x cat").ok()?;
        login.finish()?.code_is(255)?;
        host.logged_event("removal-confirmed", &last)?;
        none_runs(host, "-u alice")?;
    }
}
