//! A layer that runs as a machine: from power on to power off.

use std::fs::{self, File};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::layer::Layer;
use crate::notify::Notify;

/// A running machine. Its power is cut when it is dropped.
pub struct Machine {
    leader: Pid,
    nspawn: Child,
}

impl Machine {
    /// Boots the layer, and waits until it is up.
    pub fn boot(layer: &Layer) -> Result<Self> {
        let notify = Notify::open(layer.name())?;
        let console = File::create(layer.beside("console"))?;
        let nspawn = layer
            .nspawn()
            .args(["--boot", "--console=pipe", "--notify-ready=yes"])
            .env("NOTIFY_SOCKET", notify.address())
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("starting systemd-nspawn")?;
        // From here on, dropping it ends the process.
        let mut machine = Self {
            leader: Pid::from_raw(0),
            nspawn,
        };
        machine.leader = notify.booted().with_context(|| {
            let console = fs::read_to_string(layer.beside("console")).unwrap_or_default();
            format!("its console says:\n{console}")
        })?;
        Ok(machine)
    }

    /// The pid of its init, seen from here.
    #[must_use]
    pub fn leader(&self) -> Pid {
        self.leader
    }

    /// Waits until it has shut itself down.
    pub fn powered_off(mut self) -> Result<()> {
        let ended = self.nspawn.wait()?;
        self.leader = Pid::from_raw(0);
        ensure!(ended.success(), "systemd-nspawn ended with {ended}");
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Killing init ends every process of the machine, and then systemd-nspawn, which is
        // waited for. Each fails only for a process that is gone.
        if self.leader.as_raw() > 1 {
            let _ = kill(self.leader, Signal::SIGKILL);
        } else {
            let _ = self.nspawn.kill();
        }
        let _ = self.nspawn.wait();
    }
}
