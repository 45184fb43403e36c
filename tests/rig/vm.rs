//! A machine with a kernel, and so with clocks, of its own: an emulated computer.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use serde_json::{Value, json};

use crate::clock;
use crate::layer::Layer;
use crate::machine::Machine;
use crate::monitor::Monitor;
use crate::way_in::WayIn;

/// An emulated machine that boots reads its disk. One that has read nothing for so long hangs;
/// how long a boot takes as a whole is up to what else this machine does.
const STANDSTILL: Duration = Duration::from_mins(1);

/// An emulated machine that takes longer than this to suspend, or to wake up, is broken.
const SUSPEND_LIMIT: Duration = Duration::from_mins(4);

/// What the kernel is told. Debian's cloud kernel has the drivers of disk and file system built
/// in; the rest saves seconds of emulation.
const KERNEL_ARGUMENTS: &str = "root=/dev/nvme0n1 rootfstype=ext4 rw console=ttyS0 quiet \
    systemd.show_status=0 systemd.getty_auto=0 systemd.condition-needs-update=no net.ifnames=0 \
    lsm=capability mitigations=off nokaslr cryptomgr.notests";

/// An emulated machine. Its disk, and what is written to it, go with it.
pub struct Vm {
    power: RefCell<Power>,
    image: PathBuf,
    layer: Layer,
}

impl Vm {
    /// Boots an image of [`crate::disk`], and waits until it is up.
    pub fn boot(image: PathBuf) -> Result<Self> {
        let layer = Layer::over(std::slice::from_ref(&image))?;
        Ok(Self {
            power: RefCell::new(Power::on(&layer, &image, TimeDelta::zero())?),
            image,
            layer,
        })
    }
}

impl Machine for Vm {
    fn command(&self, argv: &[&str]) -> Command {
        self.power.borrow().way_in.command(argv)
    }

    fn shell(&self) -> Command {
        self.power.borrow().way_in.shell()
    }

    fn put(&self, contents: &[u8], mode: u32, path: &str) -> Result<()> {
        let mode = format!("--mode={mode:o}");
        let mut install = self
            .command(&["/usr/bin/install", &mode, "/dev/stdin", path])
            .stdin(Stdio::piped())
            .spawn()?;
        // Closed at the end of the statement: that is the end of the file.
        install
            .stdin
            .take()
            .context("stdin is piped")?
            .write_all(contents)?;
        let ended = install.wait()?;
        ensure!(ended.success(), "install ended with {ended}");
        Ok(())
    }

    /// What the machine had not written to its disk is lost.
    fn cut_power(&self) -> Result<()> {
        let mut power = self.power.borrow_mut();
        let ahead = power.qemu.clock_is_ahead()?;
        power.qemu.end();
        *power = Power::on(&self.layer, &self.image, ahead)?;
        Ok(())
    }

    fn reboot(&self) -> Result<()> {
        let mut power = self.power.borrow_mut();
        let ahead = power.qemu.clock_is_ahead()?;
        let asked = power
            .way_in
            .command(&["/usr/bin/systemctl", "--no-block", "poweroff"])
            .stdin(Stdio::null())
            .status()?;
        ensure!(asked.success(), "systemctl poweroff ended with {asked}");
        power.qemu.process.wait()?;
        *power = Power::on(&self.layer, &self.image, ahead)?;
        Ok(())
    }

    fn suspend(&self, seconds: u64) -> Result<()> {
        let alarm = "/sys/class/rtc/rtc0/wakealarm";
        let line = format!("echo 0 >{alarm}; echo +{seconds} >{alarm}; echo mem >/sys/power/state");
        let mut asked = self
            .command(&["/bin/sh", "-c", &line])
            .stdin(Stdio::null())
            .spawn()?;
        let monitor = &mut self.power.borrow_mut().qemu.monitor;
        for event in ["SUSPEND", "WAKEUP"] {
            monitor.hears(event, &json!({}), SUSPEND_LIMIT)?;
        }
        let ended = asked.wait()?;
        ensure!(ended.success(), "suspending ended with {ended}");
        Ok(())
    }
}

/// From power on to power off.
struct Power {
    way_in: WayIn,
    qemu: Qemu,
}

impl Power {
    /// With a hardware clock that is so much ahead of the clock of this machine: it goes on without
    /// power, as one with a battery does.
    fn on(layer: &Layer, image: &Path, ahead: TimeDelta) -> Result<Self> {
        let mut qemu = Qemu::start(layer, ahead)?;
        let way_in = qemu.boots().and_then(|()| {
            let port = qemu.port()?;
            WayIn::open(port, image, layer.folder())
        });
        let way_in = way_in.with_context(|| {
            let console = fs::read_to_string(layer.beside("console")).unwrap_or_default();
            format!("its console says:\n{console}")
        })?;
        Ok(Self { way_in, qemu })
    }
}

