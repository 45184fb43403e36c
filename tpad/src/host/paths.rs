//! Where the host keeps what we make and look at.

use std::path::{Path, PathBuf};

use tpa_bus::names;

/// Every place that [`crate::host`] touches, so that a test can have its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Parent of the two folders below.
    pub run: PathBuf,
    /// Drop-ins.
    pub sudoers: PathBuf,
    /// State files.
    pub state: PathBuf,
    /// When a grant of a person's last ended.
    pub ended: PathBuf,
    /// Files for shell prompts, readable by everyone.
    pub prompt: PathBuf,
    /// The gate file.
    pub gate: PathBuf,
    /// proc(5).
    pub proc: PathBuf,
    /// Root of the cgroup v2 tree, cgroups(7).
    pub cgroup: PathBuf,
    /// Where that tree is mounted: the same, but for a test that has a part of it to itself.
    pub cgroup_mount: PathBuf,
    /// The files that PID 1 keeps of units that were made over the bus, and of logins' scopes.
    pub transient: PathBuf,
    /// Drop-ins for units that live until the next boot, systemd.unit(5).
    pub units: PathBuf,
    /// Address of the bus on which PID 1 is reached, as D-Bus spells it.
    pub bus: String,
    /// sudoers(5), which includes all the rest.
    pub main_sudoers: PathBuf,
    /// sudo(8).
    pub sudo: PathBuf,
    /// visudo(8).
    pub visudo: PathBuf,
    /// cvtsudoers(1), which comes with sudo.
    pub cvtsudoers: PathBuf,
    /// What tells a target of `notify.toml`.
    pub notifier: PathBuf,
    /// This daemon, which timers run as `tpad reap ID`.
    pub tpad: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            run: names::RUN_DIR.into(),
            sudoers: names::SUDOERS_DIR.into(),
            state: names::STATE_DIR.into(),
            ended: names::ENDED_DIR.into(),
            prompt: names::PROMPT_DIR.into(),
            gate: names::GATE_FILE.into(),
            proc: "/proc".into(),
            cgroup: cgroup_root(Path::new("/sys/fs/cgroup")),
            cgroup_mount: cgroup_root(Path::new("/sys/fs/cgroup")),
            transient: "/run/systemd/transient".into(),
            units: "/run/systemd/system".into(),
            bus: names::SYSTEM_BUS_ADDRESS.to_owned(),
            main_sudoers: "/etc/sudoers".into(),
            sudo: "/usr/bin/sudo".into(),
            visudo: "/usr/sbin/visudo".into(),
            cvtsudoers: "/usr/bin/cvtsudoers".into(),
            notifier: "/usr/libexec/tpa/tpa-notify".into(),
            tpad: "/usr/sbin/tpad".into(),
        }
    }
}

/// Version 2 alone, or beside version 1 in a folder of its own (systemd's hybrid layout).
fn cgroup_root(mount: &Path) -> PathBuf {
    let hybrid = mount.join("unified");
    if hybrid.join("cgroup.procs").exists() {
        hybrid
    } else {
        mount.to_owned()
    }
}

#[cfg(test)]
impl Paths {
    /// Everything below one folder. What ends processes finds none there.
    pub(crate) fn below(root: &Path) -> Self {
        let at = |name: &str| root.join(name);
        for folder in ["var", "proc", "cgroup", "units", "transient"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        Self {
            run: at("tpa"),
            sudoers: at("tpa/sudoers.d"),
            state: at("tpa/state"),
            ended: at("tpa/ended"),
            prompt: at("prompt"),
            gate: at("var/gate"),
            proc: at("proc"),
            cgroup: at("cgroup"),
            cgroup_mount: at("cgroup"),
            transient: at("transient"),
            units: at("units"),
            bus: format!("unix:path={}", at("no-bus").display()),
            main_sudoers: "/etc/sudoers".into(),
            sudo: "/usr/bin/sudo".into(),
            visudo: "/usr/sbin/visudo".into(),
            cvtsudoers: at("cvtsudoers"),
            notifier: at("tpa-notify"),
            tpad: "/usr/sbin/tpad".into(),
        }
    }
}
