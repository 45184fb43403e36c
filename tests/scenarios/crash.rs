//! tpad killed at any point goes on where it was.

use tpa_tests::access::{none_runs, stay};
use tpa_tests::chain;
use tpa_tests::grant::{request, shown};
use tpa_tests::kill::kill_tpad;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

on_both_debians! {
    with play;

    fn killed_while_a_request_waits_a_grant_lives_or_ends_it_goes_on_where_it_was(host) {
        let id = request(host, "alice", "web-ops", "1h")?;
        kill_tpad(host)?;
        shown(host, &id)?.has("state", "pending")?;
        host.ssh("carol", &format!("tpactl approve {id} --yes")).ok()?;
        let login = stay(host, "alice")?;
        kill_tpad(host)?;
        // The session goes on. What ends it when its time is up: see `dead::tpad_killed`.
        host.ssh("alice", "sudo -n -u postgres /usr/bin/id -un").ok()?;
        // Unlike who revokes, who ends their own access is answered before it is done.
        host.console("alice", &format!("tpactl end {id} --yes")).ok()?;
        kill_tpad(host)?;
        host.logged_event("removal-confirmed", &id)?;
        login.finish()?.code_is(255)?;
        none_runs(host, "-u alice")?;
        shown(host, &id)?.has("state", "ended")?;
        chain::is_whole(host)?;
    }
}
