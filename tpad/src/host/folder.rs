//! A folder that nobody but us can write to, and the files in it.
//!
//! Everything goes by descriptor, relative to the folder as it was checked: what a path leads to
//! can be exchanged, an open folder cannot. Files are written whole under another name and
//! renamed, so that a reader finds the old text or the new one, never part of one.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{UnlinkatFlags, fsync, geteuid, mkdir, unlinkat};

use super::acl;

/// Longest file that is read, in bytes. Ours are far shorter.
const MAX_READ: u64 = 1 << 20;

/// Never follow a link, never hand a descriptor to a child, never wait for a FIFO's other end.
const CAREFUL: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK);

/// An open, checked folder.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    /// Whose it is: ours.
    owner: u32,
}

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A regular file of ours.
    File {
        /// What it says; bytes that are not UTF-8 are replaced, so they equal nothing of ours.
        text: String,
        /// Permission bits.
        mode: u32,
    },
    /// A link, a device, somebody else's file, or one too long to be ours.
    Other,
}

impl Folder {
    /// Opens a folder that exists.
    ///
    /// # Errors
    /// When it is not there, is a link, belongs to another user, or others can write to it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let (fd, stat) = open_owned(path)?;
        check_mode(&stat, path)?;
        Ok(Self::checked(path, fd, &stat))
    }

    fn checked(path: &Path, fd: OwnedFd, stat: &FileStat) -> Self {
        Self {
            fd,
            path: path.to_owned(),
            owner: stat.st_uid,
        }
    }

    /// Opens the folder with this mode; makes it when it is not there.
    ///
    /// # Errors
    /// As [`Folder::open`], or when the folder above is missing.
    pub fn create(path: &Path, mode: u32) -> anyhow::Result<Self> {
        let mode = Mode::from_bits_truncate(mode);
        let is_missing = |error: &anyhow::Error| error.downcast_ref() == Some(&Errno::ENOENT);
        let opened = match open_owned(path) {
            Err(error) if is_missing(&error) => {
                mkdir(path, mode).with_context(|| format!("make {}", path.display()))?;
                open_owned(path)
            }
            opened => opened,
        };
        let (fd, stat) = opened?;
        if stat.st_mode & 0o7777 != mode.bits() {
            fchmod(&fd, mode).with_context(|| format!("set the mode of {}", path.display()))?;
        }
        Ok(Self::checked(path, fd, &stat))
    }

    /// Opens a folder in it; `None` when there is none of this name.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn sub(&self, name: &str) -> anyhow::Result<Option<Self>> {
        let path = self.path.join(plain(name)?);
        let flags = CAREFUL | OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("open {} as a folder", path.display()));
            }
        };
        let stat = owned(&fd, &path)?;
        check_mode(&stat, &path)?;
        Ok(Some(Self::checked(&path, fd, &stat)))
    }

    /// Opens a file of ours to be read; `None` when there is none of this name, or it is another's,
    /// a link or a device.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn file(&self, name: &str) -> io::Result<Option<File>> {
        let fd = match openat(
            &self.fd,
            plain(name)?,
            CAREFUL | OFlag::O_RDONLY,
            Mode::empty(),
        ) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&fd)?;
        let is_ours = is(&stat, SFlag::S_IFREG) && stat.st_uid == self.owner;
        Ok(is_ours.then(|| File::from(fd)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of everything in it, in order. A name that is not UTF-8 is given with its bad
    /// bytes replaced.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let flags = CAREFUL | OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let mut dir = Dir::openat(&self.fd, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a file; `None` when there is none of this name.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Found>> {
        self.read_up_to(name, MAX_READ)
    }

    /// Reads a file that is shorter than `most` bytes.
    ///
    /// # Errors
    /// As [`Folder::read`].
    pub fn read_up_to(&self, name: &str, most: u64) -> io::Result<Option<Found>> {
        let name = plain(name)?;
        let fd = match openat(&self.fd, name, CAREFUL | OFlag::O_RDONLY, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(None),
            // A link, or a socket.
            Err(Errno::ELOOP | Errno::ENXIO) => return Ok(Some(Found::Other)),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&fd)?;
        if !is(&stat, SFlag::S_IFREG) || stat.st_uid != self.owner {
            return Ok(Some(Found::Other));
        }
        // Room for all of it and for what shows its end, or it is read in many small pieces.
        let length = u64::try_from(stat.st_size).unwrap_or(0).min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(64));
        File::from(fd).take(most).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == most {
            return Ok(Some(Found::Other));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mode = stat.st_mode & 0o7777;
        Ok(Some(Found::File { text, mode }))
    }

    /// Writes the text beside the file it is meant for, where no reader looks: as `.NAME.tmp`.
    ///
    /// # Errors
    /// When it cannot be written, the disk being full for instance. Nothing is left then.
    pub fn stage(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<Staged<'_>> {
        self.stage_for(None, name, text, mode)
    }

    fn stage_for(
        &self,
        reader: Option<u32>,
        name: &str,
        text: &str,
        mode: u32,
    ) -> anyhow::Result<Staged<'_>> {
        let temporary = format!(".{}.tmp", plain(name)?);
        let mode = Mode::from_bits_truncate(mode);
        let written = self.write_new(&temporary, text, mode, reader);
        let staged = Staged {
            folder: self,
            name: name.to_owned(),
            temporary,
        };
        written.with_context(|| format!("write {}", staged.path().display()))?;
        Ok(staged)
    }

    /// Writes the file: the old one or the whole new one is there at any moment.
    ///
    /// # Errors
    /// When it cannot be written. The old one is still there then.
    pub fn write(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        self.stage(name, text, mode)?.publish()
    }

    /// The same for a file that one person more may read. Its mode is 0640 then: the group's bits
    /// show what anybody named has (acl(5)).
    ///
    /// # Errors
    /// When it cannot be written, or the file system has no access control lists.
    pub fn write_for(&self, reader: u32, name: &str, text: &str) -> anyhow::Result<()> {
        self.stage_for(Some(reader), name, text, 0o600)?.publish()
    }

    /// Lets these people, and nobody else but us, look for names that they know.
    ///
    /// # Errors
    /// When the file system has no access control lists, or there are too many people.
    pub fn admit(&self, people: impl IntoIterator<Item = u32>) -> io::Result<()> {
        acl::allow(&self.fd, 7, people, 1)
    }

    /// Adds to a file of ours that has this mode and length, in bytes. All of the text is added, or
    /// nothing.
    ///
    /// # Errors
    /// When it is not there, is not as it was left, or there is no room.
    pub fn append(&self, name: &str, text: &str, mode: u32, length: u64) -> io::Result<()> {
        let how = OFlag::O_WRONLY | OFlag::O_APPEND;
        let mut file = self.open_as_left(name, how, mode, length)?;
        file.write_all(text.as_bytes())
            .inspect_err(|_| drop(file.set_len(length)))
    }

    /// Writes over a part of a file of ours that has this mode and length, both in bytes: the text from
    /// that place on. When this returns, it is on the disk. The file does not grow, so there is room.
    ///
    /// # Errors
    /// When it is not there, is not as it was left, the text goes over its end, or the disk fails.
    pub fn overwrite(
        &self,
        name: &str,
        mode: u32,
        length: u64,
        (from, text): (u64, &str),
    ) -> io::Result<()> {
        let file = self.open_as_left(name, OFlag::O_WRONLY, mode, length)?;
        let end = u64::try_from(text.len()).map(|text| from.saturating_add(text));
        if !end.is_ok_and(|end| end <= length) {
            return Err(io::Error::other("there is not so much room in it"));
        }
        file.write_all_at(text.as_bytes(), from)?;
        file.sync_data()
    }

    /// Opens a file of ours to write to it, when it has this mode and length, in bytes.
    fn open_as_left(&self, name: &str, how: OFlag, mode: u32, length: u64) -> io::Result<File> {
        let fd = openat(&self.fd, plain(name)?, CAREFUL | how, Mode::empty())?;
        let stat = fstat(&fd)?;
        let as_left = is(&stat, SFlag::S_IFREG)
            && stat.st_uid == self.owner
            && stat.st_mode & 0o7777 == mode
            && u64::try_from(stat.st_size) == Ok(length);
        if !as_left {
            return Err(io::Error::other("it is not as it was left"));
        }
        Ok(File::from(fd))
    }

    /// Keeps so many bytes free behind the end of a file (`fallocate(2)`): what is added there
    /// finds room when nothing else does.
    ///
    /// # Errors
    /// When there is no room, or the file system cannot do that.
    pub fn reserve(&self, name: &str, bytes: u64) -> io::Result<()> {
        let flags = CAREFUL | OFlag::O_WRONLY;
        let fd = openat(&self.fd, plain(name)?, flags, Mode::empty())?;
        let size = fstat(&fd)?.st_size;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        fallocate(fd, FallocateFlags::FALLOC_FL_KEEP_SIZE, size, bytes)?;
        Ok(())
    }

    /// Removes the file, and says whether there was one.
    ///
    /// # Errors
    /// When it is there and stays there.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.fd, plain(name)?, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write_new(&self, name: &str, text: &str, mode: Mode, reader: Option<u32>) -> io::Result<()> {
        // What a crash left behind.
        self.remove(name)?;
        let flags = CAREFUL | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = File::from(openat(&self.fd, name, flags, mode)?);
        // The umask has taken its part of the mode away.
        fchmod(&file, mode)?;
        if let Some(reader) = reader {
            acl::allow(&file, 6, [reader], 4)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

/// A text that is written, and not yet in its place. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged<'a> {
    folder: &'a Folder,
    name: String,
    temporary: String,
}

