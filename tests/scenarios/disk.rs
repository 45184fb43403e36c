//! A disk that is full or fails: nothing is granted that cannot be recorded, and what ends, ends.

use anyhow::{Result, ensure};
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

/// Everything of alice's is gone within 5 s. While nothing can be recorded no line tells when, and
/// a killed process is there until its parent has waited for it: so it is looked for.
fn gone(host: &Host) -> Result<()> {
    host.root("timeout 5 sh -c 'while pgrep -u alice; do :; done' >/dev/null; pgrep -a -u alice")
        .code_is(1)?;
    Ok(())
}

fn grants_nothing_and_ends_everything(host: &Host, call: &str, error: &str) -> Result<()> {
    let living = grant(host, "alice", "web-ops", "1h")?;
    let mut login = host.start_ssh("alice", &["-tt", "echo in; exec sleep 4710"])?;
    login.line("in")?;
    let asked = request(host, "mallory", "web-ops", "1h")?;

    let fault = Fault::begin(host, call, error)?;
    let approve = format!("tpactl approve {asked} --yes");
    host.console("carol", &approve)
        .code_is(1)?
        .says("nothing was changed, because it could not be recorded")?;
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
    host.told("removal-confirmed", &living)?;
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

    fn full_at_the_end_of_a_grant_it_ends_on_time(host) {
        let id = grant(host, "alice", "web-ops", "10s")?;
        let mut login = host.start_ssh("alice", &["-tt", "echo in; exec sleep 4710"])?;
        login.line("in")?;
        let fault = Fault::begin(host, "pwrite64", "ENOSPC")?;
        login.finish()?.code_is(255)?;
        gone(host)?;
        host.root(&format!("ls /run/tpa/sudoers.d/{id}")).fails()?;
        fault.mend(host)?;
        shown(host, &id)?.has("state", "expired")?;
        host.told("removal-confirmed", &id)?;
        chain::is_whole(host)?;
    }
}
