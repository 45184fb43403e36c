//! Who comes in, as the ledger says it, recorded.

use super::{Engine, Inner};
use crate::clock::Now;
use crate::ledger::{Answer, Arrival, Event, Person, Place, arrival};

impl Engine {
    /// The account phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn account(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let (answer, events) = arrival::account(&inner.state, arrival, &now);
        self.record_if_any(&mut inner, events, &now)?;
        Ok(answer)
    }

    /// What the account phase would answer. Nothing is recorded, and no grant begins.
    ///
    /// # Errors
    /// When the time cannot be told.
    pub fn preview(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        Ok(arrival::preview(&inner.state, arrival, &now))
    }

    /// The session phase.
    ///
    /// # Errors
    /// When the answer could not be recorded: then it is no.
    pub fn open_session(&self, arrival: &Arrival) -> anyhow::Result<Answer> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let (answer, events) = arrival::open_session(&inner.state, arrival, &now);
        self.record_if_any(&mut inner, events, &now)?;
        Ok(answer)
    }

    /// The end of a session, when it was one under a grant.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn close_session(&self, arrival: &Arrival) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let closed = arrival::close_session(&inner.state, arrival);
        self.record_if_any(&mut inner, closed.into_iter().collect(), &now)
    }

    /// Someone who needs a grant was refused at a service that is in no list.
    ///
    /// # Errors
    /// When it could not be recorded. They are refused all the same.
    pub fn unlisted(&self, user: Person, place: Place) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        self.record(&mut inner, None, vec![arrival::unlisted(user, place)], &now)
    }

    /// Someone was let in whatever the ledger says.
    ///
    /// # Errors
    /// When it could not be recorded. They are in all the same.
    pub fn exempt(&self, arrival: &Arrival) -> anyhow::Result<()> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        self.record(&mut inner, None, vec![arrival.exempted()], &now)
    }

    fn record_if_any(
        &self,
        inner: &mut Inner,
        events: Vec<Event>,
        now: &Now,
    ) -> anyhow::Result<()> {
        if events.is_empty() {
            Ok(())
        } else {
            self.record(inner, None, events, now)
        }
    }
}
