//! What people command and read.

use anyhow::Context as _;
use tpa_bus::id::Id;
use zruntime::SharedRuntime;

use super::{Engine, Inner, Result};
use crate::clock::Now;
use crate::host::paths::Paths;
use crate::host::rules::in_rust;
use crate::ledger::{
    Asked, Caller, Command, Event, Found, Refused, Request, Session, audit_only, begins_within,
    decide, fits_sudo, id_prefix, may_audit, may_decide_now, may_see, may_see_session, pick,
    roles_decided_by,
};
use crate::store::{EventQuery, Record, RequestQuery, Store, Visible, Walk};

/// How long a reply waits for the host to follow, in seconds. What was decided is recorded
/// either way.
const FOLLOW_S: u64 = 15;

/// Events walked in one piece.
const PIECE: u32 = 5_000;

/// A command about a request that exists.
#[derive(Debug, Clone)]
pub enum What {
    /// See [`Command::Approve`].
    Approve {
        /// Seconds, when shorter than asked for.
        duration_s: Option<u64>,
        /// A word on it.
        comment: Option<String>,
    },
    /// See [`Command::Deny`].
    Deny(String),
    /// See [`Command::Withdraw`].
    Withdraw,
    /// See [`Command::End`].
    End,
    /// See [`Command::Revoke`].
    Revoke(String),
    /// See [`Command::Review`].
    Review(String),
    /// See [`Command::Extend`].
    Extend {
        /// Seconds more.
        seconds: u64,
        /// Why.
        reason: String,
    },
}