/// The program that emulates it. Killed when dropped.
struct Qemu {
    process: Child,
    monitor: Monitor,
}

impl Qemu {
    fn start(layer: &Layer, ahead: TimeDelta) -> Result<Self> {
        // What is written to it is written to the layer.
        let disk = layer.root().join("disk.ext4");
        let drive = "if=none,id=disk,format=raw,cache=unsafe";
        let rtc = DateTime::UNIX_EPOCH + clock::wall()? + ahead;
        // Nothing leaves the machine, and only the rig comes in, by a port that qemu chooses.
        let net = "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:2222";
        let mut process = layer
            .command()
            .arg("/usr/bin/qemu-system-x86_64")
            .args(["-machine", "q35", "-cpu", "max", "-m", "512"])
            .args(["-accel", "tcg", "-icount", "shift=1"])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-rtc"])
            .arg(format!("base={}", rtc.format("%FT%T")))
            .arg("-kernel")
            .arg(layer.root().join("vmlinuz"))
            .args(["-append", KERNEL_ARGUMENTS, "-drive"])
            .arg(format!("{drive},file={}", disk.display()))
            .args(["-device", "nvme,drive=disk,serial=rig", "-netdev", net])
            .args(["-device", "virtio-net-pci,netdev=net"])
            .args(["-device", "virtio-serial-pci", "-chardev", "null,id=up"])
            .args(["-device", "virtserialport,id=up,chardev=up"])
            .args(["-serial", "file:console", "-qmp", "stdio"])
            .current_dir(layer.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(layer.beside("qemu"))?)
            .spawn()
            .context("starting qemu")?;
        let monitor = Monitor::open(&mut process);
        let monitor = monitor.map_err(|error| {
            let _ = process.kill();
            let _ = process.wait();
            let said = fs::read_to_string(layer.beside("qemu")).unwrap_or_default();
            error.context(format!("qemu says: {said}"))
        })?;
        Ok(Self { process, monitor })
    }

    /// Waits until the machine is up, for as long as it gets on.
    fn boots(&mut self) -> Result<()> {
        let open = json!({"id": "up", "open": true});
        let mut reads = 0;
        loop {
            let Err(error) = self.monitor.hears("VSERPORT_CHANGE", &open, STANDSTILL) else {
                return Ok(());
            };
            let now = self.disk_reads()?;
            if now == reads {
                return Err(error.context("it does not get on with its boot"));
            }
            reads = now;
        }
    }

    /// How often the machine has read its disk.
    fn disk_reads(&mut self) -> Result<u64> {
        let told = self.monitor.tell("query-blockstats", &json!({}))?;
        let reads = told.pointer("/0/stats/rd_operations");
        reads
            .and_then(Value::as_u64)
            .with_context(|| format!("reads of the disk in {told}"))
    }

    /// The port that leads into the machine.
    fn port(&mut self) -> Result<u16> {
        let command = json!({"command-line": "info usernet"});
        let told = self.monitor.tell("human-monitor-command", &command)?;
        let table = told.as_str().unwrap_or_default();
        let forward = table.lines().find(|line| line.contains("HOST_FORWARD"));
        let port = forward.and_then(|line| line.split_whitespace().nth(3));
        Ok(port
            .with_context(|| format!("a port in {table}"))?
            .parse()?)
    }

    /// How much the machine's hardware clock is ahead of the clock of this machine.
    fn clock_is_ahead(&mut self) -> Result<TimeDelta> {
        let property = json!({"path": "/machine", "property": "rtc-time"});
        let told = self.monitor.tell("qom-get", &property)?;
        // As tm(3type) counts: years from 1900, months from 0.
        let field = |name: &str| told.get(name).and_then(Value::as_i64).unwrap_or(-1);
        let rtc = format!(
            "{}-{}-{} {}:{}:{}",
            field("tm_year") + 1900,
            field("tm_mon") + 1,
            field("tm_mday"),
            field("tm_hour"),
            field("tm_min"),
            field("tm_sec")
        );
        let rtc = NaiveDateTime::parse_from_str(&rtc, "%Y-%m-%d %H:%M:%S")
            .with_context(|| format!("qemu says {told}"))?;
        Ok(rtc.and_utc() - (DateTime::UNIX_EPOCH + clock::wall()?))
    }

    /// Ends it at once. Both calls fail only for a process that has been waited for.
    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}
