//! Files that give rights to whoever runs them, and came to that since a grant began: a walk through
//! the file systems that the kernel answers for, one after the other.
//!
//! What counts is the time of the last change of any kind (`st_ctime`), which nobody sets but by
//! setting the clock, and which that bit, an owner and a capability all move. So nothing has to be
//! noted at the beginning, and only files that were changed are looked at more closely.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, StatxFlags, lgetxattr_query, openat2, statx,
};

use super::files::WITHIN;
use super::item::{Item, Kind};
use super::mounts::{Mount, Mounts};
use crate::ledger::Change;

/// Deepest folder, and so most folders that are open at once.
const DEPTH_MAX: usize = 400;

/// Folders only.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// What a walk through one file system came to.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files that were looked at.
    pub files: u64,
    /// Folders that could not be read.
    pub unread: u64,
}

/// The file systems to walk through, and why not through others that hold files.
pub fn to_walk(mounts: &Mounts) -> (Vec<&Mount>, Vec<String>) {
    let each = mounts.each();
    let far = each
        .iter()
        .filter(|mount| !mount.is_local() && mount.holds_files() && !mount.nosuid);
    let far = far.map(|mount| format!("files on {} ({})", mount.at.display(), mount.kind));
    let far = far.collect();
    let walked = |mount: &&Mount| mount.is_local() && !mount.nosuid;
    (each.into_iter().filter(walked).collect(), far)
}

/// Walks through one, and gives each file that gives rights and was changed since.
///
/// # Errors
/// When it cannot be opened, or whoever takes a file fails.
pub fn walk(
    mount: &Mount,
    since: i64,
    mut found: impl FnMut(Item, Change) -> anyhow::Result<()>,
) -> anyhow::Result<Walked> {
    let mut walked = Walked::default();
    let top = rustix::fs::open(&mount.at, FOLDER, Mode::empty())?;
    let mut open: Vec<(Dir, PathBuf)> = vec![(Dir::new(top)?, mount.at.clone())];
    while let Some((dir, path)) = open.last_mut() {
        let entry = match dir.next() {
            Some(Ok(entry)) => entry,
            Some(Err(_)) => {
                walked.unread = walked.unread.saturating_add(1);
                open.pop();
                continue;
            }
            None => {
                open.pop();
                continue;
            }
        };
        let name: CString = entry.file_name().to_owned();
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        let kind = entry.file_type();
        if matches!(kind, FileType::RegularFile | FileType::Unknown) {
            walked.files = walked.files.saturating_add(1);
            if let Some((item, change)) = file(dir, path, &name, since) {
                found(item, change)?;
            }
        }
        if !matches!(kind, FileType::Directory | FileType::Unknown) {
            continue;
        }
        let below = path.join(OsStr::from_bytes(name.as_bytes()));
        let deep = open.len() >= DEPTH_MAX;
        let opened = match open.last() {
            Some((dir, _)) if !deep => folder(dir, &name),
            _ => Opened::Not,
        };
        match opened {
            Opened::Dir(dir) => open.push((dir, below)),
            Opened::Elsewhere => {}
            Opened::Not => walked.unread = walked.unread.saturating_add(1),
        }
    }
    Ok(walked)
}

enum Opened {
    Dir(Dir),
    /// No folder, or one of another file system.
    Elsewhere,
    Not,
}

fn folder(dir: &Dir, name: &CStr) -> Opened {
    use rustix::io::Errno;
    let Ok(above) = dir.fd() else {
        return Opened::Not;
    };
    let opened: Result<OwnedFd, Errno> = openat2(above, name, FOLDER, Mode::empty(), WITHIN);
    match opened.and_then(Dir::new) {
        Ok(dir) => Opened::Dir(dir),
        Err(Errno::XDEV | Errno::NOTDIR | Errno::NOENT | Errno::LOOP) => Opened::Elsewhere,
        Err(_) => Opened::Not,
    }
}

