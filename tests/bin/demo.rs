//! The whole path, live on a throwaway host: from refused login to ended session. With `--next` on
//! the Debian that is to come, on an emulated machine: its systemd does without the older control
//! groups, which a container here may have.

use std::fs;

use anyhow::{Result, bail, ensure};
use tpa_tests::clock;
use tpa_tests::debian::{Debian, Equipment};
use tpa_tests::grant::{request, shown};
use tpa_tests::host::Host;
use tpa_tests::kill::kill_tpad;
use tpa_tests::output::Output;

/// Long enough for every step before the end.
const LENGTH: &str = "25s";

/// The same where each step takes seconds; the login is watched for two minutes at most.
const LENGTH_WHEN_EMULATED: &str = "75s";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let since = clock::uptime()?;
    let (host, length) = match words.as_slice() {
        [] => (
            Host::boot_gated(like_this_machine()?, Equipment::Plain)?,
            LENGTH,
        ),
        [word] if word == "--next" => (Host::emulate_gated(Debian::Forky)?, LENGTH_WHEN_EMULATED),
        _ => bail!("usage: demo [--next]"),
    };
    let took = clock::uptime()?.saturating_sub(since).as_secs();
    println!(
        "{} is up after {took} s: sshd, sudo, logind, rsyslog,",
        host.debian()
    );
    println!("and the tpa package. Engineers need a grant; carol is on call.");
    let versions = "for package in systemd openssh-server sudo dbus-daemon; do dpkg-query --show $package; done; uname -r";
    show(host.root(versions));

    keep_out(&host)?;
    let id = ask(&host, length)?;
    decide(&host, &id)?;
    let end = work(&host, &id)?;
    ended(&host, &id, &end)?;
    told(&host, &id)?;
    println!("\nEvery step was as it should be.");
    Ok(())
}

/// Packages run on the release they are built on.
fn like_this_machine() -> Result<Debian> {
    let release = fs::read_to_string("/etc/os-release")?;
    let bookworm = release.lines().any(|line| line == "VERSION_ID=\"12\"");
    Ok(if bookworm {
        Debian::Bookworm
    } else {
        Debian::Trixie
    })
}

fn keep_out(host: &Host) -> Result<()> {
    title("alice, an engineer, holds no grant: she is refused, and told how to ask");
    let login = show(host.ssh("alice", "true"));
    login.fails()?.says("no active grant for alice")?;
    let copy = show(host.root("scp /etc/hostname alice@127.0.0.1:"));
    copy.fails()?;

    title("bob is not gated: nothing changes for him");
    show(host.ssh("bob", "echo in as $USER"))
        .says("in as bob")?
        .ok()?;
    Ok(())
}

fn ask(host: &Host, length: &str) -> Result<String> {
    title("alice asks for web-ops, from a console");
    let id = request(host, "alice", "web-ops", length)?;
    show(host.console("alice", &format!("tpactl show {id}"))).ok()?;

    title("she cannot approve it herself");
    show(host.console("alice", &format!("tpactl approve {id} --yes"))).code_is(4)?;
    Ok(id)
}

fn decide(host: &Host, id: &str) -> Result<()> {
    title("carol sees it, and approves");
    show(host.ssh("carol", "tpactl ls --reviewable"))
        .says(id)?
        .ok()?;
    show(host.ssh("carol", &format!("tpactl approve {id} --yes"))).ok()?;
    Ok(())
}

/// Gives the end of the grant.
fn work(host: &Host, id: &str) -> Result<String> {
    title("alice logs in; sudo runs what the role gives, and nothing else");
    let mut login = host.log_in("alice")?;
    println!(
        "    $ ssh alice@127.0.0.1\n    | {}",
        login.line_with("tpa: grant")?
    );
    let postgres = show(host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un"));
    ensure!(postgres.ok()? == "postgres", "{postgres}");
    show(host.ssh("alice", "sudo -n /usr/bin/systemctl stop cron")).fails()?;

    title("she leaves things running: in the background, and as root");
    show(host.ssh("alice", "setsid --fork sleep 4713 >/dev/null 2>&1")).ok()?;
    let root = host.start_ssh("alice", &["-T", "sudo -n /usr/bin/sleep 4711"])?;
    host.logged("COMMAND=/usr/bin/sleep 4711")?;
    show(host.root("pgrep -a sleep"))
        .says("sleep 4711")?
        .says("sleep 4713")?;

    title("tpad is killed; access goes on, and still ends");
    kill_tpad(host)?;
    println!(
        "    # systemctl kill --signal=KILL tpad
    = systemd has started it again"
    );
    let end = shown_when_back(host, id)?;

    title("the end comes by itself: alice's connection is cut");
    let cut = show(login.finish()?);
    cut.code_is(255)?.says("Closing this session.")?;
    root.finish()?.fails()?;
    Ok(end)
}

/// What tpad still knows; gives the end of the grant.
fn shown_when_back(host: &Host, id: &str) -> Result<String> {
    show(host.root(&format!("tpactl show {id} | head -3"))).ok()?;
    Ok(shown(host, id)?.text("not_after")?.to_owned())
}

fn ended(host: &Host, id: &str, end: &str) -> Result<()> {
    host.logged_event("removal-confirmed", id)?;
    title("nothing of hers is left, and she does not get in again");
    show(host.root(&format!("date --utc +%FT%TZ; echo end was {end}"))).ok()?;
    show(host.root("pgrep -a sleep; pgrep -a -u alice")).code_is(1)?;
    let rules = show(host.root("ls /run/tpa/sudoers.d"));
    ensure!(rules.ok()?.is_empty(), "{rules}");
    show(host.ssh("alice", "true"))
        .fails()?
        .says("no active grant")?;
    Ok(())
}

fn told(host: &Host, id: &str) -> Result<()> {
    title("auditors read all of it in /var/log/auth.log, and can verify it");
    let lines = host.root(&format!(
        "grep -o 'tpad\\[.*grant={id}.*' /var/log/auth.log | cut -c -110"
    ));
    let lines = show(lines);
    for event in [
        "grant-activated",
        "session-opened",
        "grant-expired",
        "removal-confirmed",
    ] {
        lines.says(event)?;
    }
    show(host.root("tpactl verify")).ok()?;
    Ok(())
}

fn title(text: &str) {
    println!("\n-- {text}");
}

/// Prints what was done and what came back.
fn show(said: Output) -> Output {
    let prompt = if said.command.starts_with("ssh") {
        "$ "
    } else {
        ""
    };
    println!("    {prompt}{}", said.command);
    for line in said.out.lines().chain(said.err.lines()) {
        println!("    | {line}");
    }
    println!(
        "    = exit code {} after {:.1} s",
        said.code,
        said.took.as_secs_f64()
    );
    said
}
