//! What became of the account of somebody who holds or wants access.
//!
//! Their access ends when the account is certainly not theirs any more, and only then: a directory
//! that does not answer, or knows nobody for a moment, has not removed anybody.

use tpa_bus::groups::Answer;

use super::Person;

/// How often in a row a directory has to say that there is no such account.
pub const LOOKS: u32 = 6;

/// What was seen of an account, now and before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// It stands in the host's own files.
    pub local: bool,
    /// It stood there since the person asked for access, and the files can be read.
    pub was_local: bool,
    /// It was removed there and made anew since the person asked for access.
    pub made_anew: bool,
    /// What the name service says of the name.
    pub said: Answer<Person>,
    /// How often in a row it said before that there is none.
    pub missing: u32,
}

/// What that comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fate {
    /// It is there, or nobody says that it is not.
    There,
    /// It cannot be told yet.
    LookAgain,
    /// It is not theirs any more.
    Gone,
}

/// Judges what was seen.
pub fn fate(person: &Person, seen: &Seen) -> Fate {
    match &seen.said {
        _ if seen.made_anew => Fate::Gone,
        _ if seen.local => Fate::There,
        _ if seen.was_local => Fate::Gone,
        Answer::Found(found) if found == person => Fate::There,
        Answer::Found(_) => Fate::Gone,
        Answer::Missing if seen.missing >= LOOKS => Fate::Gone,
        Answer::Missing | Answer::Failed(_) => Fate::LookAgain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(uid: u32, name: &str) -> Person {
        let name = name.to_owned();
        Person { uid, name }
    }

    fn of_directory(said: Answer<Person>) -> Seen {
        Seen {
            local: false,
            was_local: false,
            made_anew: false,
            said,
            missing: 0,
        }
    }

    fn dora(seen: &Seen) -> Fate {
        fate(&person(5001, "dora"), seen)
    }

    #[test]
    fn a_directory_that_is_empty_for_a_moment_or_does_not_answer_ends_nothing() {
        assert_eq!(dora(&of_directory(Answer::Missing)), Fate::LookAgain);
        for missing in [0, LOOKS, 1_000] {
            let silent = Seen {
                missing,
                ..of_directory(Answer::Failed("no route".to_owned()))
            };
            assert_eq!(dora(&silent), Fate::LookAgain);
        }
        let gone = Seen {
            missing: LOOKS,
            ..of_directory(Answer::Missing)
        };
        assert_eq!(dora(&gone), Fate::Gone, "said time and again");
    }

    #[test]
    fn another_account_of_the_name_or_of_the_uid_is_another() {
        for other in [person(5002, "dora"), person(5001, "alan")] {
            assert_eq!(dora(&of_directory(Answer::Found(other))), Fate::Gone);
        }
        let same = Answer::Found(person(5001, "dora"));
        assert_eq!(dora(&of_directory(same)), Fate::There);
    }

    #[test]
    fn the_files_of_the_host_are_certain_whatever_the_directory_says() {
        for said in [Answer::Missing, Answer::Failed("no route".to_owned())] {
            let local = Seen {
                local: true,
                was_local: true,
                ..of_directory(said.clone())
            };
            assert_eq!(dora(&local), Fate::There);
            let removed = Seen {
                local: false,
                ..local.clone()
            };
            assert_eq!(dora(&removed), Fate::Gone);
            let anew = Seen {
                made_anew: true,
                ..local
            };
            assert_eq!(dora(&anew), Fate::Gone);
        }
    }
}
