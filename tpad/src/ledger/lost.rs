//! What became of the account of somebody who holds or wants access.
//!
//! Their access ends when the account is certainly not theirs any more, and only then: a directory
//! that does not answer, or knows nobody for a moment, has not removed anybody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tpa_bus::groups::Answer;

use super::{Event, Person, Request, State, is_undecided_or_on, taken_away};

/// How often in a row a directory has to say that there is no such account.
pub const LOOKS: u32 = 6;

/// Somebody in the host's own accounts (passwd(5)) at one moment. Times are in nanoseconds since
/// 1970, as the kernel keeps them: within one second an account is made, removed and made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswdEntry {
    /// Whether their account stands there.
    pub local: bool,
    /// When this version of `/etc/passwd` was written.
    pub written_ns: i64,
    /// When `/etc/passwd-`, the version before it, was put there.
    pub kept_ns: i64,
}

/// Whether somebody's account was removed and made anew since they were seen `then`: it is there
/// `now`, and was not in the version before, which came after that of `then`. Both files have been
/// written since, or it did not.
#[must_use]
pub fn is_made_anew(then: &PasswdEntry, now: &PasswdEntry, was_in_version_before: bool) -> bool {
    let written = now.written_ns != then.written_ns && now.kept_ns != then.kept_ns;
    now.local && !was_in_version_before && written
}

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

/// What the host's own files tell of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFiles {
    /// It stands there.
    pub has: bool,
    /// It stood there when the person asked for access, or until a change that was made since.
    pub had: bool,
    /// It was removed there and made anew since the person asked for access.
    pub made_anew: bool,
    /// The files can be read at all.
    pub whole: bool,
}

/// What is remembered of accounts from one look to the next.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Names of those whose account stood in the host's own files, by uid.
    local: BTreeMap<u32, String>,
    /// How often in a row the name service said that there is no such account, by uid.
    missing: BTreeMap<u32, u32>,
}

impl Accounts {
    /// The name service has told of somebody.
    pub fn heard(&mut self, person: &Person, said: &Answer<Person>) {
        if *said == Answer::Missing {
            let missing = self.missing.entry(person.uid).or_default();
            *missing = missing.saturating_add(1);
        } else {
            self.missing.remove(&person.uid);
        }
    }

    /// These stand in the host's own files, and nobody else.
    pub fn are_local<'a>(&mut self, people: impl IntoIterator<Item = &'a Person>) {
        let people = people.into_iter();
        self.local = people
            .map(|person| (person.uid, person.name.clone()))
            .collect();
    }

    /// What was seen of somebody's account, in all.
    #[must_use]
    pub fn seen(&self, person: &Person, files: InFiles, said: Answer<Person>) -> Seen {
        let remembered = self.local.get(&person.uid) == Some(&person.name);
        Seen {
            local: files.has,
            was_local: files.whole && (remembered || files.had),
            made_anew: files.made_anew,
            said,
            missing: self.missing.get(&person.uid).copied().unwrap_or(0),
        }
    }
}

/// Ends everything that goes on and belongs to an account that is gone.
pub fn end_of_lost(state: &State, mut is_gone: impl FnMut(&Request) -> bool) -> Vec<Event> {
    let on = state.requests.values().filter(|r| is_undecided_or_on(r));
    on.filter(|request| is_gone(request))
        .map(|request| taken_away(request, "the account was removed or changed"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{now, request};
    use crate::ledger::{Closed, Deadline, Stage};

    const NOWHERE: InFiles = InFiles {
        has: false,
        had: false,
        made_anew: false,
        whole: true,
    };

    #[test]
    fn only_an_unbroken_row_of_no_s_from_a_directory_is_believed() {
        let dora = person(5001, "dora");
        let mut accounts = Accounts::default();
        let mut look = |said: Answer<Person>| {
            accounts.heard(&dora, &said);
            fate(&dora, &accounts.seen(&dora, NOWHERE, said))
        };
        for _ in 0..100 {
            for _ in 1..LOOKS {
                assert_eq!(look(Answer::Missing), Fate::LookAgain);
            }
            assert_eq!(look(Answer::Failed("slow".to_owned())), Fate::LookAgain);
        }
        let looks = (0..100).take_while(|_| look(Answer::Missing) == Fate::LookAgain);
        assert!(looks.count() < 100, "it goes on saying so");
        assert_eq!(look(Answer::Found(dora.clone())), Fate::There);
        assert_eq!(
            look(Answer::Missing),
            Fate::LookAgain,
            "the row begins anew"
        );
    }

    #[test]
    fn an_account_that_was_seen_in_the_files_and_is_not_there_is_gone_while_they_can_be_read() {
        let alice = person(1001, "alice");
        let mut accounts = Accounts::default();
        accounts.are_local([&alice]);
        let unasked = || Answer::Failed("not asked".to_owned());
        let look =
            |accounts: &Accounts, files| fate(&alice, &accounts.seen(&alice, files, unasked()));
        assert_eq!(look(&accounts, NOWHERE), Fate::Gone);
        let unread = InFiles {
            whole: false,
            ..NOWHERE
        };
        assert_eq!(look(&accounts, unread), Fate::LookAgain);
        accounts.are_local([&person(1001, "alan")]);
        assert_eq!(
            look(&accounts, NOWHERE),
            Fate::LookAgain,
            "another of the uid"
        );
    }

    #[test]
    fn what_is_over_is_not_ended_again_when_its_account_goes() {
        let pending = request(1, "alice");
        let live = Request {
            stage: Stage::Active {
                since: 1_000_000,
                deadline: Deadline::after(&now(0), 600),
            },
            ..request(2, "alice")
        };
        let over = Request {
            stage: Stage::Approved,
            ..request(3, "alice")
        };
        let others = request(4, "bob");
        let all = [pending.clone(), live.clone(), over, others];
        let state = State {
            requests: all.into_iter().map(|one| (one.id, one)).collect(),
            ..State::default()
        };
        let events = end_of_lost(&state, |request| request.user == pending.user);
        let ends: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::Closed { id, how, .. } => (*id, *how),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [(pending.id, Closed::Lapsed), (live.id, Closed::Revoked)];
        assert_eq!(ends, expected);
    }

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

    #[test]
    fn an_account_that_was_missing_in_a_version_since_was_made_anew_within_a_second_too() {
        let entry = |local, written_ns, kept_ns| PasswdEntry {
            local,
            written_ns,
            kept_ns,
        };
        let then = entry(true, 20, 15);
        let anew = entry(true, 40, 35);
        assert!(is_made_anew(&then, &anew, false));
        assert!(
            !is_made_anew(&then, &anew, true),
            "another account was changed"
        );
        assert!(
            !is_made_anew(&then, &then, false),
            "it was the last to be made before"
        );
        assert!(
            !is_made_anew(&then, &entry(true, 40, 15), false),
            "an editor that keeps no version before"
        );
        assert!(
            !is_made_anew(&then, &entry(true, 20, 35), false),
            "a copy of the host, or another mode of the file"
        );
        assert!(
            !is_made_anew(&then, &entry(false, 40, 35), false),
            "it is not there at all"
        );
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
