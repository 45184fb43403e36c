//! At most one tpad runs: a second would take the sockets and answer from a state of its own.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Held as long as this tpad runs. The kernel gives it back however tpad ends.
#[derive(Debug)]
pub struct Single(#[expect(dead_code, reason = "held for its lock")] Flock<File>);

impl Single {
    /// Takes the lock at `path`, before anything else of the daemon's is touched.
    ///
    /// # Errors
    /// When another tpad holds it, or it cannot be opened.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)
            .with_context(|| format!("open {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self(lock)),
            Err((_, Errno::EWOULDBLOCK)) => {
                bail!("another tpad runs already\nnext: systemctl status tpad")
            }
            Err((_, error)) => Err(error).with_context(|| format!("lock {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tpad.lock");
        let first = Single::take(&path).unwrap();
        let refused = Single::take(&path).unwrap_err().to_string();
        assert!(refused.contains("another tpad runs already"), "{refused}");
        drop(first);
        Single::take(&path).unwrap();
    }
}
