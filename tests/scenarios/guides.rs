//! The guides in `docs/`: what stands in them is done as it stands there, and comes out as they say.

mod by_key;
mod notices;

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tpa_tests::grant::{grant, role};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::{play, play_stock, play_stock_with_tools};
use tpa_tests::{installed, store, tool};

/// The id that the guides show. In its place stands the newest request.
const SHOWN: &str = "7H2KM4QX";

/// A role beside the usual one.
const DOOR: &str =
    "[request]\nwho = [\"@engineers\"]\n[approve]\nwho = [\"@oncall\"]\n[gives]\nlogin = true\n";

/// A block that is carried out.
enum Block<'a> {
    /// The text of a file of root's.
    File(&'a str, String),
    /// Lines of shell as somebody, where they type them, and how they end.
    Shell(&'a str, Place, Ends, String),
}

/// Where somebody types.
#[derive(Clone, Copy)]
enum Place {
    /// Logged in to the host by ssh; root at the console.
    Host,
    /// At a machine of their own. Here it is the host too, with no login to it; whatever of theirs runs
    /// there ends with their last grant.
    Outside,
}

/// How lines of shell end.
#[derive(Clone, Copy)]
enum Ends {
    /// With 0.
    Well,
    /// Refused.
    Badly,
    /// As the host may have it.
    Either,
}

/// The blocks, whose first line names a file, or somebody who types them. One of `text`, or of lines
/// for a file that was shown, only shows something.
fn blocks(guide: &str) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        match info.split(' ').collect::<Vec<_>>().as_slice() {
            ["toml" | "yaml", path] => blocks.push(Block::File(path, text)),
            ["sh", who, how @ ..] => {
                let (place, how) = match how {
                    ["outside", how @ ..] => (Place::Outside, how),
                    _ => (Place::Host, how),
                };
                let ends = match how {
                    [] => Ends::Well,
                    ["refused"] => Ends::Badly,
                    ["any"] => Ends::Either,
                    _ => bail!("nobody knows how this ends: {info}"),
                };
                blocks.push(Block::Shell(who, place, ends, text));
            }
            ["text" | "yaml" | "python"] => {}
            _ => bail!("the guide has a block that nobody carries out: {info}"),
        }
    }
    ensure!(
        !blocks.is_empty(),
        "the guide has no block that is carried out"
    );
    Ok(blocks)
}

/// The guides that are carried out on hosts here; the recipes of roles.md are held against
/// `tpactl check`.
const FOLLOWED: [&str; 9] = [
    "ansible.md",
    "front-door.md",
    "getting-started.md",
    "notify.md",
    "one-command.md",
    "reading-the-log.md",
    "recovery.md",
    "signing.md",
    "upgrading.md",
];

/// Its commands are for a family of hosts that is not to be had here, and it says so.
const ELSEWHERE: &str = "selinux-authselect.md";

#[test]
fn no_guide_has_a_command_that_nobody_carries_out() -> Result<()> {
    for entry in std::fs::read_dir(store::workspace().join("docs"))? {
        let path = entry?.path();
        let guide = std::fs::read_to_string(&path)?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("a guide has a name")?;
        if FOLLOWED.contains(&name) || name == ELSEWHERE {
            for block in blocks(&guide).with_context(|| name.to_owned())? {
                let is_elsewhere = matches!(block, Block::Shell("elsewhere", ..));
                ensure!(
                    is_elsewhere == (name == ELSEWHERE),
                    "{name} has a block of another guide's kind"
                );
            }
        } else {
            for block in blocks(&guide).with_context(|| name.to_owned())? {
                let is_role =
                    matches!(block, Block::File(path, _) if path.starts_with("/etc/tpa/roles.d/"));
                ensure!(is_role, "{name} has commands, and no test follows it");
            }
        }
    }
    Ok(())
}

fn newest(host: &Host) -> Result<String> {
    let listed = host.root("tpactl ls --json").json()?;
    let items = listed.list("items")?;
    let id = items.first().and_then(|item| item.get("id"));
    Ok(id
        .and_then(|id| id.as_str())
        .context("no request yet")?
        .to_owned())
}

fn follow(host: &Host, guide: &str) -> Result<()> {
    for block in blocks(guide)? {
        match block {
            Block::File(path, text) => host.write(path, &text)?,
            Block::Shell(who, place, ends, mut text) => {
                if text.contains(SHOWN) {
                    text = text.replace(SHOWN, &newest(host)?);
                }
                let line = format!("set -e\n{text}");
                let said = match (who, place) {
                    ("root", _) => host.root(&line),
                    (person, Place::Host) => host.ssh(person, &line),
                    (person, Place::Outside) => host.console(person, &line),
                };
                match ends {
                    Ends::Well => drop(said.ok()?),
                    Ends::Badly => drop(said.fails()?),
                    Ends::Either => {}
                }
            }
        }
    }
    Ok(())
}

/// Somebody who cannot see all of it is told that, and of nothing that is wrong.
fn an_ordinary_user_is_not_alarmed(host: &Host) -> Result<()> {
    let said = host.console("bob", "tpactl doctor --severity error");
    said.code_is(4)?.keeps_quiet_about("error:")?;
    Ok(())
}

