//! What appeared of a run-as account's while a grant ran commands as it, and is removed after the end
//! where its role has `tidy`: what goes, what stays, and why.
//!
//! Removed is only what the note of the beginning shows not to have been there, and only for as long as it
//! is the very file that the look at the end found. Everything doubtful is told and stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;

use super::{Gave, Person, Request, SharedMap, Stage, State};

/// Which file it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenFile {
    /// Its absolute path, free of links.
    pub path: String,
    /// Its file system's number.
    pub dev: u64,
    /// Its own number on that.
    pub ino: u64,
    /// Whose it is.
    pub owner: u32,
    /// How many bytes.
    pub size: u64,
    /// When it was last changed in any way (`st_ctime`), in seconds since 1970, and nanoseconds more.
    pub changed: (i64, u64),
    /// The SHA-256 of all that is in it, in hexadecimal.
    pub sha256: String,
}

/// Something of a run-as account's, in a place that `tidy` is about, that is other than at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Appeared {
    /// Whose it is.
    pub account: Person,
    /// Its kind, as a finding has it: `cron`, `at`, `key`.
    pub kind: String,
    /// Which, as a finding names it.
    pub what: String,
    /// Its file; nothing where it is none, or was not read whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SeenFile>,
    /// It is a line of that file, which was there before: the line goes, and the file stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_line: bool,
    /// Why it stays; nothing where it is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameTo {
    /// It was removed.
    Removed,
    /// It was not there any more.
    Gone,
    /// It stays, and why.
    Stays(String),
}

impl CameTo {
    /// The word that stands in lines and in JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Gone => "gone",
            Self::Stays(_) => "stays",
        }
    }
}

/// One thing, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidied {
    /// Whose it is.
    pub account: Person,
    /// Its kind, as a finding has it.
    pub kind: String,
    /// Which, as a finding names it.
    pub what: String,
    /// What became of it.
    pub came_to: CameTo,
}

impl Tidied {
    /// Whether it stays.
    #[must_use]
    pub const fn stays(&self) -> bool {
        matches!(self.came_to, CameTo::Stays(_))
    }
}

impl Appeared {
    /// It, and what became of it.
    #[must_use]
    pub fn came_to(&self, came_to: CameTo) -> Tidied {
        Tidied {
            account: self.account.clone(),
            kind: self.kind.clone(),
            what: self.what.clone(),
            came_to,
        }
    }
}

/// What the note of the beginning says of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum AtBeginning {
    /// It was not there.
    Missing,
    /// It was there, as it is now.
    Same,
    /// It was there, as another.
    Other,
    /// It was there as it is now, and may have come between the beginning and the note.
    Early,
    /// It does not tell, and why not.
    Unknown(String),
}

/// What is known of a thing of a run-as account's, for telling whether it may go.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The account.
    pub account: &'a Person,
    /// Its line in passwd(5) is the one that was noted.
    pub account_is_as_noted: bool,
    /// What the note says of the thing.
    pub at_beginning: AtBeginning,
    /// Its file, where it is one that was read whole.
    pub file: Option<&'a SeenFile>,
    /// By which package it may have come, or what of the package manager's ran when it was made.
    pub by_packages: Option<String>,
    /// It is a job that runs right now.
    pub runs: bool,
}

/// Whether a thing that is there at the end may go: nothing where it was there before as it is, else why it
/// stays, with nothing there where it goes.
#[must_use]
pub fn may_go(facts: &Facts<'_>) -> Option<Option<String>> {
    let stays = |why: &str| Some(Some(why.to_owned()));
    match &facts.at_beginning {
        AtBeginning::Same => return None,
        AtBeginning::Other => {
            return stays("it was there at the beginning as another, which is not kept");
        }
        AtBeginning::Early => {
            return stays("it came or was changed before the beginning was noted");
        }
        AtBeginning::Unknown(why) => {
            return stays(&format!(
                "whether it was there at the beginning is not known: {why}"
            ));
        }
        AtBeginning::Missing => {}
    }
    let name = &facts.account.name;
    if !facts.account_is_as_noted {
        return stays(&format!(
            "the account {name} is not as it was at the beginning"
        ));
    }
    let Some(file) = facts.file else {
        return stays("it is no file that can be read whole");
    };
    if file.owner != facts.account.uid {
        return stays(&format!("it belongs to uid {}, not to {name}", file.owner));
    }
    if let Some(by) = &facts.by_packages {
        return stays(&format!("it may have come with a package: {by}"));
    }
    if facts.runs {
        return stays("it is a job that runs: see it among the processes");
    }
    Some(None)
}

