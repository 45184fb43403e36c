//! The life of a request: who decides, from when it counts, and how it ends undecided.

use anyhow::ensure;
use tpa_tests::access::seconds_for;
use tpa_tests::grant::{grant, request, role, shown};
use tpa_tests::on_both_debians;
use tpa_tests::people::{DB_ADMIN, TPAD_TOML, WEB_OPS};
use tpa_tests::scenario::play;

/// Lets people run tpactl as root.
const SUDO_TPACTL: &str =
    "alice ALL=(root) NOPASSWD: /usr/bin/tpactl\ncarol ALL=(root) NOPASSWD: /usr/bin/tpactl\n";

on_both_debians! {
    with play;

    fn one_person_in_two_groups_is_one_of_the_two_approvers_needed(host) {
        host.root("groupadd leads && usermod --append --groups leads carol").ok()?;
        role(host, "db-admin", &DB_ADMIN.replace("[\"@oncall\"]", "[\"@oncall\", \"@leads\"]"))?;
        host.write("/etc/sudoers.d/local", SUDO_TPACTL)?;
        let line = "tpactl request db-admin --ticket OPS-1 --reason 'slow queries' --no-wait --json";
        let filed = host.console("alice", line).json()?;
        let id = filed.text("id")?;
        let approve = format!("tpactl approve {id} --yes");
        host.ssh("carol", &approve).ok()?;
        host.ssh("carol", &approve).code_is(7)?.says("already")?;
        host.ssh("carol", &format!("sudo -n /usr/bin/{approve}")).code_is(7)?;
        shown(host, id)?.has("state", "pending")?;
        let refused = host.logged_event("decision-refused", id)?;
        ensure!(refused.contains(" why=twice "), "{refused}");
        host.ssh("dave", &approve).ok()?;
        shown(host, id)?.has("state", "active")?;
        host.ssh("erin", &approve).code_is(7)?;
    }

    fn behind_sudo_the_person_decides_and_not_root(host) {
        host.write("/etc/sudoers.d/local", SUDO_TPACTL)?;
        grant(host, "alice", "web-ops", "1h")?;
        let id = request(host, "alice", "web-ops", "30m")?;
        let approve = format!("sudo -n /usr/bin/tpactl approve {id} --yes");
        host.ssh("alice", &approve).code_is(4)?.says("your own request")?;
        let refused = host.logged_event("decision-refused", &id)?;
        ensure!(refused.contains(" actor=alice ") && refused.contains(" actor_euid=0 "), "{refused}");
        ensure!(refused.contains(" why=self "), "{refused}");
        shown(host, &id)?.has("state", "pending")?;
        host.ssh("carol", &approve).ok()?;
        let yes = host.logged_event("approval-recorded", &id)?;
        ensure!(yes.contains(" actor=carol ") && yes.contains(" actor_euid=0 "), "{yes}");
        shown(host, &id)?.has("decided_by", "carol")?;
    }

    fn an_approver_shortens_never_lengthens_and_approves_several_at_once(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        let approve = |length: &str| format!("tpactl approve {id} --for {length} --comment 'only this' --yes");
        host.ssh("carol", &approve("2h")).code_is(2)?.says("not lengthen")?;
        host.ssh("carol", &approve("10m")).ok()?;
        let granted = shown(host, &id)?;
        ensure!(granted.number("duration_s")? == 600, "{}", granted.0);
        ensure!((1..=600).contains(&granted.number("remaining_s")?), "{}", granted.0);
        ensure!(granted.list("approvals")?.iter().any(|yes| yes.get("comment").is_some_and(|said| said == "only this")), "{}", granted.0);

        let (first, second) = (request(host, "alice", "web-ops", "1h")?, request(host, "mallory", "web-ops", "1h")?);
        host.ssh("carol", &format!("tpactl approve {first} {second} --yes")).ok()?;
        shown(host, &first)?.has("state", "active")?;
        shown(host, &second)?.has("state", "active")?;
    }

    fn a_scheduled_grant_is_nowhere_before_its_time(host) {
        let at = host.root(&format!("date --utc --date '{} seconds' +%FT%TZ", seconds_for(host, 5)?));
        let line = format!("tpactl request web-ops --for 1h --at {} --reason 'after the sale' --no-wait --json", at.ok()?);
        let filed = host.console("alice", &line).json()?;
        let id = filed.text("id")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        shown(host, id)?.has("state", "scheduled")?.has("not_before", at.ok()?)?;
        host.root("find /run/tpa/sudoers.d /run/tpa/state -type f | grep .").code_is(1)?;
        host.root("systemctl list-units --quiet 'tpa-reap-*' | grep .").code_is(1)?;
        host.ssh("alice", "true").fails()?.says("starts")?;
        host.console("alice", &format!("tpactl wait {id} --for active --timeout 60s")).ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let request = shown(host, id)?;
        ensure!(request.number("remaining_s")? > 3_500, "{}", request.0);
    }

    fn the_clock_of_a_grant_starts_on_first_use_and_one_that_nobody_uses_in_time_lapses(host) {
        role(host, "web-ops", &WEB_OPS.replace("needed = 1", "needed = 1\nuse_within = \"1h\""))?;
        let id = request(host, "alice", "web-ops", "30m")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        let unused = shown(host, &id)?;
        unused.has("state", "approved")?.text("use_by")?;
        ensure!(unused.text("not_after").is_err(), "it has not begun: {}", unused.0);
        let sentence = "is approved by carol; starts at first use, within 59m";
        host.console("alice", &format!("tpactl wait {id} --for active --timeout 1s"))
            .code_is(3)?
            .says(sentence)?;
        host.console("alice", "tpactl status").says(sentence)?.ok()?;
        host.console("carol", "TPACTL_COMPLETE=fish tpactl -- tpactl revoke ''")
            .says("\tapproved alice, web-ops")?;
        host.root("find /run/tpa/sudoers.d /run/tpa/state -type f | grep .").code_is(1)?;
        let before = host.root("date --utc +%FT%TZ");
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        let used = shown(host, &id)?;
        used.has("state", "active")?;
        ensure!(used.text("not_before")? >= before.ok()?, "{}", used.0);
        ensure!(used.number("remaining_s")? > 1_740, "{}", used.0);

        role(host, "web-ops", &WEB_OPS.replace("needed = 1", "needed = 1\nuse_within = \"2s\""))?;
        let id = request(host, "mallory", "web-ops", "30m")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.logged_event("request-lapsed", &id)?;
        host.ssh("mallory", "true").fails()?.says("no active grant for mallory")?.says("lapsed: nobody used it in time")?;
        host.console("mallory", &format!("tpactl show {id}")).says("lapsed: nobody used it in time")?.ok()?;
    }

    fn undecided_requests_lapse_and_are_withdrawn_and_both_is_final(host) {
        role(host, "soon", &WEB_OPS.replace("[approve]", "lapse = \"2s\"\n[approve]"))?;
        let lapsing = request(host, "alice", "soon", "30m")?;
        let withdrawn = request(host, "alice", "web-ops", "30m")?;
        host.console("alice", &format!("tpactl withdraw {withdrawn} --yes")).ok()?;
        host.console("alice", &format!("tpactl withdraw {withdrawn} --yes")).code_is(7)?;
        host.ssh("carol", &format!("tpactl approve {withdrawn} --yes")).code_is(7)?;
        host.logged_event("request-lapsed", &lapsing)?;
        host.ssh("carol", &format!("tpactl approve {lapsing} --yes")).code_is(7)?;
        host.console("alice", &format!("tpactl wait {lapsing} --for approved --timeout 60s")).code_is(5)?;
        shown(host, &lapsing)?.has("state", "lapsed")?;
        shown(host, &withdrawn)?.has("state", "withdrawn")?;
    }

    fn a_person_has_so_many_undecided_requests_and_no_more(host) {
        host.write("/etc/tpa/tpad.toml", &format!("{TPAD_TOML}[limits]\npending_per_user = 2\n"))?;
        host.root("systemctl reload tpad").ok()?;
        let first = request(host, "alice", "web-ops", "30m")?;
        request(host, "alice", "web-ops", "30m")?;
        let more = "tpactl request web-ops --reason 'one more of them' --no-wait";
        host.console("alice", more).code_is(1)?.says("undecided requests already")?.says("tpactl withdraw")?;
        let on_behalf = more.replace("--reason", "--user alice --reason");
        host.ssh("carol", &on_behalf).code_is(1)?;
        host.console("mallory", more).ok()?;
        host.console("alice", &format!("tpactl withdraw {first} --yes")).ok()?;
        host.console("alice", more).ok()?;
    }

    fn whatever_is_over_stays_over(host) {
        let id = request(host, "alice", "web-ops", "2s")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
        shown(host, &id)?.has("state", "expired")?;
        for line in [
            format!("tpactl approve {id} --yes"),
            format!("tpactl deny {id} --reason 'too late for it' --yes"),
            format!("tpactl revoke {id} --reason 'too late for it' --yes"),
        ] {
            host.ssh("carol", &line).code_is(7)?;
        }
        for line in [
            format!("tpactl end {id} --yes"),
            format!("tpactl withdraw {id} --yes"),
            format!("tpactl extend {id} --for 5m --reason 'still not done' --no-wait"),
        ] {
            host.console("alice", &line).code_is(7)?;
        }
    }
}
