//! People, groups and roles come and go; what was decided about somebody is theirs alone.

use anyhow::ensure;
use tpa_tests::grant::{REASON, grant, request, role, shown};
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::people::{DB_ADMIN, WEB_OPS};
use tpa_tests::scenario::play;

/// Removes alice and makes the same account anew, home and key and all.
const ANEW: &str = "uid=$(id -u alice) && userdel alice && \
    useradd --uid $uid --no-create-home --shell /bin/bash --groups engineers alice";

fn inherits_nothing(host: &Host, id: &str) -> anyhow::Result<()> {
    let revoked = host.logged_event("grant-revoked", id)?;
    ensure!(
        revoked.contains("the account was removed or changed"),
        "{revoked}"
    );
    host.logged_event("removal-confirmed", id)?;
    host.ssh("alice", "true")
        .fails()?
        .says("no active grant for alice")?;
    host.root("find /run/tpa/sudoers.d /run/tpa/state -type f | grep .")
        .code_is(1)?;
    Ok(())
}

on_both_debians! {
    with play;

    fn an_account_made_anew_under_the_same_name_and_uid_inherits_nothing(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let asked = request(host, "alice", "web-ops", "1h")?;
        // tpad gets to look only when the new account is there.
        host.root(&format!("kill -STOP $(systemctl show --property=MainPID --value tpad); {ANEW}; kill -CONT $(systemctl show --property=MainPID --value tpad)")).ok()?;
        inherits_nothing(host, &id)?;
        shown(host, &asked)?.has("state", "lapsed")?;
    }

    fn neither_does_one_made_while_tpad_was_down(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root(&format!("systemctl stop tpad && {ANEW} && systemctl start tpad")).ok()?;
        inherits_nothing(host, &id)?;
    }

    fn neither_does_one_of_another_uid_or_another_name(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("uid=$(id -u alice) && userdel alice && groupadd -f alice && \
            useradd --uid 4242 --gid alice --no-create-home --shell /bin/bash --groups engineers alice && \
            useradd --uid $uid --no-create-home --shell /bin/bash --groups engineers alan && \
            chown -R alice /home/alice").ok()?;
        inherits_nothing(host, &id)?;
        host.console("alan", "sudo -n -u postgres /usr/bin/id -un").fails()?;
    }

    fn changes_that_leave_the_account_alone_end_nothing(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.root("useradd eve && usermod --comment 'Alice A.' alice && userdel eve && chpasswd <<E\nalice:new-pw\nE").ok()?;
        // Two are made, and the second asks, within one second.
        let line = format!("tpactl request web-ops --reason '{REASON}' --no-wait --json");
        let made = "useradd --groups engineers zoe && useradd --groups engineers zoey";
        let asks = format!("setpriv --reuid=zoey --regid=zoey --init-groups {line}");
        let asked = host.root(&format!("{made} && {asks}")).json()?;
        host.root("systemctl restart tpad").ok()?;
        shown(host, &id)?.has("state", "active")?;
        host.ssh("alice", "true").ok()?;
        shown(host, asked.text("id")?)?.has("state", "pending")?;
    }

    fn an_approver_who_leaves_the_group_keeps_the_approvals_given(host) {
        let line = "tpactl request db-admin --ticket OPS-1 --reason 'slow queries' --no-wait --json";
        let filed = host.console("alice", line).json()?;
        let id = filed.text("id")?;
        let approve = format!("tpactl approve {id} --yes");
        host.ssh("carol", &approve).ok()?;
        host.root("gpasswd --delete carol oncall").ok()?;
        host.ssh("carol", &format!("tpactl deny {id} --reason 'changed my mind' --yes")).code_is(4)?;
        host.ssh("bob", &approve).code_is(6)?;
        host.root("gpasswd --add bob oncall").ok()?;
        host.ssh("bob", &approve).ok()?;
        let request = shown(host, id)?;
        request.has("state", "active")?;
        ensure!(request.list("approvals")?.len() == 2, "{}", request.0);
    }

    fn grants_of_a_role_that_is_gone_live_and_are_revoked_and_expire(host) {
        let (long, short) = (grant(host, "alice", "web-ops", "1h")?, grant(host, "mallory", "web-ops", "15s")?);
        let undecided = request(host, "alice", "web-ops", "1h")?;
        host.root("rm /etc/tpa/roles.d/web-ops.toml && systemctl reload tpad").ok()?;
        host.root(&format!("tpactl show {long}")).says("no longer configured")?.ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.ssh("carol", &format!("tpactl approve {undecided} --yes")).code_is(6)?;
        host.console("alice", &format!("tpactl extend {long} --for 5m --reason 'not done yet' --no-wait")).code_is(4)?;
        host.console("alice", &format!("tpactl withdraw {undecided} --yes")).ok()?;
        host.root("systemctl restart tpad").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.ssh("dave", &format!("tpactl revoke {long} --reason 'not mine to say' --yes")).code_is(6)?;
        host.ssh("carol", &format!("tpactl revoke {long} --reason 'no longer needed' --yes")).ok()?;
        host.logged_event("removal-confirmed", &long)?;
        host.ssh("alice", "true").fails()?;
        host.logged_event("removal-confirmed", &short)?;
        shown(host, &short)?.has("state", "expired")?;
    }

    fn what_was_approved_stays_when_the_role_gives_less_or_a_file_is_broken(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        role(host, "web-ops", &WEB_OPS.replace("\"/usr/bin/id -un\"", "\"/usr/bin/id -gn\""))?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let waiting = request(host, "alice", "web-ops", "1h")?;
        host.ssh("carol", &format!("tpactl show {waiting}")).says("id -gn")?;
        host.root("tpactl check").ok()?;
        shown(host, &id)?.has("state", "active")?;

        // A broken file leaves everything as it is.
        host.write("/etc/tpa/roles.d/db-admin.toml", &DB_ADMIN.replace("needed = 2", "needed = two"))?;
        host.root("systemctl reload tpad").fails()?;
        let journal = host.root("journalctl --unit tpad --no-pager");
        journal.says("/etc/tpa/roles.d/db-admin.toml:12")?;
        host.logged("policy-rejected")?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let line = "tpactl request db-admin --ticket OPS-1 --reason 'slow queries' --no-wait --json";
        host.console("alice", line).json()?.has("state", "pending")?;
        shown(host, &id)?.has("state", "active")?;
    }
}
