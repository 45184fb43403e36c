//! What people command and read.

use anyhow::Context as _;
use tpa_bus::id::Id;

use super::{Core, Result};
use crate::clock::Now;
use crate::ledger::{
    Asked, Caller, Command, Event, Found, Person, Refused, Request, Session, audit_only,
    begins_within, decide, fits_sudo, id_prefix, login_holders, may_audit, may_decide_now, may_see,
    may_see_session, pick, roles_decided_by, said_refused,
};
use crate::store::chain::Head;
use crate::store::{RequestQuery, Visible};

impl Core {
    /// Files a request.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn ask(&mut self, caller: &Caller, asked: Asked) -> Result<Request> {
        let id = self.fresh_id()?;
        self.act(caller, &Command::Ask(id, Box::new(asked)))
    }

    /// Files a request for so many seconds more of a grant. `grant` is an id that [`Core::resolve`]
    /// gave.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn extend(
        &mut self,
        caller: &Caller,
        grant: Id,
        seconds: u64,
        reason: String,
    ) -> Result<Request> {
        let more = Command::Extend {
            id: self.fresh_id()?,
            grant,
            seconds,
            reason,
        };
        self.act(caller, &more)
    }

    /// Does what a command says. Ids in it are those that [`Core::resolve`] gave.
    ///
    /// # Errors
    /// A refusal, or what kept it from being recorded.
    pub fn act(&mut self, caller: &Caller, command: &Command) -> Result<Request> {
        if let Some(id) = command.concerns() {
            self.ensure_loaded(id)?;
            let request = self.state.requests.get(&id);
            if let Some(grant) = request.and_then(|request| request.extends) {
                self.ensure_loaded(grant)?;
            }
        }
        let now = self.tick()?;
        let policy = std::sync::Arc::clone(&self.policy);
        match decide(&self.state, &policy, caller, command, &now) {
            Ok(events) => {
                // Whoever may not do it is not told what it would have given.
                fits_sudo(&self.state, &policy, command, || self.world.is_sudo_rust())?;
                self.record(Some(caller), events, &now)?;
            }
            Err(refused) => return Err(self.refuse(caller, refused, &now)?.into()),
        }
        let id = command.about();
        let request = self.state.requests.get(&id).cloned();
        Ok(request.with_context(|| format!("request {id} was recorded and is gone"))?)
    }

    /// Records what the trail is to tell of a refusal, and gives it back for the caller.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub(crate) fn refuse(
        &mut self,
        caller: &Caller,
        mut refused: Refused,
        now: &Now,
    ) -> anyhow::Result<Refused> {
        let told = refused.record.take().map(|event| *event);
        if let Some(event) = told.or_else(|| said_refused(caller, &refused)) {
            self.record(Some(caller), vec![event], now)?;
        }
        Ok(refused)
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
        Ok(self.look_for(caller, typed)?.to_look_at(caller)?)
    }

    fn look_for(&self, caller: &Caller, typed: &str) -> Result<Found> {
        let candidates = self
            .store
            .requests_by_prefix(&id_prefix(caller, typed)?)
            .map_err(anyhow::Error::new)?;
        Ok(pick(&self.policy, caller, typed, &candidates)?)
    }

    /// One request, as it is at this moment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn request(&mut self, id: Id) -> Result<Request> {
        self.tick()?;
        self.ensure_loaded(id)?;
        let request = self.state.requests.get(&id).cloned();
        Ok(request.ok_or_else(|| Refused::unknown_id(id.as_str()))?)
    }

    /// Why the rules of a grant are not in force, when sudo did not take them.
    pub fn rules_rejected(&self, id: Id) -> Option<String> {
        self.rejected.get(&id).cloned()
    }

    /// The requests that the caller may see, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn requests(&mut self, caller: &Caller, query: &RequestQuery) -> Result<Vec<Request>> {
        self.tick()?;
        let mut query = query.clone();
        if !may_audit(caller) {
            let roles = roles_decided_by(&self.policy, caller);
            if query.of.is_none() && roles.is_empty() {
                // They see nothing else: the database need not be read through for it.
                query.of = Some(caller.person().uid);
            }
            let uid = caller.person().uid;
            query.visible = Some(Visible { uid, roles });
        }
        let mut found = self.store.requests(&query).map_err(anyhow::Error::new)?;
        found.retain(|request| may_see(&self.policy, caller, request));
        Ok(found)
    }

    /// Whether this caller may decide this request as it stands.
    pub fn is_reviewable(&self, caller: &Caller, request: &Request, now: &Now) -> bool {
        may_decide_now(&self.state, &self.policy, request, caller, now)
    }

    /// Those of the requests that this caller may decide as they stand.
    ///
    /// # Errors
    /// When there is no clock.
    pub fn retain_reviewable(
        &mut self,
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
        &mut self,
        caller: &Caller,
        wanted: impl Fn(&Request) -> bool,
    ) -> Result<Vec<Request>> {
        self.tick()?;
        let requests = self.state.requests.values();
        let mut found: Vec<_> = requests
            .filter(|request| request.is_open() && wanted(request))
            .filter(|request| may_see(&self.policy, caller, request))
            .cloned()
            .collect();
        found.sort_by_key(|request| (std::cmp::Reverse(request.requested_at), request.id));
        Ok(found)
    }

    /// Open sessions that the caller may see; of one grant, when one is named.
    pub fn sessions(&self, caller: &Caller, grant: Option<Id>) -> Vec<Session> {
        let visible =
            |session: &&Session| may_see_session(&self.state, &self.policy, caller, session);
        let of_grant = |session: &&Session| grant.is_none_or(|id| session.grant == id);
        self.state
            .sessions
            .values()
            .filter(of_grant)
            .filter(visible)
            .cloned()
            .collect()
    }

    /// Those whose logins go on under a grant that the caller may see.
    ///
    /// # Errors
    /// When the clock cannot be read.
    pub fn login_holders(&mut self, caller: &Caller) -> Result<Vec<(Person, Id)>> {
        let now = self.tick()?;
        Ok(login_holders(&self.state, &self.policy, caller, &now))
    }

    /// Whether the trail can be walked from behind an event on, and its newest event.
    ///
    /// # Errors
    /// When the caller may not, or nothing was ever recorded there.
    pub fn may_walk(&self, caller: &Caller, after: u64) -> Result<Head> {
        audit_only(caller)?;
        let head = self.store.head().clone();
        begins_within(head.seq, after)?;
        Ok(head)
    }

    /// The chain was found broken at an event: recorded once.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn is_broken(&mut self, caller: &Caller, (seq, problem): (u64, String)) -> Result<()> {
        if self.broken.replace(seq) == Some(seq) {
            return Ok(());
        }
        let now = self.tick()?;
        let event = Event::ChainBroken { seq, problem };
        Ok(self.record(Some(caller), vec![event], &now)?)
    }

    /// Whether somebody may hear that a request changed.
    pub fn hears_of(&mut self, caller: &Caller, id: Id) -> bool {
        // One that cannot be read is told to nobody.
        if self.ensure_loaded(id).is_err() {
            return false;
        }
        let request = self.state.requests.get(&id);
        request.is_some_and(|request| may_see(&self.policy, caller, request))
    }

    /// Whether somebody may hear that an event was recorded.
    pub fn hears_of_events(&self, caller: &Caller) -> bool {
        may_audit(caller)
    }

    /// An id that no request has.
    pub(super) fn fresh_id(&self) -> anyhow::Result<Id> {
        loop {
            let id = Id::from_random(self.world.random()?);
            if self.store.request(id)?.is_none() {
                return Ok(id);
            }
        }
    }

    /// Brings a closed request back into the state, where the ledger can see it.
    pub(super) fn ensure_loaded(&mut self, id: Id) -> anyhow::Result<()> {
        if !self.state.requests.contains_key(&id)
            && let Some(request) = self.store.request(id)?
        {
            self.state.requests.insert(id, request);
        }
        Ok(())
    }
}
