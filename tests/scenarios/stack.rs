//! A module of the host's own stack that makes somebody else of a person on their way in: the gate
//! decides on whom PAM names at that moment, and nobody else's grant or standing counts.

use anyhow::{Context, Result, ensure};
use tpa_tests::access::{end_of, ends, none_runs, seconds_for, stay};
use tpa_tests::debian::Debian;
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::module;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;
use tpa_tests::ways::{self, Way};

/// They are refused on their way in, as this person.
fn is_refused_as(host: &Host, user: &str, name: &str, (way, enter): Way) -> Result<()> {
    let said = enter(host, user);
    let words = format!("no active grant for {name}");
    let refused = said.fails().and_then(|said| said.says(&words));
    refused.with_context(|| format!("{user} as {name}, {way}"))?;
    Ok(())
}

/// Over ssh they get to know why not, and nothing of theirs is run.
fn runs_nothing(host: &Host, user: &str, words: &str) -> Result<()> {
    let said = host.ssh(user, "touch /tmp/ran");
    said.fails()?.says(words)?;
    host.root("ls /tmp/ran").fails()?;
    Ok(())
}

on_both_debians! {
    with play;

    fn who_is_made_somebody_without_a_grant_is_refused(host) {
        ways::open(host)?;
        module::bring(host)?;
        grant(host, "mallory", "web-ops", "1h")?;
        module::changes(host, "account", "bob=alice mallory=alice frank=alice")?;
        // Neither that one is not gated, nor one's own grant, nor being exempt is kept.
        for user in ["bob", "mallory", "frank"] {
            for way in ways::logins() {
                is_refused_as(host, user, "alice", way)?;
            }
        }
        host.logged_with(&[" login-denied ", " user=alice "])?;
        module::changes(host, "auth", "bob=alice")?;
        // A key is no business of PAM's auth phase, and `login -f` skips it.
        for way in ways::logins().filter(|(way, _)| !["ssh with a key", "login"].contains(way)) {
            is_refused_as(host, "bob", "alice", way)?;
        }
        host.ssh("root", "true").ok()?;
    }

    fn who_is_made_the_holder_of_a_grant_stands_on_it_and_ends_with_it(host) {
        ways::open(host)?;
        module::bring(host)?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        module::changes(host, "account", "mallory=alice")?;
        for (way, enter) in ways::logins() {
            let said = enter(host, "mallory");
            let (refused, words) = match (way, host.debian()) {
                // Its account phase is in another process, and what was changed there is lost.
                ("ssh, keyboard-interactive", _) => (true, "no active grant for mallory"),
                // It takes no other user than the one it asked for.
                ("su", Debian::Trixie) => (true, "User not known"),
                // sshd, and su of Debian 12, go on as the one they asked for; login does not.
                _ => (false, ""),
            };
            ensure!((said.code != 0) == refused, "{way}: {said}");
            said.says(words)?;
        }
        host.root("echo 'echo a shell of $(id -un); exit' | tee /home/*/.bash_profile").ok()?;
        let before = host.log_length()?;
        host.terminal("exec login -f mallory")?.sees("a shell of alice")?;
        let opened = host.logged_event_behind(before, "session-opened", &id)?;
        ensure!(opened.contains(" user=alice "), "{opened}");
        let said = host.ssh("mallory", "id -un; sudo -n -u postgres /usr/bin/id -un; sudo -n /usr/bin/true");
        said.fails()?.says("no active grant for mallory")?;
        ensure!(said.out.trim() == "mallory", "nothing of alice's sudo: {said}");

        let login = stay(host, "mallory")?;
        host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
        login.finish()?.code_is(255)?;
        host.logged_event("removal-confirmed", &id)?;
        none_runs(host, "-u mallory")?;
        runs_nothing(host, "mallory", "no active grant for alice")?;
    }

    fn who_is_made_somebody_else_after_the_account_phase_is_decided_on_anew(host) {
        module::bring(host)?;
        module::changes(host, "session", "bob=alice alice=mallory")?;
        runs_nothing(host, "bob", "no active grant for alice")?;
        let id = grant(host, "alice", "web-ops", "1h")?;
        runs_nothing(host, "alice", "no active grant for mallory")?;
        // Made the holder of a grant only after it was refused.
        module::changes(host, "session", "mallory=alice")?;
        runs_nothing(host, "mallory", "no active grant for mallory")?;
        host.root(&format!("tpactl revoke {id} --reason 'for the test' --yes")).ok()?;
        host.logged_event("removal-confirmed", &id)?;
    }

    fn whoever_is_refused_in_the_session_phase_has_nothing_started(host) {
        module::bring(host)?;
        module::changes(host, "session", "bob=alice")?;
        runs_nothing(host, "bob", "no active grant for alice")?;
        // pam_systemd would have had the manager started, and all that alice has enabled in it,
        // before it let the stack go on.
        host.root("systemctl is-active user@$(id -u alice).service").fails()?.says("inactive")?;
        host.root("loginctl list-sessions --no-legend | grep alice").code_is(1)?;
    }

    fn who_is_made_somebody_not_gated_for_the_session_still_ends_with_their_grant(host) {
        module::bring(host)?;
        module::changes(host, "session", "alice=bob")?;
        let id = grant(host, "alice", "web-ops", &format!("{}s", seconds_for(host, 5)?))?;
        let end = end_of(host, &id)?;
        let mut login = host.start_ssh("alice", &["-tt", "id -un; exec sleep 4710"])?;
        login.line_with("alice")?;
        host.root("systemctl mask --runtime tpad; systemctl kill --signal=KILL tpad").ok()?;
        login.finish()?.code_is(255)?;
        ends(host, &id, end, "reaper-acted")?;
    }
}
