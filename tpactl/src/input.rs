//! Reading what others name or wrote, in bounded time and memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file and nothing else: a device has no end, and a pipe may never have a beginning.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file"))
}

/// All of a text, which may have so many bytes.
///
/// # Errors
/// When reading fails, there is more, or it is not UTF-8.
pub fn read_text(from: impl Read, most: usize) -> io::Result<String> {
    let bytes = read_bytes(from, most.saturating_add(1))?;
    text(&bytes, most).map(str::to_owned)
}

/// No more than so many bytes.
///
/// # Errors
/// When reading fails.
pub fn read_bytes(from: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What was read, as text, which may have so many bytes.
///
/// # Errors
/// When there is more, or it is not UTF-8.
pub fn text(bytes: &[u8], most: usize) -> io::Result<&str> {
    if bytes.len() > most {
        return Err(io::Error::other(format!("it is more than {most} bytes")));
    }
    std::str::from_utf8(bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        assert!(read_text(io::repeat(b'x'), 10).is_err());
        assert!(read_text(&b"0123456789"[..], 10).is_ok());
        assert!(read_text(&b"\xff"[..], 10).is_err());
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert!(open_regular(path).is_err(), "{}", path.display());
        }
    }
}
