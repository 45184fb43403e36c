//! People with names that have gone wrong elsewhere: the right rule or a clear refusal, and no
//! file is ever called by a name.

use anyhow::{Context, Result, ensure};
use tpa_tests::grant::REASON;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

/// Names that useradd(8) would not take, as an administrator or a directory may have made them.
const NAMES: [&str; 14] = [
    "a.b",
    "a_b",
    "a~",
    "-x",
    "%wheel",
    "#0",
    "#1002",
    "ALL",
    "!root",
    "a,b",
    "a b",
    "../x",
    "thirty-three-characters-are-a-lot",
    "jürgen",
];

/// Those of them whom the host's own libraries do not know: passwd(5) has comments and entries of
/// NIS, group(5) parts its members by commas.
const REFUSED: [&str; 4] = ["-x", "#0", "#1002", "a,b"];

/// Someone of this name and uid, in the group of the engineers.
fn add(host: &Host, name: &str, uid: u32) -> Result<()> {
    let line =
        format!("printf '%s\\n' '{name}:x:{uid}:{uid}::/home/alice:/bin/bash' >>/etc/passwd");
    host.root(&line).ok()?;
    let member = format!(
        "sed -i 's|^engineers:.*|&,{}|' /etc/group",
        name.replace('!', "\\!")
    );
    host.root(&member).ok()?;
    Ok(())
}

/// Runs a line of shell as a uid, without asking who that is.
fn run_as(host: &Host, uid: u32, line: &str) -> tpa_tests::output::Output {
    host.root(&format!(
        "setpriv --reuid={uid} --regid={uid} --groups={uid},$(getent group engineers | cut -d: -f3) /bin/sh -c \"{line}\""
    ))
}

/// The ids that have a rule, after each of those was found to be an id.
fn rules(host: &Host) -> Result<Vec<String>> {
    let names = host.root("ls -A /run/tpa/sudoers.d");
    let names: Vec<_> = names.ok()?.lines().map(str::to_owned).collect();
    for name in &names {
        let plain = name.len() == 8 && name.chars().all(|c| c.is_ascii_alphanumeric());
        ensure!(plain, "a rule is called {name}");
    }
    Ok(names)
}

on_both_debians! {
    with play;

    fn a_hostile_name_gets_its_own_rule_or_a_clear_refusal(host) {
        for (name, uid) in NAMES.iter().zip(5001..) {
            add(host, name, uid)?;
        }
        host.root("systemctl reload tpad").ok()?;
        for (name, uid) in NAMES.iter().zip(5001..) {
            let asked = run_as(host, uid, &format!("tpactl request web-ops --for 1h --reason '{REASON}' --no-wait --json"));
            if REFUSED.contains(name) {
                asked.fails()?.says("error: ").with_context(|| format!("as {name}"))?;
                continue;
            }
            let id = asked.json()?.text("id")?.to_owned();
            host.console("carol", &format!("tpactl approve {id} --yes")).ok()?;
            ensure!(rules(host)? == [id.clone()], "rules as {name}");
            let rule = host.root(&format!("grep -v '^#[ -]' /run/tpa/sudoers.d/{id}"));
            for line in rule.ok()?.lines() {
                ensure!(line.starts_with(&format!("#{uid} ")) || line.starts_with(&format!("Defaults:#{uid} ")), "{name}: {line}");
            }
            host.root("visudo -c").ok()?;
            host.root("su -s /bin/sh bob -c 'sudo -n -u postgres /usr/bin/id -un'").fails()?;
            host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
            ensure!(rules(host)?.is_empty(), "a rule is left of {name}");
        }
        host.root("ls -A /run/tpa/state | grep -v '^[0-9]*$'").code_is(1)?;
    }

    fn names_that_look_alike_end_each_alone(host) {
        add(host, "a.b", 5001)?;
        add(host, "a_b", 5002)?;
        let ask = format!("tpactl request web-ops --for 1h --reason '{REASON}' --no-wait --json");
        let mut ids = Vec::new();
        for uid in [5001, 5002] {
            let id = run_as(host, uid, &ask).json()?.text("id")?.to_owned();
            host.console("carol", &format!("tpactl approve {id} --yes")).ok()?;
            ids.push(id);
        }
        let [first, second] = ids.try_into().map_err(|ids| anyhow::anyhow!("{ids:?}"))?;
        host.root(&format!("tpactl revoke {first} --reason 'for the test' --yes")).ok()?;
        ensure!(rules(host)? == [second], "the other rule stays");
        host.root("ls /run/tpa/state/5002").ok()?;
        host.root("ls /run/tpa/state/5001").fails()?;
    }

    fn root_and_nobody_at_all_get_nothing(host) {
        let ask = format!("tpactl request web-ops --for 1h --reason '{REASON}' --no-wait");
        host.root(&ask).fails()?.says("error: ")?;
        add(host, "toor", 0)?;
        for name in ["root", "toor", "4294967295", "-1", "#0", "nobody-at-all"] {
            host.console("carol", &format!("{ask} --user={name}")).fails()?.says("error: ")?;
        }
        ensure!(rules(host)?.is_empty(), "nobody has a rule");
    }
}
