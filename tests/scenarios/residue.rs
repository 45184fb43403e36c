//! What a window leaves behind beside processes is looked for at its end, and named.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tpa_tests::grant::{grant, role as set_role};
use tpa_tests::host::Host;
use tpa_tests::object::Object;
use tpa_tests::on_both_debians;
use tpa_tests::people::role;
use tpa_tests::scenario::play;

/// A shell as root: whoever has it can leave anything anywhere.
const ROOT: &str = "login = true\n\n[[gives.sudo]]\nas = \"root\"\nrun = [\"/usr/bin/bash\"]\n\
                    password = false\n\n[[gives.sudo]]\nas = \"postgres\"\n\
                    run = [\"/usr/bin/id -un\"]\npassword = false\n";

/// A command as an account of a service.
const NARROW: &str = "login = true\n\n[[gives.sudo]]\nas = \"postgres\"\nrun = [\"/usr/bin/id -un\"]\n\
                      password = false\n";

/// The beginning is noted once this is back.
fn begin(host: &Host, role: &str) -> Result<String> {
    let id = grant(host, "alice", role, "1h")?;
    host.logged_event("beginning-noted", &id)?;
    Ok(id)
}

/// Ends it, and gives what was found.
fn end(host: &Host, id: &str) -> Result<Object> {
    let line = format!("tpactl revoke {id} --reason 'no longer needed' --yes");
    host.ssh("carol", &line).ok()?;
    host.logged_event("removal-confirmed", id)?;
    host.logged_event("residue", id)?;
    host.root(&format!("tpactl residue {id} --json")).json()
}

