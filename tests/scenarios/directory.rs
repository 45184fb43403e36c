//! People and groups of a directory that hangs, is gone, comes late or is empty for a moment.

use anyhow::{Result, ensure};
use tpa_tests::directory;
use tpa_tests::grant::{REASON, grant, request, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::output::Output;
use tpa_tests::people::{TPAD_TOML, WEB_OPS};
use tpa_tests::scenario::play;

/// The gate names a group of the directory too, and dora may ask.
fn gated(host: &Host) -> Result<()> {
    directory::bring(host)?;
    names_dirgroup(host)?;
    host.root("systemctl reload tpad").ok()?;
    host.eventually("grep -q dirgroup /var/lib/tpa/groups")?;
    host.ssh("dora", "true")
        .fails()?
        .says("no active grant for dora")?;
    Ok(())
}

fn names_dirgroup(host: &Host) -> Result<()> {
    let list = "[\"@engineers\", \"@dirgroup\"]";
    host.write(
        "/etc/tpa/tpad.toml",
        &TPAD_TOML.replace("[\"@engineers\"]", list),
    )?;
    host.write(
        "/etc/tpa/roles.d/web-ops.toml",
        &WEB_OPS.replace("[\"@engineers\"]", list),
    )
}

/// Those whom the gate does not concern, and the exempt, get in, by ssh and su, and alice does not.
fn others_get_in(host: &Host) -> Result<()> {
    for user in ["bob", "frank"] {
        host.ssh(user, "true").ok()?;
        host.console("carol", &format!("echo {user}-pw | su -c true {user}"))
            .ok()?;
    }
    host.ssh("mallory", "true").fails()?;
    Ok(())
}

/// dora, whom the host's own files do not know, runs a line without anybody being asked for her.
fn as_dora(host: &Host, line: &str) -> Output {
    host.root(&format!(
        "setpriv --reuid=7001 --regid=7001 --clear-groups {line}"
    ))
}

/// A grant of hers.
fn granted_to_dora(host: &Host) -> Result<String> {
    let asks = format!("tpactl request web-ops --reason '{REASON}' --no-wait --json");
    let id = as_dora(host, &asks).json()?.text("id")?.to_owned();
    host.ssh("carol", &format!("tpactl approve {id} --yes"))
        .ok()?;
    Ok(id)
}

on_both_debians! {
    with play;

    fn a_directory_that_is_gone_empty_or_hangs_shuts_nobody_out_who_is_not_gated(host) {
        gated(host)?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        for state in ["gone", "empty"] {
            directory::is(host, state)?;
            others_get_in(host)?;
        }
        host.logged("going by what was last known of it")?;
        host.ssh("alice", "true").ok()?;
        directory::is(host, "hangs 5")?;
        // sshd itself asks it six times for each of them: all come at once.
        let logins = ["bob", "frank", "alice"].map(|user| host.start_ssh(user, &["-T", "true"]));
        for login in logins {
            login?.finish()?.ok()?;
        }
        shown(host, &id)?.has("state", "active")?;
        // A start that had to wait for each of its questions would be over its time limit.
        directory::is(host, "hangs 40")?;
        host.root("systemctl restart tpad && systemctl is-active tpad").ok()?;
        shown(host, &id)?.has("state", "active")?;
        directory::is(host, "answers")?;
    }

    fn a_directory_that_comes_late_shuts_nobody_out_and_brings_its_roles_unasked(host) {
        directory::bring(host)?;
        directory::is(host, "gone")?;
        names_dirgroup(host)?;
        // As after a boot: nobody was ever told of the group.
        host.root("rm -f /var/lib/tpa/groups && systemctl restart tpad").ok()?;
        host.root("systemctl is-active tpad").ok()?;
        others_get_in(host)?;
        let mut said = host.start("exec journalctl --follow --lines=0 --unit=tpad")?;
        directory::is(host, "answers")?;
        said.line_with("the names in the configuration have come: it is loaded")?;
        as_dora(host, "tpactl roles").says("web-ops")?.ok()?;
        others_get_in(host)?;
    }

    fn a_directory_that_is_empty_for_a_moment_ends_no_live_grant_of_its_people(host) {
        gated(host)?;
        let asks = "tpactl request web-ops --reason 'the shop answers with errors' --no-wait --json";
        let filed = host.root(&format!("setpriv --reuid=7001 --regid=7001 --init-groups {asks}")).json()?;
        let id = filed.text("id")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("dora", "true").ok()?;
        directory::is(host, "empty")?;
        host.root("useradd -r tmp1").ok()?;
        host.root("systemctl restart tpad").ok()?;
        directory::is(host, "answers")?;
        shown(host, id)?.has("state", "active")?;
        host.ssh("dora", "true").ok()?;
    }

    fn whom_a_directory_alone_knows_decides_nothing_while_it_hangs_and_ends_what_is_theirs(host) {
        gated(host)?;
        host.root("gpasswd -a dora oncall").ok()?;
        let (mine, hers) = (grant(host, "alice", "web-ops", "1h")?, request(host, "alice", "web-ops", "1h")?);
        let own = granted_to_dora(host)?;
        // Under it her logins go on when she ends the other.
        granted_to_dora(host)?;
        let glance = as_dora(host, "tpactl ls --reviewable");
        ensure!(glance.ok()?.contains(&hers), "{glance}");

        directory::is(host, "hangs 4")?;
        for line in [
            format!("approve {hers} --yes"),
            format!("deny {hers} --reason no --yes"),
            format!("revoke {mine} --reason no --yes"),
        ] {
            as_dora(host, &format!("tpactl {line}"))
                .fails()?
                .says("the name service does not tell")?
                .says("next: ")?;
        }
        as_dora(host, &format!("tpactl end {own} --yes")).ok()?;
        host.logged_event("removal-confirmed", &own)?;
        // Who decides by the host's own files does so.
        host.console("carol", &format!("tpactl approve {hers} --yes")).ok()?;

        // After a restart nothing was ever told of her.
        host.root("systemctl restart tpad").ok()?;
        let third = request(host, "alice", "web-ops", "1h")?;
        as_dora(host, &format!("tpactl approve {third} --yes"))
            .code_is(6)?
            .says("the name service does not tell")?
            .says("next: ")?;
        as_dora(host, "tpactl approve ZZZZZZZZ --yes").code_is(6)?.says("the name service does not tell")?;
        directory::is(host, "answers")?;
        shown(host, &third)?.has("state", "pending")?;
        shown(host, &mine)?.has("state", "active")?;
    }

    fn without_an_inotify_instance_to_be_had_tpad_runs_and_says_what_is_not_watched(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("mkdir -p /etc/systemd/system/tpad.service.d && \
            printf '[Service]\\nSystemCallFilter=~inotify_init1 inotify_init\\nSystemCallErrorNumber=EMFILE\\n' \
            >/etc/systemd/system/tpad.service.d/none.conf && systemctl daemon-reload && systemctl restart tpad").ok()?;
        host.root("systemctl is-active tpad").ok()?;
        host.root("journalctl -u tpad --no-pager").says("accounts and groups are not watched")?;
        host.ssh("alice", "true").ok()?;
        host.root(&format!("tpactl revoke {id} --reason 'no longer needed' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        host.ssh("alice", "true").fails()?;
    }
}
