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

/// Whatever they like as an account of a service, and what appears of it goes, or does not.
fn shop(tidy: bool) -> String {
    format!(
        "login = true\n\n[[gives.sudo]]\nas = \"shopdb\"\nrun = [\"/usr/bin/bash\"]\n\
         password = false\ntidy = {tidy}\n"
    )
}

/// Two accounts of services that had jobs and keys before, but for the first one's crontab and job.
const SERVICES: &str = "set -e
for name in shopdb otherdb; do
    useradd -r -m -d /var/lib/$name -s /bin/sh $name
    install -d -o $name -g $name -m 0700 /var/lib/$name/.ssh
    ssh-keygen -q -t ed25519 -N '' -f /root/$name
    install -o $name -g $name -m 0600 /root/$name.pub /var/lib/$name/.ssh/authorized_keys
done
echo '1 1 1 1 1 true' | crontab -u otherdb -
cd / && echo true | runuser -u otherdb -- at now + 2 days";

/// Gives the account a crontab, a job of at's, a key beside those that it had, and a file of keys.
const LEAVE: &str = "cd && rm -f k k.pub && echo \"1 1 1 1 1 true\" | crontab - && echo true | at now + 2 days && \
                     ssh-keygen -q -t ed25519 -N \"\" -f k && cat k.pub >> .ssh/authorized_keys && \
                     cp k.pub .ssh/authorized_keys2";

/// How many crontabs, jobs of at's, keys and second files of keys an account has.
fn has(host: &Host, account: &str) -> Result<String> {
    let line = format!(
        "ls /var/spool/cron/crontabs | grep -cx {account}; \
         find /var/spool/cron/atjobs -user {account} | wc -l; \
         grep -c . /var/lib/{account}/.ssh/authorized_keys; \
         ls -A /var/lib/{account}/.ssh | wc -l"
    );
    Ok(host
        .root(&line)
        .ok()?
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" "))
}

/// Has alice leave such things under a grant of a role.
fn leave(host: &Host, role: &str) -> Result<String> {
    let id = begin(host, role)?;
    host.ssh(
        "alice",
        &format!("sudo -n -u shopdb /usr/bin/bash -c '{LEAVE}'"),
    )
    .ok()?;
    ensure!(
        has(host, "shopdb")? == "1 1 2 2",
        "{}",
        has(host, "shopdb")?
    );
    Ok(id)
}

