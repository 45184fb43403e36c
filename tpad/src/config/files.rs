//! Reads files that root alone can write, without following links.
//!
//! Each folder is opened relative to the one above and checked before anything in it is, so
//! nothing can be swapped between the check and the reading (open(2), `O_NOFOLLOW`).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

use super::problem::Problem;

/// No configuration is longer than this, in bytes.
pub(super) const MOST_BYTES: u64 = 1024 * 1024;

/// What there is where a program should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Program {
    /// A program that everyone can run.
    Good,
    /// A file that not everyone can read and execute.
    NotForAll,
    /// Nothing.
    Missing,
}

/// A checked folder.
pub(super) struct Folder<'o> {
    fd: OwnedFd,
    path: PathBuf,
    owners: &'o [u32],
}

impl<'o> Folder<'o> {
    /// Opens the folder that all further ones are relative to.
    pub(super) fn anchor(path: &Path, owners: &'o [u32]) -> Result<Self, Problem> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|errno| cannot_open(path, errno))?;
        Self::checked(fd, path.to_owned(), owners)
    }

    /// Opens a folder below; `None` when there is none.
    pub(super) fn folder(&self, name: &OsStr) -> Result<Option<Self>, Problem> {
        let path = self.path.join(name);
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY;
        match self.open(name, &path, flags)? {
            Some(fd) => Self::checked(fd, path, self.owners).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a file in it; `None` when there is none.
    pub(super) fn read(&self, name: &OsStr) -> Result<Option<String>, Problem> {
        self.read_up_to(name, MOST_BYTES)
    }

    /// The same, of a file that may have so many bytes.
    pub(super) fn read_up_to(&self, name: &OsStr, most: u64) -> Result<Option<String>, Problem> {
        let path = self.path.join(name);
        let Some((fd, _)) = self.file(name, &path)? else {
            return Ok(None);
        };
        text_of(fd, &path, most)
    }

    /// One like [`Self::read`] that nobody but its owner may read.
    pub(super) fn read_private(&self, name: &OsStr) -> Result<Option<String>, Problem> {
        let path = self.path.join(name);
        let Some((fd, stat)) = self.file(name, &path)? else {
            return Ok(None);
        };
        check_readers(&stat, &path)?;
        text_of(fd, &path, MOST_BYTES)
    }

    /// Whether there is a file in it, which nobody but its owner may read.
    pub(super) fn is_private(&self, name: &OsStr) -> Result<bool, Problem> {
        let path = self.path.join(name);
        match self.file(name, &path)? {
            Some((_, stat)) => check_readers(&stat, &path).map(|()| true),
            None => Ok(false),
        }
    }

    /// Looks at a program in it.
    pub(super) fn program(&self, name: &OsStr) -> Result<Program, Problem> {
        Ok(match self.file(name, &self.path.join(name))? {
            None => Program::Missing,
            Some((_, stat)) if stat.st_mode & 0o005 == 0o005 => Program::Good,
            Some(_) => Program::NotForAll,
        })
    }

    /// Opens a plain file in it; `None` when there is none.
    fn file(&self, name: &OsStr, path: &Path) -> Result<Option<(OwnedFd, FileStat)>, Problem> {
        // A FIFO would keep open(2) waiting.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let Some(fd) = self.open(name, path, flags)? else {
            return Ok(None);
        };
        let stat = stat_of(&fd, path)?;
        if file_type(&stat) != SFlag::S_IFREG {
            let next = "put a plain file in its place";
            return Err(Problem::of_file(path, "is not a regular file").next(next));
        }
        check_writers(&stat, path, self.owners)?;
        Ok(Some((fd, stat)))
    }

    /// Names of all that is in it, sorted.
    pub(super) fn names(&self) -> Result<Vec<OsString>, Problem> {
        let failed = |errno: Errno| {
            Problem::of_file(&self.path, format!("cannot be listed: {}", errno.desc()))
        };
        let fd = self
            .fd
            .try_clone()
            .map_err(|error| Problem::of_file(&self.path, format!("cannot be listed: {error}")))?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(fd).map_err(failed)?.iter() {
            let entry = entry.map_err(failed)?;
            names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Its path, for people.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &OsStr, path: &Path, flags: OFlag) -> Result<Option<OwnedFd>, Problem> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(self.fd.as_fd(), name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(cannot_open(path, errno)),
        }
    }

    fn checked(fd: OwnedFd, path: PathBuf, owners: &'o [u32]) -> Result<Self, Problem> {
        check_writers(&stat_of(&fd, &path)?, &path, owners)?;
        Ok(Self { fd, path, owners })
    }
}

pub(super) fn too_long(path: &Path, most: u64) -> Problem {
    Problem::of_file(path, format!("is longer than {} MiB", most >> 20))
}

/// All of a file, as text.
fn text_of(fd: OwnedFd, path: &Path, most: u64) -> Result<Option<String>, Problem> {
    let mut bytes = Vec::new();
    File::from(fd)
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::of_file(path, format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > most {
        return Err(too_long(path, most));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Problem::of_file(path, "is not UTF-8 text")),
    }
}

fn cannot_open(path: &Path, errno: Errno) -> Problem {
    match errno {
        Errno::ELOOP => Problem::of_file(path, "is a link").next("put the file itself there"),
        Errno::ENOTDIR => Problem::of_file(path, "is not a directory, or is a link to one")
            .next("give the directory itself: the one that holds tpad.toml and roles.d"),
        _ => Problem::of_file(path, format!("cannot be opened: {}", errno.desc())),
    }
}

fn stat_of(fd: &OwnedFd, path: &Path) -> Result<FileStat, Problem> {
    fstat(fd)
        .map_err(|errno| Problem::of_file(path, format!("cannot be examined: {}", errno.desc())))
}

fn file_type(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Nobody but the owners may write: neither by owning it nor by its mode. Access control lists
/// show in the mode's group bits (acl(5)).
fn check_writers(stat: &FileStat, path: &Path, owners: &[u32]) -> Result<(), Problem> {
    let shown = path.display();
    if !owners.contains(&stat.st_uid) {
        let message = format!("belongs to uid {}, not to root", stat.st_uid);
        return Err(Problem::of_file(path, message).next(format!("chown root:root {shown}")));
    }
    if stat.st_mode & 0o022 != 0 {
        let message = format!(
            "can be written by others than root (mode {:04o})",
            stat.st_mode & 0o7777
        );
        return Err(Problem::of_file(path, message).next(format!("chmod go-w {shown}")));
    }
    Ok(())
}

/// Nobody but the owner may read, by the mode, in whose group bits access control lists show.
fn check_readers(stat: &FileStat, path: &Path) -> Result<(), Problem> {
    let others = stat.st_mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let message = format!("can be read by others (mode {:04o})", stat.st_mode & 0o7777);
    Err(Problem::of_file(path, message).next(format!("chmod 0600 {}", path.display())))
}
