//! A name service for tests: tells what it is told to, hangs as long as it is told to, and counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tpa_bus::groups::Group;

use super::{Account, LocalFiles, NameService};
use crate::ledger::Person;

/// How a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// It answers.
    #[default]
    Up,
    /// It answers nothing until it is in another state.
    Hangs,
    /// It is there, and knows nobody.
    Empty,
    /// Nobody is there.
    Gone,
}

#[derive(Debug, Default)]
struct Directory {
    state: Mutex<State>,
    changed: Condvar,
    asked: AtomicUsize,
    people: Mutex<BTreeMap<u32, Account>>,
    groups: Mutex<BTreeMap<String, Group>>,
    files: Mutex<LocalFiles>,
}

/// The name service. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pretended(Arc<Directory>);

/// An account with these groups of a directory, by number.
pub(crate) fn account(name: &str, uid: u32, groups: &[(&str, u32)]) -> Account {
    Account {
        person: Person {
            uid,
            name: name.to_owned(),
        },
        gid: uid,
        groups: groups.iter().map(|(name, _)| (*name).to_owned()).collect(),
        gids: groups.iter().map(|(_, gid)| *gid).collect(),
        untold: None,
    }
}

impl Pretended {
    pub fn with(accounts: &[Account]) -> Self {
        let pretended = Self::default();
        for account in accounts {
            pretended.add(account.clone());
        }
        pretended.write("root:x:0:0::/root:/bin/sh\n", "root:x:0:\n");
        pretended
    }

    pub fn add(&self, account: Account) {
        let groups = account.groups.iter().zip(&account.gids);
        for (name, gid) in groups {
            let group = Group {
                gid: *gid,
                members: [].into(),
                local: false,
            };
            self.0.groups.lock().unwrap().insert(name.clone(), group);
        }
        self.0
            .people
            .lock()
            .unwrap()
            .insert(account.person.uid, account);
    }

    /// passwd(5) and group(5); what was there before is the version before.
    pub fn write(&self, passwd: &str, group: &str) {
        let mut files = self.0.files.lock().unwrap();
        files.before = std::mem::replace(&mut files.now, passwd.to_owned());
        files.groups = group.to_owned();
        files.before_at = i64::MAX;
        files.now_ns += 1;
        files.kept_ns += 1;
    }

    pub fn is(&self, state: State) {
        *self.0.state.lock().unwrap() = state;
        self.0.changed.notify_all();
    }

    /// How often the directory was asked.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn answer<T>(&self, answer: impl FnOnce() -> Option<T>) -> nix::Result<Option<T>> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let mut state = self.0.state.lock().unwrap();
        while *state == State::Hangs {
            state = self.0.changed.wait(state).unwrap();
        }
        match *state {
            State::Empty => Ok(None),
            State::Gone => Err(nix::Error::ECONNREFUSED),
            State::Up | State::Hangs => Ok(answer()),
        }
    }
}

impl NameService for Pretended {
    fn by_name(&self, name: &str) -> nix::Result<Option<Account>> {
        self.answer(|| {
            let people = self.0.people.lock().unwrap();
            people
                .values()
                .find(|account| account.person.name == name)
                .cloned()
        })
    }

    fn by_uid(&self, uid: u32) -> nix::Result<Option<Account>> {
        self.answer(|| self.0.people.lock().unwrap().get(&uid).cloned())
    }

    fn group(&self, name: &str) -> nix::Result<Option<Group>> {
        self.answer(|| self.0.groups.lock().unwrap().get(name).cloned())
    }

    fn files(&self) -> LocalFiles {
        self.0.files.lock().unwrap().clone()
    }
}
