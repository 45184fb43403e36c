//! The gate's decision table, cell by cell: who comes in by which way, while tpad answers, is gone,
//! or hangs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tpa_tests::grant::grant;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::said::Said;
use tpa_tests::scenario::play;

/// The gate's own limit, and what the rest of a login takes on a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(4);

/// A way in by its name, and how somebody takes it.
type Way = (&'static str, fn(&Host, &str) -> Said);

/// The ways in that the gate stands at.
const WAYS: [Way; 6] = [
    ("ssh with a key", |host, user| host.ssh(user, "true")),
    ("ssh with a password", |host, user| {
        by_password(host, user, "password")
    }),
    ("ssh, keyboard-interactive", |host, user| {
        by_password(host, user, "keyboard-interactive")
    }),
    ("sudo", |host, user| {
        host.root(&format!(
            "systemd-run --quiet --pipe --wait --uid={user} sudo -n /usr/bin/true"
        ))
    }),
    ("su", |host, user| {
        host.console("bob", &format!("echo {user}-pw | su -c true {user}"))
    }),
    ("login", |host, user| {
        // script(1) takes a terminal that nobody holds open for the end: so something holds it, and
        // login has no right to hang it up.
        let login =
            format!("sleep 50 & exec setpriv --bounding-set=-sys_tty_config login -f {user}");
        host.root(&format!("script -qec '{login}' /dev/null </dev/null"))
    }),
];

fn by_password(host: &Host, user: &str, method: &str) -> Said {
    host.root(&format!(
        "SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force USER_PW={user}-pw ssh -T \
         -o BatchMode=no -o PubkeyAuthentication=no -o PreferredAuthentications={method} \
         {user}@127.0.0.1 true"
    ))
}

/// Every way in is open but for the gate; alice holds a grant for all of them.
fn open_house(host: &Host) -> Result<()> {
    host.write("/root/askpass", "#!/bin/sh\necho \"$USER_PW\"\n")?;
    host.root("chmod 0700 /root/askpass").ok()?;
    host.write(
        "/etc/ssh/sshd_config.d/ways.conf",
        "KbdInteractiveAuthentication yes\nPasswordAuthentication yes\n",
    )?;
    host.root("systemctl restart ssh").ok()?;
    host.write(
        "/etc/sudoers.d/local",
        "ALL ALL=(root) NOPASSWD: /usr/bin/true\n",
    )?;
    // login of util-linux waits for so long before it ends with a refusal (login.defs(5)).
    host.root("sed -i '/FAIL_DELAY/d' /etc/login.defs; echo FAIL_DELAY 0 >>/etc/login.defs")
        .ok()?;
    // Who has come in to a shell of theirs leaves it.
    host.root("for home in /home/*; do echo exit >$home/.bash_profile; done")
        .ok()?;
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

/// Each of the exempt person's entries is logged.
fn is_loud(host: &Host, user: &str) -> Result<()> {
    let line = format!("exempt: let in without a grant, user=\"{user}\"");
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

    fn while_tpad_hangs_nobody_comes_in_who_needs_a_grant(host) {
        open_house(host)?;
        host.root("systemctl kill --signal=STOP tpad").ok()?;
        for user in ["bob", "frank"] {
            comes_in(host, user)?;
        }
        for user in ["alice", "mallory"] {
            is_refused(host, user, "tpa: tpad is not answering; access denied. Ask in #oncall")?;
        }
        is_loud(host, "frank")?;
    }
}
