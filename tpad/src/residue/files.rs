//! Reading files that others write: never through a link, never off the file systems that the kernel
//! answers for, never a device, and never more than so much.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::item::{Item, Kind, Salt};
use super::mounts::Mounts;
use crate::hex::hex;
use crate::ledger::SeenFile;

/// Longest file that is read whole, in bytes. Of a longer one its size and its times count.
const READ_MAX: u64 = 1 << 20;

/// Most entries of one place that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// Most bytes of one place that are read: what is behind them counts by its times.
const PLACE_MAX: u64 = 64 << 20;

/// Opens what is there and nothing else.
pub(super) const CAREFUL: OFlags = OFlags::CLOEXEC
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NOCTTY);

/// Never out of the folder that it begins in, through a link or onto another file system.
pub(super) const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_XDEV)
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// What stands at a path.
#[derive(Debug)]
pub enum At {
    /// Nothing.
    Nothing,
    /// Something, open.
    Open(OwnedFd, Box<Stat>),
    /// Something that is not opened, and why.
    Closed(String),
}

/// Reads files, and keeps in mind what it could not read.
#[derive(Debug)]
pub struct Files<'a> {
    mounts: &'a Mounts,
    salt: &'a Salt,
    /// What may be read and be looked at yet of the place that is looked at.
    bytes: u64,
    entries: usize,
    /// What could not be looked at, and why.
    pub blind: Vec<(PathBuf, String)>,
}

impl<'a> Files<'a> {
    /// A reader.
    pub fn new(mounts: &'a Mounts, salt: &'a Salt) -> Self {
        Self {
            mounts,
            salt,
            bytes: PLACE_MAX,
            entries: ENTRIES_MAX,
            blind: Vec::new(),
        }
    }

    /// What fingerprints are made with.
    pub fn salt(&self) -> &Salt {
        self.salt
    }

    /// Where a folder is that root's own list names: behind the links that lead there (`/bin`), which
    /// are root's. `None` where no files are kept.
    pub fn place(&self, path: &Path) -> Option<PathBuf> {
        let mount = self.mounts.of(path).filter(|mount| mount.holds_files())?;
        let behind = mount.is_local().then(|| path.canonicalize().ok()).flatten();
        Some(behind.unwrap_or_else(|| path.to_owned()))
    }

