//! What a grant holds: which processes end with it, which do not, and which are named because
//! nobody can tell.
//!
//! Judged by what the kernel keeps of a process and by where it stands in the tree of control
//! groups, as far as root alone puts processes there: nothing in it can be written by a person.

use std::collections::BTreeSet;

use tpa_bus::id::Id;

use super::{Ending, Takes};

/// A process, as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Real, effective and saved uid.
    pub uids: [u32; 3],
    /// Audit login uid; `None` when it descends from no login. It can be set once by whoever has
    /// none, and never changed but by root.
    pub login: Option<u32>,
    /// In a pid namespace of its own: a container, mostly. The same number is often somebody else
    /// there, unless a login led there.
    pub contained: bool,
    /// When it began, in milliseconds of `CLOCK_BOOTTIME`, rounded up to the kernel's clock tick.
    pub began_ms: u64,
    /// Where it stands.
    pub place: Place,
}

/// Where a process stands in the part of the tree of control groups that is root's alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The grants whose groups it is in: more than one for sudo under sudo.
    pub grants: BTreeSet<Id>,
    /// What it is in besides.
    pub part: Part,
}

/// A part of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Part {
    /// What PID 1 keeps for a person's logins: `user-1001.slice`.
    Slice {
        /// Whose.
        uid: u32,
        /// In which part of that.
        of: SlicePart,
    },
    /// A unit of PID 1 that is no login.
    Unit {
        /// Its name.
        name: String,
        /// Whether somebody made it over the bus, as `systemd-run` does. Otherwise it is of the
        /// host's own files.
        transient: bool,
        /// When the oldest process in it began, as [`Facts::began_ms`].
        began_ms: u64,
        /// The real uid of everything in it, where that is one.
        owner: Option<u32>,
    },
    /// It cannot be told.
    #[default]
    Unknown,
}

/// A part of a person's slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlicePart {
    /// A login with a limit: it was let in on a grant.
    Limited,
    /// A login without one: no grant let it in.
    Unlimited,
    /// Their own service manager, or anything else.
    Rest,
}

/// What the end of a grant is to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Held {
    /// It ends.
    Ends,
    /// It has nothing to do with the grant.
    Stays,
    /// It stays, and is named.
    Named(Why),
}

/// Why a process that stays is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A service of the host that runs as the person.
    Service,
    /// It began while the grant was on, as an account that the grant's rules run commands as, and
    /// outside of the grant's groups: whoever started it.
    Account,
}

/// Judges one process at the end of one grant.
pub fn hold(process: &Facts, ending: &Ending) -> Held {
    if process.place.grants.contains(&ending.id) {
        return Held::Ends;
    }
    let held = match ending.takes {
        Takes::Commands => Held::Stays,
        Takes::Logins | Takes::Everything => of_the_person(process, ending),
    };
    match held {
        Held::Stays if is_as_an_account(process, ending) => Held::Named(Why::Account),
        held => held,
    }
}

/// Where the logins that the grant gave end with it.
fn of_the_person(process: &Facts, ending: &Ending) -> Held {
    let everything = ending.takes == Takes::Everything;
    match &process.place.part {
        // Nobody but PID 1 puts a process there: what is in it comes from a login, whoever it runs
        // as, and however long their service manager has been there.
        Part::Slice { uid, of } if *uid == ending.uid => match of {
            SlicePart::Unlimited if !everything => Held::Stays,
            SlicePart::Limited | SlicePart::Unlimited | SlicePart::Rest => Held::Ends,
        },
        _ if !belongs_to(process, ending.uid) => Held::Stays,
        Part::Unit {
            transient,
            began_ms,
            owner,
            ..
        } if process.login.is_none() => {
            let before = |began: u64| began < ending.began_ms;
            let is_service = *owner == Some(ending.uid) && (before(*began_ms) || !transient);
            if is_service || before(process.began_ms) {
                Held::Named(Why::Service)
            } else {
                Held::Ends
            }
        }
        // Somebody who needs no grant by now: their own doing.
        Part::Unit { .. } | Part::Slice { .. } if !everything => Held::Stays,
        Part::Unit { .. } | Part::Slice { .. } | Part::Unknown => Held::Ends,
    }
}

