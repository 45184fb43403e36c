//! The gate's decision table, cell by cell: who comes in by which way, while tpad answers, is gone,
//! or hangs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;
use tpa_tests::ways::{self, WAYS};

/// Less than the 25 s that whoever calls somebody over D-Bus waits by itself, and far more than the
/// gate's own limit and the rest of a login take on a busy machine. That the module goes by its own
/// limit stands in `pam_tpa/tests/bus.rs`.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

/// Every way in is open but for the gate; alice holds a grant for all of them.
fn open_house(host: &Host) -> Result<()> {
    ways::open(host)?;
    grant(host, "alice", "web-ops", "1h")?;
    Ok(())
}

/// They come in everywhere.
fn comes_in(host: &Host, user: &str) -> Result<()> {
    for (way, enter) in WAYS {
        let said = enter(host, user);
        said.ok().with_context(|| format!("{user}, {way}"))?;
    }
    Ok(())
}

/// They are refused everywhere, soon and in these words.
fn is_refused(host: &Host, user: &str, words: &str) -> Result<()> {
    for (way, enter) in WAYS {
        let said = enter(host, user);
        let refused = said.fails().and_then(|said| said.within(REFUSED_WITHIN));
        let refused = refused.and_then(|said| said.says(words));
        refused.with_context(|| format!("{user}, {way}"))?;
    }
    Ok(())
}

/// The exempt person's entries are logged, by whichever service they came.
fn is_loud(host: &Host, user: &str) -> Result<()> {
    let line = format!("exempt: let in without a grant, user=\"{user}\"");
    for service in ["sshd", "sudo", "su", "login"] {
        host.logged_with(&[&line, &format!("service=\"{service}\"")])?;
    }
    let count = host.root(&format!(
        "grep --count --fixed-strings '{line}' /var/log/auth.log"
    ));
    let count: usize = count.ok()?.parse()?;
    ensure!(count >= WAYS.len(), "{count} lines say \"{line}\"");
    Ok(())
}

on_both_debians! {
    with play;

    fn while_tpad_answers_grants_and_exemptions_count(host) {
        open_house(host)?;
        for user in ["bob", "alice", "frank"] {
            comes_in(host, user)?;
        }
        is_refused(host, "mallory", "no active grant for mallory")?;
        is_loud(host, "frank")?;
    }

    fn while_tpad_is_gone_its_state_file_counts(host) {
        open_house(host)?;
        host.root("systemctl mask --runtime --now tpad").ok()?;
        for user in ["bob", "alice", "frank"] {
            comes_in(host, user)?;
        }
        is_refused(host, "mallory", "tpa: tpad is not answering; access denied. Ask in #oncall")?;
        host.logged("offline: let in on the state file")?;
        is_loud(host, "frank")?;
    }

    fn while_tpad_hangs_its_state_file_counts(host) {
        open_house(host)?;
        host.root("systemctl kill --signal=STOP tpad").ok()?;
        for user in ["bob", "alice", "frank"] {
            comes_in(host, user)?;
        }
        is_refused(host, "mallory", "tpa: tpad is not answering; access denied. Ask in #oncall")?;
        host.logged("offline: let in on the state file")?;
        is_loud(host, "frank")?;
    }
}
