//! Which accounts of this host are locked or have expired (shadow(5)).
//!
//! Read from the file alone: a name service that hangs keeps nobody waiting here. Of people that
//! only a directory knows nothing stands there, and the directory itself keeps them out.
//!
//! A shell of nologin(8) says nothing of a person: it is what a login runs, and people who decide
//! by other ways than a login here have it by intention. Whoever has left has a locked or expired
//! account.

use std::fs;
use std::io;
use std::path::Path;

use crate::ledger::Standing;

/// Whether an account may be used today, in days since 1970. Of several names of one person the
/// worst counts. A name that is not there may be.
pub fn standing(file: &Path, names: &[String], today: i64) -> Standing {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        // A host without shadow passwords.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Standing::Good,
        Err(error) => return Standing::Unknown(format!("{}: {error}", file.display())),
    };
    let of_names = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        names.iter().any(|known| known == name).then_some(rest)
    });
    let mut all = of_names.map(|rest| of_line(rest, today));
    all.find(|one| *one != Standing::Good)
        .unwrap_or(Standing::Good)
}

/// The standing by what follows the name: `$y$…:19000:0:99999:7:30:20000:`.
fn of_line(rest: &str, today: i64) -> Standing {
    let mut fields = rest.split(':');
    let password = fields.next().unwrap_or_default();
    let mut day = || fields.next().and_then(|field| field.parse::<i64>().ok());
    let (changed, _least, most, _warn) = (day(), day(), day(), day());
    let (inactive, expires) = (day(), day());
    // pam_unix(8) counts the day itself as past, and 0 as the first day of 1970.
    if expires.is_some_and(|expires| expires >= 0 && today >= expires) {
        return Standing::Expired;
    }
    if let (Some(changed), Some(most), Some(inactive)) = (changed, most, inactive)
        && inactive >= 0
        && today.saturating_sub(changed) > most.saturating_add(inactive)
    {
        return Standing::Expired;
    }
    if is_locked(password) {
        return Standing::Locked;
    }
    Standing::Good
}

/// A `!` before something locks it, also before the `*` of an account without a password, as
/// `usermod -L` leaves it. `*`, `!` and `!!` alone are how accounts without one are made: their
/// people come in by key, and nobody has locked anything.
fn is_locked(password: &str) -> bool {
    password.starts_with('!') && !password.trim_start_matches('!').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_000;

    fn of(line: &str) -> Standing {
        of_line(line, TODAY)
    }

    #[test]
    fn a_lock_before_a_password_locks_and_an_account_without_one_is_not_locked() {
        for good in ["$y$j9T$abc$def", "*", "!", "!!", "x", ""] {
            assert_eq!(
                of(&format!("{good}:19000:0:99999:7:::")),
                Standing::Good,
                "{good}"
            );
        }
        for locked in ["!$y$j9T$abc$def", "!!$6$abc$def", "!abJnggxhB/yWI", "!*"] {
            assert_eq!(
                of(&format!("{locked}:19000:0:99999:7:::")),
                Standing::Locked,
                "{locked}"
            );
        }
    }

    #[test]
    fn an_account_is_over_from_the_day_of_its_expiry_on() {
        for (day, standing) in [
            ("", Standing::Good),
            ("-1", Standing::Good),
            ("20001", Standing::Good),
            ("20000", Standing::Expired),
            ("1", Standing::Expired),
            ("0", Standing::Expired),
        ] {
            assert_eq!(of(&format!("*:19000:0:99999:7::{day}:")), standing, "{day}");
        }
    }

    #[test]
    fn a_password_that_is_too_old_for_longer_than_it_may_be_ends_the_account() {
        assert_eq!(
            of("$y$x:19900:0:90:7:20::"),
            Standing::Good,
            "too old for 10 days of 20"
        );
        assert_eq!(of("$y$x:19900:0:60:7:20::"), Standing::Expired);
        assert_eq!(
            of("$y$x:19900:0:60:7:::"),
            Standing::Good,
            "no limit is set"
        );
    }

    #[test]
    fn the_worst_of_a_persons_names_counts_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shadow");
        let text = "root:*:1::::::\ncarol:*:1::::::\ncarol2:!$y$x:1::::::\ncarol3:*:1:::::1:\n";
        fs::write(&file, text).unwrap();
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(standing(&file, &names(&["carol"]), TODAY), Standing::Good);
        assert_eq!(
            standing(&file, &names(&["carol", "carol2"]), TODAY),
            Standing::Locked
        );
        assert_eq!(
            standing(&file, &names(&["carol3"]), TODAY),
            Standing::Expired
        );
        assert_eq!(standing(&file, &names(&["erin"]), TODAY), Standing::Good);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["carol".to_owned()];
        let read = standing(folder.path(), &names, TODAY);
        assert!(matches!(read, Standing::Unknown(_)), "{read:?}");
        let missing = folder.path().join("none");
        assert_eq!(standing(&missing, &names, TODAY), Standing::Good);
    }
}
