//! One command, approved as it was typed: it runs once, those very words, and nothing else does.

mod outlives;
mod typed;
mod words;

use anyhow::{Context, Result, ensure};
use tpa_tests::access::none_runs;
use tpa_tests::grant::{REASON, grant, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::running::Running;
use tpa_tests::scenario::play;

/// alice, who is gated, and bob, who is not (a job of CI's), ask for single commands.
const ONCE: &str = r#"[request]
who     = ["@engineers", "bob"]
default = "10m"
max     = "1h"
[approve]
who = ["@oncall"]
[gives]
exact    = true
as       = ["root", "postgres"]
programs = ["/usr/bin/*", "/opt/shop/*"]
"#;

/// Shows its words one by one, and ends with 7.
const SHOW: &str =
    "#!/bin/sh\nid -un; pwd; for word; do printf '[%s]' \"$word\"; done; echo; exit 7\n";

/// Leaves a line each time, and stays for a moment.
const COUNT: &str = "#!/bin/sh\necho ran >>/srv/count; echo began; sleep \"${1:-0}\"\n";

/// Stays until something comes out of a pipe, and ends with 7.
const WAIT: &str = "#!/bin/sh\necho began; read -r go </srv/go; exit 7\n";

/// Arguments that a rule of sudo's would read more into, or that it joins alike.
const ODD: [&[&str]; 5] = [
    &["a", "b c"],
    &["", "a", ""],
    &["*", "?", "[a-z]", "\\", "^a.*$", "!x", "#y"],
    &["a,b:c=d", "\"\"", "it's", "ALL", "NOPASSWD: ALL"],
    &["-u", "root", "--", "$HOME", "`id`", "ü  ü"],
];

fn in_quotes(words: &[&str]) -> String {
    let quoted: Vec<_> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    quoted.join(" ")
}

/// Files it; its id.
fn ask(host: &Host, user: &str, run_as: &str, command: &str) -> Result<String> {
    let line = format!(
        "cd /srv && tpactl run once --as {run_as} --reason '{REASON}' --no-wait --json -- {command}"
    );
    let filed = host.ssh(user, &line).json()?;
    filed.has("state", "pending")?;
    Ok(filed.text("id")?.to_owned())
}

/// Files it and has carol approve it.
fn approved(host: &Host, user: &str, run_as: &str, command: &str) -> Result<String> {
    let id = ask(host, user, run_as, command)?;
    host.ssh("carol", &format!("tpactl approve {id} --yes"))
        .ok()?;
    Ok(id)
}

/// What `tpactl` has sudo do.
fn by_sudo(id: &str, run_as: &str) -> String {
    format!("sudo -n -u {run_as} -- /usr/libexec/tpa/run {id}")
}

fn how_often(host: &Host) -> Result<usize> {
    let count = host.root("cat /srv/count 2>/dev/null; rm -f /srv/count");
    Ok(count.ok()?.lines().count())
}

fn prepare(host: &Host) -> Result<()> {
    role(host, "once", ONCE)?;
    host.root("install -d /opt/shop && getent passwd postgres || useradd -r postgres")
        .ok()?;
    host.write("/opt/shop/show", SHOW)?;
    host.write("/opt/shop/count", COUNT)?;
    host.root("chmod 0755 /opt/shop/*").ok()?;
    grant(host, "alice", "web-ops", "4h")?;
    Ok(())
}

/// The command is shown whole, runs as it was typed and once, and the trail tells of it.
fn runs_once_as_it_was_typed(host: &Host) -> Result<()> {
    for words in ODD {
        let user = if words.len() > 2 { "bob" } else { "alice" };
        let id = ask(
            host,
            user,
            "postgres",
            &format!("/opt/shop/show {}", in_quotes(words)),
        )?;
        let asked = shown(host, &id)?;
        let command = asked.object("command")?;
        command.has("directory", "/srv")?;
        host.root(&format!("tpactl show {id}"))
            .says(command.text("line")?)?;
        host.ssh("carol", &format!("tpactl approve {id} --yes"))
            .ok()?;
        let run = host.ssh(user, &format!("tpactl run --resume {id}"));
        run.code_is(7)?;
        let expected = format!("[{}]", words.join("]["));
        run.says("postgres")?.says("/srv")?.says(&expected)?;
        host.ssh(user, &format!("tpactl run --resume {id}"))
            .code_is(7)?
            .says("is run once")?;
        host.logged_event("command-approved", &id)?;
        host.logged_with(&[
            "command-run",
            &format!("grant={id}"),
            "exit_code=7",
            "argv_sha256=",
        ])?;
        host.logged_event("grant-ended", &id)?;
        host.logged_event("removal-confirmed", &id)?;
        host.ssh(user, &by_sudo(&id, "postgres")).fails()?;
    }
    Ok(())
}

/// Nothing that is piped into it reaches it, and no variable of whoever runs it.
fn gets_nothing_that_nobody_read(host: &Host) -> Result<()> {
    let id = approved(host, "bob", "postgres", "/usr/bin/wc -c")?;
    let piped = host.ssh("bob", &format!("echo piped | tpactl run --resume {id}"));
    ensure!(piped.ok()?.trim() == "0", "{piped}");
    let id = approved(host, "bob", "postgres", "/usr/bin/printenv EVIL LC_ALL")?;
    let run = format!("EVIL=1 LC_ALL=C tpactl run --resume {id}");
    host.ssh("bob", &run).code_is(1)?.keeps_quiet_about("1\n")?;
    Ok(())
}

/// Nobody else runs it, with no other words, and in no other way.
fn runs_in_no_other_way(host: &Host) -> Result<()> {
    let id = approved(host, "bob", "root", "/opt/shop/count")?;
    for line in [
        format!("{} extra", by_sudo(&id, "root")),
        format!("{} ''", by_sudo(&id, "root")),
        by_sudo(&format!("'{id} extra'"), "root"),
        by_sudo(&id, "postgres"),
        "sudo -n -u root -- /opt/shop/count".to_owned(),
        format!("/usr/libexec/tpa/run {id}"),
        "sudo -n -s".to_owned(),
    ] {
        host.ssh("bob", &line).fails()?;
    }
    host.ssh("alice", &by_sudo(&id, "root")).fails()?;
    // From a shell that was put into the host from outside: nothing there ends with the grant.
    host.console("bob", &format!("tpactl run --resume {id}"))
        .fails()?
        .says("cannot be kept here")?
        .says("Log in to this host")?;
    host.ssh("carol", &format!("tpactl run --resume {id}"))
        .fails()?;
    // Whoever is root already, or the account that it runs as, does not use up what bob was given.
    let root = format!("sudo -n -u root -- /usr/libexec/tpa/run {id}");
    host.root(&root).fails()?.says("that you may see")?;
    host.root(&format!("/usr/libexec/tpa/run {id}"))
        .fails()?
        .says("only sudo starts")?;
    host.root(&format!(
        "busctl call org.tpa1 /org/tpa1 org.tpa1.Access StartCommand s {id}"
    ))
    .fails()?;
    ensure!(how_often(host)? == 0, "it ran");
    host.ssh("bob", &format!("tpactl run --resume {id}")).ok()?;
    ensure!(how_often(host)? == 1, "it did not run once");
    // After its end nothing is left of it.
    let late = approved(host, "bob", "root", "/opt/shop/count")?;
    host.ssh(
        "carol",
        &format!("tpactl revoke {late} --reason over --yes"),
    )
    .ok()?;
    host.ssh("bob", &by_sudo(&late, "root")).fails()?;
    host.ssh("bob", &format!("tpactl run --resume {late}"))
        .code_is(5)?;
    ensure!(how_often(host)? == 0, "it ran after its end");
    Ok(())
}

/// Twenty at once: one runs.
fn one_of_twenty_runs(host: &Host, user: &str) -> Result<()> {
    let id = approved(host, user, "root", "/opt/shop/count 1")?;
    let one = by_sudo(&id, "root");
    let all = format!("for i in $(seq 20); do {one} >/dev/null 2>&1 & done; wait");
    host.ssh(user, &all);
    ensure!(how_often(host)? == 1, "not one of twenty ran");
    host.logged_event("grant-ended", &id)?;
    Ok(())
}

/// Two that wait for their use run straight after each other: the end of the first takes nothing of
/// the second.
fn one_after_the_other(host: &Host) -> Result<()> {
    for user in ["alice", "bob"] {
        let first = approved(host, user, "postgres", "/opt/shop/show first")?;
        let second = approved(host, user, "postgres", "/opt/shop/show second")?;
        let [first, second] = [first, second].map(|id| by_sudo(&id, "postgres"));
        let both = format!("{first}; echo $?; {second}; echo $?");
        let ran = host.ssh(user, &both);
        let ends = ran.ok()?.lines().filter(|line| *line == "7").count();
        ensure!(ends == 2, "{user}: {ran:?}");
    }
    Ok(())
}

/// A changed program is refused and told, and uses nothing up.
fn a_changed_program_is_refused(host: &Host) -> Result<()> {
    let id = approved(host, "bob", "postgres", "/opt/shop/show x")?;
    host.root("cp -p /opt/shop/show /root/show && echo '# more' >>/opt/shop/show")
        .ok()?;
    host.ssh("bob", &format!("tpactl run --resume {id}"))
        .code_is(4)?
        .says("is not the file any more")?;
    host.logged_with(&["decision-refused", &id, "why=changed"])?;
    host.root("cp -p /root/show /opt/shop/show").ok()?;
    host.ssh("bob", &format!("tpactl run --resume {id}"))
        .code_is(7)?
        .says("[x]")?;
    Ok(())
}

/// tpad dead before, at and after: once at most, and what was not begun can still be run.
fn at_most_once_whenever_tpad_dies(host: &Host) -> Result<()> {
    let id = approved(host, "bob", "root", "/opt/shop/count 2")?;
    host.root("systemctl stop tpad").ok()?;
    host.ssh("bob", &by_sudo(&id, "root")).code_is(8)?;
    host.root("systemctl start tpad").ok()?;
    let one = by_sudo(&id, "root");
    let twice = format!("{one} & sleep 0.05; {one} & wait");
    let mut running = host.start_ssh("bob", &["-T", &twice])?;
    running.line("began")?;
    host.root("systemctl kill --signal KILL tpad").ok()?;
    host.eventually("systemctl is-active --quiet tpad")?;
    host.ssh("bob", &one).fails()?;
    running.finish()?;
    host.logged_event("grant-ended", &id)?;
    ensure!(how_often(host)? == 1, "not once");
    // Killed at the moment of use, again and again: never twice.
    let id = approved(host, "bob", "root", "/opt/shop/count")?;
    let one = by_sudo(&id, "root");
    let all = format!("for i in $(seq 6); do {one} >/dev/null 2>&1 & sleep 0.04; done; wait");
    let running = host.start_ssh("bob", &["-T", &all])?;
    host.root("sleep 0.1; systemctl kill --signal KILL tpad")
        .ok()?;
    running.finish()?;
    host.eventually("systemctl is-active --quiet tpad")?;
    ensure!(how_often(host)? <= 1, "twice");
    Ok(())
}

/// tpad restarted or upgraded while a command runs, or gone when that ends: how it ended is told all the same, over a
/// connection that the `tpad` of by then has proven anew.
fn its_exit_code_outlives_a_restart(host: &Host) -> Result<()> {
    host.write("/opt/shop/wait", WAIT)?;
    host.root("chmod 0755 /opt/shop/wait && mkfifo -m 0644 /srv/go")
        .ok()?;
    for (user, run_as) in [("bob", "root"), ("alice", "postgres")] {
        for (meanwhile, is_back) in [
            ("systemctl restart tpad", true),
            // As an upgrade leaves the program that runs: another file has its name.
            (
                "cd /usr/libexec/tpa && cp -p run new && mv new run && systemctl restart tpad",
                true,
            ),
            ("systemctl stop tpad", false),
        ] {
            let id = approved(host, user, run_as, "/opt/shop/wait")?;
            let line = format!("{} 2>&1", by_sudo(&id, run_as));
            let mut running = host.start_ssh(user, &["-T", &line])?;
            running.line("began")?;
            host.root(&format!("{meanwhile} && echo go >/srv/go"))
                .ok()?;
            if !is_back {
                running.line_with("tpad is not there to be told")?;
                host.root("systemctl start tpad").ok()?;
            }
            running
                .finish()?
                .code_is(7)?
                .keeps_quiet_about("did not confirm")?;
            let code = shown(host, &id)?.object("command")?.number("exit_code")?;
            ensure!(code == 7, "{id} ended with {code}, it says");
            host.logged_with(&["command-run", &format!("grant={id}"), "exit_code=7"])?;
            host.logged_event("grant-ended", &id)?;
        }
    }
    Ok(())
}

/// A command that goes on until it is killed: its id, and the caller's side of it.
fn runs_on(host: &Host, user: &str) -> Result<(String, Running)> {
    let id = approved(host, user, "root", "/opt/shop/count 86400")?;
    let mut running = host.start_ssh(user, &["-T", &by_sudo(&id, "root")])?;
    running.line("began")?;
    Ok((id, running))
}

fn is_killed(host: &Host, running: Running) -> Result<()> {
    running.finish()?.fails()?;
    none_runs(host, "-f '^/bin/sh /opt/shop/count'")?;
    none_runs(host, "-f '^sleep 86400'")
}

/// What cannot be asked for, and how the command ends where nothing runs.
fn what_is_refused(host: &Host) -> Result<()> {
    host.root("install -d -o bob /opt/bobs && install -m 0755 /bin/true /opt/bobs/x && ln -sf /opt/bobs/x /opt/shop/link")
        .ok()?;
    let run = |command: &str| {
        let line =
            format!("cd / && tpactl run once --as root --reason '{REASON}' --wait=1s -- {command}");
        host.ssh("bob", &line)
    };
    for (command, code, says) in [
        ("/bin/sh -c id", 4, "does not run /bin/sh"),
        ("/usr/bin/bash -c id", 4, "never approved"),
        ("/usr/bin/sudo id", 4, "never approved"),
        ("/usr/bin/tee /etc/sudoers.d/x", 4, "never approved"),
        ("/usr/sbin/visudo", 4, "does not run"),
        ("/opt/shop/link", 4, "somebody other than root"),
        ("/usr/bin/no-such", 4, "no such program"),
        ("/usr/bin/../bin/id", 2, "cannot be asked for"),
        ("no-such-program", 2, "there is no program"),
        ("/usr/bin/id \"$(printf 'a\\nb')\"", 2, "control character"),
        ("/usr/bin/id $(seq 1000)", 2, "longer than anybody reads"),
        ("/usr/bin/id", 3, "still pending"),
    ] {
        run(command).code_is(code)?.says(says)?;
    }
    host.ssh(
        "bob",
        &format!("tpactl request once --reason '{REASON}' --no-wait"),
    )
    .code_is(2)?
    .says("tpactl run once")?;
    let in_tmp = format!("cd /tmp && tpactl run once --as root --reason '{REASON}' -- id");
    host.ssh("bob", &in_tmp)
        .code_is(4)?
        .says("the folder /tmp")?;
    let as_mail = format!("tpactl run once --as mail --reason '{REASON}' -- id");
    host.ssh("bob", &as_mail)
        .code_is(4)?
        .says("--as root, postgres")?;
    let no_role = format!("tpactl run web-ops --as root --reason '{REASON}' -- id");
    host.ssh("alice", &no_role).code_is(2)?;
    let id = ask(host, "bob", "root", "/usr/bin/id")?;
    let mut waiting = host.start_ssh("bob", &["-T", &format!("tpactl run --resume {id} 2>&1")])?;
    waiting.line_with("waits for")?;
    host.ssh("carol", &format!("tpactl deny {id} --reason no --yes"))
        .ok()?;
    let denied = waiting.finish().context("after the no")?;
    denied.code_is(5)?;
    Ok(())
}

on_both_debians! {
    with play;

    fn a_command_that_runs_is_killed_at_the_end_of_its_grant_with_tpad_and_without(host) {
        prepare(host)?;
        for user in ["alice", "bob"] {
            let (id, running) = runs_on(host, user)?;
            host.root(&format!("tpactl revoke {id} --reason over --yes")).ok()?;
            is_killed(host, running).with_context(|| format!("{user}'s"))?;
            let confirmed = host.logged_with(&[" removal-confirmed ", &format!("grant={id}")])?;
            ensure!(!confirmed.contains("killed=0"), "{confirmed}");
        }
        let (_, running) = runs_on(host, "bob")?;
        host.root("systemctl stop tpad && tpad reap --all").ok()?;
        is_killed(host, running).context("without tpad")?;
    }

    fn one_command_runs_once_as_it_was_approved_and_no_other_way(host) {
        prepare(host)?;
        runs_once_as_it_was_typed(host)?;
        gets_nothing_that_nobody_read(host)?;
        runs_in_no_other_way(host)?;
        for user in ["alice", "bob"] {
            one_of_twenty_runs(host, user)?;
        }
        one_after_the_other(host)?;
        a_changed_program_is_refused(host)?;
        at_most_once_whenever_tpad_dies(host)?;
        what_is_refused(host)?;
    }

    fn the_exit_code_of_a_command_is_known_whenever_tpad_was_restarted_under_it(host) {
        prepare(host)?;
        its_exit_code_outlives_a_restart(host)?;
    }
}
