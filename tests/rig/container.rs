//! A machine that is a container: it shares the kernel of this one, and its clocks.

use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::layer::Layer;
use crate::machine::{ENVIRONMENT, Machine, WATCHED};
use crate::notify::Notify;

/// A container on a layer of its own.
pub struct Container {
    /// `None` only while it is without power.
    power: RefCell<Option<Power>>,
    layer: Layer,
}

impl Container {
    /// Boots the layer, and waits until it is up.
    pub fn boot(layer: Layer) -> Result<Self> {
        Ok(Self {
            power: RefCell::new(Some(Power::on(&layer)?)),
            layer,
        })
    }

    /// The pid of its init; of nobody while it is without power.
    fn leader(&self) -> Pid {
        let power = self.power.borrow();
        power.as_ref().map_or(Pid::from_raw(-1), |on| on.leader)
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command
            .args(["--target", &self.leader().to_string(), "--mount", "--uts"])
            .args(["--ipc", "--net", "--pid", "--cgroup", "--"]);
        command
    }
}

impl Machine for Container {
    fn command(&self, argv: &[&str]) -> Command {
        let mut command = self.enter();
        command
            .args(WATCHED)
            .args(argv)
            .env_clear()
            .envs(ENVIRONMENT);
        command
    }

    fn shell(&self) -> Command {
        let mut command = self.enter();
        command.args(["/bin/bash", "-l"]);
        command
    }

    fn put(&self, contents: &[u8], mode: u32, path: &str) -> Result<()> {
        let path = format!("/proc/{}/root{path}", self.leader());
        // By its descriptor: tpad removes at once what it does not want there.
        let mut file = File::create(path)?;
        file.write_all(contents)?;
        Ok(file.set_permissions(Permissions::from_mode(mode))?)
    }

    fn cut_power(&self) -> Result<()> {
        self.power.borrow_mut().take();
        *self.power.borrow_mut() = Some(Power::on(&self.layer)?);
        Ok(())
    }

    fn reboot(&self) -> Result<()> {
        let asked = self
            .command(&["/usr/bin/systemctl", "--no-block", "poweroff"])
            .status()?;
        ensure!(asked.success(), "systemctl poweroff ended with {asked}");
        if let Some(power) = self.power.borrow_mut().take() {
            power.off()?;
        }
        *self.power.borrow_mut() = Some(Power::on(&self.layer)?);
        Ok(())
    }

    fn suspend(&self, _seconds: u64) -> Result<()> {
        bail!("a container sleeps with the machine that it runs on, not by itself")
    }
}

/// From power on to power off. The power is cut when it is dropped.
struct Power {
    /// The pid of init, seen from here.
    leader: Pid,
    nspawn: Child,
}

impl Power {
    fn on(layer: &Layer) -> Result<Self> {
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
        let mut power = Self {
            leader: Pid::from_raw(0),
            nspawn,
        };
        power.leader = notify.booted().with_context(|| {
            let console = fs::read_to_string(layer.beside("console")).unwrap_or_default();
            format!("its console says:\n{console}")
        })?;
        Ok(power)
    }

    /// Waits until the container has shut itself down.
    fn off(mut self) -> Result<()> {
        let ended = self.nspawn.wait()?;
        self.leader = Pid::from_raw(0);
        ensure!(ended.success(), "systemd-nspawn ended with {ended}");
        Ok(())
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        // Killing init ends every process of the container, and then systemd-nspawn, which is
        // waited for. Each fails only for a process that is gone.
        if self.leader.as_raw() > 1 {
            let _ = kill(self.leader, Signal::SIGKILL);
        } else {
            let _ = self.nspawn.kill();
        }
        let _ = self.nspawn.wait();
    }
}
