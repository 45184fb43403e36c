//! Which accounts have what appeared of theirs removed after the end of a grant (`tidy`), and which never.

use std::collections::BTreeSet;

use tpa_bus::offline::NOBODY;

use super::Gives;

/// Why nothing of an account of this uid is ever removed; `None` where it may be. `uid_min` is the lowest
/// uid of people, as login.defs(5) has it.
///
/// Nobody but the service itself has a reason to give a service's account jobs and keys, so what appeared
/// of them while a grant ran commands as it may go. A person has such reasons at any time, and their key
/// may be all that lets them in; root's is the way back in for everybody.
#[must_use]
pub fn untidy(uid: u32, uid_min: u32) -> Option<&'static str> {
    match uid {
        0 => Some("what is root's is never removed"),
        // Also whom the kernel shows what it has no name for as (user_namespaces(7)).
        NOBODY => Some("it is nobody's account, and others' files are shown as its own"),
        _ if uid >= uid_min => Some(
            "it is a person's account by its uid (UID_MIN in /etc/login.defs), who may set up jobs and \
             keys of their own at any time",
        ),
        _ => None,
    }
}

impl Gives {
    /// The names of the accounts of which what appeared is to be removed after the end.
    #[must_use]
    pub fn tidied(&self) -> BTreeSet<&str> {
        let rules = self.sudo.iter().filter(|rule| rule.tidy);
        rules.map(|rule| rule.run_as.as_str()).collect()
    }

    /// What is removed after its end, for people; `None` where nothing is.
    #[must_use]
    pub fn tidies(&self) -> Option<String> {
        let names: Vec<&str> = self.tidied().into_iter().collect();
        (!names.is_empty()).then(|| {
            format!(
                "the crontab, at jobs and authorized keys of {} that appeared meanwhile",
                names.join(" and ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_root_of_nobody_and_of_people_nothing_is_ever_removed() {
        for (uid, tidy) in [
            (0, false),
            (1, true),
            (115, true),
            (999, true),
            (1_000, false),
            (65_534, false),
            (4_000_000, false),
        ] {
            assert_eq!(untidy(uid, 1_000).is_none(), tidy, "{uid}");
        }
        // A host whose people begin behind nobody's number.
        assert!(untidy(NOBODY, 100_000).is_some());
    }
}
