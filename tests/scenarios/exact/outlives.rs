//! What a command showed is kept, also of one that was cut; and the host goes down between an approval
//! and its use, and while a command runs: used once at most.

use anyhow::{Context, Result, ensure};
use tpa_tests::access::none_runs;
use tpa_tests::chain;
use tpa_tests::debian::Debian;
use tpa_tests::grant::{REASON, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

use super::{ONCE, approved, by_sudo, how_often, prepare, runs_on};

const TALK: &str = "#!/bin/sh\nfor n in $(seq 20); do echo \"line $n.\"; done; exec sleep \"$1\"\n";

/// All that it showed, up to its end or to where it was cut.
fn is_recorded(host: &Host) -> Result<()> {
    role(host, "once", &format!("{ONCE}record = true\n"))?;
    host.write("/opt/shop/talk", TALK)?;
    host.root("chmod 0755 /opt/shop/talk").ok()?;
    let whole = approved(host, "bob", "postgres", "/opt/shop/talk 0")?;
    host.ssh("bob", &format!("tpactl run --resume {whole}"))
        .says("line 20.")?
        .ok()?;
    let cut = approved(host, "alice", "root", "/opt/shop/talk 86400")?;
    let mut running = host.start_ssh("alice", &["-tt", &by_sudo(&cut, "root")])?;
    running.line("line 20.")?;
    host.root(&format!("tpactl revoke {cut} --reason over --yes"))
        .ok()?;
    running.finish()?.fails()?;
    none_runs(host, "-f '^sleep 86400'")?;
    for id in [&whole, &cut] {
        host.logged_event("recording-closed", id)?;
        let replay = host.root(&format!("tpactl replay {id} --speed 100"));
        let shown = replay.ok()?.matches("line ").count();
        ensure!(shown == 20, "{shown} lines of {id}: {replay}");
    }
    host.root("tpactl verify").ok()?;
    role(host, "once", ONCE)
}

/// It was run once, and does not run again; the trail tells of one run and of its end. (Not the host's
/// log: it may be gone from a host that goes down before tpad is.)
fn is_used_up(host: &Host, user: &str, id: &str) -> Result<()> {
    host.ssh(user, &format!("tpactl run --resume {id}"))
        .code_is(7)?
        .says("is run once")?;
    host.ssh(user, &by_sudo(id, "root")).fails()?;
    ensure!(how_often(host)? == 1, "not once");
    host.eventually(&format!("tpactl log {id} | grep -q ' grant-ended '"))?;
    let told = host.root(&format!("tpactl log {id} | grep -c ' command-run '"));
    ensure!(told.ok()? == "1", "{told}");
    Ok(())
}

/// What was approved is there when the host is up again, and runs once; what ran is over: its id.
fn goes_down(host: &Host, down: fn(&Host) -> Result<()>) -> Result<String> {
    let unused = approved(host, "bob", "root", "/opt/shop/count")?;
    let (running, client) = runs_on(host, "bob")?;
    down(host)?;
    drop(client);
    none_runs(host, "-f '^(/bin/sh /opt/shop/count|sleep 86400)'")?;
    is_used_up(host, "bob", &running).context("what ran")?;
    host.ssh("bob", &format!("tpactl run --resume {unused}"))
        .ok()?;
    is_used_up(host, "bob", &unused).context("what was approved")?;
    Ok(running)
}

on_both_debians! {
    with play;

    fn a_command_outlives_neither_a_reboot_nor_a_power_cut_and_is_recorded(host) {
        prepare(host)?;
        is_recorded(host)?;
        goes_down(host, Host::reboot).context("rebooted")?;
        let cut = goes_down(host, Host::cut_power).context("the power cut")?;
        let shown = shown(host, &cut)?;
        let code = shown.0.pointer("/command/exit_code").filter(|code| !code.is_null());
        ensure!(code.is_none(), "{code:?} is told of a command that nobody saw end");
        // The log daemon may go before tpad does, and is sent again what it missed.
        host.root("tpactl verify --resend");
        chain::is_whole(host)?;
    }
}

#[test]
fn sudo_rs_runs_one_command_once_and_is_asked_for_none_that_it_would_have_to_record() -> Result<()>
{
    play(Debian::Trixie, |host| {
        prepare(host)?;
        host.root("mv /usr/bin/sudo /usr/bin/sudo.classic && ln -s \"$(command -v sudo-rs)\" /usr/bin/sudo")
            .ok()?;
        host.root("systemctl restart tpad").ok()?;
        host.root("tpactl check").keeps_quiet_about("once.toml")?;
        let id = approved(host, "bob", "root", "/opt/shop/count")?;
        host.ssh("bob", &format!("{} extra", by_sudo(&id, "root")))
            .fails()?;
        host.ssh("bob", &format!("tpactl run --resume {id}"))
            .says("began")?
            .ok()?;
        host.ssh("bob", &by_sudo(&id, "root")).fails()?;
        ensure!(how_often(host)? == 1, "not once");
        host.write(
            "/etc/tpa/roles.d/once.toml",
            &format!("{ONCE}record = true\n"),
        )?;
        host.root("tpactl check")
            .code_is(1)?
            .says("once.toml: has to be recorded, which this host's sudo-rs cannot do")?;
        host.root("systemctl reload tpad").ok()?;
        let ask = format!(
            "cd /srv && tpactl run once --as root --reason '{REASON}' --no-wait -- /opt/shop/count"
        );
        host.ssh("bob", &ask)
            .code_is(2)?
            .says("once has to be recorded, which this host's sudo-rs cannot do")?;
        Ok(())
    })
}