/// The one finding of this kind whose name contains this: what became of it, how sure, and by whom.
fn found(residue: &Object, kind: &str, what: &str) -> Result<[String; 3]> {
    let text = |one: &Value, field: &str| {
        let text = one.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let all = residue.list("findings")?;
    let one = all
        .iter()
        .find(|one| text(one, "kind") == kind && text(one, "what").contains(what));
    let one = one.with_context(|| format!("no {kind} {what} in {all:#?}"))?;
    Ok(["change", "sure", "by"].map(|field| text(one, field)))
}

/// What there is to be of it: kind, a part of the name, what became of it, how sure, and by whom.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Each is found as that.
fn tells(residue: &Object, rows: &[Row]) -> Result<()> {
    for (kind, what, change, sure, by) in rows {
        let told = found(residue, kind, what)?;
        ensure!(told == [*change, *sure, *by], "{kind} {what}: {told:?}");
    }
    Ok(())
}

on_both_debians! {
    with play;

    fn what_a_window_left_behind_is_named_and_what_others_did_meanwhile_is_doubtful(host) {
        set_role(host, "all-root", &role("Everything", ROOT))?;
        set_role(host, "narrow", &role("Look at it", NARROW))?;
        let id = begin(host, "all-root")?;
        // What is hers says so itself.
        host.ssh("alice", "printf '1 1 1 1 1 true\\n' | crontab -").ok()?;
        host.ssh("alice", "ssh-keygen -q -t ed25519 -N '' -f k && cat k.pub >> .ssh/authorized_keys").ok()?;
        host.ssh("alice", "mkfifo .ssh/authorized_keys2").ok()?;
        // What root did nobody can tell of.
        for line in [
            "useradd -m eve && echo eve:secret | chpasswd && usermod -aG sudo eve",
            "printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/evil.service",
            "cp /bin/true /usr/local/bin/evil && chmod 4755 /usr/local/bin/evil",
            "echo 'eve ALL=(ALL) ALL' > /etc/sudoers.d/eve",
            "printf '1 1 1 1 1 true\\n' | crontab -u postgres -",
            "touch -d '2001-01-01' /usr/local/bin/evil",
        ] {
            host.ssh("alice", &format!("sudo -n /usr/bin/bash -c \"{}\"", line.replace('"', "\\\""))).ok()?;
        }
        // What a neighbour does meanwhile is theirs, and nothing says that it was they.
        host.ssh("bob", "ssh-keygen -q -t ed25519 -N '' -f k && cat k.pub >> .ssh/authorized_keys").ok()?;

        let residue = end(host, &id)?;
        residue.has("depth", "deep")?;
        tells(&residue, &[
            ("cron", "/crontabs/alice", "new", "certain", "alice, whose it is"),
            ("key", "/home/alice/.ssh/authorized_keys: SHA256:", "new", "certain", "alice, whose it is"),
            ("key", "/home/alice/.ssh/authorized_keys2: it is no file", "new", "doubtful", ""),
            ("account", "eve (uid ", "new", "doubtful", ""),
            ("password", "eve", "new", "doubtful", ""),
            ("group", "sudo: eve", "new", "doubtful", ""),
            ("unit", "/etc/systemd/system/evil.service", "new", "doubtful", ""),
            ("sudoers", "/etc/sudoers.d/eve", "new", "doubtful", ""),
            ("setuid", "/usr/local/bin/evil (setuid, of uid 0", "new", "doubtful", ""),
            ("cron", "/crontabs/postgres", "new", "doubtful", "postgres, whose it is, whom the grant ran commands as"),
            ("key", "/home/bob/.ssh/authorized_keys: SHA256:", "new", "doubtful", "bob, whose it is"),
        ])?;
        let hash = host.root("getent shadow eve | cut -d: -f2").ok()?.trim().to_owned();
        let whole = format!("{:?}", residue.0);
        ensure!(hash.len() > 10 && !whole.contains(&hash), "the password's hash is told");

        // Those who decide on the role read it, and whoever held it does not.
        host.ssh("carol", &format!("tpactl residue {id}")).says("doubtful")?.ok()?;
        host.root(&format!("tpactl show {id}")).says(&format!("see tpactl residue {id}"))?.ok()?;
        host.root(&format!("tpactl report {id}")).says("What it left behind")?.ok()?;
        host.console("alice", &format!("tpactl residue {id}")).code_is(4)?;
        host.console("mallory", &format!("tpactl residue {id}")).code_is(6)?;

        // A narrow one is not looked at as deeply, and of what was there before nothing is told again.
        let id = begin(host, "narrow")?;
        host.console("carol", &format!("tpactl residue {id}")).code_is(7)?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").says("postgres")?.ok()?;
        let residue = end(host, &id)?;
        residue.has("depth", "short")?;
        ensure!(residue.list("findings")?.is_empty(), "{:#?}", residue.0);
        host.root(&format!("tpactl residue {id}")).says("nothing was found of what was looked for")?.ok()?;
        host.root("tpactl verify").ok()?;
        // What looks has a unit of its own, and leaves none behind.
        host.root("systemctl list-units --all --plain --no-legend 'tpa-look-*' | grep .").fails()?;
    }

    fn what_was_left_before_a_reboot_is_named_after_it(host) {
        set_role(host, "all-root", &role("Everything", ROOT))?;
        let id = begin(host, "all-root")?;
        let as_root = |line: &str| {
            host.ssh("alice", &format!("sudo -n /usr/bin/bash -c '{line}'")).ok().map(drop)
        };
        host.ssh("alice", "printf '1 1 1 1 1 true\\n' | crontab -").ok()?;
        as_root("cp /bin/true /usr/local/bin/before && chmod 4755 /usr/local/bin/before")?;
        host.reboot()?;
        host.eventually("systemctl is-active --quiet tpad")?;
        as_root("cp /bin/true /usr/local/bin/after && chmod 4755 /usr/local/bin/after")?;
        let residue = end(host, &id)?;
        residue.has("depth", "deep")?;
        tells(&residue, &[
            ("cron", "/crontabs/alice", "new", "certain", "alice, whose it is"),
            ("setuid", "/usr/local/bin/before (setuid, of uid 0", "new", "doubtful", ""),
            ("setuid", "/usr/local/bin/after (setuid, of uid 0", "new", "doubtful", ""),
        ])?;
        // Whatever the boot itself made anew is nobody's to answer for.
        let kinds = ["account", "group", "password", "sudoers", "key", "package"];
        let all = residue.list("findings")?;
        for one in all {
            let kind = one.get("kind").and_then(Value::as_str).unwrap_or_default();
            ensure!(!kinds.contains(&kind), "{one}");
        }
    }
}