/// A file that gives rights and was changed since.
fn file(dir: &Dir, path: &Path, name: &CStr, since: i64) -> Option<(Item, Change)> {
    let above = dir.fd().ok()?;
    let how = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let stat = statx(above, name, how, wanted).ok()?;
    let mode = u32::from(stat.stx_mode);
    if FileType::from_raw_mode(mode) != FileType::RegularFile || stat.stx_ctime.tv_sec < since {
        return None;
    }
    let whole = path.join(OsStr::from_bytes(name.to_bytes()));
    let gives = match (mode & 0o4000 != 0, mode & 0o2010 == 0o2010) {
        (true, true) => "setuid and setgid",
        (true, false) => "setuid",
        (false, true) => "setgid",
        (false, false) if has(&above, name, CAPABILITY) => "capabilities",
        (false, false) => return None,
    };
    let born = stat.stx_mask & StatxFlags::BTIME.bits() != 0 && stat.stx_btime.tv_sec >= since;
    let change = if born { Change::New } else { Change::Changed };
    let owner = stat.stx_uid;
    let item = Item {
        detail: Some(format!(
            "{gives}, of uid {owner}, mode {:04o}",
            mode & 0o7777
        )),
        ..Item::new(Kind::Setuid, &whole.to_string_lossy(), "")
    };
    Some((item, change))
}

/// The attribute with what running a file gives (capabilities(7)).
const CAPABILITY: &str = "security.capability";

/// Whether a file has such an attribute (xattr(7)). A link in its place has none of its own. By its
/// folder's descriptor: the whole path may be longer than the kernel takes (`path_resolution(7)`).
fn has(above: &impl AsRawFd, name: &CStr, attribute: &str) -> bool {
    let mut path = format!("/proc/self/fd/{}/", above.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    // Asked for the length alone: `lgetxattr` with no room for a value says 0 of every one.
    lgetxattr_query(path, attribute).is_ok_and(|length| length > 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mount(at: &Path) -> Mounts {
        Mounts::parse(format!("1 0 8:1 / {} rw - ext4 x rw\n", at.display()))
    }

    fn found(at: &Path, since: i64) -> (Vec<String>, Walked) {
        let mounts = mount(at);
        let mut all = Vec::new();
        let walked = walk(to_walk(&mounts).0[0], since, |item, change| {
            let name = Path::new(&item.what).file_name().unwrap();
            all.push(format!("{} {}", name.to_string_lossy(), change.word()));
            Ok(())
        });
        all.sort();
        (all, walked.unwrap())
    }

    #[test]
    fn a_setuid_file_that_came_since_is_found_however_deep_and_one_of_before_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        for (name, mode) in [
            ("suid", 0o4755),
            ("sgid", 0o2755),
            ("plain", 0o755),
            ("locks", 0o2644),
        ] {
            let file = deep.join(name);
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink("/", folder.path().join("away")).unwrap();
        let (all, walked) = found(folder.path(), 0);
        assert_eq!(all, ["sgid new", "suid new"]);
        assert_eq!((walked.files, walked.unread), (4, 0));
        assert_eq!(found(folder.path(), i64::MAX).0, [""; 0]);
    }

    #[test]
    fn what_is_mounted_nosuid_gives_nothing_and_what_another_machine_holds_is_told() {
        let mounts = Mounts::parse(
            "1 0 8:1 / / rw - ext4 x rw\n2 1 0:5 / /tmp rw,nosuid - tmpfs x rw\n3 1 0:6 / /srv rw - nfs4 x rw\n4 1 0:7 / /proc rw - proc x rw\n",
        );
        let (walked, far) = to_walk(&mounts);
        let at: Vec<_> = walked.iter().map(|mount| mount.at.clone()).collect();
        assert_eq!(at, [PathBuf::from("/")]);
        assert_eq!(far, ["files on /srv (nfs4)"]);
    }

    #[test]
    fn an_attribute_is_seen_also_where_the_whole_path_is_longer_than_the_kernel_takes() {
        use rustix::fs::{XattrFlags, fsetxattr, mkdirat, openat};
        // That of capabilities is root's to set, and is asked for in the same way.
        let attribute = "user.tpa-test";
        let folder = tempfile::tempdir().unwrap();
        let mut below = rustix::fs::open(folder.path(), FOLDER, Mode::empty()).unwrap();
        let long = "d".repeat(255);
        for _ in 0..17 {
            let create = OFlags::CREATE | OFlags::WRONLY;
            let file = openat(&below, "with", create, Mode::RWXU).unwrap();
            openat(&below, "without", create, Mode::RWXU).unwrap();
            fsetxattr(&file, attribute, b"x", XattrFlags::empty()).unwrap();
            assert!(has(&below, c"with", attribute));
            assert!(!has(&below, c"without", attribute));
            mkdirat(&below, &long, Mode::RWXU).unwrap();
            below = openat(&below, &long, FOLDER, Mode::empty()).unwrap();
        }
    }
}
