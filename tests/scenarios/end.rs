//! Access ends: all of it, on time.

use tpa_tests::access::{PROMISE, end_of, is_on_time, nothing_runs, seconds_for, work};
use tpa_tests::grant::{grant, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::running::Running;
use tpa_tests::scenario::play;

/// Everything that a person may leave running. What is returned has to be kept: it stands for the
/// clients, which sit elsewhere.
fn spread_out(host: &Host) -> anyhow::Result<(Running, Vec<Running>)> {
    let (login, sudo) = work(host)?;
    host.ssh("alice", "setsid --fork sleep 4713 >/dev/null 2>&1")
        .ok()?;
    host.ssh("alice", "tmux new-session -d 'exec sleep 4714'")
        .ok()?;
    let quiet = "alice@127.0.0.1 </dev/null >/dev/null 2>&1";
    host.root(&format!(
        "ssh -f -N -o ExitOnForwardFailure=yes -L 4000:127.0.0.1:22 {quiet}"
    ))
    .ok()?;
    host.root(&format!("ssh -f -N -M -S /tmp/shared {quiet}"))
        .ok()?;
    let mut channel =
        host.start("ssh -S /tmp/shared alice@127.0.0.1 'echo in; exec sleep 4715'")?;
    channel.line("in")?;
    let mut sftp = host.start("tail -f /dev/null | sftp alice@127.0.0.1 2>&1")?;
    sftp.line_with("Connected")?;
    host.runs("^(/usr/bin/)?sleep 471[0-5]", 6)?;
    Ok((login, vec![sudo, channel, sftp]))
}

/// None of it is left, and none of it can be begun again.
fn nothing_is_left(host: &Host, id: &str) -> anyhow::Result<()> {
    host.logged_event("removal-confirmed", id)?;
    nothing_runs(host)?;
    // Root's side of her logins, and the clients, which hear of it from their servers.
    host.eventually("! pgrep -f '^sshd(-session)?: alice' >/dev/null")?;
    host.eventually("! pgrep -f '^ssh -f' >/dev/null")?;
    host.root("ss -Hltn 'sport = 4000' | grep .").code_is(1)?;
    let files = format!("/run/tpa/sudoers.d/{id} /run/tpa/state/$(id -u alice)");
    host.none_of(&files)?;
    host.root("find /sys/fs/cgroup -name 'tpa-????????' -type d | grep .")
        .code_is(1)?;
    host.root("systemctl --failed --quiet | grep .")
        .code_is(1)?;
    host.ssh("alice", "true")
        .fails()?
        .says("no active grant for alice")?;
    host.console("alice", "sudo -n /usr/bin/sleep 4711")
        .fails()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn at_the_end_everything_the_grant_started_is_gone(host) {
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 14)?))?;
        let (login, clients) = spread_out(host)?;
        let end = end_of(host, &id)?;
        login.finish()?.code_is(255)?.says("Closing this session.")?;
        let told = host.logged_event("removal-confirmed", &id)?;
        is_on_time(host, &told, end, PROMISE)?;
        nothing_is_left(host, &id)?;
        shown(host, &id)?.has("state", "expired")?;
        drop(clients);
    }

    fn revoking_ends_everything_at_once(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let (login, clients) = spread_out(host)?;
        host.ssh("carol", &format!("tpactl revoke {id} --reason 'the sale begins' --yes")).ok()?;
        login.finish()?.code_is(255)?.says("revoked by carol: the sale begins. Closing this session.")?;
        nothing_is_left(host, &id)?;
        let request = shown(host, &id)?;
        request.has("state", "revoked")?.has("not_after", request.text("ended_at")?)?;
        host.console("alice", &format!("tpactl show {id}")).says("the sale begins")?.keeps_quiet_about("until")?.ok()?;
        host.ssh("alice", "true").fails()?.says("revoked by carol: the sale begins.")?;
        host.console("alice", "echo alice-pw | sudo -S true").fails()?.says("revoked by carol: the sale begins.")?;
        drop(clients);
    }

    fn ending_ones_own_access_ends_everything_at_once(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let (login, clients) = spread_out(host)?;
        host.console("alice", &format!("tpactl end {id} --yes")).keeps_quiet_about("panic")?;
        login.finish()?.code_is(255)?;
        nothing_is_left(host, &id)?;
        shown(host, &id)?.has("state", "ended")?;
        drop(clients);
    }

    fn what_somebody_else_kills_is_told_to_have_ended(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let sudo = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
        host.logged_event("sudo-opened", &id)?;
        host.root("loginctl kill-user --signal=KILL alice").ok()?;
        sudo.finish()?.code_is(255)?;
        host.logged_event("sudo-closed", &id)?;
        host.logged_event("session-closed", &id)?;
        shown(host, &id)?.has("state", "active")?;
    }
}