    /// Opens what stands at this absolute path.
    pub fn at(&self, path: &Path) -> At {
        let Some(mount) = self.mounts.of(path) else {
            return At::Closed("no file system is there".to_owned());
        };
        if !mount.is_local() {
            return At::Closed(format!("it is on {}", mount.kind));
        }
        let top = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, &mount.at, top, Mode::empty()).and_then(|top| {
            let below = path.strip_prefix(&mount.at).unwrap_or(path);
            let below = if below.as_os_str().is_empty() {
                Path::new(".")
            } else {
                below
            };
            let opened = openat2(&top, below, CAREFUL | OFlags::RDONLY, Mode::empty(), WITHIN)?;
            let stat = fstat(&opened)?;
            Ok((opened, stat))
        });
        match opened {
            Ok((opened, stat)) => At::Open(opened, Box::new(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => At::Nothing,
            Err(Errno::LOOP) => At::Closed("a link leads there".to_owned()),
            Err(Errno::NXIO) => At::Closed("it is no file".to_owned()),
            Err(error) => At::Closed(error.to_string()),
        }
    }

    /// The text of a file of this path, and what is known of it; `None` where there is none, or it
    /// cannot be read, which is kept in mind.
    pub fn text(&mut self, path: &Path) -> Option<(String, Stat)> {
        let (bytes, stat) = self.bytes(path)?;
        Some((String::from_utf8_lossy(&bytes).into_owned(), stat))
    }

    /// The same as it stands there.
    pub fn bytes(&mut self, path: &Path) -> Option<(Vec<u8>, Stat)> {
        match self.at(path) {
            At::Nothing => None,
            At::Open(file, stat) if is_file(&stat) => match read(file) {
                Ok(bytes) => {
                    // What stands behind that counts for whoever reads all of it, such as sshd.
                    if u64::try_from(bytes.len()).is_ok_and(|length| length >= READ_MAX) {
                        let why = format!("what is behind its first {READ_MAX} bytes is not read");
                        self.blind.push((path.to_owned(), why));
                    }
                    Some((bytes, *stat))
                }
                Err(error) => {
                    self.blind.push((path.to_owned(), error.to_string()));
                    None
                }
            },
            At::Open(..) => {
                self.blind
                    .push((path.to_owned(), "it is no file".to_owned()));
                None
            }
            At::Closed(why) => {
                self.blind.push((path.to_owned(), why));
                None
            }
        }
    }

    /// The thing that a file is, or each file of a folder and of those below it, so many deep. One place
    /// takes nothing of what others may take.
    pub fn things(&mut self, kind: Kind, path: &Path, depth: usize, items: &mut Vec<Item>) {
        self.bytes = PLACE_MAX;
        self.entries = ENTRIES_MAX;
        self.below(kind, path, depth, items);
        if self.entries == 0 {
            let why = format!("it has more than {ENTRIES_MAX} entries");
            self.blind.push((path.to_owned(), why));
        }
    }

    fn below(&mut self, kind: Kind, path: &Path, depth: usize, items: &mut Vec<Item>) {
        match self.at(path) {
            At::Nothing => {}
            At::Closed(why) => self.blind.push((path.to_owned(), why)),
            At::Open(folder, stat) if is_folder(&stat) => {
                if depth > 0 {
                    self.folder(kind, path, folder, depth, items);
                }
            }
            At::Open(file, stat) => items.push(self.file(kind, path, file, &stat)),
        }
    }

    fn folder(
        &mut self,
        kind: Kind,
        path: &Path,
        folder: OwnedFd,
        depth: usize,
        items: &mut Vec<Item>,
    ) {
        let entries = Dir::new(folder).and_then(|dir| {
            let names = dir.map(|entry| entry.map(|entry| entry.file_name().to_owned()));
            names
                .take(self.entries.saturating_add(2))
                .collect::<Result<Vec<_>, _>>()
        });
        let mut names = match entries {
            Ok(names) => names,
            Err(error) => return self.blind.push((path.to_owned(), error.to_string())),
        };
        names.sort();
        for name in names {
            let bytes = name.as_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let Some(left) = self.entries.checked_sub(1) else {
                return;
            };
            self.entries = left;
            let below = path.join(OsStr::from_bytes(bytes));
            match self.link(kind, &below) {
                Some(link) => items.push(link),
                None => self.below(kind, &below, depth.saturating_sub(1), items),
            }
        }
    }

    /// A link, which leads somewhere: that is what counts of it.
    fn link(&self, kind: Kind, path: &Path) -> Option<Item> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        let At::Open(folder, _) = self.at(folder) else {
            return None;
        };
        let to = readlinkat(&folder, name, Vec::new()).ok()?;
        let stat = rustix::fs::statat(&folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Item {
            owner: Some(stat.st_uid),
            changed_at: Some(stat.st_ctime),
            detail: Some(format!("a link to {}", to.to_string_lossy())),
            ..Item::new(
                kind,
                &path.to_string_lossy(),
                self.salt.print(&[b"link", to.as_bytes()]),
            )
        })
    }

    fn file(&mut self, kind: Kind, path: &Path, file: OwnedFd, stat: &Stat) -> Item {
        let facts = format!(
            "{:o} {} {} {} {}",
            stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev, stat.st_size
        );
        let times = format!("{} {} {}", stat.st_mtime, stat.st_ctime, stat.st_ino);
        let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        let inside = (is_file(stat) && length < READ_MAX.min(self.bytes))
            .then(|| {
                self.bytes = self.bytes.saturating_sub(length);
                read(file).ok()
            })
            .flatten();
        let seen = inside
            .as_deref()
            .and_then(|inside| seen(path, stat, inside));
        let inside = inside.unwrap_or_else(|| times.into_bytes());
        Item {
            owner: Some(stat.st_uid),
            changed_at: Some(stat.st_ctime),
            file: seen.map(Box::new),
            ..Item::new(
                kind,
                &path.to_string_lossy(),
                self.salt.print(&[facts.as_bytes(), &inside]),
            )
        }
    }
}

