//! Each step is a line of syslog, and the lines are a chain.

use anyhow::{Context, ensure};
use tpa_tests::grant::{grant, shown};
use tpa_tests::on_both_debians;
use tpa_tests::people::TPAD_TOML;
use tpa_tests::scenario::play;

/// rsyslog takes the JSON apart and writes what it understood.
const MMJSONPARSE: &str = r#"module(load="mmjsonparse")
template(name="understood" type="string"
    string="%$!event!sequence% %$!event!action% %$!tpa!grant% %$!user!target!name% %$!user!target!roles%\n")
if $programname == "tpad" and $syslogfacility-text == "authpriv" then {
    action(type="mmjsonparse")
    if $parsesuccess == "OK" then action(type="omfile" file="/var/log/understood" template="understood")
}
"#;

on_both_debians! {
    with play;

    fn the_whole_story_of_a_grant_stands_in_auth_log_in_order(host) {
        host.ssh("alice", "true").fails()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        // sshd closes the session after its client has gone.
        host.logged_event("session-closed", &id)?;
        host.root(&format!("tpactl revoke {id} --reason 'the sale begins' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        let story = [
            "request-created",
            "approval-recorded",
            "grant-activated",
            "login-allowed",
            "session-opened",
            "sudo-opened",
            "sudo-closed",
            "session-closed",
            "grant-revoked",
            "removal-confirmed",
        ];
        let lines = host.root(&format!("grep 'tpad\\[.*grant={id}' /var/log/auth.log"));
        let mut told = lines.ok()?.lines();
        for event in story {
            let line = told
                .by_ref()
                .find(|line| line.contains(&format!(" {event} ")))
                .with_context(|| format!("{event}, in its place, in {lines}"))?;
            for field in ["code=TPA", "seq=", "hash=", "user=alice", "role=web-ops", "outcome="] {
                ensure!(line.contains(field), "{field} is missing: {line}");
            }
        }
        host.logged("command=\"sudo -n -u postgres /usr/bin/id -un\"")?;
    }

    fn the_chain_is_whole_and_its_numbers_have_no_gap(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        host.root("tpactl verify").ok()?;
        let numbers = host.root("grep -o 'tpad\\[.* seq=[0-9]*' /var/log/auth.log | sed 's/.*seq=//'");
        for (index, number) in numbers.ok()?.lines().enumerate() {
            ensure!(number == (index + 1).to_string(), "{numbers}");
        }
    }

    fn json_lines_are_understood_by_rsyslog_and_read_from_the_journal(host) {
        host.write("/etc/rsyslog.d/00-understood.conf", MMJSONPARSE)?;
        host.root("systemctl restart rsyslog").ok()?;
        host.write("/etc/tpa/tpad.toml", &format!("{TPAD_TOML}\n[audit]\nformat = \"cee\"\n"))?;
        host.root("systemctl reload tpad").ok()?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        let line = host.logged("\"action\":\"grant-activated\"")?;
        ensure!(line.contains(&format!("\"grant\":\"{id}\"")), "{line}");
        host.root(&format!(
            "tail -n +1 -F /var/log/understood | grep -m1 'grant-activated {id} alice web-ops'"
        )).ok()?;
        let journal = host.root("journalctl --output=cat SYSLOG_IDENTIFIER=tpad SYSLOG_FACILITY=10");
        let json = journal
            .ok()?
            .lines()
            .filter_map(|line| line.strip_prefix("@cee:"))
            .map(serde_json::from_str::<serde_json::Value>)
            .collect::<Result<Vec<_>, _>>()?;
        let active = json
            .iter()
            .find(|json| json.pointer("/event/action").is_some_and(|action| action == "grant-activated"))
            .with_context(|| format!("grant-activated in {journal}"))?;
        let grant = active.pointer("/tpa/grant").and_then(|grant| grant.as_str());
        let code = active.pointer("/event/code").and_then(|code| code.as_str());
        ensure!((grant, code) == (Some(id.as_str()), Some("TPA2000")), "{active}");
        host.root("tpactl verify").ok()?;
        host.root("tpactl verify --log journal").ok()?;
    }

    fn what_is_unusual_is_marked_in_the_line_and_in_the_trail(host) {
        for _ in 0..3 {
            host.ssh("mallory", "true").fails()?;
        }
        let line = host.logged("unusual=refused-in-a-row")?;
        ensure!(line.contains("user=mallory") && line.contains("refused=3"), "{line}");
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.ssh("alice", "true").ok()?;
        let line = host.logged_event("login-allowed", &id)?;
        ensure!(line.contains("unusual=new-address"), "{line}");
        host.ssh("alice", "true").ok()?;
        let marked = host.root(&format!("tpactl log {id} | grep -c '^! new-address: '"));
        ensure!(marked.ok()? == "1", "the second login is from where the first was: {marked}");
        host.ssh("frank", "true").ok()?;
        host.logged("unusual=exempt")?;
        let mut follow = host.start("tpactl log --follow")?;
        follow.line_with("! exempt: ")?;
        ensure!(shown(host, &id)?.text("state")? == "active");
    }
}
