//! Keeps what is known of people and groups, so that nobody at the gate and no end waits for the
//! name service: it is asked once for each person and each change.

use std::collections::BTreeSet;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use tpa_bus::groups::Answer;
use tpa_bus::offline::Who;
use zruntime::SharedRuntime;

use crate::accounts::{Accounts, LocalFiles};
use crate::engine::Engine;
use crate::ledger::{Accounts as Known, Fate, InFiles, Person, Request, fate, is_made_anew};
use crate::policy::Policy;
use crate::watch::{Since, Watching};

/// As long as it takes: nobody waits for it.
const LONG: Duration = Duration::from_secs(99_999);

/// How long the first look at the host waits for what the name service says of those with access.
const AT_START: Duration = Duration::from_secs(2);

/// How long before somebody is looked at again of whom could not be told, at first and at most. A
/// directory tells nobody when it is back.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What the name service says of people, asked in one go.
type Said = Vec<(Person, Answer<Person>)>;

/// Why it is time to look.
enum Cause {
    /// An account or group of the host was changed, or it is time to look again.
    Stale,
    /// Something was recorded, or another configuration is in force.
    Recorded,
    /// The name service has told.
    Told(Said),
}

/// Ends the grants and requests of people whose account is no longer theirs, and keeps what is
/// known of the others and of the groups that the configuration names.
///
/// # Errors
/// Never by itself.
pub async fn people(engine: Arc<Engine>, runtime: SharedRuntime) -> anyhow::Result<()> {
    let mut watch = Watching::over_accounts();
    let mut known = Known::default();
    let mut asked: BTreeSet<(u32, String)> = BTreeSet::new();
    let mut revision = None;
    let mut asking: Option<Pin<Box<dyn Future<Output = Said> + Send>>> = None;
    let mut again: Option<Duration> = None;
    let mut stale = true;
    loop {
        if watch.open(&runtime) == Since::Now {
            stale = true;
        }
        let recorded = engine.changed.listen();
        let policy = engine.policy();
        stale |= revision.replace(policy.revision.clone()) != Some(policy.revision.clone());
        if stale {
            engine.end_of_local_accounts(&mut known);
            asked.clear();
        }
        if asking.is_none() {
            let key = |person: &Person| (person.uid, person.name.clone());
            let mut wanted = engine.people();
            wanted.retain(|person| !asked.contains(&key(person)));
            asked.extend(wanted.iter().map(key));
            if stale || !wanted.is_empty() {
                let groups = stale.then(|| groups_of(&policy));
                asking = Some(ask(engine.accounts.clone(), &runtime, groups, wanted));
            }
            stale = false;
        }
        let touched = async {
            let _ = watch.touched().await;
            Cause::Stale
        };
        let recorded = async {
            recorded.await;
            Cause::Recorded
        };
        let told = async {
            match asking.as_mut() {
                Some(asking) => Cause::Told(asking.await),
                None => pending().await,
            }
        };
        let later = async {
            // Without a watch, what was changed is found by looking.
            let later = again.or_else(|| (!watch.is_open()).then_some(AGAIN.1));
            match later {
                Some(later) => runtime.sleep(later).await,
                None => pending().await,
            }
            Cause::Stale
        };
        match or(or(told, touched), or(recorded, later)).await {
            Cause::Stale => stale = true,
            Cause::Recorded => {}
            Cause::Told(said) => {
                asking = None;
                let in_doubt = engine.end_of_lost_accounts(&mut known, said);
                let longer = again.map_or(AGAIN.0, |last| last.saturating_mul(2).min(AGAIN.1));
                again = in_doubt.then_some(longer);
            }
        }
    }
}

/// Has the name service tell of groups, when there are any to ask for, and people.
fn ask(
    accounts: Accounts,
    runtime: &SharedRuntime,
    groups: Option<(BTreeSet<String>, BTreeSet<String>)>,
    people: Vec<Person>,
) -> Pin<Box<dyn Future<Output = Said> + Send>> {
    let runtime = runtime.clone();
    Box::pin(async move {
        let all = move |names: &Accounts| {
            if let Some((named, gated)) = groups {
                look_at_groups(names, &named, &gated);
            }
            look_at(names, people)
        };
        accounts
            .within(&runtime, LONG, all)
            .await
            .unwrap_or_default()
    })
}

fn look_at(names: &Accounts, people: Vec<Person>) -> Said {
    let said = people.into_iter().map(|person| {
        let answer = match names.look_up(&person.name) {
            Answer::Found(account) => Answer::Found(account.person),
            Answer::Missing => Answer::Missing,
            Answer::Failed(why) => Answer::Failed(why),
        };
        (person, answer)
    });
    said.collect()
}

