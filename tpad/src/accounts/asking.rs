//! Asks the name service, and waits for no longer than a limit.
//!
//! Each question has a thread of its own: nothing else can leave a call that hangs. An answer that
//! comes late is kept for whoever asks next.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tpa_bus::groups::{Answer, Group, KnownGroups};
use tpa_bus::offline::GateFile;
use zruntime::{Event as Signal, SharedRuntime};

use super::kept::Kept;
use super::{Account, LocalFiles, NameService, Untold};
use crate::aside::outcome;
use crate::ledger::Person;

/// Most questions that are open at once: beyond that the name service hangs, and is not asked more.
const OPEN_MAX: usize = 32;

/// The name service, and what it last told.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    service: Box<dyn NameService>,
    kept: Mutex<Kept>,
    open: AtomicUsize,
    /// Notified when something was told that was not known.
    told: Signal,
    /// Whether the log has a word on it that the name service does not answer.
    silent: Mutex<bool>,
}

/// A question is open, until this is dropped.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Accounts {
    /// With what the `tpad` before this one knew of groups.
    #[must_use]
    pub fn new(service: impl NameService + 'static, known: KnownGroups) -> Self {
        let files = Arc::new(service.files());
        Self(Arc::new(Shared {
            service: Box::new(service),
            kept: Mutex::new(Kept::beginning_with(known, files)),
            open: AtomicUsize::new(0),
            told: Signal::new(),
            silent: Mutex::new(false),
        }))
    }

    /// Begins to ask. `done` is called on the thread that asked.
    fn begin<T>(
        &self,
        question: impl FnOnce(&Self) -> T + Send + 'static,
        done: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), String> {
        let before = self.0.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&self.0));
        if before >= OPEN_MAX {
            return Err("too many questions to the name service are open".to_owned());
        }
        let asking = self.clone();
        let thread = std::thread::Builder::new().name("names".to_owned());
        let begun = thread.spawn(move || {
            let _open = open;
            done(question(&asking));
        });
        begun
            .map(drop)
            .map_err(|error| format!("no thread to ask with: {error}"))
    }

    /// Has something done that asks the name service, and waits for it within the limit.
    ///
    /// # Errors
    /// When it is not done by then. It goes on, and what it learns is kept.
    pub async fn within<T: Send + 'static>(
        &self,
        runtime: &SharedRuntime,
        limit: Duration,
        question: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (working, answered) = outcome();
        self.begin(question, move |answer| working.done(answer))?;
        let answered = runtime.timeout(limit, answered).await;
        answered
            .map_err(|_| no_answer(limit))?
            .ok_or_else(|| FAILED.to_owned())
    }

    /// The same for a thread that may wait.
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (to, from) = sync_channel(1);
        self.begin(question, move |answer| drop(to.send(answer)))?;
        from.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => no_answer(limit),
            RecvTimeoutError::Disconnected => FAILED.to_owned(),
        })
    }

    /// The account of a uid, `None` when there is none; when the name service does not tell in
    /// time, as the host's own files have it or it was last told, with no group but those of this
    /// host, and saying so ([`Untold`]).
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn by_uid(
        &self,
        runtime: &SharedRuntime,
        uid: u32,
        limit: Duration,
    ) -> Result<Option<Account>, String> {
        let told = self.within(runtime, limit, move |names| names.look_up_uid(uid));
        self.or_local(told.await, move |person| person.uid == uid)
    }

    /// The same by name.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn by_name(
        &self,
        runtime: &SharedRuntime,
        name: &str,
        limit: Duration,
    ) -> Result<Option<Account>, String> {
        let wanted = name.to_owned();
        let told = self.within(runtime, limit, move |names| names.look_up(&wanted));
        self.or_local(told.await, |person| person.name == name)
    }

    fn or_local(
        &self,
        told: Result<Answer<Account>, String>,
        is_it: impl Fn(&Person) -> bool,
    ) -> Result<Option<Account>, String> {
        let why = match told {
            Ok(Answer::Found(account)) => {
                *locked(&self.0.silent) = false;
                return Ok(Some(account));
            }
            Ok(Answer::Missing) => return Ok(None),
            Ok(Answer::Failed(why)) | Err(why) => why,
        };
        let found = locked(&self.0.kept).without_directory(is_it);
        let Some(mut account) = found else {
            return Err(why);
        };
        account.untold = Some(Untold {
            why: why.clone(),
            account: !self.files().has(&account.person),
        });
        if !std::mem::replace(&mut *locked(&self.0.silent), true) {
            tracing::warn!(
                "the name service does not tell who people are ({why}): going by the host's own \
                 files and groups until it does"
            );
        }
        Ok(Some(account))
    }

    /// Looks somebody up by name. Hangs as long as the name service does.
    pub fn look_up(&self, name: &str) -> Answer<Account> {
        self.learned(self.0.service.by_name(name))
    }

    fn look_up_uid(&self, uid: u32) -> Answer<Account> {
        self.learned(self.0.service.by_uid(uid))
    }

    fn learned(&self, said: nix::Result<Option<Account>>) -> Answer<Account> {
        let answer = answer(said);
        if let Answer::Found(account) = &answer {
            let is_new = locked(&self.0.kept).learn(account.clone());
            self.has_told(is_new);
        }
        answer
    }

    fn has_told(&self, is_new: bool) {
        if is_new {
            self.0.told.notify(usize::MAX);
        }
    }

    /// Looks a group up. Hangs as long as the name service does.
    pub fn look_up_group(&self, name: &str) -> Answer<Group> {
        let local = self.files().group(name);
        let answer = local.map_or_else(|| answer(self.0.service.group(name)), Answer::Found);
        if let Answer::Found(group) = &answer {
            let is_new = locked(&self.0.kept).learn_group(name, group.clone());
            self.has_told(is_new);
        }
        answer
    }

    /// The accounts and groups of this host as they are, and kept for whoever must not wait. They are
    /// read again where they may have changed.
    #[must_use]
    pub fn files(&self) -> Arc<LocalFiles> {
        let last = locked(&self.0.kept).files();
        if last.are_current() {
            return last;
        }
        let files = Arc::new(self.0.service.files());
        if files.is_whole() {
            locked(&self.0.kept).has_read(Arc::clone(&files));
        }
        files
    }

    /// Somebody with the groups of this host that they are in by its files, and those of a directory
    /// as they were last told. Nobody is asked.
    #[must_use]
    pub fn as_known(&self, person: &Person) -> Option<Account> {
        locked(&self.0.kept).as_known(person)
    }

    /// What was last told of somebody.
    #[must_use]
    pub fn last_told(&self, person: &Person) -> Option<Account> {
        locked(&self.0.kept).person(person).cloned()
    }

    /// Those of whom nothing was told yet.
    #[must_use]
    pub fn untold(&self, people: Vec<Person>) -> Vec<Person> {
        let kept = locked(&self.0.kept);
        let untold = |person: &Person| kept.person(person).is_none();
        people.into_iter().filter(untold).collect()
    }

    /// Whether the gate stands before a person's logins, by what was last told. When that does not
    /// say, it does.
    #[must_use]
    pub fn is_gated(&self, gate: &GateFile, person: &Person) -> bool {
        locked(&self.0.kept).is_gated(gate, person)
    }

    /// The other names that the host's own files, as last read, give to the uid of somebody who
    /// stands there.
    #[must_use]
    pub fn other_names(&self, person: &Person) -> Vec<String> {
        locked(&self.0.kept).other_names(person)
    }

    /// Whether a group was ever told.
    #[must_use]
    pub fn knows_group(&self, name: &str) -> bool {
        locked(&self.0.kept).knows_group(name)
    }

    /// Forgets groups that no configuration names any more.
    pub fn keep_groups(&self, named: &BTreeSet<String>) {
        locked(&self.0.kept).keep_only(named);
    }

    /// What is known of groups, when that changed after so many changes, and how many those are.
    #[must_use]
    pub fn groups_after(&self, changes: u64) -> Option<(KnownGroups, u64)> {
        locked(&self.0.kept).groups_after(changes)
    }

    /// Waits until something is told that was not known.
    pub fn told(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.told.listen()
    }
}

/// It panicked on its thread.
const FAILED: &str = "the question failed";

fn no_answer(limit: Duration) -> String {
    format!("no answer within {}s", limit.as_secs_f32())
}

/// What the name service said, as an answer.
fn answer<T>(said: nix::Result<Option<T>>) -> Answer<T> {
    match said {
        Ok(Some(found)) => Answer::Found(found),
        Ok(None) => Answer::Missing,
        Err(errno) => Answer::Failed(errno.desc().to_owned()),
    }
}

#[cfg(test)]
mod tests;
