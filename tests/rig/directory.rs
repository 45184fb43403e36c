//! A directory service in the host's nsswitch.conf(5), which does what it is told to:
//! `modules/nss_directory.rs`. It knows dora, and the group `dirgroup` that she is in.

use anyhow::Result;

use crate::host::Host;
use crate::module;

/// Where the module reads how the directory is. Gone after a reboot: then nobody is there.
const STATE: &str = "/run/nss-directory";

/// Brings the directory onto the host: it answers, and everybody's groups are asked of it.
pub fn bring(host: &Host) -> Result<()> {
    let place = "/usr/lib/x86_64-linux-gnu/libnss_directory.so.2";
    host.copy_in(&module::built("nss_directory")?, place)?;
    is(host, "answers")?;
    host.root(
        "sed -i -E 's/^(passwd|group):.*/\\1: files directory/' /etc/nsswitch.conf && \
         mkdir -p /home/dora/.ssh && cp /home/bob/.ssh/authorized_keys /home/dora/.ssh/ && cp /root/keys/bob /root/keys/dora && \
         chown -R 7001:7001 /home/dora && getent passwd dora && systemctl restart tpad",
    )
    .ok()?;
    Ok(())
}

/// From now on the directory `answers`, is `empty`, `gone`, or `hangs N` seconds a call.
pub fn is(host: &Host, state: &str) -> Result<()> {
    // Replaced as a whole: it is read all the time.
    host.root(&format!(
        "echo {state} >{STATE}.new && mv {STATE}.new {STATE}"
    ))
    .ok()?;
    Ok(())
}
