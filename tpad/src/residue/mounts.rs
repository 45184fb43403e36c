//! Which file system a path stands on, from the kernel's list and without touching it: one that another
//! machine or a process answers for may never answer.

use std::collections::BTreeSet;
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
    /// From the text of `/proc/self/mountinfo` (proc(5)), in whatever order. Lines that are none are
    /// passed over.
    pub fn parse(text: &str) -> Self {
        let all: Vec<Mount> = text.lines().filter_map(mount).collect();
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
fn mount(line: &str) -> Option<Mount> {
    let (own, of_system) = line.split_once(" - ")?;
    let mut fields = own.split(' ');
    let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let device = fields.next()?.to_owned();
    let at = unescaped(fields.nth(1)?);
    let nosuid = fields.next()?.split(',').any(|option| option == "nosuid");
    Some(Mount {
        id,
        parent,
        at: at.into(),
        kind: of_system.split(' ').next()?.to_owned(),
        device,
        nosuid,
    })
}

/// The kernel writes blanks, tabs, line ends and backslashes as octal.
fn unescaped(text: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let unescaped = escapes.iter();
    unescaped.fold(text.to_owned(), |text, (code, sign)| {
        text.replace(code, sign)
    })
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
}