impl Engine {
    /// Files a request.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn ask(&self, caller: &Caller, asked: Asked) -> Result<Request> {
        let mut inner = self.lock();
        let id = fresh_id(&inner)?;
        self.command(&mut inner, caller, &Command::Ask(id, Box::new(asked)), id)
    }

    /// Does something with a request. `id` is an id that [`Engine::resolve`] gave.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn act(&self, caller: &Caller, id: Id, what: What) -> Result<Request> {
        let mut inner = self.lock();
        ensure_loaded(&mut inner, id)?;
        let (command, about) = match what {
            What::Approve {
                duration_s,
                comment,
            } => (
                Command::Approve {
                    id,
                    duration_s,
                    comment,
                },
                id,
            ),
            What::Deny(reason) => (Command::Deny { id, reason }, id),
            What::Withdraw => (Command::Withdraw(id), id),
            What::End => (Command::End(id), id),
            What::Revoke(reason) => (Command::Revoke { id, reason }, id),
            What::Review(comment) => (Command::Review { id, comment }, id),
            What::Extend { seconds, reason } => {
                let fresh = fresh_id(&inner)?;
                (
                    Command::Extend {
                        id: fresh,
                        grant: id,
                        seconds,
                        reason,
                    },
                    fresh,
                )
            }
        };
        if let Some(grant) = inner
            .state
            .requests
            .get(&id)
            .and_then(|request| request.extends)
        {
            ensure_loaded(&mut inner, grant)?;
        }
        self.command(&mut inner, caller, &command, about)
    }

    fn command(
        &self,
        inner: &mut Inner,
        caller: &Caller,
        command: &Command,
        about: Id,
    ) -> Result<Request> {
        let now = self.tick(inner)?;
        let policy = std::sync::Arc::clone(&inner.policy);
        fits_sudo(&inner.state, &policy, command, || {
            in_rust(&Paths::default().sudo).unwrap_or(false)
        })?;
        match decide(&inner.state, &policy, caller, command, &now) {
            Ok(events) => self.record(inner, Some(caller), events, &now)?,
            Err(mut refused) => {
                if let Some(event) = refused.record.take() {
                    self.record(inner, Some(caller), vec![*event], &now)?;
                }
                return Err(refused.into());
            }
        }
        let request = inner.state.requests.get(&about).cloned();
        Ok(request.with_context(|| format!("request {about} was recorded and is gone"))?)
    }

    /// The request that a person means to do something about: by its id, or by the beginning of
    /// one that they may see. Whether they may do it is the ledger's to say, and to record.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn resolve(&self, caller: &Caller, typed: &str) -> Result<Id> {
        Ok(self.look_for(caller, typed)?.to_act_on())
    }

    /// The request that a person means to look at.
    ///
    /// # Errors
    /// When there is none, more than one, or they may not see it.
    pub fn find(&self, caller: &Caller, typed: &str) -> Result<Id> {
        Ok(self.look_for(caller, typed)?.to_look_at()?)
    }

    fn look_for(&self, caller: &Caller, typed: &str) -> Result<Found> {
        let inner = self.lock();
        let candidates = inner
            .store
            .requests_by_prefix(&id_prefix(typed)?)
            .map_err(anyhow::Error::new)?;
        Ok(pick(&inner.policy, caller, typed, &candidates)?)
    }

    /// One request, as it is at this moment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn request(&self, id: Id) -> Result<Request> {
        let mut inner = self.lock();
        self.tick(&mut inner)?;
        ensure_loaded(&mut inner, id)?;
        let request = inner.state.requests.get(&id).cloned();
        Ok(request.ok_or_else(|| Refused::unknown_id(id.as_str()))?)
    }

    /// Why the rules of a grant are not in force, when sudo did not take them.
    pub fn rules_rejected(&self, id: Id) -> Option<String> {
        self.lock().rejected.get(&id).cloned()
    }

    /// The requests that the caller may see, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn requests(&self, caller: &Caller, query: &RequestQuery) -> Result<Vec<Request>> {
        let mut inner = self.lock();
        self.tick(&mut inner)?;
        let mut query = query.clone();
        if !may_audit(caller) {
            let roles = roles_decided_by(&inner.policy, caller);
            if query.of.is_none() && roles.is_empty() {
                // They see nothing else: the database need not be read through for it.
                query.of = Some(caller.person().uid);
            }
            let uid = caller.person().uid;
            query.visible = Some(Visible { uid, roles });
        }
        let mut found = inner.store.requests(&query).map_err(anyhow::Error::new)?;
        found.retain(|request| may_see(&inner.policy, caller, request));
        Ok(found)
    }

    /// Whether this caller may decide this request as it stands.
    pub fn is_reviewable(&self, caller: &Caller, request: &Request, now: &Now) -> bool {
        let inner = self.lock();
        may_decide_now(&inner.state, &inner.policy, request, caller, now)
    }

    /// Those of the requests that this caller may decide as they stand.
    ///
    /// # Errors
    /// When there is no clock.
    pub fn retain_reviewable(
        &self,
        caller: &Caller,
        mut found: Vec<Request>,
    ) -> Result<Vec<Request>> {
        let now = self.now()?;
        found.retain(|request| self.is_reviewable(caller, request, &now));
        Ok(found)
    }

    /// The requests that are wanted of those that are open, which are all in memory: undecided ones,
    /// grants that live or wait, reviews that are owed. Newest first, and only what the caller may
    /// see. Costs nothing that grows with the past.
    ///
    /// # Errors
    /// When the clock cannot be read.
    pub fn open_requests(
        &self,
        caller: &Caller,
        wanted: impl Fn(&Request) -> bool,
    ) -> Result<Vec<Request>> {
        let mut inner = self.lock();
        self.tick(&mut inner)?;
        let requests = inner.state.requests.values();
        let mut found: Vec<_> = requests
            .filter(|request| request.is_open() && wanted(request))
            .filter(|request| may_see(&inner.policy, caller, request))
            .cloned()
            .collect();
        found.sort_by_key(|request| (std::cmp::Reverse(request.requested_at), request.id));
        Ok(found)
    }

    /// Open sessions that the caller may see; of one grant, when one is named.
    pub fn sessions(&self, caller: &Caller, grant: Option<Id>) -> Vec<Session> {
        let inner = self.lock();
        let visible =
            |session: &&Session| may_see_session(&inner.state, &inner.policy, caller, session);
        let of_grant = |session: &&Session| grant.is_none_or(|id| session.grant == id);
        inner
            .state
            .sessions
            .values()
            .filter(of_grant)
            .filter(visible)
            .cloned()
            .collect()
    }

    /// Reads the audit trail.
    ///
    /// # Errors
    /// When the caller may not, or it cannot be read.
    pub async fn events(&self, caller: &Caller, query: EventQuery) -> Result<Vec<Record>> {
        audit_only(caller)?;
        Ok(self.reader.read(move |store| store.events(&query)).await?)
    }

    /// Walks the next piece of the audit chain. A break is recorded, once.
    ///
    /// # Errors
    /// When the caller may not, nothing was ever recorded there, or the database cannot be read.
    pub async fn verify(&self, caller: &Caller, after: u64) -> Result<Walk> {
        audit_only(caller)?;
        let known = self.lock().store.head().clone();
        begins_within(known.seq, after)?;
        let walking = move |store: &Store| store.walk_up_to(after, PIECE, &known);
        let walk = self.reader.read(walking).await?;
        let Some((seq, problem)) = walk.broken.clone() else {
            return Ok(walk);
        };
        let mut inner = self.lock();
        if inner.broken.replace(seq) != Some(seq) {
            let now = self.tick(&mut inner)?;
            let event = Event::ChainBroken { seq, problem };
            self.record(&mut inner, Some(caller), vec![event], &now)?;
        }
        Ok(walk)
    }

    /// Whether somebody may hear that a request changed.
    pub fn hears_of(&self, caller: &Caller, id: Id) -> bool {
        let mut inner = self.lock();
        // One that cannot be read is told to nobody.
        if ensure_loaded(&mut inner, id).is_err() {
            return false;
        }
        let request = inner.state.requests.get(&id);
        request.is_some_and(|request| may_see(&inner.policy, caller, request))
    }

    /// Whether somebody may hear that an event was recorded.
    pub fn hears_of_events(&self, caller: &Caller) -> bool {
        may_audit(caller)
    }

    /// Waits until the host follows everything recorded so far.
    pub async fn settle(&self, runtime: &SharedRuntime) {
        let wanted = self.lock().generation;
        let followed = async {
            loop {
                let bell = self.settled.listen();
                if self.lock().followed >= wanted {
                    return;
                }
                bell.await;
            }
        };
        let limit = std::time::Duration::from_secs(FOLLOW_S);
        if runtime.timeout(limit, followed).await.is_err() {
            tracing::error!("the host does not follow the ledger within {FOLLOW_S}s");
        }
    }
}

/// An id that no request has.
fn fresh_id(inner: &Inner) -> anyhow::Result<Id> {
    loop {
        let mut bytes = [0; 5];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let id = Id::from_random(bytes);
        if inner.store.request(id)?.is_none() {
            return Ok(id);
        }
    }
}

/// Brings a closed request back into the state, where the ledger can see it.
fn ensure_loaded(inner: &mut Inner, id: Id) -> anyhow::Result<()> {
    if !inner.state.requests.contains_key(&id)
        && let Some(request) = inner.store.request(id)?
    {
        inner.state.requests.insert(id, request);
    }
    Ok(())
}
