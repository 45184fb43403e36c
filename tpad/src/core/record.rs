//! From events to the store, and only then to the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use tpa_bus::id::Id;

use super::{Core, RECENT_S, Touched};
use crate::audit::fields;
use crate::audit::unusual::Seen;
use crate::clock::Now;
use crate::ledger::{
    self, Caller, Envelope, Event, Logins, Looks, Noted, Proof, Repeated, Repeats, Request, Stage,
    State, Tally, Telling, Waits,
};
use crate::policy::untidy;
use crate::store::{self, Body, Change, Entry};

impl Core {
    /// The moment to go by, and the event that says so when the wall clock was set.
    pub(crate) fn moment(&mut self) -> anyhow::Result<(Now, Option<Event>)> {
        let clocks = self.world.now()?;
        let reading = ledger::read(&self.state, self.doubt, &clocks);
        self.doubt = reading.doubt;
        Ok((reading.now, reading.jump))
    }

    /// Records what time has brought about, and tells the moment. How the clock was set goes first,
    /// since what is due is told by it, then what ends, by itself: both take effect even when
    /// nothing can be written.
    pub(crate) fn tick(&mut self) -> anyhow::Result<Now> {
        let (now, jump) = self.moment()?;
        self.record_or_say(jump.into_iter().collect(), &now);
        self.cut_off(&now);
        let due = ledger::due(&self.state, &now);
        let (ending, mut others): (Vec<_>, Vec<_>) = due.into_iter().partition(Event::ends_access);
        others.extend(self.repeats.due(now.wall_s));
        self.record_or_say(ending, &now);
        self.record_or_say(others, &now);
        Ok(now)
    }

    /// Records events, where there are any or some are owed. What fails is said.
    fn record_or_say(&mut self, events: Vec<Event>, now: &Now) {
        if events.is_empty() && self.unrecorded.is_empty() {
            return;
        }
        if let Err(error) = self.record(None, events, now) {
            tracing::error!("{error:#}");
        }
    }

    /// Revokes what `tpad reap --all` has ended, before anything is answered or given again.
    fn cut_off(&mut self, now: &Now) {
        let Some(at) = self.world.cut_off_at() else {
            return;
        };
        let why = format!("cut off at {at} with tpad reap --all");
        let events = ledger::cut_off(&self.state, &why);
        self.cut_off
            .extend(events.iter().filter_map(Event::request_id));
        let recorded = if events.is_empty() {
            Ok(())
        } else {
            self.record(None, events, now)
        };
        // Until it is written down, the mark alone tells whoever comes after this process.
        if recorded.is_ok() && !self.unrecorded.is_empty() {
            return;
        }
        if let Err(error) = recorded.and_then(|()| self.world.forget_cut_off()) {
            tracing::error!("after tpad reap --all: {error:#}");
        }
    }

    /// Records events and applies them. When it returns an error, nothing has changed; what only
    /// takes access away takes effect even when it cannot be written, and is written later.
    pub(crate) fn record(
        &mut self,
        caller: Option<&Caller>,
        events: Vec<Event>,
        now: &Now,
    ) -> anyhow::Result<()> {
        let envelopes = envelopes(caller, events, now);
        self.record_as_it_was(envelopes.collect(), now)
    }

