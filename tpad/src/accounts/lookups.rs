//! The names in a configuration, while it is loaded: the host's own files first, then the name
//! service for as long as all of them together may take, then what was last known.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tpa_bus::groups::Answer;

use super::{Accounts, LocalFiles};
use crate::clock::monotonic_us;
use crate::config::people::{Lookup, People, Person};
use crate::config::standing;

/// When a configuration is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As `tpad` starts. A directory may come later than that, so a group that is not there yet
    /// and was there before counts as being there.
    Start,
    /// As somebody wants it, who hears what is missing.
    Reload,
}

impl When {
    /// How long the name service may take, for all names together.
    const fn limit(self) -> Duration {
        match self {
            Self::Start => Duration::from_secs(2),
            Self::Reload => Duration::from_secs(8),
        }
    }
}

/// Looks names up.
#[derive(Debug)]
pub struct Lookups<'a> {
    accounts: &'a Accounts,
    files: Arc<LocalFiles>,
    when: When,
    left: Cell<Duration>,
    untold: RefCell<BTreeSet<String>>,
}

impl<'a> Lookups<'a> {
    /// For one load.
    #[must_use]
    pub fn new(accounts: &'a Accounts, when: When) -> Self {
        Self {
            accounts,
            files: accounts.files(),
            when,
            left: Cell::new(when.limit()),
            untold: RefCell::default(),
        }
    }

    /// Names that the name service did not confirm, whether or not they were taken all the same:
    /// users, and `@groups`.
    #[must_use]
    pub fn untold(self) -> BTreeSet<String> {
        self.untold.into_inner()
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Accounts) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = self.within_limit(question);
        answer.unwrap_or_else(Answer::Failed)
    }

    fn within_limit<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Accounts) -> T + Send + 'static,
    ) -> Result<T, String> {
        let begun = monotonic_us().unwrap_or(0);
        let answer = self.accounts.wait_for(self.left.get(), question);
        let took = monotonic_us().unwrap_or(u64::MAX).saturating_sub(begun);
        let left = self.left.get().saturating_sub(Duration::from_micros(took));
        self.left.set(left);
        answer
    }
}

fn outcome<T>(answer: Answer<T>) -> Lookup {
    match answer {
        Answer::Found(_) => Lookup::Found,
        Answer::Missing => Lookup::Missing,
        Answer::Failed(why) => Lookup::Failed(why),
    }
}

impl People for Lookups<'_> {
    fn user_exists(&self, name: &str) -> Lookup {
        if self.files.has_user(name) {
            return Lookup::Found;
        }
        let wanted = name.to_owned();
        let found = outcome(self.ask(move |names| names.look_up(&wanted)));
        if found != Lookup::Found {
            self.untold.borrow_mut().insert(name.to_owned());
        }
        found
    }

    fn group_exists(&self, name: &str) -> Lookup {
        let wanted = name.to_owned();
        let found = if self.files.group(name).is_some() {
            outcome(self.accounts.look_up_group(name))
        } else {
            outcome(self.ask(move |names| names.look_up_group(&wanted)))
        };
        if found == Lookup::Found {
            return found;
        }
        self.untold.borrow_mut().insert(format!("@{name}"));
        let removed = found == Lookup::Missing && self.when == When::Reload;
        if removed || !self.accounts.knows_group(name) {
            return found;
        }
        tracing::error!(
            "configuration: the name service does not tell of the group @{name}; going by what was \
             last known of it"
        );
        Lookup::Found
    }

    fn sudoers(&self) -> Option<Result<Value, String>> {
        // Beside the thread that loads, and within what all of it may take.
        let read = self.within_limit(|_| standing::sudoers());
        read.unwrap_or_else(|why| Some(Err(why)))
    }

    fn person(&self, name: &str) -> Result<Option<Person>, String> {
        let wanted = name.to_owned();
        match self.ask(move |names| names.look_up(&wanted)) {
            Answer::Found(account) => Ok(Some(Person {
                uid: account.person.uid,
                groups: account.groups,
                gids: account.gids,
            })),
            Answer::Missing => Ok(None),
            Answer::Failed(why) => Err(why),
        }
    }
}
