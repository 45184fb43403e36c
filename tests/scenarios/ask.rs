//! Asking for a grant at the prompt, and waiting there.

use anyhow::{Result, ensure};
use tpa_tests::grant::{grant, request, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;
use tpa_tests::terminal::{INTERRUPT, Terminal};

/// A client that can be asked.
const SSH: &str = "ssh -tt -o BatchMode=no -o PreferredAuthentications=keyboard-interactive \
                   -o PubkeyAuthentication=no alice@127.0.0.1";

/// A role that opens the door and nothing else.
const DOOR: &str =
    "[request]\nwho = [\"@engineers\"]\n[approve]\nwho = [\"@oncall\"]\n[gives]\nlogin = true\n";

/// Runs a command of alice's in a login on a terminal.
const AS_ALICE: &str = "ssh -tt alice@127.0.0.1";

/// Whoever waits at the gate holds its socket open.
const HELD: &str = "ss -x | grep --quiet gate.sock";

/// What an administrator writes to have people asked (`pam_tpa(8)`).
fn asking(host: &Host) -> Result<()> {
    host.root(
        "sed -i '/^@include common-auth/a auth optional pam_tpa.so ask' \
         /etc/pam.d/sshd /etc/pam.d/login /etc/pam.d/sudo",
    )
    .ok()?;
    host.write(
        "/etc/ssh/sshd_config.d/ask.conf",
        "KbdInteractiveAuthentication yes\nLoginGraceTime 5m\n",
    )?;
    host.root("systemctl restart ssh").ok()?;
    Ok(())
}

/// The same, where sudo alone takes a grant.
fn asking_at_sudo(host: &Host) -> Result<()> {
    asking(host)?;
    let gate = "[gate]\nlogin = [\"mallory\"]\nsudo = [\"@engineers\"]\n";
    host.write("/etc/tpa/tpad.toml", gate)?;
    host.root("systemctl reload tpad").ok()?;
    host.write("/etc/sudoers.d/local", "alice ALL=(root) /usr/bin/touch\n")
}

/// Answers every question; the id of the request, which is then waited for.
fn answer(terminal: &mut Terminal) -> Result<String> {
    terminal.sees("assword")?;
    terminal.types("alice-pw")?;
    let list = terminal.sees("Role (number or name, q quits): ")?;
    ensure!(
        list.contains("1 db-admin: Look after the database"),
        "{list}"
    );
    ensure!(
        list.contains("2 web-ops: Restart and reconfigure"),
        "{list}"
    );
    terminal.types("web-ops")?;
    terminal.sees("How long, at most 4h [1h]: ")?;
    terminal.types("2h")?;
    terminal.sees("Reason, at least 10 characters: ")?;
    terminal.types("nginx hangs again")?;
    terminal.sees("tpa: request ")?;
    let id = terminal.sees(" is waiting (0 of 1 approvals); @oncall decides.")?;
    terminal.sees("Wait here for the decision? [Y/n] ")?;
    terminal.types("")?;
    Ok(id)
}

/// What sudo says to alice before it asks for how long, and all in all when she leaves it then.
fn asked_at_sudo(host: &Host) -> Result<(String, String)> {
    let mut sudo = host.terminal(&format!("LC_ALL=C {AS_ALICE} LC_ALL=C sudo touch /tmp/ran"))?;
    sudo.sees("assword")?;
    sudo.types("alice-pw")?;
    let said = sudo.sees("How long, at most 4h [1h]: ")?;
    sudo.presses(INTERRUPT)?;
    Ok((said, sudo.ends()?))
}

fn approve(host: &Host, id: &str) -> Result<()> {
    host.ssh("carol", &format!("tpactl approve {id} --yes"))
        .ok()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn approved_while_waiting_the_same_login_goes_on(host) {
        asking(host)?;
        let mut login = host.terminal(SSH)?;
        let id = answer(&mut login)?;
        approve(host, &id)?;
        login.sees(&format!("tpa: grant {id} (web-ops)"))?;
        login.types("echo in-$((40 + 2)); exit")?;
        login.sees("in-42")?;
        login.ends()?;
        let asked = shown(host, &id)?;
        asked.has("requested_by", "alice")?.has("reason", "nginx hangs again")?;
    }

    fn denied_while_waiting_the_login_is_refused_with_the_words_of_the_decision(host) {
        asking(host)?;
        let mut login = host.terminal(SSH)?;
        let id = answer(&mut login)?;
        host.ssh("carol", &format!("tpactl deny {id} --reason 'not today' --yes")).ok()?;
        let said = login.ends()?;
        let denied = format!("tpa: request {id} was denied by carol: not today");
        ensure!(said.contains(&denied), "{said}");
        ensure!(said.contains("no active grant for alice"), "{said}");
        // Nobody is asked who does not get in anyway.
        for (barred, again) in [("touch /etc/nologin", "rm /etc/nologin"), ("chage -E 1 alice", "chage -E -1 alice")] {
            host.root(barred).ok()?;
            let mut login = host.terminal(SSH)?;
            login.sees("assword")?;
            login.types("alice-pw")?;
            let said = login.ends()?;
            ensure!(!said.contains("Role") && !said.contains("Ask for one"), "{barred}: {said}");
            host.root(again).ok()?;
        }
    }

    fn when_the_client_goes_the_request_stays_and_nothing_else_does(host) {
        asking(host)?;
        let open = "ls /proc/$(systemctl show --property=MainPID --value tpad)/fd | wc --lines";
        let before = host.root(open).ok()?.to_owned();
        let mut login = host.terminal(SSH)?;
        let id = answer(&mut login)?;
        // The helper of sshd that waits holds the gate's socket open.
        host.eventually(HELD)?;
        host.root("pkill -x ssh").ok()?;
        host.root("timeout 60 pidwait --full '[s]shd.*alice'; ! pgrep -a -f '[s]shd.*alice'").ok()?;
        shown(host, &id)?.has("state", "pending")?;
        // Fewer it may be: tpad let go of a tpactl of before meanwhile.
        host.eventually(&format!("[ \"$({open})\" -le {before} ]"))?;
    }

    fn a_request_of_earlier_is_waited_for(host) {
        asking(host)?;
        let id = request(host, "alice", "web-ops", "1h")?;
        let mut login = host.terminal(SSH)?;
        login.sees("assword")?;
        login.types("alice-pw")?;
        login.sees(&format!("tpa: request {id} is waiting."))?;
        login.sees("Wait here for the decision? [y/N] ")?;
        login.types("y")?;
        approve(host, &id)?;
        login.sees("tpa: grant ")?;
        login.types("exit")?;
        login.ends()?;
    }

    fn whoever_has_no_terminal_or_finds_tpad_gone_is_asked_nothing_and_refused(host) {
        asking(host)?;
        // The first answers only what asks for a password, the second types it at everything.
        for otherwise in ["echo", "echo alice-pw"] {
            let program = format!("#!/bin/sh\ncase $1 in *assword*) echo alice-pw;; *) {otherwise};; esac\n");
            host.write("/root/askpass", &program)?;
            host.root("chmod 0700 /root/askpass").ok()?;
            host.root(&format!("LC_ALL=C SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force setsid -w {SSH} true"))
                .fails()?
                .says("no active grant for alice")?
                .keeps_quiet_about("\\342")?;
        }
        let filed = host.root("tpactl ls --json").json()?;
        ensure!(filed.list("items")?.is_empty(), "{filed:?}");

        host.root("systemctl mask --runtime --now tpad").ok()?;
        let mut login = host.terminal(SSH)?;
        login.sees("assword")?;
        login.types("alice-pw")?;
        let said = login.ends()?;
        ensure!(said.contains("tpa: tpad is not answering; access denied."), "{said}");
        ensure!(!said.contains("Role"), "{said}");
    }

    fn sudo_asks_and_goes_on_where_a_rule_of_its_own_allows_it(host) {
        asking_at_sudo(host)?;
        let mut sudo = host.terminal(&format!("{AS_ALICE} sudo touch /tmp/ran"))?;
        let id = answer(&mut sudo)?;
        approve(host, &id)?;
        let said = sudo.ends()?;
        ensure!(said.contains("is active. sudo has read its rules before"), "{said}");
        host.root("ls /tmp/ran").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
    }

    fn at_sudo_ctrl_c_leaves_the_request_pending_and_the_command_unrun(host) {
        asking_at_sudo(host)?;
        let mut sudo = host.terminal(&format!("{AS_ALICE} sudo touch /tmp/ran"))?;
        let id = answer(&mut sudo)?;
        host.eventually(HELD)?;
        sudo.presses(INTERRUPT)?;
        sudo.ends()?;
        host.root("ls /tmp/ran").fails()?;
        host.root("pgrep -a -x sudo").code_is(1)?;
        shown(host, &id)?.has("state", "pending")?;
        // One role alone is not asked for: sudo says which it is, and why it asks.
        host.console("alice", &format!("tpactl withdraw {id}")).ok()?;
        host.root("rm /etc/tpa/roles.d/db-admin.toml && systemctl reload tpad").ok()?;
        let (said, all) = asked_at_sudo(host)?;
        ensure!(said.contains("tpa: no active grant for alice. Ask for one now:"), "{said}");
        ensure!(said.contains("web-ops: Restart and reconfigure"), "{said}");
        ensure!(!all.contains("\\342"), "{all}");
        // Somebody who holds another grant is told what that lacks.
        role(host, "door", DOOR)?;
        let id = grant(host, "alice", "door", "1h")?;
        let (said, _) = asked_at_sudo(host)?;
        ensure!(said.contains(&format!("tpa: grant {id} of alice gives no sudo.")), "{said}");
    }

    fn login_at_a_console_asks(host) {
        asking(host)?;
        // script(1) takes a terminal that nobody holds open for the end: so something holds it, and
        // login has no right to hang it up.
        let mut login = host.terminal("sleep 50 & exec setpriv --bounding-set=-sys_tty_config login alice")?;
        let id = answer(&mut login)?;
        approve(host, &id)?;
        login.sees(&format!("tpa: grant {id} (web-ops)"))?;
        let opened = host.logged_event("session-opened", &id)?;
        ensure!(opened.contains("service=login"), "{opened}");
    }

    fn the_shipped_drop_in_lets_sshd_ask_and_leaves_everybody_else_as_they_were(host) {
        host.root("sed -i '/^@include common-auth/a auth optional pam_tpa.so ask' /etc/pam.d/sshd").ok()?;
        // A service that has a key and no password.
        host.root("useradd -m deploy && install -d -o deploy /home/deploy/.ssh && \
                   install -o deploy /root/.ssh/authorized_keys /home/deploy/.ssh/ && \
                   cp /root/keys/root /root/keys/deploy").ok()?;
        host.root("grep '^KbdInteractiveAuthentication no' /etc/ssh/sshd_config").ok()?;
        host.root("cp /usr/share/doc/tpa/examples/sshd-10-tpa-ask.conf /etc/ssh/sshd_config.d/10-tpa-ask.conf && \
                   sshd -t && systemctl restart ssh").ok()?;
        for user in ["root", "bob", "frank", "deploy"] {
            host.ssh(user, "true").ok()?;
        }
        let ssh = SSH.replace("keyboard-interactive", "publickey,keyboard-interactive")
            .replace("-o PubkeyAuthentication=no ", "");
        let mut login = host.terminal(&ssh)?;
        let id = answer(&mut login)?;
        approve(host, &id)?;
        login.sees("tpa: grant ")?;
        login.types("exit")?;
        login.ends()?;
    }
}