/// What is to be removed after the end of a grant, or to be told of as what stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TidyDue {
    /// The grant.
    pub id: Id,
    /// What appeared.
    pub appeared: Vec<Appeared>,
}

/// Of the grants after whose end something is to be removed, or told of as what stays, the first.
#[must_use]
pub fn tidy_due(state: &State) -> Option<TidyDue> {
    let mut all = state.requests.values();
    all.find_map(|request| {
        let looks = request.looks.as_ref()?;
        (!looks.appeared.is_empty()).then(|| TidyDue {
            id: request.id,
            appeared: looks.appeared.clone(),
        })
    })
}

/// Of which accounts the role of a grant would have things removed, and none are, because they were none that
/// anything is removed of when the grant began.
#[must_use]
pub fn untended(request: &Request) -> Vec<String> {
    let Some(gave) = &request.gave else {
        return Vec::new();
    };
    let names = request.gives.tidied().into_iter();
    names
        .filter(|name| gave.tidy.iter().all(|account| account.name != *name))
        .map(|name| {
            format!(
                "what is to be removed of {name}: when the grant began, the host's own files had no account of \
                 a service of this name"
            )
        })
        .collect()
}

/// What appeared, with what another grant may have made as well as what stays.
#[must_use]
pub fn unless_shared(appeared: Vec<Appeared>, shared: &BTreeMap<u32, Id>) -> Vec<Appeared> {
    let each = appeared.into_iter().map(|mut one| {
        if let (None, Some(other)) = (&one.stays, shared.get(&one.account.uid)) {
            let name = &one.account.name;
            one.stays = Some(format!(
                "{other} gave commands as {name} at the same time, and may have made it"
            ));
        }
        one
    });
    each.collect()
}

