//! Who gets in, and what those who do not are told.

use std::time::Duration;

use anyhow::ensure;
use tpa_tests::grant::grant;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::{play, play_stock};

/// Less than the 25 s that whoever calls somebody over D-Bus waits by itself, and far more than the
/// gate's own limit and the rest of a login take on a busy machine. That the module goes by its own
/// limit stands in `pam_tpa/tests/bus.rs`.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

on_both_debians! {
    with play_stock;

    fn installed_as_it_comes_nobody_is_gated(host) {
        host.root("systemctl is-active tpad").ok()?;
        host.root("tpactl check").ok()?;
        for user in ["alice", "bob", "frank", "root"] {
            host.ssh(user, "true").ok()?;
        }
        host.root("pam-auth-update --enable tpa").ok()?;
        for user in ["alice", "bob", "frank", "root"] {
            host.ssh(user, "true").ok()?;
        }
    }
}

on_both_debians! {
    with play;

    fn without_a_grant_ssh_is_refused_within_two_seconds_and_says_how_to_ask(host) {
        host.ssh("alice", "true")
            .fails()?
            .within(REFUSED_WITHIN)?
            .says("tpa: access to web-01 denied: no active grant for alice.")?
            .says("tpactl request ")?
            .says("Ask in #oncall")?;
        let denied = host.logged("login-denied")?;
        ensure!(denied.contains("user=alice"), "{denied}");
    }

    fn without_a_grant_scp_and_sftp_are_refused_too(host) {
        host.root("scp /etc/hostname alice@127.0.0.1:")
            .fails()?
            .says("no active grant for alice")?;
        host.root("scp -O /etc/hostname alice@127.0.0.1:")
            .fails()?
            .says("no active grant for alice")?;
        host.root("echo pwd | sftp -b - alice@127.0.0.1")
            .fails()?
            .says("no active grant for alice")?;
        host.root("test ! -e /home/alice/hostname").ok()?;
    }

    fn without_a_grant_su_and_cron_and_at_do_nothing_for_the_person(host) {
        host.console("bob", "echo alice-pw | su -c 'touch /tmp/by-su' alice").fails()?;
        host.console("alice", "echo touch /tmp/by-at | at now").keeps_quiet_about("panic")?;
        host.logged_with(&[" login-denied ", " service=atd "])?;
        host.none_of("/tmp/by-su /tmp/by-at")?;
    }

    fn neither_an_expired_password_nor_another_name_of_the_host_is_a_way_around_the_gate(host) {
        // pam_unix ends the account phase by itself then (new_authtok_reqd=done), so the gate
        // stands before it.
        host.root("chage --lastday 0 alice").ok()?;
        host.write("/etc/sudoers.d/local", "alice ALL=(root) NOPASSWD: /usr/bin/id\n")?;
        host.ssh("alice", "true").fails()?.says("no active grant for alice")?;
        host.root("ssh -tt alice@127.0.0.1 </dev/null")
            .code_is(255)?
            .says("no active grant for alice")?
            .keeps_quiet_about("Changing password")?;
        host.console("alice", "sudo -n /usr/bin/id")
            .fails()?
            .says("no active grant for alice")?;

        // A host that is given another name is called by it.
        host.ssh("mallory", "true").fails()?.keeps_quiet_about("db-99")?;
        host.root("hostnamectl set-hostname db-99").ok()?;
        host.ssh("mallory", "true").fails()?.says("access to db-99 denied")?;
        host.logged_with(&[" login-denied ", " user=mallory ", " host=db-99 "])?;
    }

    fn people_who_are_not_gated_and_root_log_in_untouched(host) {
        for user in ["bob", "carol", "root"] {
            let login = host.ssh(user, "id --user --name");
            let who = login.keeps_quiet_about("tpa")?.ok()?;
            ensure!(who == user, "{login}");
        }
        host.console("carol", "echo bob-pw | su -c true bob").keeps_quiet_about("tpa")?.ok()?;
        host.root("su -c true postgres -s /bin/sh").ok()?;
    }

    fn an_approved_login_sees_its_grant_and_a_script_sees_nothing(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let line = format!("tpa: grant {id} (web-ops)");
        host.ssh("alice", "cat /proc/self/cgroup").keeps_quiet_about("tpa:")?.ok()?;
        let before = host.log_length()?;
        let told = host.log_in("alice")?.line_with(&line)?;
        ensure!(told.contains("left, until"), "{told}");
        ensure!(told.contains("This login is audited."), "{told}");
        host.logged_event_behind(before, "session-opened", &id)?;
        // Whoever gets in hears of a no all the same.
        let more = format!("tpactl extend {id} --for 30m --reason 'not done yet' --no-wait --json");
        let more = host.ssh("alice", &more).json()?;
        let more = more.text("id")?;
        host.ssh("carol", &format!("tpactl deny {more} --reason 'the sale begins' --yes")).ok()?;
        let mut login = host.log_in("alice")?;
        login.line_with(&line)?;
        let no = login.line_with(&format!("tpa: request {more} for more time of {id} was denied"))?;
        ensure!(no.contains("by carol: the sale begins"), "{no}");

        // Near its end it is named once on a terminal, and not at all in a script.
        let id = grant(host, "mallory", "web-ops", "5m")?;
        host.ssh("mallory", "true").keeps_quiet_about("tpa:")?.ok()?;
        let mut login = host.terminal("ssh -tt mallory@127.0.0.1")?;
        login.sees(&format!("tpa: grant {id} (web-ops)"))?;
        login.types("exit")?;
        let said = login.ends()?;
        ensure!(said.matches("tpa: grant").count() == 1, "{said}");
    }

    fn the_emergency_group_gets_in_without_a_grant_and_it_is_logged(host) {
        let loud = ["exempt: let in without a grant", "user=\"frank\""];
        host.ssh("frank", "true").ok()?;
        host.logged_with(&loud)?;
        host.logged_with(&[" exempt-login ", " user=frank "])?;
        // tpad is asked in the session phase too, and everything it says of that is told by now.
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.logged_event("grant-activated", &id)?;
        host.no_event_logged("login-denied")?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        let before = host.log_length()?;
        host.ssh("frank", "true").ok()?;
        host.logged_behind(before, &loud)?;
    }

    fn with_tpad_gone_a_live_grant_still_opens_and_nothing_else_does(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        host.ssh("mallory", "true")
            .fails()?
            .within(REFUSED_WITHIN)?
            .says("tpa: tpad is not answering; access denied. Ask in #oncall")?;
        host.ssh("bob", "true").ok()?;
        host.ssh("root", "true").ok()?;
    }

    fn with_everything_hung_people_are_refused_within_two_seconds(host) {
        host.root("kill -STOP $(systemctl show --property=MainPID --value tpad) $(pidof dbus-daemon)").ok()?;
        // logind hangs with the bus, so nobody who is let in gets a session in good time; the
        // refusal comes before that.
        host.ssh("mallory", "true")
            .fails()?
            .within(REFUSED_WITHIN)?
            .says("tpa: tpad is not answering; access denied.")?;
        host.root("kill -CONT $(pidof dbus-daemon) $(systemctl show --property=MainPID --value tpad)").ok()?;
        host.ssh("bob", "true").ok()?;
    }

    fn with_tpad_hung_a_live_grant_opens_within_two_seconds_as_offline(host) {
        grant(host, "alice", "web-ops", "1h")?;
        host.root("kill -STOP $(systemctl show --property=MainPID --value tpad)").ok()?;
        let before = host.log_length()?;
        let login = host.ssh("alice", "true");
        login.within(REFUSED_WITHIN)?.keeps_quiet_about("denied")?.ok()?;
        let offline = "offline: let in on the state file";
        host.logged_behind(before, &[offline, "user=\"alice\""])?;
        // As often was tpad waited for, and each time for at most as long as the module's limit says.
        let waited = host.root(&format!("tail -c +{} /var/log/auth.log | grep -c '{offline}'", before + 1));
        let waited: u32 = waited.ok()?.parse()?;
        ensure!(waited <= 2, "in the account and in the session phase, and {waited} times");
        host.ssh("mallory", "true").fails()?.says("tpa: tpad is not answering; access denied.")?;
        host.ssh("frank", "true").ok()?;
        host.ssh("bob", "true").ok()?;
        host.root("kill -CONT $(systemctl show --property=MainPID --value tpad)").ok()?;
        host.ssh("alice", "true").ok()?;
    }

    fn turned_off_with_pam_auth_update_nobody_is_gated(host) {
        host.root("pam-auth-update --remove tpa").ok()?;
        host.ssh("alice", "true").ok()?;
    }
}