impl Staged<'_> {
    /// The name that it is to have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is now.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.temporary)
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// When it cannot be renamed, or the folder cannot be written out.
    pub fn publish(self) -> anyhow::Result<()> {
        let folder = self.folder;
        renameat(
            &folder.fd,
            self.temporary.as_str(),
            &folder.fd,
            self.name.as_str(),
        )
        .and_then(|()| fsync(&folder.fd))
        .with_context(|| format!("put {} into {}", self.name, folder.path.display()))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // After `publish` there is nothing of this name; otherwise the next write removes it.
        let _ = self.folder.remove(&self.temporary);
    }
}

fn open_owned(path: &Path) -> anyhow::Result<(OwnedFd, FileStat)> {
    let flags = CAREFUL | OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let fd = open(path, flags, Mode::empty())
        .with_context(|| format!("open {} as a folder", path.display()))?;
    let stat = owned(&fd, path)?;
    Ok((fd, stat))
}

/// That nobody but its owner can write to a folder.
fn check_mode(stat: &FileStat, path: &Path) -> anyhow::Result<()> {
    ensure!(
        stat.st_mode & 0o022 == 0,
        "{} can be written to by others (mode {:o}); run chmod go-w on it",
        path.display(),
        stat.st_mode & 0o7777
    );
    Ok(())
}

