//! The cgroup that this process stands in, and one named by a grant below it (cgroups(7)).

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use tpa_bus::id::Id;

/// Where cgroup version 2 is mounted; the second on hosts that have both versions.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The path of the own cgroup, from the root of the version 2 hierarchy.
///
/// # Errors
/// When there is none, or it is not one that can be walked down to.
pub fn own() -> Result<String, String> {
    let text = fs::read_to_string("/proc/self/cgroup")
        .map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    version_2(&text).map(str::to_owned)
}

/// The version 2 line of `/proc/self/cgroup`.
fn version_2(text: &str) -> Result<&str, String> {
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .ok_or("/proc/self/cgroup: no line for cgroup version 2")?;
    // `/..` is what a process sees that stands outside its cgroup namespace.
    let walkable = path.starts_with('/')
        && !path.ends_with(" (deleted)")
        && !path.split('/').any(|part| part == ".." || part == ".");
    if walkable {
        Ok(path)
    } else {
        Err(format!(
            "/proc/self/cgroup: {path} cannot be walked down to"
        ))
    }
}

/// Moves this process into the cgroup `tpa-ID` below its own, where the end of the grant finds
/// it. Nothing happens when it stands in one of that name already (sudo under sudo).
///
/// Only what root owns counts as its own: a part of the tree that is delegated to the person is
/// left upwards first, because they could move the process about there.
///
/// # Errors
/// What could not be done, for the log.
pub fn enter(id: &Id) -> Result<(), String> {
    let name = format!("tpa-{}", id.as_str());
    let path = own()?;
    if path.split('/').any(|part| part == name) {
        return Ok(());
    }
    let folder = roots_part(&path)?;
    let failed = |what: &str, error: Errno| format!("{what} {name} below {path}: {error}");
    match mkdirat(&folder, name.as_str(), Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => (),
        Err(error) => return Err(failed("mkdir", error)),
    }
    let group = step(&folder, &name).map_err(|error| failed("open", error))?;
    let procs = openat(
        &group,
        "cgroup.procs",
        OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(|error| failed("open cgroup.procs of", error))?;
    // 0 is the writer itself.
    fs::File::from(procs)
        .write_all(b"0")
        .map_err(|error| format!("move into {name}: {error}"))?;
    if own()?.split('/').next_back() == Some(name.as_str()) {
        Ok(())
    } else {
        Err(format!("moved into {name} and does not stand there"))
    }
}

/// Opens the longest beginning of the path that belongs to root all the way.
fn roots_part(path: &str) -> Result<OwnedFd, String> {
    let mut folder = mount()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let next =
            step(&folder, part).map_err(|error| format!("open {part} of {path}: {error}"))?;
        let owner = fstat(&next)
            .map_err(|error| format!("stat {part} of {path}: {error}"))?
            .st_uid;
        if owner != 0 {
            break;
        }
        folder = next;
    }
    Ok(folder)
}

/// The root of the version 2 hierarchy.
fn mount() -> Result<OwnedFd, String> {
    MOUNTS
        .iter()
        .filter_map(|path| open(Path::new(path), folder_flags(), Mode::empty()).ok())
        .find(|fd| fstatfs(fd).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC))
        .ok_or_else(|| format!("no cgroup version 2 at {}", MOUNTS.join(" or ")))
}

fn step(folder: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    openat(folder, name, folder_flags(), Mode::empty())
}

fn folder_flags() -> OFlag {
    OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_2_line_is_found_among_others() {
        let text = "9:name=systemd:/x\n0::/user.slice/user-1001.slice/session-3.scope\n";
        assert_eq!(
            version_2(text).as_deref(),
            Ok("/user.slice/user-1001.slice/session-3.scope")
        );
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for path in [
            "/..",
            "/../../x",
            "/a/../b",
            "x",
            "",
            "/a/. /..",
            "/a (deleted)",
        ] {
            assert!(version_2(&format!("0::{path}\n")).is_err(), "{path}");
        }
        assert!(version_2("1:cpu:/x\n").is_err());
    }
}
