//! A disk that is full or fails: nothing is granted that cannot be recorded, and what ends, ends.

use anyhow::{Context as _, Result, ensure};
use tpa_tests::access::{Access, end_of, get_in, is_by_now_on_time, others, seconds_for, stay};
use tpa_tests::chain;
use tpa_tests::grant::{grant, request, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::running::Running;
use tpa_tests::scenario::play;

/// A system call of tpad that fails from now on, as strace(1) spells it.
struct Fault(Running);

impl Fault {
    fn begin(host: &Host, call: &str, error: &str) -> Result<Self> {
        let pid = host.root("systemctl show --property=MainPID --value tpad");
        let mut strace = host.start(&format!(
            "exec strace --attach={} --output=/dev/null --trace={call} --inject={call}:error={error} 2>&1",
            pid.ok()?
        ))?;
        strace.line_with("attached")?;
        Ok(Self(strace))
    }

    fn mend(self, host: &Host) -> Result<()> {
        host.root("pkill -x strace").ok()?;
        self.0.finish()?;
        Ok(())
    }
}

/// Puts a folder of tpad's on a small file system of its own.
fn put_apart(host: &Host, folder: &str, size: &str) -> Result<()> {
    let line = format!(
        "systemctl stop tpad && cp -a {folder} /root/kept && \
         mount -t tmpfs -o size={size},mode=0700 tmpfs {folder} && \
         cp -a /root/kept/. {folder} && systemctl start tpad"
    );
    host.root(&line).ok()?;
    Ok(())
}

/// Fills a folder's file system to the last byte.
fn fill(host: &Host, folder: &str) -> Result<()> {
    host.root(&format!("cat /dev/zero >{folder}/fill"))
        .fails()?
        .says("No space left on device")?;
    Ok(())
}

/// Everything of alice's is gone. While nothing can be recorded no line tells when, and a killed
/// process is there until its parent has waited for it: so it is looked for. logind ends nothing of
/// hers by itself meanwhile, see [`logind_waits`].
fn gone(host: &Host) -> Result<()> {
    host.eventually("! pgrep -u alice >/dev/null")
}

/// Has logind leave people's service managers alone after their last logout: what ends them is tpad.
fn logind_waits(host: &Host) -> Result<()> {
    host.root(
        "mkdir -p /etc/systemd/logind.conf.d && \
         printf '[Login]\nUserStopDelaySec=infinity\n' >/etc/systemd/logind.conf.d/waits.conf && \
         systemctl restart systemd-logind",
    )
    .ok()?;
    Ok(())
}

fn grants_nothing_and_ends_everything(host: &Host, call: &str, error: &str) -> Result<()> {
    logind_waits(host)?;
    let living = grant(host, "alice", "web-ops", "1h")?;
    let login = stay(host, "alice")?;
    let asked = request(host, "mallory", "web-ops", "1h")?;

    let fault = Fault::begin(host, call, error)?;
    let approve = format!("tpactl approve {asked} --yes");
    host.console("carol", &approve)
        .code_is(1)?
        .says("nothing was changed, because ")?;
    host.root(&format!("ls /run/tpa/sudoers.d/{asked}"))
        .fails()?;
    host.console("alice", &format!("tpactl end {living} --yes"));
    login.finish()?.code_is(255)?;
    gone(host)?;
    host.root(&format!("ls /run/tpa/sudoers.d/{living}"))
        .fails()?;
    host.ssh("alice", "true").fails()?;
    host.ssh("bob", "true").ok()?;
    host.ssh("frank", "true").ok()?;
    fault.mend(host)?;

    shown(host, &living)?.has("state", "ended")?;
    let log = host.root(&format!("tpactl log {living}"));
    let told = log.ok()?.matches("grant-ended").count();
    ensure!(told == 1, "{log}");
    host.logged_event("removal-confirmed", &living)?;
    host.console("carol", &approve).ok()?;
    host.ssh("mallory", "true").ok()?;
    chain::is_whole(host)?;
    Ok(())
}

on_both_debians! {
    with play;

    fn full_it_grants_nothing_and_ends_everything(host) {
        grants_nothing_and_ends_everything(host, "pwrite64", "ENOSPC")?;
    }

    fn failing_it_grants_nothing_and_ends_everything(host) {
        grants_nothing_and_ends_everything(host, "pwrite64", "EIO")?;
    }

    fn failing_to_sync_it_grants_nothing_and_ends_everything(host) {
        grants_nothing_and_ends_everything(host, "fsync", "EIO")?;
    }

    fn full_when_tpad_starts_it_says_so_and_access_ends_on_time(host) {
        logind_waits(host)?;
        put_apart(host, "/var/lib/tpa", "3m")?;
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 8)?))?;
        let end = end_of(host, &id)?;
        let login = stay(host, "alice")?;
        host.root("systemctl stop tpad").ok()?;
        fill(host, "/var/lib/tpa")?;
        host.root("systemctl start tpad").fails()?;
        host.start("exec journalctl --follow --no-tail --unit tpad")?.line_with("database or disk is full")?;
        host.ssh("alice", "true").ok()?;
        login.finish()?.code_is(255)?;
        is_by_now_on_time(end)?;
        gone(host)?;
        host.root(&format!("ls /run/tpa/sudoers.d/{id}")).fails()?;
        host.ssh("alice", "true").fails()?;
        for user in ["root", "bob", "frank"] {
            host.ssh(user, "true").ok()?;
        }
        host.root("rm /var/lib/tpa/fill && systemctl start tpad").ok()?;
        host.logged_event("removal-confirmed", &id)?;
        shown(host, &id)?.has("state", "expired")?;
        let next = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;

        // What is over now is over, also when tpad is killed before there is room.
        let login = stay(host, "alice")?;
        fill(host, "/var/lib/tpa")?;
        host.console("carol", &format!("tpactl revoke {next} --reason 'found the cause' --yes")).ok()?;
        login.finish()?.code_is(255)?;
        gone(host)?;
        let over = host.root("date -u +%FT%TZ").ok()?.trim().to_owned();
        host.root("kill -9 $(systemctl show --property=MainPID --value tpad)").ok()?;
        host.ssh("alice", "true").fails()?;
        host.root("rm /var/lib/tpa/fill && systemctl restart tpad").ok()?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.none_of(&format!("/run/tpa/sudoers.d/{next} /run/tpa/state/*"))?;
        let told = host.logged_event("grant-revoked", &next)?;
        let time = told.split(" time=").nth(1).and_then(|rest| rest.split(' ').next());
        ensure!(time.is_some_and(|time| time <= over.as_str()), "by {over}: {told}");
        ensure!(told.contains(" actor=carol ") && told.contains("why=\"found the cause\""), "{told}");
        host.logged_event("removal-confirmed", &next)?;

        // Nor does it come back when what this boot has seen is lost too, as with a power cut.
        let last = grant(host, "alice", "web-ops", "1h")?;
        fill(host, "/var/lib/tpa")?;
        host.console("carol", &format!("tpactl revoke {last} --reason 'found the cause' --yes")).ok()?;
        host.root("kill -9 $(systemctl show --property=MainPID --value tpad); rm -rf /run/tpa/*").ok()?;
        host.root("rm /var/lib/tpa/fill && systemctl restart tpad").ok()?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.logged_event("grant-revoked", &last)?.contains(" actor=carol ").then_some(()).context("carol")?;
        host.logged_event("removal-confirmed", &last)?;
        host.root("tpactl verify").says("the audit chain is whole")?.ok()?;
    }

    fn with_run_full_it_grants_nothing_and_ends_everything(host) {
        logind_waits(host)?;
        put_apart(host, "/run/tpa", "256k")?;
        let first = grant(host, "alice", "web-ops", "1h")?;
        let second = grant(host, "alice", "web-ops", "1h")?;
        let login = stay(host, "alice")?;
        let asked = request(host, "mallory", "web-ops", "1h")?;
        let line = format!("tpactl extend {second} --for 30m --reason 'more of the same' --no-wait --json");
        let extension = host.console("alice", &line).json()?;
        let state = host.root("echo /run/tpa/state/$(id -u alice)");
        let state = state.ok()?;

        fill(host, "/run/tpa")?;
        for id in [asked.as_str(), extension.text("id")?] {
            host.console("carol", &format!("tpactl approve {id} --yes"))
                .code_is(1)?
                .says("nothing was changed, because the host cannot hold what it takes")?;
            shown(host, id)?.has("state", "pending")?;
        }
        host.ssh("mallory", "true").fails()?;
        host.console("alice", &format!("tpactl end {first} --yes")).ok()?;
        host.logged_event("removal-confirmed", &first)?;
        host.root(&format!("cat {state}")).says(&second)?;
        // Until its end is proven, the first one stands there without a second left to live.
        host.root(&format!("grep {first} {state} | grep -v ' 0 0 -$'")).code_is(1)?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.console("alice", &format!("tpactl end {second} --yes"));
        login.finish()?.code_is(255)?;
        gone(host)?;
        host.logged_event("removal-confirmed", &second)?;
        host.none_of(&format!("{state} /run/tpa/sudoers.d/*"))?;
        for user in ["root", "bob", "frank"] {
            host.ssh(user, "true").ok()?;
        }

        host.root("rm /run/tpa/fill").ok()?;
        host.console("carol", &format!("tpactl approve {asked} --yes")).ok()?;
        host.ssh("mallory", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        chain::is_whole(host)?;
    }

    fn with_all_of_run_full_access_ends_on_time_and_nobody_else_is_kept_out(host) {
        logind_waits(host)?;
        let access = Access::begin_for(host, 15)?;
        let asked = request(host, "mallory", "web-ops", "1h")?;
        host.root("mount -o remount,size=64m /run").ok()?;
        // Nothing gives room back once it is full: neither a login that is over nor tpad's look.
        host.logged_event("beginning-noted", &access.id)?;
        host.eventually("! loginctl list-sessions --no-legend | grep -v -e alice -e manager")?;
        fill(host, "/run")?;
        let approve = format!("tpactl approve {asked} --yes");
        host.console("carol", &approve)
            .code_is(1)?
            .says("nothing was changed, because the host cannot hold what it takes")?;
        // PID 1 has no room for a limit, and without one nobody gets in on a grant.
        host.ssh("alice", "true").fails()?.says("did not get its time limit")?;
        get_in(others(host)?)?;
        access.ends(host, "removal-confirmed")?;

        host.root("rm /run/fill").ok()?;
        host.console("carol", &approve).ok()?;
        host.ssh("mallory", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        chain::is_whole(host)?;
    }

    fn full_at_the_end_of_a_grant_it_ends_on_time(host) {
        logind_waits(host)?;
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 5)?))?;
        let end = end_of(host, &id)?;
        let login = stay(host, "alice")?;
        let fault = Fault::begin(host, "pwrite64", "ENOSPC")?;
        login.finish()?.code_is(255)?;
        is_by_now_on_time(end)?;
        gone(host)?;
        host.root(&format!("ls /run/tpa/sudoers.d/{id}")).fails()?;
        fault.mend(host)?;
        shown(host, &id)?.has("state", "expired")?;
        host.logged_event("removal-confirmed", &id)?;
        chain::is_whole(host)?;
    }
}