/// That a folder is ours.
fn owned(fd: &OwnedFd, path: &Path) -> anyhow::Result<FileStat> {
    let stat = fstat(fd).with_context(|| format!("look at {}", path.display()))?;
    ensure!(
        stat.st_uid == geteuid().as_raw(),
        "{} belongs to uid {}, not to uid {}; run chown on it",
        path.display(),
        stat.st_uid,
        geteuid()
    );
    Ok(stat)
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == kind
}

/// A name that stays in its folder.
fn plain(name: &str) -> io::Result<&str> {
    let bytes = Path::new(name).as_os_str().as_bytes();
    if name.is_empty() || name == "." || name == ".." || bytes.iter().any(|b| matches!(b, b'/' | 0))
    {
        return Err(io::Error::from(io::ErrorKind::InvalidFilename));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(&dir.path().join("f"), 0o700).unwrap();
        (dir, folder)
    }

    #[test]
    fn what_is_written_is_read_back_with_its_mode_and_nothing_else_is_left() {
        let (_dir, folder) = folder();
        folder.write("a", "old", 0o440).unwrap();
        folder.write("a", "new", 0o440).unwrap();
        let text = "new".to_owned();
        let found = folder.read("a").unwrap();
        assert_eq!(found, Some(Found::File { text, mode: 0o440 }));
        assert_eq!(folder.names().unwrap(), ["a"]);
        assert!(folder.remove("a").unwrap());
        assert!(!folder.remove("a").unwrap());
        assert_eq!(folder.read("a").unwrap(), None);
    }

    #[test]
    fn what_is_staged_is_under_a_name_that_sudo_skips_and_goes_away_unless_published() {
        let (_dir, folder) = folder();
        let staged = folder.stage("a", "text", 0o440).unwrap();
        assert!(staged.path().ends_with(".a.tmp"));
        assert_eq!(folder.names().unwrap(), [".a.tmp"]);
        drop(staged);
        assert!(folder.names().unwrap().is_empty());
    }

    #[test]
    fn the_rest_of_a_crash_is_in_nobodys_way() {
        let (_dir, folder) = folder();
        std::fs::write(folder.path().join(".a.tmp"), "half a te").unwrap();
        folder.write("a", "whole text", 0o600).unwrap();
        assert_eq!(folder.names().unwrap(), ["a"]);
    }

    #[test]
    fn what_is_added_follows_what_is_there_and_only_to_a_file_as_it_was_left() {
        let (_dir, folder) = folder();
        folder.write("a", "one", 0o600).unwrap();
        folder.reserve("a", 4_096).unwrap();
        folder.append("a", "two", 0o600, 3).unwrap();
        let text = "onetwo".to_owned();
        let found = Some(Found::File { text, mode: 0o600 });
        assert_eq!(folder.read("a").unwrap(), found);
        for (mode, length) in [(0o600, 3), (0o600, 7), (0o644, 6)] {
            assert!(folder.append("a", "three", mode, length).is_err());
        }
        assert!(folder.append("b", "", 0o600, 0).is_err());
        assert_eq!(folder.read("a").unwrap(), found);
        assert_eq!(folder.read_up_to("a", 6).unwrap(), Some(Found::Other));
    }

    #[test]
    fn links_are_not_followed() {
        let (dir, folder) = folder();
        let target = dir.path().join("target");
        std::fs::write(&target, "theirs").unwrap();
        symlink(&target, folder.path().join("a")).unwrap();
        symlink(&target, folder.path().join(".a.tmp")).unwrap();
        assert_eq!(folder.read("a").unwrap(), Some(Found::Other));
        folder.write("a", "ours", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs");
        let link = dir.path().join("link");
        symlink(folder.path(), &link).unwrap();
        assert!(Folder::open(&link).is_err());
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_trusted_but_put_right_when_ours() {
        let (_dir, folder) = folder();
        let wide = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), wide).unwrap();
        let error = Folder::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mode 777"), "{error}");
        Folder::create(folder.path(), 0o700).unwrap();
        Folder::open(folder.path()).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let (_dir, folder) = folder();
        for name in ["", ".", "..", "../a", "/a", "a/b", "a\0"] {
            assert!(folder.write(name, "", 0o600).is_err(), "{name:?}");
            assert!(folder.read(name).is_err(), "{name:?}");
            assert!(folder.remove(name).is_err(), "{name:?}");
        }
    }
}
