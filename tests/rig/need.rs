//! What the rig needs of the machine it runs on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Programs, and the Debian packages they come in.
const TOOLS: [(&str, &str); 6] = [
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/bin/timeout", "coreutils"),
];

/// What emulated machines take beside that.
const EMULATION_TOOLS: [(&str, &str); 5] = [
    ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/sbin/mke2fs", "e2fsprogs"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/ssh-keygen", "openssh-client"),
    ("/usr/bin/xz", "xz-utils"),
];

/// Says what is missing, and how to get it.
pub fn check() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "booting a throwaway host takes root\n  next: run this as root"
    );
    are_there(&TOOLS)?;
    ensure!(
        Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
        "the keys of Debian's archive are missing\n  next: apt-get install debian-archive-keyring"
    );
    if !overlay_is_known()? {
        // A failure shows in the next look; the kernel may have it built in.
        let _ = Command::new("/usr/sbin/modprobe").arg("overlay").status();
        ensure!(
            overlay_is_known()?,
            "the kernel has no overlayfs\n  next: load its module (modprobe overlay), or use a kernel with CONFIG_OVERLAY_FS"
        );
    }
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    if !mounts.contains(" cgroup2 ") {
        bail!(
            "no cgroup2 hierarchy is mounted\n  next: boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
        );
    }
    Ok(())
}

/// Says what is missing of what emulated machines take.
pub fn check_emulation() -> Result<()> {
    are_there(&EMULATION_TOOLS)
}

fn are_there(tools: &[(&str, &str)]) -> Result<()> {
    for (tool, package) in tools {
        ensure!(
            Path::new(tool).exists(),
            "{tool} is missing\n  next: apt-get install {package}"
        );
    }
    Ok(())
}

fn overlay_is_known() -> Result<bool> {
    let known = fs::read_to_string("/proc/filesystems").context("reading /proc/filesystems")?;
    Ok(known.lines().any(|line| line.ends_with("\toverlay")))
}
