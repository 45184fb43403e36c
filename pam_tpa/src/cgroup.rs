//! The cgroup that this process stands in, and one named by a grant below it (cgroups(7)).

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fstat, fstatat, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use tpa_bus::id::Id;

/// Where cgroup version 2 is mounted; the second on hosts that have both versions.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The file that lists the processes of a group, and moves one there that is written to it.
const PROCS: &str = "cgroup.procs";

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

/// The grants whose cgroup this process stands in, the outermost first. A name counts only where
/// root alone makes groups, see [`enter`].
///
/// # Errors
/// When the own cgroup cannot be told.
pub fn held_by() -> Result<Vec<Id>, String> {
    let path = own()?;
    if grants_named(parts_of(&path)).next().is_none() {
        return Ok(Vec::new());
    }
    Ok(grants_named(roots_part(&path)?.parts.into_iter()).collect())
}

fn grants_named<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Id> {
    parts.filter_map(|part| {
        let name = part.strip_prefix("tpa-")?;
        Id::parse(name).ok().filter(|id| id.as_str() == name)
    })
}

/// Moves this process into the cgroup `tpa-ID` below its own, where the end of the grant finds
/// it. Nothing happens when it stands in one of that name already (sudo under sudo).
///
/// Only what no person can move processes about in counts as its own: a part of the tree that is
/// delegated to somebody, such as `user@UID.service`, is left upwards first. There everybody can
/// make a folder of any name, so a name counts above such a part alone; and from below `tpa-ID`
/// nobody but root moves a process away, because the kernel asks for the right to write to the
/// `cgroup.procs` of the folder that both places have in common.
///
/// `left` is a grant whose cgroup this process was in for a moment and is out of again.
///
/// # Errors
/// What could not be done, for the log.
pub fn enter(id: &Id, left: Option<&Id>) -> Result<(), String> {
    let name = format!("tpa-{}", id.as_str());
    let stands = own()?;
    let path = left.map_or(stands.as_str(), |left| without(&stands, *left));
    let roots = roots_part(path)?;
    if roots.parts.contains(&name.as_str()) {
        return Ok(());
    }
    let failed = |what: &str, error: Errno| format!("{what} {name} below {path}: {error}");
    match mkdirat(
        &roots.folder,
        name.as_str(),
        Mode::from_bits_truncate(0o755),
    ) {
        Ok(()) | Err(Errno::EEXIST) => (),
        Err(error) => return Err(failed("mkdir", error)),
    }
    let group = step(&roots.folder, &name).map_err(|error| failed("open", error))?;
    if !is_roots(&group).map_err(|error| failed("stat", error))? {
        return Err(format!("{name} below {path} is not root's alone"));
    }
    move_into(&group, &format!("{name} below {path}"))?;
    if parts_of(&own()?).eq(roots.parts.iter().copied().chain([name.as_str()])) {
        Ok(())
    } else {
        Err(format!("moved into {name} and does not stand there"))
    }
}

/// Moves this process out of the cgroup of a grant that it stands right in, to where it came from.
///
/// # Errors
/// What could not be done, for the log.
pub fn leave(id: &Id) -> Result<(), String> {
    let stands = own()?;
    let before = without(&stands, *id);
    let roots = roots_part(before)?;
    if before == stands || !parts_of(before).eq(roots.parts.iter().copied()) {
        return Err(format!("{stands} is not right below a group of root's"));
    }
    move_into(&roots.folder, before)
}

/// Moves this process into a group.
fn move_into(group: &OwnedFd, shown: &str) -> Result<(), String> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let procs = openat(group, PROCS, flags, Mode::empty())
        .map_err(|error| format!("open cgroup.procs of {shown}: {error}"))?;
    // 0 is the writer itself.
    fs::File::from(procs)
        .write_all(b"0")
        .map_err(|error| format!("move into {shown}: {error}"))
}

/// The path without the cgroup of a grant that it ends with.
fn without(path: &str, left: Id) -> &str {
    path.strip_suffix(left.as_str())
        .and_then(|path| path.strip_suffix("/tpa-"))
        .unwrap_or(path)
}

/// The longest beginning of a path that is root's alone all the way.
struct RootsPart<'a> {
    folder: OwnedFd,
    parts: Vec<&'a str>,
}

fn roots_part(path: &str) -> Result<RootsPart<'_>, String> {
    let mut folder = mount()?;
    let mut parts = Vec::new();
    for part in parts_of(path) {
        let failed = |error: Errno| format!("open {part} of {path}: {error}");
        let next = step(&folder, part).map_err(failed)?;
        if !is_roots(&next).map_err(failed)? {
            break;
        }
        folder = next;
        parts.push(part);
    }
    Ok(RootsPart { folder, parts })
}

fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// Whether root alone makes groups below this one and moves processes into it: delegating gives
/// away the folder or its files (cgroups(7), "Cgroups v2 delegation").
fn is_roots(folder: &OwnedFd) -> nix::Result<bool> {
    let procs = fstatat(folder, PROCS, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let others_write = Mode::S_IWGRP | Mode::S_IWOTH;
    Ok([fstat(folder)?, procs].iter().all(|found| {
        found.st_uid == 0 && !Mode::from_bits_truncate(found.st_mode).intersects(others_write)
    }))
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
    fn a_group_is_root_s_only_where_nobody_else_moves_processes() {
        use std::os::unix::fs::{PermissionsExt as _, chown};

        let dir = tempfile::tempdir().unwrap();
        let group = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(PROCS), "").unwrap();
            path
        };
        let counts = |path: &Path| is_roots(&open(path, folder_flags(), Mode::empty()).unwrap());
        let root = nix::unistd::geteuid().is_root();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let plain = group("plain");
        mode(&plain, 0o755);
        assert_eq!(counts(&plain), Ok(root));
        mode(&plain.join(PROCS), 0o664);
        assert_eq!(counts(&plain), Ok(false));
        let open_to_all = group("open");
        mode(&open_to_all, 0o777);
        assert_eq!(counts(&open_to_all), Ok(false));
        if root {
            for what in ["", PROCS] {
                let delegated = group(&format!("delegated{what}"));
                chown(delegated.join(what), Some(1001), None).unwrap();
                assert_eq!(counts(&delegated), Ok(false), "{what:?}");
            }
        }
        assert_eq!(counts(dir.path()), Err(Errno::ENOENT));
    }

    #[test]
    fn the_grants_in_a_path_are_those_whose_name_is_written_in_full() {
        let path = "/user.slice/tpa-7H2KM4QX/x/tpa-7h2km4qx/tpa-/tpa-00000001/tpa-7H2K-M4QX";
        let found: Vec<_> = grants_named(parts_of(path)).collect();
        let names: Vec<_> = found.iter().map(Id::as_str).collect();
        assert_eq!(names, ["7H2KM4QX", "00000001"]);
    }

    #[test]
    fn a_grant_that_is_left_is_so_only_where_the_path_ends_with_it() {
        let left = Id::parse("7H2KM4QX").unwrap();
        for (path, rest) in [
            ("/a/tpa-7H2KM4QX", "/a"),
            ("/a/tpa-7H2KM4QX/b", "/a/tpa-7H2KM4QX/b"),
            ("/a/tpa-00000001", "/a/tpa-00000001"),
            ("/a/7H2KM4QX", "/a/7H2KM4QX"),
        ] {
            assert_eq!(without(path, left), rest);
        }
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