/// What is told of what was to be removed: what became of it, the kind, the end of its name, and why.
fn tidied(residue: &Object) -> Result<Vec<[String; 4]>> {
    let all = residue.list("tidied")?.iter();
    let text = |one: &Value, field: &str| {
        let text = one.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    Ok(all
        .map(|one| ["came_to", "kind", "what", "why"].map(|field| text(one, field)))
        .collect())
}

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

    fn what_appeared_of_a_run_as_account_goes_where_its_role_has_tidy_and_nothing_else(host) {
        host.root(SERVICES).ok()?;
        set_role(host, "shop", &role("The shop's database", &shop(true)))?;
        set_role(host, "kept", &role("The same", &shop(false)))?;
        let about = "the crontab, at jobs and authorized keys of shopdb that appeared meanwhile";
        host.root("tpactl check").says(&format!("then removes {about}"))?.ok()?;
        host.write("/root/shop.toml", &role("Root's", &shop(true).replace("shopdb", "root")))?;
        host.root("tpactl check /root/shop.toml").says("what is root's is never removed")?.fails()?;

        // Without it everything stays.
        let id = leave(host, "kept")?;
        let residue = end(host, &id)?;
        found(&residue, "cron", "/crontabs/shopdb")?;
        ensure!(residue.0.get("tidied").is_none_or(Value::is_null), "{:#?}", residue.0);
        ensure!(has(host, "shopdb")? == "1 1 2 2", "{}", has(host, "shopdb")?);
        host.no_event_logged("residue-tidied")?;
        let as_shopdb = |line: &str| host.root(&format!("runuser -u shopdb -- sh -c '{line}'")).ok().map(drop);
        as_shopdb("cd; crontab -r; atrm $(atq | cut -f1); rm k* .ssh/authorized_keys2; sed -i 2d .ssh/authorized_keys")?;
        ensure!(has(host, "shopdb")? == "0 0 1 1", "{}", has(host, "shopdb")?);
        // What was changed in the second in which a grant begins counts as changed in its time.
        host.eventually("[ $(date +%s) -gt $(stat -c %Z /var/lib/shopdb/.ssh/authorized_keys) ]")?;
        let before = host.root("cat /var/lib/shopdb/.ssh/authorized_keys; stat -c '%U %G %a' /var/lib/shopdb/.ssh/authorized_keys");

        let id = leave(host, "shop")?;
        host.console("carol", &format!("tpactl show {id}")).says(about)?.ok()?;
        let residue = end(host, &id)?;
        found(&residue, "cron", "/crontabs/shopdb")?;
        let line = host.logged_event("residue-tidied", &id)?;
        ensure!(line.contains(" removed=4 ") && line.contains(" stays=0 "), "{line}");
        ensure!(has(host, "shopdb")? == "0 0 1 1", "{}", has(host, "shopdb")?);
        let after = host.root("cat /var/lib/shopdb/.ssh/authorized_keys; stat -c '%U %G %a' /var/lib/shopdb/.ssh/authorized_keys");
        ensure!(before.ok()? == after.ok()?, "{after}");
        ensure!(has(host, "otherdb")? == "1 1 1 1", "{}", has(host, "otherdb")?);
        let told = tidied(&host.root(&format!("tpactl residue {id} --json")).json()?)?;
        ensure!(told.len() == 4 && told.iter().all(|one| one[0] == "removed"), "{told:#?}");
        host.root(&format!("tpactl residue {id}"))
            .says("What its role has removed of that")?
            .says("removed cron     /var/spool/cron/crontabs/shopdb (of shopdb)")?
            .ok()?;
        host.root(&format!("tpactl report {id}")).says("residue-tidied")?.ok()?;
        host.root("systemctl list-units --all --plain --no-legend 'tpa-tidy-*' | grep .").fails()?;
        host.root("tpactl verify").ok()?;

        // Of two at the same time nobody knows which made it.
        let id = leave(host, "shop")?;
        let other = grant(host, "mallory", "kept", "1h")?;
        end(host, &id)?;
        let line = host.logged_event("residue-tidied", &id)?;
        ensure!(line.contains(" removed=0 ") && line.contains(" stays=4 "), "{line}");
        let told = tidied(&host.root(&format!("tpactl residue {id} --json")).json()?)?;
        ensure!(told.iter().all(|one| one[3].contains(&other)), "{told:#?}");
        ensure!(has(host, "shopdb")? == "1 1 2 2", "{}", has(host, "shopdb")?);
    }

    fn what_was_exchanged_before_it_is_removed_stays_and_a_tpad_that_was_killed_goes_on(host) {
        host.root(SERVICES).ok()?;
        set_role(host, "shop", &role("The shop's database", &shop(true)))?;
        // What removes waits until it is told to go on: whoever is faster has this long.
        let wait = "[Service]\nExecStartPre=/bin/sh -c 'until test -e /run/go; do sleep 0.1; done'\n";
        host.root("mkdir -p /run/systemd/system/tpa-tidy-.service.d").ok()?;
        host.write("/run/systemd/system/tpa-tidy-.service.d/wait.conf", wait)?;
        host.root("systemctl daemon-reload").ok()?;
        let id = leave(host, "shop")?;
        end(host, &id)?;
        host.eventually("pgrep -f '[u]ntil test -e /run/go'")?;
        host.root(&format!("tpactl residue {id}")).says("(not done yet)")?.ok()?;
        // The account leads to another's keys, and has another crontab by now.
        host.root("cd /var/lib/shopdb && mv .ssh .mine && ln -s /var/lib/otherdb/.ssh .ssh").ok()?;
        host.root("echo '2 2 2 2 2 true' | crontab -u shopdb -").ok()?;
        host.root("systemctl kill --signal=KILL tpad").ok()?;
        host.eventually("[ $(pgrep -cf '[u]ntil test -e /run/go') = 2 ]")?;
        host.root("touch /run/go").ok()?;
        let line = host.logged_event("residue-tidied", &id)?;
        ensure!(line.contains(" stays=3 "), "{line}");
        let told = tidied(&host.root(&format!("tpactl residue {id} --json")).json()?)?;
        for (kind, came_to, why) in [
            ("cron", "stays", "another by now"),
            ("key", "stays", "a link leads there"),
        ] {
            let mut of = told.iter().filter(|one| one[1] == kind);
            ensure!(of.all(|one| one[0] == came_to && one[3].contains(why)), "{told:#?}");
        }
        ensure!(told.iter().any(|one| one[1] == "at" && ["removed", "gone"].contains(&one[0].as_str())), "{told:#?}");
        ensure!(has(host, "otherdb")? == "1 1 1 1", "{}", has(host, "otherdb")?);
        host.root("crontab -u shopdb -l").says("2 2 2 2 2 true")?.ok()?;
        host.root("grep -c . /var/lib/shopdb/.mine/authorized_keys").says("2")?.ok()?;
        host.root("ls -A /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/*db/.mine | grep -F .tpa-").fails()?;
    }
}