/// Whether it is this person's: it runs as them, or descends from their login. Nothing is root's or
/// nobody's in this sense.
#[must_use]
pub fn belongs_to(process: &Facts, uid: u32) -> bool {
    if matches!(uid, 0 | u32::MAX) {
        return false;
    }
    process.login == Some(uid) || (process.uids.contains(&uid) && !process.contained)
}

/// Whether it may be what the grant's commands had an account's own services start. What stands in
/// the group of another grant is that grant's, and what stands in another person's slice is that
/// person's.
fn is_as_an_account(process: &Facts, ending: &Ending) -> bool {
    let is_of = |uid: u32| ending.accounts.iter().any(|account| account.uid == uid);
    let another = match process.place.part {
        Part::Slice { uid, .. } => uid != ending.uid && !is_of(uid),
        Part::Unit { .. } | Part::Unknown => false,
    };
    let as_one = process.uids.iter().any(|uid| is_of(*uid)) && !process.contained;
    as_one && !another && process.place.grants.is_empty() && process.began_ms >= ending.began_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Person;

    const ALICE: u32 = 1001;
    const BOB: u32 = 1002;
    const POSTGRES: u32 = 115;
    const BEGAN: u64 = 5_000;

    fn id() -> Id {
        Id::from_random([0, 0, 0, 0, 1])
    }

    fn ending(takes: Takes) -> Ending {
        let name = "postgres".to_owned();
        Ending {
            id: id(),
            uid: ALICE,
            user: "alice".to_owned(),
            takes,
            began_ms: BEGAN,
            accounts: vec![Person {
                uid: POSTGRES,
                name,
            }],
            runs_as: Vec::new(),
            once: false,
        }
    }

    const TAKES: [Takes; 3] = [Takes::Commands, Takes::Logins, Takes::Everything];

    fn parts() -> Vec<Part> {
        let mut parts = vec![Part::Unknown];
        for uid in [0, ALICE, BOB, POSTGRES] {
            for of in [SlicePart::Limited, SlicePart::Unlimited, SlicePart::Rest] {
                parts.push(Part::Slice { uid, of });
            }
        }
        for transient in [false, true] {
            for began_ms in [BEGAN - 1, BEGAN] {
                for owner in [None, Some(0), Some(ALICE), Some(POSTGRES)] {
                    parts.push(Part::Unit {
                        name: "app.service".to_owned(),
                        transient,
                        began_ms,
                        owner,
                    });
                }
            }
        }
        parts
    }

    /// Every process that differs from another in something that is judged.
    fn all() -> Vec<Facts> {
        let uids = [0, ALICE, BOB, POSTGRES].map(|uid| [uid; 3]);
        let uids = [uids.to_vec(), vec![[ALICE, 0, 0], [0, POSTGRES, 0]]].concat();
        let logins = [None, Some(ALICE), Some(BOB), Some(POSTGRES)];
        let other = Id::from_random([0, 0, 0, 0, 2]);
        let grants = [vec![], vec![id()], vec![other], vec![id(), other]];
        let mut all = Vec::new();
        for part in parts() {
            for uids in &uids {
                for login in logins {
                    for contained in [false, true] {
                        for began_ms in [BEGAN - 1, BEGAN] {
                            for grants in &grants {
                                let place = Place {
                                    grants: grants.iter().copied().collect(),
                                    part: part.clone(),
                                };
                                all.push(Facts {
                                    uids: *uids,
                                    login,
                                    contained,
                                    began_ms,
                                    place,
                                });
                            }
                        }
                    }
                }
            }
        }
        all
    }

    fn in_own_group(process: &Facts) -> bool {
        process.place.grants.contains(&id())
    }

    #[test]
    fn what_stands_in_the_grants_group_ends_whatever_else_it_is() {
        for takes in TAKES {
            for process in all().into_iter().filter(in_own_group) {
                assert_eq!(hold(&process, &ending(takes)), Held::Ends, "{process:?}");
            }
        }
    }

    #[test]
    fn where_the_login_stays_nothing_else_ends() {
        let others = all().into_iter().filter(|process| !in_own_group(process));
        for process in others {
            assert_ne!(hold(&process, &ending(Takes::Commands)), Held::Ends);
        }
    }

    #[test]
    fn no_login_that_a_grant_gave_is_left_nor_their_service_manager_however_old() {
        for takes in [Takes::Logins, Takes::Everything] {
            for process in all() {
                let Part::Slice { uid: ALICE, of } = process.place.part else {
                    continue;
                };
                let own =
                    of == SlicePart::Unlimited && takes == Takes::Logins && !in_own_group(&process);
                let ends = hold(&process, &ending(takes)) == Held::Ends;
                assert_eq!(ends, !own, "{process:?}");
            }
        }
    }

    #[test]
    fn of_somebody_who_needs_a_grant_everything_ends_but_services_that_pid_1_started() {
        for process in all() {
            let held = hold(&process, &ending(Takes::Everything));
            let theirs = belongs_to(&process, ALICE) && !in_own_group(&process);
            let by_pid_1 =
                process.login.is_none() && matches!(process.place.part, Part::Unit { .. });
            if theirs && !by_pid_1 {
                assert_eq!(held, Held::Ends, "{process:?}");
            }
            if held == Held::Named(Why::Service) {
                assert!(theirs && by_pid_1, "{process:?}");
            }
        }
    }

    #[test]
    fn a_service_that_runs_as_the_person_stays_unless_it_was_made_under_the_grant() {
        let service = |transient, unit_ms, process_ms| Facts {
            uids: [ALICE; 3],
            login: None,
            contained: false,
            began_ms: process_ms,
            place: Place {
                part: Part::Unit {
                    name: "app.service".to_owned(),
                    transient,
                    began_ms: unit_ms,
                    owner: Some(ALICE),
                },
                ..Place::default()
            },
        };
        let named = Held::Named(Why::Service);
        for takes in [Takes::Logins, Takes::Everything] {
            for (transient, unit_ms, process_ms, expected) in [
                (true, BEGAN - 1, BEGAN - 1, named),
                // What an old service started meanwhile is the service's.
                (true, BEGAN - 1, BEGAN + 9, named),
                (true, BEGAN, BEGAN, Held::Ends),
                // Restarted, and of the host's own files.
                (false, BEGAN, BEGAN, named),
            ] {
                let process = service(transient, unit_ms, process_ms);
                assert_eq!(hold(&process, &ending(takes)), expected, "{process:?}");
            }
        }
        // A root daemon that does as it is told by anybody: what a mail server runs out of .forward.
        let mut told = service(false, 0, BEGAN);
        if let Part::Unit { owner, .. } = &mut told.place.part {
            *owner = None;
        }
        assert_eq!(hold(&told, &ending(Takes::Everything)), Held::Ends);
    }

    #[test]
    fn what_an_account_of_the_rules_began_meanwhile_elsewhere_is_named_and_never_ended() {
        for takes in TAKES {
            for process in all() {
                let held = hold(&process, &ending(takes));
                let is_account = process.uids.contains(&POSTGRES) && !process.contained;
                if held == Held::Named(Why::Account) {
                    assert!(is_account && process.began_ms >= BEGAN, "{process:?}");
                    assert!(process.place.grants.is_empty(), "{process:?}");
                }
                let unnamed = held == Held::Stays && is_account && process.began_ms >= BEGAN;
                let whose = match process.place.part {
                    Part::Slice { uid, .. } => [0, BOB].contains(&uid),
                    Part::Unit { .. } | Part::Unknown => false,
                };
                if unnamed {
                    assert!(whose || !process.place.grants.is_empty(), "{process:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_the_persons_and_as_none_of_the_accounts_stays() {
        for takes in TAKES {
            for process in all() {
                let in_slice = matches!(process.place.part, Part::Slice { uid: ALICE, .. });
                let strange = !belongs_to(&process, ALICE)
                    && !in_slice
                    && !in_own_group(&process)
                    && !process.uids.contains(&POSTGRES);
                if strange {
                    assert_eq!(hold(&process, &ending(takes)), Held::Stays, "{process:?}");
                }
            }
        }
    }
}
