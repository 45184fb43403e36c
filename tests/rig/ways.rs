//! The ways in: what the gate stands at, and how somebody takes each.

use anyhow::Result;

use crate::host::Host;
use crate::output::Output;

/// A way in by its name, and how somebody takes it.
pub type Way = (&'static str, fn(&Host, &str) -> Output);

/// The ways in that the gate stands at. Whoever comes in leaves at once.
pub const WAYS: [Way; 6] = [
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

fn by_password(host: &Host, user: &str, method: &str) -> Output {
    host.root(&format!(
        "SSH_ASKPASS=/root/askpass SSH_ASKPASS_REQUIRE=force USER_PW={user}-pw ssh -T \
         -o BatchMode=no -o PubkeyAuthentication=no -o PreferredAuthentications={method} \
         {user}@127.0.0.1 true"
    ))
}

/// The ways to log in: all but sudo.
pub fn logins() -> impl Iterator<Item = Way> {
    WAYS.into_iter().filter(|(way, _)| *way != "sudo")
}

/// Opens every way but for the gate.
pub fn open(host: &Host) -> Result<()> {
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
    Ok(())
}
