//! Hears from systemd-nspawn that a host is up (`sd_notify(3)`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// A host that takes longer than this to boot is broken.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// Where a host reports that it is up.
pub struct Notify {
    socket: UnixDatagram,
    name: String,
}

impl Notify {
    /// Opens the socket. It has no place in the file system, whose names may be too long for it.
    pub fn open(host: &str) -> Result<Self> {
        let name = format!("tpa-rig/{host}");
        let address = SocketAddr::from_abstract_name(&name)?;
        let socket = UnixDatagram::bind_addr(&address)
            .with_context(|| format!("opening the notify socket @{name}"))?;
        socket.set_read_timeout(Some(BOOT_LIMIT))?;
        Ok(Self { socket, name })
    }

    /// The value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("@{}", self.name)
    }

    /// Waits until the host has booted; the pid of its init, seen from here.
    pub fn booted(&self) -> Result<Pid> {
        let mut leader = None;
        let mut buffer = [0; 4096];
        loop {
            let length = self
                .socket
                .recv(&mut buffer)
                .context("the host has not booted in time")?;
            let message = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            for line in message.lines() {
                if let Some(pid) = line.strip_prefix("X_NSPAWN_LEADER_PID=") {
                    leader = Some(Pid::from_raw(pid.parse()?));
                }
                if line == "READY=1" {
                    return leader.context("systemd-nspawn did not name the host's init");
                }
            }
        }
    }
}
