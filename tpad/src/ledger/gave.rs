//! What a grant gave when it began. Its end goes by this: what the configuration, a group or an
//! account says by then changes nothing of what was given.

use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;

use super::{Event, Person, Request, SharedMap, Stage, State};
use crate::clock::Now;

/// What a grant gave, by the host as it was when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gave {
    /// Whether the person's logins are the grant's to end.
    pub logins: Logins,
    /// The accounts that its rules run commands as, other than root and the person, as far as they
    /// stand in the files of the host.
    pub accounts: Vec<Person>,
    /// Those of them of which what appeared meanwhile is removed after the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tidy: Vec<Person>,
    /// `CLOCK_BOOTTIME` at which it began, in milliseconds.
    pub boottime_ms: u64,
    /// The boot in which that counts.
    pub boot_id: String,
}

/// Whose a person's logins are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[must_use]
pub enum Logins {
    /// The gate let them in on a grant, or would have let them in on nothing else.
    Given,
    /// They log in without one.
    Own,
}

/// What the host says when a grant begins.
pub struct Host<'a> {
    /// Whether the gate stands before this person's logins.
    pub gated: &'a dyn Fn(&Person) -> bool,
    /// `CLOCK_BOOTTIME` in milliseconds, not rounded: a service that began in the same second was
    /// there before.
    pub boottime_ms: u64,
    /// The account of this name, when it stands in the files of the host.
    pub account: &'a dyn Fn(&str) -> Option<Person>,
    /// Whether it is an account of which anything may be removed.
    pub tidies: &'a dyn Fn(&Person) -> bool,
}

impl Gave {
    /// When it began, in milliseconds of this boot: 0 when that was before it.
    #[must_use]
    pub fn began_ms(&self, boot_id: &str) -> u64 {
        if self.boot_id == boot_id {
            self.boottime_ms
        } else {
            0
        }
    }
}

impl Event {
    /// The same, and where access begins with it what it gives, by the host as it is now.
    #[must_use]
    pub fn with_what_it_gives(self, state: &State, host: &Host<'_>, now: &Now) -> Self {
        match self {
            Self::GrantActivated {
                id,
                deadline,
                gave: None,
            } => Self::GrantActivated {
                id,
                deadline,
                gave: state
                    .requests
                    .get(&id)
                    .map(|request| gives(request, host, now)),
            },
            other => other,
        }
    }
}

fn gives(request: &Request, host: &Host<'_>, now: &Now) -> Gave {
    let mut accounts: Vec<Person> = request
        .gives
        .accounts()
        .into_iter()
        .filter_map(|name| (host.account)(name))
        .filter(|account| account.uid != 0 && account.uid != request.user.uid)
        .collect();
    accounts.dedup();
    let tidied = request.gives.tidied();
    let tidy = accounts
        .iter()
        .filter(|account| tidied.contains(account.name.as_str()));
    let tidy = tidy
        .filter(|account| (host.tidies)(account))
        .cloned()
        .collect();
    Gave {
        logins: if request.gives.login && (host.gated)(&request.user) {
            Logins::Given
        } else {
            Logins::Own
        },
        accounts,
        tidy,
        boottime_ms: host.boottime_ms,
        boot_id: now.boot_id.clone(),
    }
}

/// A login began on this grant: whatever the gate was to the person before.
pub(super) fn let_in(requests: &mut SharedMap<Id, Request>, id: Id) {
    if let Some(request) = requests.get_mut(&id)
        && let Some(gave) = &mut request.gave
    {
        gave.logins = Logins::Given;
    }
    pass_on(requests, id);
}