/// Looks at the groups of the configuration. One that the gate goes by and that is not there any
/// more is told loudly: the gate goes by what was last known of it.
fn look_at_groups(accounts: &Accounts, named: &BTreeSet<String>, at_gate: &BTreeSet<String>) {
    accounts.keep_groups(named);
    for name in named {
        let wrong = match accounts.look_up_group(name) {
            Answer::Found(_) => continue,
            Answer::Missing => "does not exist: was it renamed or removed?".to_owned(),
            Answer::Failed(why) => format!("cannot be looked up ({why})"),
        };
        let known = if accounts.knows_group(name) {
            "those who were last known in it count as its members"
        } else {
            "nothing is known of it from before"
        };
        if at_gate.contains(name) {
            tracing::error!("the gate names the group @{name}, which {wrong}; {known}");
        } else {
            tracing::warn!("a role names the group @{name}, which {wrong}");
        }
    }
}

/// All groups that the configuration names, and those that the gate goes by.
fn groups_of(policy: &Policy) -> (BTreeSet<String>, BTreeSet<String>) {
    let gate = &policy.gate;
    let gated = names_in([&gate.login, &gate.sudo, &gate.exempt]);
    let roles = policy.roles.values();
    let lists = roles.flat_map(|role| [&role.requesters, &role.approvers, &role.auto]);
    let mut named = names_in(lists);
    named.extend(gated.iter().cloned());
    (named, gated)
}

fn names_in<'a>(lists: impl IntoIterator<Item = &'a Vec<Who>>) -> BTreeSet<String> {
    let all = lists.into_iter().flatten();
    all.filter_map(|who| match who {
        Who::Group(name) => Some(name.clone()),
        Who::Everyone | Who::User(_) => None,
    })
    .collect()
}

impl Engine {
    /// Everybody who holds or wants access, each once.
    fn people(&self) -> Vec<Person> {
        self.with(|core| core.people())
    }

    /// Waits for a while until something is known of everybody with access.
    pub(crate) async fn knows_people(&self, runtime: &SharedRuntime) {
        let untold = self.accounts.untold(self.people());
        if untold.is_empty() {
            return;
        }
        let asked = move |names: &Accounts| drop(look_at(names, untold));
        if let Err(why) = self.accounts.within(runtime, AT_START, asked).await {
            tracing::warn!("the name service is slow ({why}): going by what was last known");
        }
    }

    /// Ends what belongs to accounts that the host's own files alone show to be others.
    fn end_of_local_accounts(&self, known: &mut Known) {
        let files = self.accounts.files();
        let mut local = BTreeSet::new();
        self.end_of_accounts(|request| {
            let user = &request.user;
            if files.has(user) {
                local.insert(user.clone());
            }
            let unasked = Answer::Failed("not asked".to_owned());
            fate(user, &known.seen(user, in_files(&files, request), unasked)) == Fate::Gone
        });
        known.are_local(&local);
    }

    /// Ends what belongs to accounts that are gone by what the name service says; whether some
    /// have to be looked at again.
    fn end_of_lost_accounts(&self, known: &mut Known, said: Said) -> bool {
        let files = self.accounts.files();
        let mut in_doubt = false;
        for (person, answer) in said {
            known.heard(&person, &answer);
            self.end_of_accounts(|request| {
                if request.user != person {
                    return false;
                }
                let seen = known.seen(&person, in_files(&files, request), answer.clone());
                let fate = fate(&person, &seen);
                in_doubt |= fate == Fate::LookAgain;
                fate == Fate::Gone
            });
        }
        in_doubt
    }

    fn end_of_accounts(&self, is_gone: impl FnMut(&Request) -> bool) {
        if let Err(error) = self.with(|core| core.end_of_lost(is_gone)) {
            tracing::error!("{error:#}");
        }
    }
}

/// What the host's own files tell of the account of somebody who asked for access.
fn in_files(files: &LocalFiles, request: &Request) -> InFiles {
    let (user, since) = (&request.user, request.requested_at);
    let (had, made_anew) = match &request.entry {
        Some(then) => {
            let made_anew = is_made_anew(then, &files.entry(user), files.was_in_before(user));
            (then.local, made_anew)
        }
        // Filed under a version that kept nothing but the second.
        None => (files.had(user, since), files.made_anew(user, since)),
    };
    InFiles {
        has: files.has(user),
        had,
        made_anew,
        whole: files.is_whole(),
    }
}

#[cfg(test)]
mod tests;
