//! Who comes in, as the ledger says it, recorded.

use super::Core;
use crate::clock::Now;
use crate::ledger::{Answer, Arrival, Event, Person, Place, Request, Session, SharedMap, arrival};

impl Core {
    /// The account phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn account(&mut self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let now = self.tick()?;
        let (answer, events) = arrival::account(&self.state, arrival, &now);
        self.record_if_any(events, &now)?;
        Ok(answer)
    }

    /// What the account phase would answer. Nothing is recorded, and no grant begins.
    ///
    /// # Errors
    /// When the time cannot be told.
    pub fn preview(&mut self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let now = self.tick()?;
        Ok(arrival::preview(&self.state, arrival, &now))
    }

    /// Somebody at the gate by the name that their requests have: the same person may come under any
    /// name that this host's files give to the uid.
    #[must_use]
    pub fn known_as(&self, user: Person, others: &[String]) -> Person {
        arrival::known_as(&self.state, user, others)
    }

    /// The session phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn open_session(&mut self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let now = self.tick()?;
        let (answer, events) = arrival::open_session(&self.state, arrival, &now);
        self.record_if_any(events, &now)?;
        Ok(answer)
    }

    /// What else of theirs others said no to while this grant lived, see [`arrival::no_meanwhile`].
    #[must_use]
    pub fn no_meanwhile(&self, grant: &Request, now: &Now) -> Option<Request> {
        arrival::no_meanwhile(&self.state, grant, now).cloned()
    }

    /// Whether access of theirs is over, and not proven to be gone.
    #[must_use]
    pub fn is_ending(&self, user: &Person) -> bool {
        let mut requests = self.state.requests.values();
        requests.any(|request| request.user.uid == user.uid && request.is_ending())
    }

    /// The end of a session, when it was one under a grant.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn close_session(&mut self, arrival: &Arrival) -> anyhow::Result<()> {
        let now = self.tick()?;
        let closed = arrival::close_session(&self.state, arrival);
        self.record_if_any(closed.into_iter().collect(), &now)
    }

    /// Someone who needs a grant was refused at a service that is in no list.
    ///
    /// # Errors
    /// When it could not be recorded. They are refused all the same.
    pub fn unlisted(&mut self, user: Person, place: Place) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.record(None, vec![arrival::unlisted(user, place)], &now)
    }

    /// Someone was let in whatever the ledger says.
    ///
    /// # Errors
    /// When it could not be recorded. They are in all the same.
    pub fn exempt(&mut self, arrival: &Arrival) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.record(None, vec![arrival.exempted()], &now)
    }

    /// Open logins and sudo commands, by [`Session::key`].
    pub fn open_sessions(&self) -> &SharedMap<String, Session> {
        &self.state.sessions
    }

    /// A session is over: whether that is recorded by now. While its grant is being ended, that is
    /// for its end to tell of: it did not end by itself.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn has_ended(&mut self, session: &Session) -> anyhow::Result<bool> {
        let now = self.tick()?;
        let Some(session) = self.state.sessions.get(&session.key()).cloned() else {
            return Ok(true);
        };
        let grant = self.state.requests.get(&session.grant);
        if grant.is_some_and(Request::is_ending) {
            return Ok(false);
        }
        self.record(None, vec![Event::SessionClosed(session)], &now)?;
        Ok(true)
    }

    fn record_if_any(&mut self, events: Vec<Event>, now: &Now) -> anyhow::Result<()> {
        if events.is_empty() {
            Ok(())
        } else {
            self.record(None, events, now)
        }
    }
}
