//! Which file system a path stands on, from the kernel's list and without touching it: one that another
//! machine or a process answers for may never answer.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// File systems that the kernel answers for by itself.
const LOCAL: [&str; 14] = [
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "overlay", "ramfs",
    "reiserfs", "tmpfs", "xfs", "zfs",
];

/// A file system where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of the mount.
    id: u64,
    /// That of the mount it stands in.
    parent: u64,
    /// Where.
    pub at: PathBuf,
    /// Its kind.
    pub kind: String,
    /// Which file system: two places may show the same.
    pub device: String,
    /// Programs on it get no rights of their owner's.
    pub nosuid: bool,
}

impl Mount {
    /// Whether files are kept there.
    pub fn holds_files(&self) -> bool {
        !SHOWN.contains(&self.kind.as_str())
    }

    /// Whether the kernel answers for it by itself.
    pub fn is_local(&self) -> bool {
        LOCAL.contains(&self.kind.as_str())
    }
}

/// File systems that show the kernel's own, and hold no files of anybody's.
const SHOWN: [&str; 20] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// All that is mounted and can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// From what stands in `/proc/self/mountinfo` (proc(5)), in whatever order. Lines that are none are
    /// passed over. Who may mount with fusermount3(1) has any bytes in it.
    pub fn parse(text: impl AsRef<[u8]>) -> Self {
        let lines = text.as_ref().split(|byte| *byte == b'\n');
        let all: Vec<Mount> = lines.filter_map(mount).collect();
        let mut hidden: BTreeSet<u64> = all
            .iter()
            .filter(|one| is_over(one, &all))
            .map(|one| one.id)
            .collect();
        // What stands in something hidden is, too. A mount is at most so deep as there are mounts.
        for _ in 0..all.len() {
            let before = hidden.len();
            let within = all
                .iter()
                .filter(|one| hidden.contains(&one.parent) && one.parent != one.id);
            let within: Vec<u64> = within
                .filter(|one| !covers(one, &all))
                .map(|one| one.id)
                .collect();
            hidden.extend(within);
            if hidden.len() == before {
                break;
            }
        }
        Self(
            all.into_iter()
                .filter(|one| !hidden.contains(&one.id))
                .collect(),
        )
    }

    /// The one that this path is on.
    pub fn of(&self, path: &Path) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.at));
        above.max_by_key(|mount| mount.at.components().count())
    }

    /// Every file system once, where it is mounted highest up.
    pub fn each(&self) -> Vec<&Mount> {
        let mut each: Vec<&Mount> = Vec::new();
        let mut by_height: Vec<&Mount> = self.0.iter().collect();
        by_height.sort_by_key(|mount| mount.at.components().count());
        for mount in by_height {
            if !each.iter().any(|known| known.device == mount.device) {
                each.push(mount);
            }
        }
        each
    }
}

/// Whether something is mounted over it: at its own place, or above that in the same mount.
fn is_over(mount: &Mount, all: &[Mount]) -> bool {
    all.iter().any(|other| {
        let on_top = other.parent == mount.id && other.at == mount.at && other.id != mount.id;
        let above = other.parent == mount.parent && mount.at.starts_with(&other.at);
        on_top || (above && other.at != mount.at)
    })
}

/// Whether it is what is mounted over another.
fn covers(mount: &Mount, all: &[Mount]) -> bool {
    all.iter()
        .any(|other| other.id == mount.parent && other.at == mount.at)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (id, parent) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let device = text()?.to_owned();
    let at = unescaped(fields.nth(1)?);
    let options = fields.next()?;
    let nosuid = options
        .split(|byte| *byte == b',')
        .any(|option| option == b"nosuid");
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        id,
        parent,
        at: PathBuf::from(OsString::from_vec(at)),
        kind: String::from_utf8_lossy(kind).into_owned(),
        device,
        nosuid,
    })
}

