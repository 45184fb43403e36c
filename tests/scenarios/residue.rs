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

/// Makes a package with a job of cron's and a setuid program, in /var/tmp.
const PACKAGES: &str = "set -e
for name in asked hosts other; do
    at=/root/$name
    mkdir -p $at/DEBIAN $at/etc/cron.d $at/usr/bin
    printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@localhost>\nDescription: x\n' \
        $name >$at/DEBIAN/control
    echo '1 1 1 1 1 root true' >$at/etc/cron.d/$name
    cp /bin/true $at/usr/bin/$name
    chmod 4755 $at/usr/bin/$name
    dpkg-deb --build --root-owner-group $at /var/tmp/$name.deb
    rm -r $at
done";

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

/// A list of texts.
fn texts(residue: &Object, field: &str) -> Result<Vec<String>> {
    let all = residue.list(field)?.iter();
    Ok(all
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect())
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
            "cp /bin/true /usr/local/bin/capable && setcap cap_net_raw+ep /usr/local/bin/capable",
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
            ("setuid", "/usr/local/bin/capable (capabilities, of uid 0", "new", "doubtful", ""),
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

    fn what_came_with_a_package_is_told_with_it_and_with_whom_the_logs_name(host) {
        set_role(host, "all-root", &role("Everything", ROOT))?;
        host.root(PACKAGES).ok()?;
        let id = begin(host, "all-root")?;
        let line = "apt-get install -y /var/tmp/asked.deb";
        host.ssh("alice", &format!("sudo -n /usr/bin/bash -c '{line}'")).ok()?;
        host.root("apt-get install -y /var/tmp/other.deb").ok()?;
        host.root("dpkg -i /var/tmp/hosts.deb").ok()?;
        // A job that no package brought, beside one that did.
        host.root("cp /etc/cron.d/hosts /etc/cron.d/own").ok()?;
        let residue = end(host, &id)?;
        let asked = format!("apt's log: {line}");
        let others = "apt's log: apt-get install -y /var/tmp/other.deb, for nobody that it names";
        for (name, sure, package, file) in [
            ("asked", "certain", format!("alice, by {asked}"), format!("alice, by package asked:all ({asked})")),
            ("other", "doubtful", others.to_owned(), format!("package other:all ({others})")),
            ("hosts", "doubtful", "dpkg's log, at ".to_owned(), "package hosts:all (dpkg's log, at ".to_owned()),
        ] {
            for (kind, what, by) in [
                ("package", format!("{name}:all"), &package),
                ("cron", format!("/etc/cron.d/{name}"), &file),
                ("setuid", format!("/usr/bin/{name} (setuid"), &file),
            ] {
                let [change, told, told_by] = found(&residue, kind, &what)?;
                ensure!(
                    change == "new" && told == sure && told_by.starts_with(by.as_str()),
                    "{kind} {what}: {change} {told} {told_by}"
                );
            }
        }
        let own = found(&residue, "cron", "/etc/cron.d/own")?;
        ensure!(own == ["new", "doubtful", ""], "{own:?}");
    }

    fn what_was_left_before_a_reboot_is_named_after_it(host) {
        set_role(host, "all-root", &role("Everything", ROOT))?;
        let id = begin(host, "all-root")?;
        let as_root = |line: &str| {
            host.ssh("alice", &format!("sudo -n /usr/bin/bash -c '{line}'")).ok().map(drop)
        };
        host.ssh("alice", "printf '1 1 1 1 1 true\\n' | crontab -").ok()?;
        as_root("cp /bin/true /usr/local/bin/before && chmod 4755 /usr/local/bin/before")?;
        as_root("systemd-run --unit=before --uid=postgres sleep 3000")?;
        as_root("systemd-run --unit=before-it --socket-property=ListenStream=127.0.0.1:4711 true")?;
        host.reboot()?;
        host.eventually("systemctl is-active --quiet tpad")?;
        as_root("systemd-run --unit=after --uid=postgres sleep 3000")?;
        as_root("systemd-run --unit=after-it --socket-property=ListenStream=127.0.0.1:4712 true")?;
        as_root("cp /bin/true /usr/local/bin/after && chmod 4755 /usr/local/bin/after")?;
        let residue = end(host, &id)?;
        residue.has("depth", "deep")?;
        tells(&residue, &[
            ("cron", "/crontabs/alice", "new", "certain", "alice, whose it is"),
            ("setuid", "/usr/local/bin/before (setuid, of uid 0", "new", "doubtful", ""),
            ("setuid", "/usr/local/bin/after (setuid, of uid 0", "new", "doubtful", ""),
        ])?;
        let [change, sure, _] = found(&residue, "process", "/after.service")?;
        ensure!([change.as_str(), &sure] == ["runs", "doubtful"], "{change} {sure}");
        found(&residue, "unit", "/run/systemd/transient/after-it.socket")?;
        // What ran and listened before it is not there any more, and of that nothing is said. Which
        // sockets are new nothing tells, and the look says so.
        let whole = format!("{:?}", residue.0);
        for gone in ["before.service", "before-it", "4711", "4712"] {
            ensure!(!whole.contains(gone), "{gone}: {whole}");
        }
        for kind in ["listening sockets", "kernel modules"] {
            ensure!(!texts(&residue, "looked")?.contains(&kind.to_owned()), "{whole}");
            let not = texts(&residue, "not_looked")?;
            let told = |why: &String| why.contains(kind) && why.ends_with("there is no note of this boot");
            ensure!(not.iter().any(told), "{kind}: {not:?}");
        }
        ensure!(texts(&residue, "looked")?.contains(&"processes".to_owned()), "{whole}");
        // Whatever the boot itself made anew is nobody's to answer for.
        let kinds = ["account", "group", "password", "sudoers", "key", "package"];
        let all = residue.list("findings")?;
        for one in all {
            let kind = one.get("kind").and_then(Value::as_str).unwrap_or_default();
            ensure!(!kinds.contains(&kind), "{one}");
        }
    }
}
