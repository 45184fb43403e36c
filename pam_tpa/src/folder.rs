//! Files that decide who comes in: read without following links, and only when nobody but their
//! owner can have written them.

use std::fs::File;
use std::io::{Error, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// Longest file that is read: passwd(5) of many thousands; what `tpad` writes is far below.
const MAX_BYTES: u64 = 8 << 20;

/// A folder that belongs to one owner and nobody else can write in.
pub struct Folder {
    fd: OwnedFd,
    owner: u32,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// When it cannot be opened, is a link, is not `owner`'s, or group or others can write in it.
    pub fn open(path: &Path, owner: u32) -> Result<Self, Error> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty())?;
        only_owner_writes(&fstat(&fd)?, owner)?;
        Ok(Self { fd, owner })
    }

    /// Reads a file of the folder.
    ///
    /// # Errors
    /// When it cannot be read, is a link, a pipe or the like, is not the owner's, group or others
    /// can write it, it is longer than any such file, or not UTF-8.
    pub fn read(&self, name: &str) -> Result<String, Error> {
        // O_NONBLOCK: opening a pipe that someone left there must not wait for its other end.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        let status = fstat(&fd)?;
        if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(Error::other("not a regular file"));
        }
        only_owner_writes(&status, self.owner)?;
        let mut text = String::new();
        File::from(fd)
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::other("too long"));
        }
        Ok(text)
    }
}

fn only_owner_writes(status: &FileStat, owner: u32) -> Result<(), Error> {
    let writers = Mode::S_IWGRP | Mode::S_IWOTH;
    if status.st_uid != owner {
        Err(Error::other(format!(
            "belongs to uid {}, not to {owner}",
            status.st_uid
        )))
    } else if Mode::from_bits_truncate(status.st_mode).intersects(writers) {
        Err(Error::other("group or others can write it"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::unistd::{getuid, mkfifo};
    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), getuid().as_raw()).unwrap();
        (dir, folder)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_of_the_owner_is_read() {
        let (dir, folder) = folder();
        fs::write(dir.path().join("f"), "text").unwrap();
        assert_eq!(folder.read("f").unwrap(), "text");
    }

    #[test]
    fn a_link_is_not_followed() {
        let (dir, folder) = folder();
        fs::write(dir.path().join("f"), "text").unwrap();
        symlink(dir.path().join("f"), dir.path().join("link")).unwrap();
        assert!(folder.read("link").is_err());

        let linked = dir.path().join("folder");
        symlink(dir.path(), &linked).unwrap();
        assert!(Folder::open(&linked, getuid().as_raw()).is_err());
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let (dir, folder) = folder();
        let file = dir.path().join("f");
        fs::write(&file, "text").unwrap();
        for mode in [0o620, 0o602, 0o666] {
            set_mode(&file, mode);
            assert!(folder.read("f").is_err(), "{mode:o}");
        }
        set_mode(dir.path(), 0o777);
        assert!(Folder::open(dir.path(), getuid().as_raw()).is_err());
    }

    #[test]
    fn what_belongs_to_someone_else_is_refused() {
        let (dir, _) = folder();
        let stranger = getuid().as_raw() + 1;
        assert!(Folder::open(dir.path(), stranger).is_err());
    }

    #[test]
    fn a_pipe_or_a_folder_is_refused_at_once() {
        let (dir, folder) = folder();
        mkfifo(&dir.path().join("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        assert!(folder.read("pipe").is_err());
        assert!(folder.read("d").is_err());
    }

    #[test]
    fn an_endless_file_is_refused() {
        let (dir, folder) = folder();
        fs::write(dir.path().join("f"), vec![b'x'; (8 << 20) + 1]).unwrap();
        assert!(folder.read("f").is_err());
    }
}