    /// The same for what has its own time, and its own person.
    pub(crate) fn record_as_it_was(
        &mut self,
        envelopes: Vec<Envelope>,
        now: &Now,
    ) -> anyhow::Result<()> {
        let events = || envelopes.iter().map(|envelope| &envelope.event);
        if events().any(Event::gives_access) {
            self.world
                .has_room()
                .context("nothing was changed, because the host cannot hold what it takes")?;
        }
        let ends_access = !envelopes.is_empty() && events().all(Event::ends_access);
        let ends = ledger::ends_among(&self.state, &envelopes, now);
        let ended: Vec<Id> = ends.keys().copied().collect();
        // An end holds whatever becomes of the database: kept before anything else is tried, so
        // that nothing, a kill neither, makes it undone.
        let first = if ends_access {
            ends.clone()
        } else {
            BTreeMap::new()
        };
        let kept = self.boot.remember(first);
        let counted = Counted::of(&self.repeats, envelopes, now.wall_s);
        let mut waits = Waits::AsBefore;
        let mut next = self.state.clone();
        let mut bodies = std::mem::take(&mut self.unrecorded);
        let owed = bodies.len();
        let policy = Arc::clone(&self.policy);
        let host = ledger::Host {
            boottime_ms: self.world.boottime_ms().unwrap_or(now.boottime_ms),
            gated: &|person| self.world.is_gated(&policy.gate, person),
            account: &|name| self.world.local_account(name),
            tidies: &|account| untidy(account.uid, policy.gate.uid_min).is_none(),
        };
        for envelope in counted.envelopes {
            let event = envelope.event.with_what_it_gives(&next, &host, now);
            let envelope = Envelope { event, ..envelope };
            next.apply(&envelope);
            bodies.push(self.body(&next, envelope));
        }
        let mut change = change(&bodies, &next);
        change.repeated.clone_from(&counted.changed);
        let entries: Vec<_> = bodies.iter().cloned().map(|body| Entry { body }).collect();
        let written = self.store.commit(&entries, &change);
        let mut outcome = Ok(());
        match written {
            Ok(records) => {
                self.records.extend(records);
                count_refused(&mut self.refused, &bodies, &next);
                count_unsaid(&mut self.refused, &counted.changed);
                self.state = next;
                waits = self.repeats.take(counted.noted, now.wall_s);
                if !ends_access {
                    warn_if_not_kept(self.boot.remember(ends));
                }
                warn_if_not_kept(self.boot.recorded(self.store.newest(), now.boottime_ms));
                if let Err(error) = self.owed.clear() {
                    tracing::warn!("ends have no place where they outlive a power cut: {error:#}");
                }
            }
            Err(error) if ends_access => {
                tracing::error!("{error}; access ends all the same, and is recorded later");
                self.state = next;
                self.unrecorded = bodies;
                if !ended.is_empty() {
                    outcome = match (kept, self.owed.keep(&ends)) {
                        (_, Ok(())) => Ok(()),
                        (Ok(()), Err(why)) => {
                            tracing::error!("{}", only_in_this_boot(&ended, &why));
                            Ok(())
                        }
                        (Err(why), Err(_)) => Err(only_in_memory(&ended, &error, &why)),
                    };
                }
            }
            Err(error) => {
                bodies.truncate(owed);
                self.unrecorded = bodies;
                if self.store.is_touched() {
                    self.touched = Touched::All;
                }
                return Err(anyhow::Error::new(error)
                    .context("nothing was changed, because it could not be recorded"));
            }
        }
        let keep = now.wall_s.saturating_sub(RECENT_S);
        self.state.forget(keep, now.wall_s);
        // What is only counted changes nothing on the host.
        if !entries.is_empty() {
            self.generation = self.generation.wrapping_add(1);
            self.touched = Touched::All;
        } else if waits == Waits::Anew {
            self.touched = self.touched.max(Touched::Timer);
        }
        outcome
    }

    fn body(&self, state: &State, envelope: Envelope) -> Body {
        let request = envelope
            .event
            .request_id()
            .and_then(|id| state.requests.get(&id));
        let role = request.and_then(|request| self.policy.roles.get(&request.role));
        let context = fields::Context {
            host: &self.world.host(),
            database: self.store.name(),
            policy: &self.policy.revision,
            request,
            approvers: role.map_or(&[], |role| &role.approvers),
            seen: seen(self, request, &envelope.event),
        };
        let fields = fields::of(&envelope, &context);
        Body { envelope, fields }
    }
}

/// Events that the caller brings about now, or tpad itself.
pub(crate) fn envelopes(
    caller: Option<&Caller>,
    events: Vec<Event>,
    now: &Now,
) -> impl Iterator<Item = Envelope> {
    let mut proof = caller.map(|caller| caller.proof.clone());
    events.into_iter().map(move |event| Envelope {
        at: now.wall_s,
        actor: caller.map(|caller| caller.person().clone()),
        actor_uid: caller.map(|caller| caller.uid),
        actor_login: caller.and_then(Caller::login_person),
        proof: proof_of(&event, &mut proof),
        event,
    })
}

/// How the actor of an event proved who they are. The first event that a statement brings about has
/// its text, and no other: that one, which only tells of a refusal, is no evidence of anything.
fn proof_of(event: &Event, proof: &mut Option<Proof>) -> Option<Proof> {
    let bare = proof.clone().map(Proof::without_paper);
    if event.is_refusal() {
        return bare;
    }
    std::mem::replace(proof, bare)
}

/// The events that are recorded one by one, and what is counted instead.
struct Counted {
    envelopes: Vec<Envelope>,
    noted: Noted,
    /// What was counted, and what is told of.
    changed: Vec<(Repeated, Option<Tally>)>,
}

impl Counted {
    fn of(repeats: &Repeats, all: Vec<Envelope>, now_s: i64) -> Self {
        let mut noting = repeats.noting(now_s);
        let mut envelopes = Vec::new();
        let mut changed = Vec::new();
        for envelope in all {
            if let Event::Repeated { what, .. } = &envelope.event {
                noting.has_told(what);
                changed.push((what.clone(), None));
            }
            match Repeated::of(&envelope.event, envelope.actor.as_ref()) {
                Some(what) if noting.note(&what) == Telling::Counted => {
                    let tally = noting.tally(&what).cloned();
                    changed.push((what, tally));
                }
                _ => envelopes.push(envelope),
            }
        }
        Self {
            envelopes,
            noted: noting.noted(),
            changed,
        }
    }
}

