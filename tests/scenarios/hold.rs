//! What a grant holds: its end takes what it gave, whatever the configuration says by then, leaves
//! what was there before, and names what nobody can tell.

use anyhow::{Result, ensure};
use tpa_tests::access::{none_runs, seconds_for, stay};
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;

/// Ends a grant; the line that tells of its end.
fn revoke(host: &Host, id: &str) -> Result<String> {
    let line = format!("tpactl revoke {id} --reason 'no longer needed' --yes");
    host.ssh("carol", &line).ok()?;
    host.logged_event("removal-confirmed", id)
}

fn says(line: &str, texts: &[&str]) -> Result<()> {
    for text in texts {
        ensure!(line.contains(text), "no {text} in: {line}");
    }
    Ok(())
}

fn runs(host: &Host, seconds: &[u32]) -> Result<()> {
    for each in seconds {
        host.runs(&format!("^(/usr/bin/)?sleep {each}"), 1)?;
    }
    Ok(())
}

fn are_gone(host: &Host, seconds: &[u32]) -> Result<()> {
    for each in seconds {
        none_runs(host, &format!("-f '^(/usr/bin/)?sleep {each}'"))?;
    }
    Ok(())
}

/// alice's own service manager runs this, by nobody's login.
fn in_her_manager(host: &Host, line: &str) -> Result<()> {
    let run = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user -q --property=Type=exec";
    host.console("alice", &format!("{run} {line}")).ok()?;
    Ok(())
}

/// Waits until tpad knows who is in the gated group.
fn engineers_have(host: &Host, alice: bool) -> Result<()> {
    let not = if alice { "" } else { "! " };
    host.eventually(&format!("{not}grep -qx 'member alice' /var/lib/tpa/groups"))
}

on_both_debians! {
    with play;

    fn an_end_takes_what_the_grant_gave_and_leaves_what_was_there_before(host) {
        host.root("systemd-run -q --property=Type=exec --unit=app --uid=alice sleep 4801").ok()?;
        // As with `loginctl enable-linger`, which cannot start it in every container.
        host.root("mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/alice && systemctl start user@$(id -u alice)").ok()?;
        in_her_manager(host, "sleep 4802")?;
        runs(host, &[4801, 4802])?;

        // Of a grant that nobody used: the service stays, and no manager that lingers is a way out.
        let unused = grant(host, "alice", "web-ops", "1h")?;
        let line = revoke(host, &unused)?;
        says(&line, &[" survivors=0 ", "looked_at=", "every process with alice's uid", "what runs as alice in app.service"])?;
        are_gone(host, &[4802])?;
        runs(host, &[4801])?;

        // The gate changes under a grant: what it gave ends, and what is her own by then does not.
        let id = grant(host, "alice", "web-ops", "1h")?;
        let login = stay(host, "alice")?;
        host.ssh("alice", "setsid --fork sleep 4803 >/dev/null 2>&1").ok()?;
        host.ssh("alice", "systemd-run --user -q --property=Type=exec sleep 4804").ok()?;
        let sudo = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
        host.logged("COMMAND=/usr/bin/sleep 4711")?;
        host.root("gpasswd -d alice engineers && rm /etc/tpa/roles.d/web-ops.toml && systemctl reload tpad").ok()?;
        engineers_have(host, false)?;
        let mut own = host.start_ssh("alice", &["-tt", "echo in; sleep 4805; echo out"])?;
        own.line("in")?;
        runs(host, &[4801, 4803, 4804, 4711, 4805])?;
        let line = revoke_as_root(host, &id)?;
        says(&line, &[" survivors=0 ", "alice's logins on a grant"])?;
        login.finish()?.code_is(255)?;
        sudo.finish()?.code_is(255)?;
        are_gone(host, &[4803, 4804, 4711])?;
        runs(host, &[4801, 4805])?;
        host.root("pkill -f '^sleep 4805'").ok()?;
        own.line("out")?;

        // And when time is up, with the group under another name, and tpad dead.
        host.root("gpasswd -a alice engineers").ok()?;
        role(host, "web-ops", WEB_OPS)?;
        engineers_have(host, true)?;
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 6)?))?;
        let login = stay(host, "alice")?;
        host.root("groupmod -n eng engineers && rm /etc/tpa/roles.d/web-ops.toml").ok()?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        login.finish()?.code_is(255)?;
        let line = host.logged_event("reaper-acted", &id)?;
        says(&line, &[" survivors=0 ", "looked_at=", "what runs as alice in app.service"])?;
        runs(host, &[4801])?;
    }

    fn what_the_account_of_a_rule_starts_elsewhere_is_named_and_never_said_to_be_gone(host) {
        host.root("useradd -r -m -d /var/lib/shopdb -s /bin/sh shopdb && mkfifo -m 0666 /run/orders").ok()?;
        host.root("install -d -o shopdb -m 0700 /var/lib/shopdb/.ssh && install -o shopdb -m 0600 /root/keys/bob.pub /var/lib/shopdb/.ssh/authorized_keys && cp /root/keys/bob /root/keys/shopdb").ok()?;
        // A server that runs what its clients say, as databases do.
        host.root("systemd-run -q --property=Type=exec --unit=shopdb-server --uid=shopdb sh -c 'while true; do sh </run/orders; done'").ok()?;
        let text = WEB_OPS.replace("\"postgres\"", "\"shopdb\"").replace("/usr/bin/id -un", "/usr/bin/tee /run/orders\", \"/usr/bin/setsid *");
        role(host, "shop", &text)?;
        let about = "processes that shopdb starts through a server, cron, at, ssh or a container";
        host.root("tpactl check").says(about)?;

        let id = grant(host, "alice", "shop", "1h")?;
        host.console("carol", &format!("tpactl show {id}")).says(about)?;
        host.ssh("alice", "echo 'sleep 4811 >/dev/null 2>&1 &' | sudo -n -u shopdb /usr/bin/tee /run/orders").ok()?;
        host.ssh("alice", "sudo -n -u shopdb /usr/bin/setsid --fork sleep 4812 >/dev/null 2>&1").ok()?;
        host.root("ssh shopdb@127.0.0.1 'setsid --fork sleep 4813 >/dev/null 2>&1'").ok()?;
        runs(host, &[4811, 4812, 4813])?;
        let line = revoke(host, &id)?;
        says(&line, &[
            " survivors=0 ",
            "sleep as shopdb in shopdb-server.service",
            "sleep as shopdb in user-",
            "not_looked_at=\"processes that shopdb starts through a server, cron, at, ssh or a container",
        ])?;
        are_gone(host, &[4812])?;
        runs(host, &[4811, 4813])?;
        host.root("systemctl -q is-active shopdb-server").ok()?;
        host.root(&format!("tpactl report {id}")).says("not looked at processes that shopdb starts through a server")?.says("looked at commands")?;
        host.root(&format!("tpactl log {id}")).says("left=")?;
        host.root(&format!("tpactl log {id} --json")).says("\"not_looked_at\"")?;
    }
}

/// Nobody decides on a role that is gone but root, and those who said yes.
fn revoke_as_root(host: &Host, id: &str) -> Result<String> {
    let line = format!("tpactl revoke {id} --reason 'no longer needed' --yes");
    host.root(&line).ok()?;
    host.logged_event("removal-confirmed", id)
}
