//! Asking and deciding: by whom, and what bad input gets.

use anyhow::ensure;
use tpa_tests::grant::{grant, request, shown};
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn requests_are_seen_approved_denied_and_filed_on_behalf_by_approvers_of_their_role(host) {
        let id = request(host, "alice", "web-ops", "30m")?;
        host.ssh("carol", "tpactl ls --reviewable --json").says(&id)?.ok()?;
        host.ssh("alice", "true").fails()?.says("waiting")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("alice", "true").ok()?;
        shown(host, &id)?.has("state", "active")?.has("decided_by", "carol")?;
        host.ssh("dave", &format!("tpactl approve {id} --yes")).code_is(7)?;

        // With its reason.
        let id = request(host, "mallory", "web-ops", "30m")?;
        host.ssh("carol", &format!("tpactl deny {id} --reason 'not during the sale' --yes")).ok()?;
        host.console("mallory", &format!("tpactl wait {id} --for approved --timeout 60s")).code_is(5)?;
        host.ssh("mallory", "true").fails()?;
        shown(host, &id)?.has("decision_reason", "not during the sale")?;

        // Who is on call asks for mallory, and somebody else decides.
        let line = "tpactl request web-ops --user mallory --for 1h --reason 'mallory has no way in' --no-wait --json";
        let filed = host.ssh("carol", line).json()?;
        let id = filed.text("id")?;
        filed.has("user", "mallory")?.has("requested_by", "carol")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).code_is(4)?;
        host.ssh("dave", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("mallory", "true").ok()?;
        host.ssh("bob", &line.replace("'mallory", "'bob")).code_is(4)?;
    }

    fn nobody_else_decides(host) {
        let id = request(host, "alice", "web-ops", "30m")?;
        let approve = format!("tpactl approve {id} --yes");
        host.console("alice", &approve).code_is(4)?.says("your own request")?;
        host.console("mallory", &approve).fails()?;
        host.ssh("bob", &approve).fails()?;
        shown(host, &id)?.has("state", "pending")?;
    }

    fn sudo_does_not_make_an_approver_of_the_requester(host) {
        // Through sudo alice is root, and still alice by her audit login uid.
        host.write("/etc/sudoers.d/local", "alice ALL=(root) NOPASSWD: /usr/bin/tpactl\n")?;
        grant(host, "alice", "web-ops", "1h")?;
        let line = "tpactl request db-admin --ticket OPS-1 --reason 'for another day' --no-wait --json";
        let filed = host.console("alice", line).json()?;
        let id = filed.text("id")?;
        host.ssh("alice", &format!("sudo -n /usr/bin/tpactl approve {id} --yes")).code_is(4)?;
        let request = shown(host, id)?;
        ensure!(request.list("approvals")?.is_empty(), "{}", request.0);
    }

    fn two_approvers_are_two_people(host) {
        let line = "tpactl request db-admin --ticket OPS-12 --reason 'slow queries' --no-wait --json";
        let filed = host.console("alice", line).json()?;
        let id = filed.text("id")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).fails()?;
        shown(host, id)?.has("state", "pending")?;
        host.ssh("erin", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
    }

    fn bad_input_gets_its_exit_code_and_changes_nothing(host) {
        let reason = "--reason 'the shop answers with errors' --no-wait";
        let table = [
            (format!("tpactl request nosuch --for 1h {reason}"), 2, "nosuch"),
            (format!("tpactl request web-ops --for 5h {reason}"), 2, "4h"),
            (format!("tpactl request web-ops --for 90 {reason}"), 2, "no unit"),
            (format!("tpactl request web-ops --for 0s {reason}"), 2, ""),
            ("tpactl request web-ops --for 1h --reason short --no-wait".into(), 2, "10"),
            (format!("tpactl request db-admin --for 1h {reason}"), 2, "ticket"),
            (format!("tpactl request db-admin --ticket X-1 --for 1h {reason}"), 2, "X-1"),
            ("tpactl show ZZZZZZZZ".into(), 6, ""),
            ("tpactl withdraw 00000000".into(), 6, ""),
            ("tpactl nosuch".into(), 2, "nosuch"),
        ];
        for (line, code, text) in table {
            host.console("alice", &line).code_is(code)?.says(text)?;
        }
        let line = format!("tpactl request web-ops --user nosuch --for 1h {reason}");
        host.ssh("carol", &line).fails()?.says("nosuch")?;
        let list = host.root("tpactl ls --json").json()?;
        ensure!(list.list("items")?.is_empty(), "{}", list.0);
        host.root("systemctl is-active tpad").ok()?;
    }

    fn an_ambiguous_id_is_refused(host) {
        // Five undecided requests of one person are allowed; 33 ids cannot all begin differently.
        host.write("/etc/tpa/tpad.toml", &format!("{}[limits]\npending_per_user = 40\n", tpa_tests::people::TPAD_TOML))?;
        host.root("systemctl reload tpad").ok()?;
        let line = "for i in $(seq 33); do tpactl request web-ops --reason 'again and again' --no-wait || exit; done";
        host.console("alice", line).ok()?;
        let firsts = host.root("for c in 0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K M N P Q R S T V W X Y Z; do tpactl show $c 2>&1 >/dev/null; done");
        firsts.says("is the beginning of")?;
        host.root("tpactl show '' ").fails()?;
    }

    fn control_characters_in_a_reason_never_reach_terminal_or_log(host) {
        let line = "tpactl request web-ops --no-wait --reason \"$(printf 'line one\\nTPA9999 forged \\033[31mred \\342\\200\\256')\"";
        host.console("alice", line).keeps_quiet_about("\u{1b}")?;
        host.root("tpactl ls; tpactl log")
            .keeps_quiet_about("\u{1b}[31m")?
            .keeps_quiet_about("\u{202e}")?;
        // Whatever came of it was logged before this.
        let id = request(host, "alice", "web-ops", "1h")?;
        host.logged_event("request-created", &id)?;
        host.root("grep -c '^TPA9999' /var/log/auth.log").code_is(1)?;
        host.root("grep -P '\\x1b|\\xe2\\x80\\xae' /var/log/auth.log").code_is(1)?;
        host.root("systemctl is-active tpad").ok()?;
    }
}