/// Access began: whoever else gives commands as one of its accounts, or did and is not looked at yet,
/// does not tell what is whose any more.
pub(super) fn share(requests: &mut SharedMap<Id, Request>, begun: Id) {
    let uids = |gave: Option<&Gave>| -> Vec<u32> {
        let accounts = gave.into_iter().flat_map(|gave| &gave.accounts);
        accounts.map(|account| account.uid).collect()
    };
    let own = uids(requests.get(&begun).and_then(|one| one.gave.as_ref()));
    if own.is_empty() {
        return;
    }
    let mut with = BTreeMap::new();
    let is_one = |request: &Request| {
        let looks = request.looks.as_ref();
        let unlooked = looks.is_some_and(|looks| looks.found.is_none());
        let was_on = matches!(
            request.stage,
            Stage::Active { .. } | Stage::Closed { since: Some(_), .. }
        );
        request.id != begun
            && (request.is_ending() || (was_on && unlooked))
            && uids(request.gave.as_ref())
                .iter()
                .any(|uid| own.contains(uid))
    };
    requests.change_each(is_one, |other| {
        let common = uids(other.gave.as_ref());
        let common: Vec<u32> = common.into_iter().filter(|uid| own.contains(uid)).collect();
        let is_on = matches!(other.stage, Stage::Active { .. }) || other.is_ending();
        let looks = other.looks.get_or_insert_default();
        for uid in common {
            looks.shared.entry(uid).or_insert(begun);
            if is_on {
                with.entry(uid).or_insert(other.id);
            }
        }
    });
    if let Some(request) = requests.get_mut(&begun) {
        let looks = request.looks.get_or_insert_default();
        for (uid, other) in with {
            looks.shared.entry(uid).or_insert(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::properties::{now, record_on, request};
    use super::super::{Closed, Deadline, Depth, Event, Host, LookedFor, Residue, look_due};
    use super::*;

    fn shopdb() -> Person {
        Person {
            uid: 115,
            name: "shopdb".into(),
        }
    }

    fn file(owner: u32) -> SeenFile {
        SeenFile {
            path: "/var/spool/cron/crontabs/shopdb".into(),
            dev: 1,
            ino: 2,
            owner,
            size: 3,
            changed: (4, 5),
            sha256: "6".into(),
        }
    }

    #[test]
    fn only_what_was_not_there_and_is_surely_the_accounts_goes() {
        let (account, own, roots) = (shopdb(), file(115), file(0));
        let good = Facts {
            account: &account,
            account_is_as_noted: true,
            at_beginning: AtBeginning::Missing,
            file: Some(&own),
            by_packages: None,
            runs: false,
        };
        assert_eq!(may_go(&good), Some(None));
        let same = Facts {
            at_beginning: AtBeginning::Same,
            ..good.clone()
        };
        assert_eq!(may_go(&same), None);
        for (facts, why) in [
            (
                Facts {
                    at_beginning: AtBeginning::Other,
                    ..good.clone()
                },
                "was there at the beginning",
            ),
            (
                Facts {
                    at_beginning: AtBeginning::Early,
                    ..good.clone()
                },
                "before the beginning was noted",
            ),
            (
                Facts {
                    at_beginning: AtBeginning::Unknown("no note".into()),
                    ..good.clone()
                },
                "is not known: no note",
            ),
            (
                Facts {
                    account_is_as_noted: false,
                    ..good.clone()
                },
                "shopdb is not as it was",
            ),
            (
                Facts {
                    file: None,
                    ..good.clone()
                },
                "no file",
            ),
            (
                Facts {
                    file: Some(&roots),
                    ..good.clone()
                },
                "belongs to uid 0, not to shopdb",
            ),
            (
                Facts {
                    by_packages: Some("dpkg ran".into()),
                    ..good.clone()
                },
                "package: dpkg ran",
            ),
            (Facts { runs: true, ..good }, "a job that runs"),
        ] {
            let stays = may_go(&facts).flatten().unwrap_or_default();
            assert!(stays.contains(why), "{why}: {stays}");
        }
    }

    /// A ledger of grants that run commands as `shopdb`.
    #[derive(Default)]
    struct Ledger(State);

    fn id(n: u8) -> Id {
        Id::from_random([0, 0, 0, 0, n])
    }

    impl Ledger {
        fn record(&mut self, event: Event) {
            let host = Host {
                boottime_ms: 0,
                gated: &|_| false,
                account: &|name| {
                    let uid = [("shopdb", 115), ("person", 1_001)];
                    let (name, uid) = uid.into_iter().find(|(known, _)| *known == name)?;
                    let name = name.to_owned();
                    Some(Person { uid, name })
                },
                tidies: &|account| account.uid < 1_000,
            };
            record_on(&mut self.0, event, &host);
        }

        fn begins(&mut self, n: u8, run_as: &str) {
            let mut request = request(n, "alice");
            let mut rule = request.gives.sudo[0].clone();
            rule.run_as = run_as.to_owned();
            rule.tidy = true;
            request.gives.sudo.push(rule);
            self.record(Event::RequestCreated(Box::new(request)));
            self.record(Event::GrantActivated {
                id: id(n),
                deadline: Deadline::after(&now(7), 600),
                gave: None,
            });
        }

        fn ends(&mut self, n: u8) {
            self.record(Event::Closed {
                id: id(n),
                how: Closed::Revoked,
                why: None,
            });
            self.record(Event::RemovalConfirmed {
                id: id(n),
                killed: 0,
                looked_for: LookedFor::default(),
            });
        }

        fn is_looked_at(&mut self, n: u8) {
            let shared = self.0.requests[&id(n)].looks.as_ref().unwrap();
            let appeared = Appeared {
                account: shopdb(),
                kind: "cron".into(),
                what: file(115).path,
                file: Some(file(115)),
                is_line: false,
                stays: None,
            };
            let appeared = unless_shared(vec![appeared], &shared.shared);
            let residue = Residue {
                appeared,
                ..Residue::not_looked(Depth::Short, "a test", 7)
            };
            self.record(Event::Residue {
                id: id(n),
                residue: Box::new(residue),
            });
        }

        fn stays(&self) -> Option<(Id, Option<String>)> {
            let due = tidy_due(&self.0)?;
            Some((due.id, due.appeared[0].stays.clone()))
        }
    }

    #[test]
    fn what_one_grant_alone_can_have_made_is_due_until_it_is_told_what_became_of_it() {
        let mut ledger = Ledger::default();
        ledger.begins(1, "shopdb");
        assert_eq!(
            ledger.0.requests[&id(1)].gave.as_ref().unwrap().tidy,
            [shopdb()]
        );
        ledger.ends(1);
        let subject = look_due(&ledger.0, Depth::Short, &|_| Depth::Short).unwrap();
        assert_eq!(subject.tidy, [shopdb()]);
        assert_eq!(ledger.stays(), None);
        ledger.is_looked_at(1);
        assert_eq!(ledger.stays(), Some((id(1), None)));
        // Not forgotten, however long it takes.
        ledger.0.forget(i64::MAX, i64::MAX);
        let due = tidy_due(&ledger.0).unwrap();
        let tidied = vec![due.appeared[0].came_to(CameTo::Removed)];
        ledger.record(Event::ResidueTidied { id: id(1), tidied });
        assert_eq!(ledger.stays(), None);
    }

    #[test]
    fn of_two_grants_as_the_same_account_neither_removes_anything_in_whatever_order_they_end() {
        for first in [1, 2] {
            let mut ledger = Ledger::default();
            ledger.begins(1, "shopdb");
            ledger.begins(2, "shopdb");
            for n in [first, 3 - first] {
                ledger.ends(n);
                ledger.is_looked_at(n);
                let (due, why) = ledger.stays().unwrap();
                assert_eq!(due, id(n));
                let other = id(3 - n).to_string();
                assert!(why.unwrap_or_default().contains(&other), "{n}");
                ledger.record(Event::ResidueTidied {
                    id: id(n),
                    tidied: Vec::new(),
                });
            }
        }
    }

    #[test]
    fn what_began_before_the_look_keeps_it_from_removing_and_is_not_kept_itself() {
        let mut ledger = Ledger::default();
        ledger.begins(1, "shopdb");
        ledger.ends(1);
        ledger.begins(2, "shopdb");
        ledger.is_looked_at(1);
        assert!(ledger.stays().unwrap().1.is_some());
        ledger.record(Event::ResidueTidied {
            id: id(1),
            tidied: Vec::new(),
        });
        ledger.ends(2);
        ledger.is_looked_at(2);
        assert_eq!(ledger.stays(), Some((id(2), None)));
    }

    #[test]
    fn a_grant_as_another_account_and_one_that_is_over_and_looked_at_keep_nothing() {
        let mut ledger = Ledger::default();
        ledger.begins(1, "shopdb");
        ledger.ends(1);
        ledger.is_looked_at(1);
        ledger.record(Event::ResidueTidied {
            id: id(1),
            tidied: Vec::new(),
        });
        ledger.begins(2, "shopdb");
        ledger.begins(3, "person");
        ledger.ends(2);
        ledger.is_looked_at(2);
        assert_eq!(ledger.stays(), Some((id(2), None)));
    }

    #[test]
    fn an_account_that_is_a_persons_by_now_is_none_of_which_anything_is_removed() {
        let mut ledger = Ledger::default();
        ledger.begins(1, "person");
        let gave = ledger.0.requests[&id(1)].gave.as_ref().unwrap();
        assert_eq!(gave.tidy, []);
    }
}
