//! What a grant gives through sudo ends with it, also where the gate does not concern whoever holds it,
//! and where sudo was called before the end and waited at its prompt.

use anyhow::{Context, Result, ensure};
use tpa_tests::access::none_runs;
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::running::Running;
use tpa_tests::scenario::play;
use tpa_tests::terminal::{HIDDEN, Terminal};

/// alice, who needs a grant for everything, and bob, who needs none and has a rule of his own.
const TOOLS: &str = r#"[request]
who = ["@engineers", "bob"]
max = "4h"
[approve]
who = ["@oncall"]
[gives]
login = false
[[gives.sudo]]
as = "root"
run = ["/usr/bin/sleep"]
password = false
[[gives.sudo]]
as = "root"
run = ["/usr/bin/id"]
password = true
"#;

fn prepare(host: &Host) -> Result<()> {
    host.write(
        "/etc/sudoers.d/bob",
        "bob ALL=(root) NOPASSWD: /usr/bin/tail\n",
    )?;
    role(host, "tools", TOOLS)
}

/// bob runs what his grant gives, and what his own rule does.
fn work(host: &Host) -> Result<(Running, Running)> {
    let given = host.start_ssh("bob", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
    let own = host.start_ssh("bob", &["-T", "sudo -n /usr/bin/tail -f /dev/null"])?;
    host.runs("^/usr/bin/sleep 4711", 1)?;
    host.runs("^/usr/bin/tail -f /dev/null", 1)?;
    Ok((given, own))
}

/// What the grant gave is gone, and what it did not goes on.
fn only_what_it_gave_ended(host: &Host, (given, own): (Running, Running)) -> Result<()> {
    given.finish()?.fails()?;
    none_runs(host, "-f '^/usr/bin/sleep 4711'")?;
    host.runs("^/usr/bin/tail -f /dev/null", 1)?;
    host.root("pkill -xf '/usr/bin/tail -f /dev/null'").ok()?;
    own.finish()?.fails()?;
    Ok(())
}

/// Somebody calls sudo for what their grant gives, and does not type the password yet.
fn waits_at_the_prompt(host: &Host, user: &str, sudo: &str) -> Result<Terminal> {
    let line = format!("ssh -tt {user}@127.0.0.1 '{sudo} -p word: /usr/bin/id; echo ended=$?'");
    let mut screen = host.terminal(&line)?;
    screen.sees("word:")?;
    host.eventually(HIDDEN)?;
    Ok(screen)
}

fn types_it_in_vain(mut screen: Terminal, user: &str) -> Result<()> {
    screen.types(&format!("{user}-pw"))?;
    let shown = screen.ends()?;
    ensure!(!shown.contains("uid=0"), "it ran:\n{shown}");
    ensure!(
        shown.contains("has ended since this sudo was called"),
        "{shown}"
    );
    Ok(())
}

on_both_debians! {
    with play;

    fn what_a_grant_gives_ends_with_it_also_of_whom_the_gate_does_not_concern(host) {
        prepare(host)?;
        // Where sudo opens no session, what the account phase knows has to do.
        for settings in ["", "Defaults:bob !pam_session\n"] {
            host.write("/etc/sudoers.d/bob-settings", settings)?;
            let id = grant(host, "bob", "tools", "1h")?;
            let work = work(host)?;
            if settings.is_empty() {
                let opened = host.logged_event("sudo-opened", &id)?;
                ensure!(opened.contains("/usr/bin/sleep"), "{opened}");
            }
            host.root(&format!("tpactl revoke {id} --reason over --yes")).ok()?;
            only_what_it_gave_ended(host, work).with_context(|| format!("with {settings:?}"))?;
            let confirmed = host.logged_with(&[" removal-confirmed ", &format!("grant={id}")])?;
            ensure!(!confirmed.contains("killed=0"), "{confirmed}");
        }
        let log = host.root("tpactl log --json").ok()?.to_owned();
        ensure!(!log.contains("/usr/bin/tail"), "it tells of what no grant gave:\n{log}");
        grant(host, "bob", "tools", "1h")?;
        let work = work(host)?;
        host.root("systemctl stop tpad && tpad reap --all").ok()?;
        only_what_it_gave_ended(host, work).context("without tpad")?;
    }

    fn what_is_called_while_tpad_is_away_ends_with_the_grant(host) {
        prepare(host)?;
        grant(host, "bob", "tools", "1h")?;
        host.root("systemctl stop tpad").ok()?;
        let mut given = host.start_ssh("bob", &["-T", "sudo -n /usr/bin/sleep 4711; echo over"])?;
        host.runs("^/usr/bin/sleep 4711", 1)?;
        host.root("tpad reap --all").ok()?;
        given.line("over")?;
        none_runs(host, "-f '^/usr/bin/sleep 4711'")?;
        // He holds none now, and what is his own runs as ever.
        host.ssh("bob", "sudo -n /usr/bin/tail -n 1 /etc/hostname").ok()?;
    }

    fn a_sudo_that_waits_at_its_prompt_for_the_end_gives_nothing(host) {
        prepare(host)?;
        // He has another grant, by which the gate lets him in.
        grant(host, "alice", "web-ops", "1h")?;
        // By a name that is no text the kernel calls the process, too.
        host.root("ln -s /usr/bin/sudo \"/srv/$(printf '\\377')\"").ok()?;
        let odd = r#""/srv/$(printf "\377")""#;
        for (user, sudo) in [("bob", "sudo"), ("bob", odd), ("alice", "sudo")] {
            let id = grant(host, user, "tools", "1h")?;
            let screen = waits_at_the_prompt(host, user, sudo)?;
            host.root(&format!("tpactl revoke {id} --reason over --yes")).ok()?;
            host.logged_event("removal-confirmed", &id)?;
            types_it_in_vain(screen, user).with_context(|| format!("{user} with {sudo}, by tpad"))?;
        }
        let id = grant(host, "bob", "tools", "1h")?;
        let mut screen = waits_at_the_prompt(host, "bob", "sudo")?;
        screen.types("bob-pw")?;
        screen.sees("uid=0")?;
        screen.ends()?;
        let screen = waits_at_the_prompt(host, "bob", "sudo")?;
        host.root("systemctl stop tpad && tpad reap --all").ok()?;
        host.root(&format!("ls /run/tpa/sudoers.d/{id}")).fails()?;
        types_it_in_vain(screen, "bob").context("by the reaper")?;
        host.ssh("bob", "sudo -n /usr/bin/tail -n 1 /etc/hostname").ok()?;
    }
}