/// The folder that the guide to Ansible starts from, on a host that is rolled out to from itself.
fn bring_the_role(host: &Host) -> Result<()> {
    let scratch = store::folder().join(format!("ansible-{}.tar", host.debian().suite()));
    let roles = store::workspace().join("packaging/ansible");
    let mut tar = Command::new("/usr/bin/tar");
    tar.arg("-cf")
        .arg(&scratch)
        .arg("-C")
        .arg(roles)
        .arg("roles");
    tool::run(&mut tar, "packing the role for Ansible")?;
    host.copy_in(&scratch, "/root/roles.tar")?;
    host.root(
        "mkdir -p /root/rollout/files/roles.d && tar -xf /root/roles.tar -C /root/rollout --no-same-owner",
    )
    .ok()?;
    host.copy_in(&installed::package()?, "/root/rollout/files/tpa.deb")?;
    host.write(
        "/root/rollout/hosts",
        "localhost ansible_connection=local\n",
    )
}

on_both_debians! {
    with play_stock_with_tools;

    fn ansible_rolls_out_once_and_changes_nothing_the_second_time(host) {
        const APPLY: &str = "cd /root/rollout && ANSIBLE_NOCOLOR=1 ansible-playbook -i hosts site.yml";
        host.root("dpkg --purge tpa").ok()?;
        bring_the_role(host)?;
        follow(host, include_str!("../../docs/ansible.md"))?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.ssh("bob", "true").ok()?;
        host.root(APPLY).says("changed=0")?.says("failed=0")?.ok()?;

        // What is refused has changed nothing on the host, and is found again by the next run.
        let before = "cat /etc/tpa/tpad.toml /etc/tpa/roles.d/*.toml | sha256sum";
        let sum = host.root(before).ok()?.to_owned();
        host.root("sed -i 's/@oncall/@nobody-has-this/' /root/rollout/files/roles.d/web-ops.toml").ok()?;
        host.root(APPLY).fails()?.says("nobody-has-this")?;
        host.root(APPLY).fails()?.says("nobody-has-this")?;
        ensure!(host.root(before).ok()? == sum, "a role that was refused is in place");

        // What left the folder leaves the host, and is not given any more. With a newer package in the
        // same run, and a file for sshd.
        let newer = "sed -i 's/^Version: .*/Version: 9.0/' DEBIAN/control";
        installed::bring(host, "newer", newer)?;
        host.root(
            "cd /root/rollout/files/roles.d && sed -i 's/@nobody-has-this/@oncall/' web-ops.toml && mv web-ops.toml cron-ops.toml &&
             mv /root/newer.deb /root/rollout/files/tpa.deb &&
             echo '    tpa_sshd_config: \"{{ playbook_dir }}/files/sshd.conf\"' >/root/sshd.line && sed -i '/tpa_roles:/r /root/sshd.line' /root/rollout/site.yml",
        )
        .ok()?;
        host.root(APPLY).says("failed=0")?.ok()?;
        host.root("ls /etc/tpa/roles.d").says("cron-ops.toml")?.keeps_quiet_about("web-ops")?;
        host.console("alice", "tpactl roles --json").says("cron-ops")?.keeps_quiet_about("web-ops")?;
        host.root("dpkg-query --show tpa").says("9.0")?;
        host.root("sshd -T -C user=alice,host=x,addr=192.0.2.1").says("keyboard-interactive:pam")?;
        for user in ["bob", "frank"] {
            host.ssh(user, "true").ok()?;
        }
        host.root(&format!("{APPLY} --check --diff")).says("changed=0")?.says("failed=0")?.ok()?;
    }
}

on_both_debians! {
    with play_stock;

    fn getting_started_starts_and_can_be_read_in_the_log(host) {
        host.root("dpkg --purge tpa").ok()?;
        host.copy_in(&installed::package()?, "/tpa_NEW_amd64.deb")?;
        follow(host, include_str!("../../docs/getting-started.md"))?;
        host.ssh("alice", "true").ok()?;
        // What was done is there to be read.
        follow(host, include_str!("../../docs/reading-the-log.md"))?;
    }
}

on_both_debians! {
    with play;

    fn recovery_recovers_and_an_upgrade_goes_there_and_back(host) {
        // Who follows the guides says yes where apt asks.
        host.write("/etc/apt/apt.conf.d/90yes", "APT::Get::Assume-Yes \"true\";\n")?;
        for (name, version) in [("NEW", "9.0"), ("OLD", "0.0.9")] {
            installed::bring(host, name, &format!("sed -i 's/^Version: .*/Version: {version}/' DEBIAN/control"))?;
            host.root(&format!("mv /root/{name}.deb /tpa_{name}_amd64.deb")).ok()?;
        }
        // What is to be ended: one grant, all of alice's, everybody's.
        role(host, "door", DOOR)?;
        for (user, role) in [("mallory", "web-ops"), ("alice", "door"), ("alice", "web-ops")] {
            grant(host, user, role, "1h")?;
        }
        let recovery = include_str!("../../docs/recovery.md");
        let (before, again) = recovery.split_once("## Start again").context("it ends with that")?;
        follow(host, before)?;
        let live = host.root("tpactl ls --state active --json").json()?;
        ensure!(live.list("items")?.is_empty(), "{live:?}");
        host.root("systemctl is-active tpad").ok()?;
        host.ssh("alice", "true").fails()?;

        grant(host, "alice", "web-ops", "1h")?;
        let upgrading = include_str!("../../docs/upgrading.md");
        let (before, remove) = upgrading.split_once("## Remove").context("it ends with that")?;
        follow(host, before)?;
        host.root("dpkg-query --show tpa").says("0.0.9")?;
        host.ssh("alice", "true").ok()?;
        host.ssh("mallory", "true").fails()?;
        follow(host, remove)?;
        host.ssh("mallory", "true").ok()?;
        host.root("dpkg -i /root/tpa.deb").ok()?;
        follow(host, again)?;
        host.none_of("/var/lib/tpa /run/tpa /etc/tpa/tpad.toml")?;
        host.ssh("bob", "true").ok()?;
    }
}