fn warn_if_not_kept(kept: anyhow::Result<()>) {
    if let Err(error) = kept {
        tracing::warn!("what this boot has seen is not kept: {error:#}");
    }
}

/// What is true of ends that stand nowhere but in memory.
fn only_in_memory(ended: &[Id], database: &store::Error, run: &anyhow::Error) -> anyhow::Error {
    let ids: Vec<_> = ended.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(
        "{} has ended, and that is written down nowhere ({database}; {run:#}): make room now, since \
         the access comes back, until its own end, if tpad is killed or the host restarts before \
         that",
        ids.join(", ")
    )
}

/// What is true of ends that stand where they outlive this tpad, and not the host.
fn only_in_this_boot(ended: &[Id], why: &anyhow::Error) -> String {
    let ids: Vec<_> = ended.iter().map(ToString::to_string).collect();
    format!(
        "{} has ended, which is written down for this boot alone ({why:#}): make room now, since the \
         access comes back, until its own end, if the power is cut before that",
        ids.join(", ")
    )
}

/// What is known of the person that an event is about. Where it cannot be read, nothing is.
fn seen(core: &Core, request: Option<&Request>, event: &Event) -> Seen {
    match (event, request) {
        (Event::LoginDenied { user, .. }, _) => Seen {
            refused: core.refused.get(&user.uid).copied().unwrap_or(0),
            ..Seen::default()
        },
        (Event::LoginAllowed { place, .. }, Some(request)) => {
            let knows = |address: &String| core.store.knows_address(&request.user, address);
            Seen {
                address: place
                    .rhost
                    .as_ref()
                    .is_some_and(|from| knows(from).unwrap_or(false)),
                ..Seen::default()
            }
        }
        _ => Seen::default(),
    }
}

/// Counts refusals in a row.
fn count_refused(refused: &mut BTreeMap<u32, u32>, bodies: &[Body], state: &State) {
    for body in bodies {
        match &body.envelope.event {
            Event::LoginDenied { user, .. } => {
                let count = refused.entry(user.uid).or_default();
                *count = count.saturating_add(1);
            }
            Event::LoginAllowed { id, .. } => {
                if let Some(request) = state.requests.get(id) {
                    refused.remove(&request.user.uid);
                }
            }
            _ => {}
        }
    }
}

/// The same of those that are counted and not told one by one.
fn count_unsaid(refused: &mut BTreeMap<u32, u32>, changed: &[(Repeated, Option<Tally>)]) {
    for (what, tally) in changed {
        if tally.is_some() && what.is_refused_login() {
            let count = refused.entry(what.user.uid).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// What the projections hold after these events.
fn change(bodies: &[Body], state: &State) -> Change {
    let mut touched: BTreeSet<Id> = BTreeSet::new();
    let mut change = Change::default();
    for body in bodies {
        touched.extend(body.envelope.event.request_id());
        let said = body.envelope.said();
        change
            .statements
            .extend(said.map(|said| (said.digest.clone(), said.expires)));
        match &body.envelope.event {
            Event::DaemonStarted { .. } | Event::ClockJump { set: Some(_), .. } => {
                touched.extend(state.requests.keys());
            }
            Event::SessionOpened(session) | Event::SessionMoved { session, .. } => {
                change.opened.push(session.clone());
            }
            Event::SessionClosed(session) | Event::SessionKilled(session) => {
                change.closed.push(session.key());
            }
            Event::LoginAllowed { id, place } => {
                let person = state.requests.get(id).map(|request| request.user.clone());
                change.came.extend(person.zip(place.rhost.clone()));
            }
            // Where access begins, others are marked with it.
            event if event.gives_access() => {
                let marked = |looks: &Looks| !looks.shared.is_empty();
                let marked = |one: &&Request| one.looks.as_ref().is_some_and(marked);
                let marked = state.requests.values().filter(marked);
                touched.extend(marked.map(|one| one.id));
            }
            Event::LogPruned { through, at, .. } => change.pruned = Some((*through, *at)),
            _ => {}
        }
    }
    touched.extend(passed_on(&touched, state));
    change.requests = touched
        .iter()
        .filter_map(|id| state.requests.get(id))
        .cloned()
        .collect();
    change
}

/// The live grants that the logins of these go on under: an event of one may have made them theirs to
/// end, too.
fn passed_on(touched: &BTreeSet<Id>, state: &State) -> BTreeSet<Id> {
    let named = touched.iter().filter_map(|id| state.requests.get(id));
    let people: BTreeSet<u32> = named.map(|request| request.user.uid).collect();
    let is_one = |one: &&Request| {
        let logins = one.gave.as_ref().map(|gave| gave.logins);
        people.contains(&one.user.uid)
            && logins == Some(Logins::Given)
            && matches!(one.stage, Stage::Active { .. })
    };
    let passed = state.requests.values().filter(is_one);
    passed.map(|one| one.id).collect()
}

#[cfg(test)]
mod tests;