/// What the kernel writes with `\` and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let (sign, after) = match (first, behind) {
            (b'\\', [b'0', b'4', b'0', after @ ..]) => (b' ', after),
            (b'\\', [b'0', b'1', b'1', after @ ..]) => (b'\t', after),
            (b'\\', [b'0', b'1', b'2', after @ ..]) => (b'\n', after),
            (b'\\', [b'1', b'3', b'4', after @ ..]) => (b'\\', after),
            _ => (*first, behind),
        };
        out.push(sign);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:21 / /proc rw,nosuid - proc proc rw
23 21 8:1 /srv /var/www rw - ext4 /dev/sda1 rw
24 21 0:40 / /home rw,nosuid,nodev - nfs4 files:/home rw
25 24 8:2 / /home/al\\040ice rw - ext4 /dev/sdb1 rw
26 25 0:50 / /home/al\\040ice/.ssh rw,nosuid - fuse.sshfs x rw
";

    #[test]
    fn a_path_is_on_the_file_system_that_is_mounted_nearest_above_it() {
        let mounts = Mounts::parse(TEXT);
        let kind = |path: &str| mounts.of(Path::new(path)).map(|mount| mount.kind.as_str());
        assert_eq!(kind("/etc/passwd"), Some("ext4"));
        assert_eq!(kind("/home/bob/.ssh"), Some("nfs4"));
        assert_eq!(kind("/home/al ice"), Some("ext4"));
        assert_eq!(
            kind("/home/al ice/.ssh/authorized_keys"),
            Some("fuse.sshfs")
        );
        assert_eq!(kind("/homes"), Some("ext4"));
        let local = |path: &str| mounts.of(Path::new(path)).is_some_and(Mount::is_local);
        assert!(local("/etc") && !local("/home/bob") && !local("/home/al ice/.ssh"));
    }

    #[test]
    fn each_file_system_is_walked_once_from_its_highest_place() {
        let mounts = Mounts::parse(TEXT);
        let local = mounts.each().into_iter().filter(|mount| mount.is_local());
        let at: Vec<_> = local
            .map(|mount| mount.at.to_string_lossy().into_owned())
            .collect();
        assert_eq!(at, ["/", "/home/al ice"]);
    }

    #[test]
    fn what_is_mounted_over_another_hides_it() {
        let text = format!("{TEXT}27 24 0:60 / /home rw - tmpfs tmpfs rw\n");
        let mounts = Mounts::parse(&text);
        let kind =
            |mounts: &Mounts, path: &str| mounts.of(Path::new(path)).map(|one| one.kind.clone());
        assert_eq!(kind(&mounts, "/home/al ice/.ssh").as_deref(), Some("tmpfs"));
        // In whatever order, and above what was mounted in the same file system.
        let text = "9 1 8:9 / /srv rw - tmpfs x rw\n2 1 8:2 / /srv/a rw - nfs x rw\n1 0 8:1 / / rw - ext4 x rw\n";
        let mounts = Mounts::parse(text);
        assert_eq!(kind(&mounts, "/srv/a").as_deref(), Some("tmpfs"));
        assert_eq!(kind(&mounts, "/etc").as_deref(), Some("ext4"));
    }

    #[test]
    fn a_place_whose_name_is_no_text_blinds_nobody_to_the_others() {
        let line = b"30 24 0:70 / /home/bob/\xff\xfe rw,nosuid - fuse.x x rw\n";
        let mounts = Mounts::parse([TEXT.as_bytes(), line].concat());
        let kind = |path: &[u8]| {
            let path = OsString::from_vec(path.to_vec());
            mounts.of(Path::new(&path)).map(|one| one.kind.clone())
        };
        assert_eq!(kind(b"/etc").as_deref(), Some("ext4"));
        assert_eq!(kind(b"/home/bob/\xff\xfe/x").as_deref(), Some("fuse.x"));
    }

    #[test]
    fn a_name_with_what_looks_like_an_escape_in_it_is_read_once() {
        // The folder `a\\040b`, as the kernel writes it.
        assert_eq!(unescaped(br"/a\134040b"), br"/a\040b");
        assert_eq!(unescaped(br"/al\040ice"), b"/al ice");
    }
}
