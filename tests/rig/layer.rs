//! A writable layer over images, with the control group that its processes live in.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, poll};

use crate::store;

/// What stands before the name of each layer, in front of the pid of the process it belongs to.
const PREFIX: &str = "tpa-rig";

/// Killed processes are gone within this.
const EMPTY_LIMIT_MS: u16 = 60_000;

/// Names differ within one process too.
static COUNT: AtomicU32 = AtomicU32::new(1);

/// A layer. Gone when dropped.
pub struct Layer {
    name: String,
    folder: PathBuf,
    lowers: String,
}

impl Layer {
    /// An empty layer over these trees, the uppermost first.
    pub fn over(lowers: &[PathBuf]) -> Result<Self> {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{count}", std::process::id());
        let folder = layers().join(&name);
        for part in ["upper", "work", "root"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let lowers: Vec<_> = lowers.iter().map(|path| path.to_string_lossy()).collect();
        Ok(Self {
            name,
            folder,
            lowers: lowers.join(":"),
        })
    }

    /// Its name, unique on this machine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that it is kept in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where [`Layer::command`] sees the layer and what is below it as one tree.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// What is written to the layer.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.folder.join("upper")
    }

    /// A file beside the layer.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What starts the program that is named by the next argument, in a mount namespace with the
    /// layer's root in it and a control group of its own. It is killed when the thread that
    /// spawned it ends (prctl(2), `PR_SET_PDEATHSIG`).
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args(["--pdeathsig", "KILL", "/usr/bin/unshare", "--mount"])
            .args(["--propagation", "private", "--"])
            .arg(store::workspace().join("tests/rig/start"))
            .args([&self.name, &self.lowers])
            .arg(&self.folder);
        command
    }

    /// systemd-nspawn on the layer's root. When it is killed it takes the host with it.
    #[must_use]
    pub fn nspawn(&self) -> Command {
        let mut command = self.command();
        command
            .args(["/usr/bin/systemd-nspawn", "--quiet", "--keep-unit"])
            .args(["--register=no", "--private-network", "--machine"])
            .args([&self.name, "--directory"])
            .arg(self.root())
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        command
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("rig: {} was not removed: {error:#}", self.name);
        }
    }
}

/// Removes the layers of processes that are gone: what an interrupt left behind.
pub fn sweep() -> Result<()> {
    let Ok(entries) = fs::read_dir(layers()) else {
        return Ok(());
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').nth(1));
        if owner.is_some_and(is_gone) {
            remove(&name)?;
        }
    }
    Ok(())
}

/// One that nobody has waited for yet is gone too: only what still runs has a program.
fn is_gone(pid: &str) -> bool {
    fs::read_link(Path::new("/proc").join(pid).join("exe")).is_err()
}

fn layers() -> PathBuf {
    store::folder().join("hosts")
}

/// Ends what is left of a layer's processes, removes its control groups and its folder.
fn remove(name: &str) -> Result<()> {
    let groups = groups(name)?;
    for group in &groups {
        end_processes(group).with_context(|| format!("emptying {}", group.display()))?;
    }
    for group in &groups {
        remove_group(group).with_context(|| format!("removing {}", group.display()))?;
    }
    let folder = layers().join(name);
    fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
}

/// The layer's control group in each hierarchy.
fn groups(name: &str) -> io::Result<Vec<PathBuf>> {
    let top = Path::new("/sys/fs/cgroup");
    let mut groups = vec![top.join(name)];
    for hierarchy in fs::read_dir(top)? {
        groups.push(hierarchy?.path().join(name));
    }
    groups.retain(|group| group.is_dir());
    Ok(groups)
}

/// Kills what is in a control group and waits until it is empty (cgroups(7)). The older
/// hierarchies have neither file, and hold the same processes.
fn end_processes(group: &Path) -> Result<()> {
    let kill = group.join("cgroup.kill");
    if !kill.exists() {
        return Ok(());
    }
    fs::write(kill, "1")?;
    let mut events = File::open(group.join("cgroup.events"))?;
    loop {
        let mut text = String::new();
        events.rewind()?;
        events.read_to_string(&mut text)?;
        if text.contains("populated 0") {
            return Ok(());
        }
        let mut changes = [PollFd::new(events.as_fd(), PollFlags::POLLPRI)];
        ensure!(
            poll(&mut changes, EMPTY_LIMIT_MS)? > 0,
            "its processes do not end"
        );
    }
}

/// Control groups are removed from the innermost out.
fn remove_group(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_group(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