/// Which file it is that was read, whole. One whose path is no text can be named by nobody.
pub(super) fn seen(path: &Path, stat: &Stat, inside: &[u8]) -> Option<SeenFile> {
    let size = u64::try_from(stat.st_size).ok()?;
    (size == inside.len() as u64).then_some(())?;
    Some(SeenFile {
        path: path.to_str()?.to_owned(),
        dev: stat.st_dev,
        ino: stat.st_ino,
        owner: stat.st_uid,
        size,
        changed: (stat.st_ctime, stat.st_ctime_nsec),
        sha256: hex(&Sha256::digest(inside)),
    })
}

pub(super) fn read(file: OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(file).take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether it is a regular file.
pub fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Whether it is a folder.
pub fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt() -> Salt {
        Salt("s".into())
    }

    /// The file system that tests write to counts as one that the kernel answers for.
    fn mounts() -> Mounts {
        Mounts::parse("1 0 8:1 / / rw - ext4 x rw\n")
    }

    #[test]
    fn what_is_read_of_a_link_is_where_it_leads_and_nothing_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("units");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", place.join("a.service")).unwrap();
        std::fs::write(place.join("b.service"), "[Service]").unwrap();
        let (mounts, salt) = (whole(folder.path()), salt());
        let mut files = Files::new(&mounts, &salt);
        let mut items = Vec::new();
        files.things(Kind::Unit, &place, 2, &mut items);
        assert_eq!(items.len(), 2, "{items:?}");
        assert_eq!(items[0].detail.as_deref(), Some("a link to ../secret"));
        let before = items[1].print.clone();
        std::fs::write(place.join("b.service"), "[Service]\n").unwrap();
        items.clear();
        files.things(Kind::Unit, &place, 2, &mut items);
        assert_ne!(items[1].print, before);
        let inside = place.join("a.service/x");
        assert!(
            matches!(files.at(&inside), At::Closed(_)),
            "{:?}",
            files.at(&inside)
        );
    }

    #[test]
    fn one_place_that_is_filled_hides_nothing_of_another_and_says_that_it_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (full, other) = (folder.path().join("full"), folder.path().join("other"));
        for place in [&full, &other] {
            std::fs::create_dir(place).unwrap();
            for number in 0..5 {
                std::fs::write(place.join(format!("{number}.service")), "x").unwrap();
            }
        }
        let (mounts, salt) = (whole(folder.path()), salt());
        let mut files = Files::new(&mounts, &salt);
        files.entries = 3;
        let mut items = Vec::new();
        files.below(Kind::Unit, &full, 1, &mut items);
        assert_eq!((items.len(), files.entries), (3, 0));
        files.things(Kind::Unit, &other, 1, &mut items);
        assert_eq!(items.len(), 8);
    }

    #[test]
    fn a_fifo_keeps_nobody_waiting_and_is_told_as_what_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("authorized_keys");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (mounts, salt) = (whole(folder.path()), salt());
        let mut files = Files::new(&mounts, &salt);
        assert!(files.text(&fifo).is_none());
        assert_eq!(files.blind[0].1, "it is no file");
    }

    #[test]
    fn nothing_is_touched_on_a_file_system_that_a_process_answers_for() {
        let mounts =
            Mounts::parse("1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / /proc rw - fuse.x x rw\n");
        let salt = salt();
        let files = Files::new(&mounts, &salt);
        assert!(
            matches!(files.at(Path::new("/proc/self")), At::Closed(why) if why == "it is on fuse.x")
        );
        assert!(matches!(
            Files::new(&self::mounts(), &salt).at(Path::new("/etc/passwd")),
            At::Open(..)
        ));
    }

    /// A folder as a file system of its own.
    fn whole(folder: &Path) -> Mounts {
        Mounts::parse(format!("1 0 8:1 / {} rw - ext4 x rw\n", folder.display()))
    }

    #[test]
    fn a_file_that_is_not_read_to_its_end_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("authorized_keys");
        let longest = usize::try_from(READ_MAX).unwrap();
        std::fs::write(&keys, "#".repeat(longest) + "\nssh-ed25519 AAAA\n").unwrap();
        let (mounts, salt) = (whole(folder.path()), salt());
        let mut files = Files::new(&mounts, &salt);
        let (text, _) = files.text(&keys).unwrap();
        assert_eq!(text.len(), longest);
        let [(path, why)] = files.blind.as_slice() else {
            panic!("{:?}", files.blind);
        };
        assert_eq!(*path, keys);
        assert!(why.contains("is not read"), "{why}");
    }
}
