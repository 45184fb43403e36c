//! tpad killed at any point goes on where it was.

use tpa_tests::access::{none_runs, stay};
use tpa_tests::chain;
use tpa_tests::grant::{grant, request, shown};
use tpa_tests::kill::kill_tpad;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn killed_with_a_request_pending_it_can_still_be_decided(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        kill_tpad(host)?;
        shown(host, &id)?.has("state", "pending")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
    }

    fn killed_with_a_grant_live_the_session_goes_on_and_still_ends(host) {
        let id = grant(host, "alice", "web-ops", "25s")?;
        let login = stay(host, "alice")?;
        kill_tpad(host)?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        login.finish()?.code_is(255)?;
        host.logged_event("removal-confirmed", &id)?;
        none_runs(host, "-u alice")?;
        chain::is_whole(host)?;
    }

    fn killed_while_it_ends_a_grant_the_end_is_finished(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        let login = stay(host, "alice")?;
        // Unlike who revokes, who ends their own access is answered before it is done.
        host.console("alice", &format!("tpactl end {id} --yes")).ok()?;
        kill_tpad(host)?;
        host.logged_event("removal-confirmed", &id)?;
        login.finish()?.code_is(255)?;
        none_runs(host, "-u alice")?;
        shown(host, &id)?.has("state", "ended")?;
    }

    fn a_rule_that_someone_wrote_or_removed_is_put_right(host) {
        let id = grant(host, "alice", "web-ops", "1h")?;
        host.write("/run/tpa/sudoers.d/MALLORY1", "mallory ALL=(ALL) NOPASSWD: ALL\n")?;
        host.logged("host-drift")?;
        host.root("ls /run/tpa/sudoers.d/MALLORY1").fails()?;
        host.root(&format!("systemctl stop tpad; rm /run/tpa/sudoers.d/{id}; systemctl start tpad")).ok()?;
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
    }
}
