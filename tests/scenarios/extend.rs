//! More time for a grant: live sessions go on, and end at the new end.

use anyhow::ensure;
use tpa_tests::access::{PROMISE, end_of, is_on_time, none_runs, seconds_for};
use tpa_tests::grant::{grant, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

fn extend(host: &Host, id: &str, length: &str) -> anyhow::Result<String> {
    let line =
        format!("tpactl extend {id} --for {length} --reason 'not done yet' --no-wait --json");
    let filed = host.console("alice", &line).json()?;
    filed.has("state", "pending")?.has("extends", id)?;
    Ok(filed.text("id")?.to_owned())
}

on_both_debians! {
    with play;

    fn live_sessions_go_on_past_the_first_end_and_end_at_the_second(host) {
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 8)?))?;
        host.root("mkfifo -m 0644 /tmp/past").ok()?;
        let stays = "echo in; read -r past </tmp/past; echo still here; exec sleep 4710";
        let mut login = host.start_ssh("alice", &["-tt", stays])?;
        login.line("in")?;
        let sudo = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
        host.logged("COMMAND=/usr/bin/sleep 4711")?;
        let first_end = shown(host, &id)?.text("not_after")?.to_owned();
        let more = extend(host, &id, &format!("{}s", seconds_for(host, 5)?))?;
        host.ssh("carol", &format!("tpactl approve {more} --yes")).ok()?;
        shown(host, &more)?.has("state", "approved")?;
        host.logged_event("grant-extended", &id)?;
        login.line_with("was extended")?;
        // What is waited for is the clock.
        let past = format!("[ $(date +%s) -gt $(date --date {first_end} +%s) ]");
        host.root(&format!("until {past}; do sleep 0.5; done; echo >/tmp/past")).ok()?;
        login.line_with("still here")?;
        host.root("pgrep -f '^/usr/bin/sleep 4711'").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let request = shown(host, &id)?;
        request.has("state", "active")?;
        login.finish()?.code_is(255)?;
        sudo.finish()?.fails()?;
        let told = host.logged_event("removal-confirmed", &id)?;
        ensure!(request.text("not_after")? > first_end.as_str(), "{}", request.0);
        is_on_time(host, &told, end_of(host, &id)?, PROMISE)?;
        none_runs(host, "-u alice")?;
        // What PID 1 was told goes last: a reload is answered when the host follows.
        host.root("systemctl reload tpad").ok()?;
        host.root("find /run/systemd/system -name '60-tpa.conf' | grep .").code_is(1)?;
    }

    fn more_time_that_nobody_approves_changes_nothing(host) {
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 4)?))?;
        let end = shown(host, &id)?.text("not_after")?.to_owned();
        let more = extend(host, &id, "30m")?;
        host.console("alice", &format!("tpactl approve {more} --yes")).code_is(4)?;
        shown(host, &id)?.has("not_after", &end)?;
        host.logged_event("removal-confirmed", &id)?;
        host.logged_event("request-lapsed", &more)?;
        host.ssh("carol", &format!("tpactl approve {more} --yes")).code_is(7)?;
        host.ssh("alice", "true").fails()?;
    }

    fn no_extension_goes_beyond_the_maximum_of_the_role(host) {
        let id = grant(host, "alice", "web-ops", "3h")?;
        let more = |length: &str| format!("tpactl extend {id} --for {length} --reason 'not done yet' --no-wait");
        host.console("alice", &more("61m")).code_is(2)?.says("4h")?;
        host.console("mallory", &more("30m")).code_is(6)?;
        host.console("alice", &more("1h")).ok()?;
    }
}
