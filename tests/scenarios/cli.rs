//! The command line as people meet it: what it guesses, what it refuses, how it ends.

use anyhow::{Result, ensure};
use tpa_tests::grant::{grant, request, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::WEB_OPS;
use tpa_tests::scenario::play;
use tpa_tests::terminal::{INTERRUPT, Terminal};

/// A command of carol's on a terminal of 80 columns and 24 rows.
fn carols(host: &Host, command: &str) -> Result<Terminal> {
    let ssh = format!("ssh -tt carol@127.0.0.1 '{command}'");
    host.terminal(&format!("stty columns 80 rows 24; {ssh}"))
}

on_both_debians! {
    with play;

    fn what_waits_is_decided_by_keys(host) {
        let approved = request(host, "alice", "web-ops", "30m")?;
        let mut picker = carols(host, "tpactl review")?;
        picker.sees("1 request for you to decide")?;
        picker.presses("a")?;
        picker.sees("Approve? [y/N]")?;
        picker.presses("y")?;
        let left = picker.ends()?;
        // By then some seconds of it may have passed.
        ensure!(left.contains("is active: 30m left") || left.contains("is active: 29m"), "{left}");
        shown(host, &approved)?.has("state", "active")?.has("decided_by", "carol")?;

        let denied = request(host, "mallory", "web-ops", "30m")?;
        let mut picker = carols(host, "tpactl approve")?;
        picker.sees("1 request for you to decide")?;
        picker.presses("d")?;
        picker.sees("Deny, because: _")?;
        picker.presses("not during the sale")?;
        picker.sees("not during the sale_")?;
        picker.presses("\r")?;
        let left = picker.ends()?;
        ensure!(left.contains("was denied by carol: not during the sale"), "{left}");
        shown(host, &denied)?.has("state", "denied")?.has("decision_reason", "not during the sale")?;
    }

    fn leaving_the_picker_or_pasting_into_it_changes_nothing(host) {
        let id = request(host, "alice", "web-ops", "30m")?;
        let mut picker = carols(host, "tpactl review; stty -a")?;
        picker.sees("1 request for you to decide")?;
        picker.presses("ay\ray\r")?;
        picker.sees("1 request for you to decide")?;
        picker.presses("a")?;
        picker.sees("Approve? [y/N]")?;
        picker.presses("\x03")?;
        picker.sees("1 request for you to decide")?;
        picker.presses("q")?;
        let left = picker.ends()?;
        ensure!(left.contains(" icanon") && left.contains(" echo "), "a terminal as it was: {left}");
        shown(host, &id)?.has("state", "pending")?;

        // Questions are left by Ctrl-C at whichever, and a ticket that does not fit is asked for again.
        let alices = "setpriv --reuid=alice --regid=alice --init-groups tpactl request --no-wait";
        let questions = [
            ("Role (number or name): ", "db-admin"),
            ("How long, at most 2h [30m]: ", ""),
            ("Reason, at least 10 characters: ", "slow queries"),
            ("Ticket, such as OPS-[0-9]+: ", "4821"),
            ("Not valid: enter a ticket such as OPS-[0-9]+", "OPS-4821"),
        ];
        for answered in 0..questions.len() {
            let mut asked = host.terminal(alices)?;
            for (question, answer) in questions.iter().take(answered) {
                asked.sees(question)?;
                asked.types(answer)?;
            }
            if let Some((question, _)) = questions.get(answered) {
                asked.sees(question)?;
            }
            asked.presses(INTERRUPT)?;
            asked.ends()?;
        }
        let filed = host.root("tpactl ls --json").json()?;
        ensure!(filed.list("items")?.len() == 1, "{filed:?}");
    }

    fn what_is_typed_in_part_or_wrong_is_completed_guessed_or_refused_with_the_next_step(host) {
        let id = request(host, "alice", "web-ops", "30m")?;
        // Without a terminal nothing is chosen, and nothing hangs.
        for verb in ["approve", "review"] {
            host.ssh("carol", &format!("tpactl {verb}"))
                .code_is(2)?
                .says("this is not a terminal")?
                .says("next: list what waits with tpactl ls --reviewable")?;
        }
        host.console("alice", "tpactl request web-opz --for 1h --reason 'the shop answers'")
            .code_is(2)?
            .says("there is no role web-opz")?
            .says("next: did you mean web-ops?")?;
        host.console("alice", "tpactl aprove").code_is(2)?.says("approve")?;
        let asked = "--reason 'the shop answers with errors' --no-wait";
        let table = [
            ("alice", format!("tpactl approve {id} --yes"), 4),
            ("bob", format!("tpactl request web-ops {asked}"), 4),
            ("bob", "tpactl log".into(), 4),
            ("alice", format!("tpactl request db-admin --ticket X {asked}"), 2),
            ("carol", format!("tpactl request web-ops --user nosuch {asked}"), 2),
            ("alice", "tpactl show ZZZZZZZZ".into(), 6),
            ("alice", "tpactl end --yes".into(), 7),
            ("carol", "tpactl revoke --all --reason over --yes".into(), 7),
            ("carol", format!("tpactl review {id} --comment fine"), 2),
        ];
        for (user, line, code) in table {
            let said = host.console(user, &line);
            said.code_is(code)?;
            let lines: Vec<&str> = said.err.lines().collect();
            ensure!(
                matches!(lines.as_slice(), [error, next] if error.starts_with("error: ") && next.starts_with("  next: ")),
                "an error and its next step were expected of {said}"
            );
        }
        let line = "TPACTL_COMPLETE=fish tpactl -- tpactl approve ''";
        host.console("carol", line)
            .says(&format!("{id}\tpending alice, web-ops"))?
            .ok()?;
    }

    fn check_explains_a_person_and_warns_of_rules_that_amount_to_root(host) {
        host.root("tpactl check --user alice")
            .says("alice (uid ")?
            .says("login    needs a grant")?
            .says("may ask  web-ops: up to 4h, default 1h")?
            .keeps_quiet_about("decides")?
            .ok()?;
        host.root("tpactl check --user carol")
            .says("passes without a grant")?
            .says("decides  web-ops, for others")?
            .ok()?;
        host.root("tpactl check --user frank").says("let in without a grant, logged loudly")?.ok()?;
        let person = host.root("tpactl check --user alice --json").json()?;
        let may = person.0.pointer("/user/may_request");
        ensure!(may == Some(&serde_json::json!(["db-admin", "web-ops"])), "{}", person.0);
        host.root("tpactl check --user nosuch").code_is(1)?.says("no such user on this host: nosuch")?;
        host.root("tpactl check --user=--json").code_is(1)?.says("no such user on this host: --json")?;

        let role = "/etc/tpa/roles.d/web-ops.toml";
        for (command, danger, narrower) in [
            ("/bin/bash", "a shell", "give the commands that are run in it"),
            ("/usr/bin/vim /etc/hosts", "an editor", "name the files under edit"),
            ("/usr/bin/less /var/log/syslog", "a pager", "pipe into a pager of their own"),
            ("/usr/bin/python3", "runs what it is told to", "a root-owned script"),
            ("/usr/bin/apt-get install nginx", "packages run scripts", "a root-owned script"),
            ("/usr/bin/systemd-run id", "can start any program", "give the program it starts"),
            ("/usr/bin/cat /var/log/*", "a wildcard stands for any text", "spell the arguments out"),
        ] {
            host.write(role, &WEB_OPS.replace("/usr/bin/sleep 4711", command))?;
            host.root("tpactl check").says(danger)?.says(narrower)?.says("warning: role web-ops")?.ok()?;
        }

        // Who approves reads the same, and so does who looks later.
        host.write(role, &WEB_OPS.replace("/usr/bin/sleep 4711", "/usr/bin/vi /etc/hosts"))?;
        host.root("tpactl check --strict --quiet").code_is(1)?.says("an editor opens any file")?;
        host.root(&format!("cp {role} /tmp/draft; tpactl check /tmp/draft")).says("an editor opens")?.ok()?;
        host.root("systemctl reload tpad").ok()?;
        let id = request(host, "alice", "web-ops", "30m")?;
        let mut asked = carols(host, &format!("tpactl approve {id}"))?;
        asked.sees("an editor opens any file and starts shells")?;
        asked.presses("n\r")?;
        asked.ends()?;
        host.console("carol", &format!("tpactl show {id}")).says("an editor opens any file")?.ok()?;
        let shown = host.console("carol", &format!("tpactl show {id} --json")).json()?;
        let kinds = shown.list("warnings")?.iter().filter_map(|one| one["kind"].as_str());
        ensure!(kinds.clone().any(|kind| kind == "editor"), "{}", shown.0);
    }

    fn the_prompt_says_how_long_access_lasts_and_nothing_breaks_without_a_reader_or_a_tpad(host) {
        let prompt = "bash --norc -ic '. /usr/share/doc/tpa/examples/prompt/tpa-prompt.bash; echo \"${PS1@P}\"'";
        host.console("alice", prompt).keeps_quiet_about("tpa:")?.ok()?;
        grant(host, "alice", "web-ops", "90m")?;
        host.console("alice", prompt).says("tpa:1h")?.ok()?;
        host.console("bob", "tpactl prompt").keeps_quiet_about("tpa")?.ok()?;

        for line in ["tpactl log", "tpactl ls", "tpactl check"] {
            let said = host.root(&format!("bash -o pipefail -c '{line} | true; echo ${{PIPESTATUS[0]}}'"));
            ensure!(said.ok()? == "0" && said.err.is_empty(), "{said}");
        }

        host.root("systemctl mask --runtime --now tpad").ok()?;
        host.console("alice", "tpactl ls")
            .code_is(8)?
            .says("error: tpad cannot be reached over the system bus: it is not running")?
            .says("  next: systemctl status tpad")?;
        host.console("alice", "tpactl prompt").ok()?;
    }

    fn nobody_else_is_told_that_a_person_holds_access(host) {
        // Into a file: of a host with much to tell a pipe that nobody reads from would be full.
        let _hears = host.start(
            "exec setpriv --reuid=bob --regid=bob --init-groups dbus-monitor --system \"type='signal'\" >/tmp/heard",
        )?;
        host.eventually("grep -q member=NameAcquired /tmp/heard")?;
        let mut waits = host.start("setpriv --reuid=carol --regid=carol --init-groups tpactl ls --watch --json")?;
        let id = grant(host, "alice", "web-ops", "90m")?;
        waits.line_with(&id)?;
        host.ssh("alice", "true").ok()?;
        host.logged_event("session-closed", &id)?;
        host.root("dbus-send --system --type=signal / org.example.Story.Over").ok()?;
        host.eventually("grep -q member=Over /tmp/heard")?;
        let heard = host.root("cat /tmp/heard");
        // systemd tells of its timers, which carry the id.
        for word in ["interface=org.tpa1", "web-ops"] {
            heard.says("member=Over")?.keeps_quiet_about(word)?;
        }
        let uid = host.root("id -u alice").ok()?.to_owned();
        let listed = host.console("bob", &format!(
            "ls -lR /run/tpa /run/tpa-prompt; cat /run/tpa-prompt/{uid} /run/tpa/state/{uid}; stat /run/tpa-prompt/{uid}; \
             ls /run/systemd/transient; systemctl list-timers --all; systemctl list-units --all --full; ps axww; find /run -name '*{id}*'"
        ));
        listed.keeps_quiet_about("web-ops")?;
        host.console("bob", &format!("test -e /run/tpa-prompt/{uid}")).fails()?;
        host.console("alice", "ls /run/tpa-prompt").fails()?;
        host.console("alice", "chmod 666 /run/tpa-prompt/$(id -u)").fails()?;
        host.console("alice", "tpactl prompt").says("tpa:1h")?;
    }
}