/// A login that one grant gave goes on under the others of the person that give one, and is theirs
/// to end.
pub(super) fn pass_on(requests: &mut SharedMap<Id, Request>, changed: Id) {
    let Some(uid) = requests.get(&changed).map(|request| request.user.uid) else {
        return;
    };
    let active = |request: &Request| matches!(request.stage, Stage::Active { .. });
    let given = |request: &Request| {
        let logins = request.gave.as_ref().map(|gave| gave.logins);
        logins == Some(Logins::Given) && (active(request) || request.is_ending())
    };
    let theirs = |request: &&Request| request.user.uid == uid;
    if !requests.values().filter(theirs).any(given) {
        return;
    }
    let takes_it =
        |request: &Request| request.user.uid == uid && request.gives.login && active(request);
    requests.change_each(takes_it, |request| {
        if let Some(gave) = &mut request.gave {
            gave.logins = Logins::Given;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::properties::{now, person, record_on, request};
    use super::super::{Closed, Deadline, Place};
    use super::*;

    /// A ledger on a host that gates whom `gated` names.
    #[derive(Default)]
    struct Ledger {
        state: State,
        gated: Vec<&'static str>,
    }

    fn id(n: u8) -> Id {
        Id::from_random([0, 0, 0, 0, n])
    }

    impl Ledger {
        fn record(&mut self, event: Event) {
            let host = Host {
                boottime_ms: 57_321,
                gated: &|person| self.gated.contains(&person.name.as_str()),
                account: &|name| {
                    let name = name.to_owned();
                    (name == "postgres").then_some(Person { uid: 115, name })
                },
                tidies: &|_| true,
            };
            record_on(&mut self.state, event, &host);
        }

        fn begins(&mut self, n: u8) {
            let mut request = request(n, "alice");
            let mut rule = request.gives.sudo[0].clone();
            for run_as in ["postgres", "alice", "nobody-here", "postgres"] {
                rule.run_as = run_as.to_owned();
                request.gives.sudo.push(rule.clone());
            }
            self.record(Event::RequestCreated(Box::new(request)));
            self.record(Event::GrantActivated {
                id: id(n),
                deadline: Deadline::after(&now(7), 600),
                gave: None,
            });
        }

        fn closes(&mut self, n: u8) {
            self.record(Event::Closed {
                id: id(n),
                how: Closed::Revoked,
                why: None,
            });
        }

        fn lets_in(&mut self, n: u8) {
            let place = Place::default();
            self.record(Event::LoginAllowed { id: id(n), place });
        }

        fn logins(&self, n: u8) -> Logins {
            self.state.requests[&id(n)].gave.as_ref().unwrap().logins
        }
    }

    #[test]
    fn what_a_grant_gives_is_what_the_host_says_when_it_begins() {
        let mut ledger = Ledger {
            gated: vec!["alice"],
            ..Ledger::default()
        };
        ledger.begins(1);
        ledger.gated.clear();
        let gave = ledger.state.requests[&id(1)].gave.clone().unwrap();
        let name = "postgres".to_owned();
        assert_eq!(gave.accounts, [Person { uid: 115, name }]);
        assert_eq!((gave.logins, gave.boottime_ms), (Logins::Given, 57_321));
        assert_eq!(
            (gave.began_ms("boot-0"), gave.began_ms("next")),
            (57_321, 0)
        );
        ledger.closes(1);
        assert_eq!(ledger.logins(1), Logins::Given);
    }

    #[test]
    fn who_is_let_in_on_a_grant_has_its_login_whatever_the_gate_was_before() {
        let mut ledger = Ledger::default();
        ledger.begins(1);
        assert_eq!(ledger.logins(1), Logins::Own);
        ledger.lets_in(1);
        assert_eq!(ledger.logins(1), Logins::Given);
    }

    #[test]
    fn a_login_that_was_given_is_the_last_ones_to_end_in_whatever_order_they_came() {
        for gated_first in [true, false] {
            let mut ledger = Ledger::default();
            for (n, gated) in [(1, gated_first), (2, !gated_first)] {
                ledger.gated = if gated { vec!["alice"] } else { vec![] };
                ledger.begins(n);
            }
            let given = if gated_first { 1 } else { 2 };
            ledger.gated.clear();
            ledger.closes(given);
            assert_eq!(ledger.logins(3 - given), Logins::Given, "{gated_first}");
        }
    }

    #[test]
    fn another_persons_login_is_nobody_elses() {
        let mut ledger = Ledger::default();
        ledger.begins(1);
        let other = request(2, "bob");
        assert_ne!(other.user, person(0));
        ledger.record(Event::RequestCreated(Box::new(other)));
        ledger.gated = vec!["bob"];
        ledger.record(Event::GrantActivated {
            id: id(2),
            deadline: Deadline::after(&now(7), 600),
            gave: None,
        });
        assert_eq!(ledger.logins(2), Logins::Given);
        assert_eq!(ledger.logins(1), Logins::Own);
    }
}
