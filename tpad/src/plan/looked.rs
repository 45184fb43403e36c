//! What the end of a grant is looked for by, in the words of the trail: that nothing survived is
//! said of this alone.

use super::{Ending, Takes};
use crate::policy::started_elsewhere;

/// What is looked for at the end of this grant.
#[must_use]
pub fn looked_at(ending: &Ending) -> String {
    let user = &ending.user;
    let more = match ending.takes {
        Takes::Commands => String::new(),
        Takes::Logins => format!(", {user}'s logins on a grant and what they started"),
        Takes::Everything => {
            format!(", {user}'s logins, every process with {user}'s uid or login uid")
        }
    };
    format!("commands in the grant's control groups{more}")
}

/// What cannot be looked for, because nothing ties it to the grant; `None` when its rules run
/// nothing as somebody else.
#[must_use]
pub fn not_looked_at(ending: &Ending) -> Option<String> {
    let others = ending.runs_as.iter().map(String::as_str);
    started_elsewhere(others.filter(|name| *name != ending.user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tpa_bus::id::Id;

    fn ending(takes: Takes, runs_as: &[&str]) -> Ending {
        Ending {
            id: Id::from_random([0, 0, 0, 0, 1]),
            uid: 1001,
            user: "alice".to_owned(),
            takes,
            began_ms: 0,
            accounts: Vec::new(),
            runs_as: runs_as.iter().map(|&name| name.to_owned()).collect(),
            once: false,
        }
    }

    #[test]
    fn each_kind_of_end_says_what_it_looks_for() {
        let said = [Takes::Commands, Takes::Logins, Takes::Everything]
            .map(|takes| looked_at(&ending(takes, &[])));
        assert_eq!(said[0], "commands in the grant's control groups");
        assert!(said[1].contains("logins on a grant"), "{}", said[1]);
        assert!(said[2].contains("alice's uid or login uid"), "{}", said[2]);
    }

    #[test]
    fn every_account_of_the_rules_is_named_and_nothing_where_there_is_none() {
        let said = |runs_as: &[&str]| not_looked_at(&ending(Takes::Commands, runs_as));
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["alice"]), None);
        let both = said(&["postgres", "root", "shopdb"]).unwrap();
        assert!(both.contains("postgres or shopdb starts through a server, cron"));
        assert!(
            both.contains("root starts through other services"),
            "{both}"
        );
        assert!(!said(&["root"]).unwrap().contains("cron"));
    }
}
