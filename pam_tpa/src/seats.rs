//! How many people may be asked at once, and who is not worth asking.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// How many may be asked at once at logins from elsewhere. Each holds a connection of sshd's that
/// nobody is logged in on; from ten of those on (`MaxStartups`, when not set) sshd turns some away.
pub const SEATS: u32 = 4;

/// A place among them, given back when dropped or when the process ends.
#[derive(Debug, Default)]
pub struct Seat(#[allow(dead_code, reason = "held until it is dropped")] Vec<Flock<File>>);

impl Seat {
    /// Takes one in a folder of root's: one of all, and the one of the person.
    ///
    /// # Errors
    /// When the folder or a file cannot be made or locked.
    pub fn take(folder: &Path, uid: u32) -> Result<Option<Self>, Error> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let Some(own) = lock(&folder.join(format!("uid-{uid}")))? else {
            return Ok(None);
        };
        for seat in 0..SEATS {
            if let Some(seat) = lock(&folder.join(format!("seat-{seat}")))? {
                return Ok(Some(Self(vec![own, seat])));
            }
        }
        Ok(None)
    }
}

/// A file's lock, unless somebody has it.
fn lock(path: &Path) -> Result<Option<Flock<File>>, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(Some(locked)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

/// Whether an account has expired, or its password so long ago that it counts as that, by the text
/// of shadow(5), on a day since 1970.
#[must_use]
pub fn has_expired(shadow: &str, user: &str, today: i64) -> bool {
    let mut lines = shadow
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let Some(fields) = lines.find(|fields| fields.first() == Some(&user)) else {
        return false;
    };
    let day = |field: usize| {
        let number = fields.get(field).and_then(|text| text.parse::<i64>().ok());
        number.filter(|number| *number >= 0)
    };
    let password = match (day(2), day(4), day(6)) {
        (Some(changed), Some(longest), Some(grace)) => {
            changed.saturating_add(longest).saturating_add(grace) < today
        }
        _ => false,
    };
    password || day(7).is_some_and(|end| end <= today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_asked_at_once_and_nobody_twice() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("asking");
        let take = |uid| Seat::take(&folder, uid).unwrap();
        let mut taken: Vec<_> = (0..SEATS).map(|uid| take(uid).unwrap()).collect();
        assert!(take(1_000).is_none());
        taken.pop();
        assert!(take(0).is_none(), "has one");
        assert!(take(1_000).is_some());
        assert!(Seat::take(&dir.path().join("a/b"), 1).is_err());
    }

    #[test]
    fn an_account_has_expired_on_its_day_and_with_a_password_that_is_too_old() {
        for (fields, expired) in [
            ("alice:*:100::::::", false),
            ("alice:*:100:0:99999:7:::", false),
            ("alice:*:100:0:99999:7::201:", false),
            ("alice:*:100:0:99999:7::200:", true),
            ("alice:*:100:0:90:7:9::", true),
            ("alice:*:100:0:90:7:10::", false),
            ("alice:*:100:0:90:7:::", false),
            ("alicia:*:100:0:90:7::1:", false),
            ("", false),
        ] {
            assert_eq!(has_expired(fields, "alice", 200), expired, "{fields}");
        }
    }
}
