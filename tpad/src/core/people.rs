//! Whose access it is, and what ends with their accounts.

use std::collections::BTreeMap;

use super::Core;
use crate::ledger::{Person, Request, end_of_lost, is_undecided_or_on};

impl Core {
    /// Everybody who holds or wants access, each once.
    pub fn people(&self) -> Vec<Person> {
        let on = self
            .state
            .requests
            .values()
            .filter(|r| is_undecided_or_on(r));
        let people: BTreeMap<_, _> = on
            .map(|request| {
                let user = &request.user;
                ((user.uid, user.name.clone()), user.clone())
            })
            .collect();
        people.into_values().collect()
    }

    /// Ends what goes on and belongs to accounts that are gone.
    ///
    /// # Errors
    /// When it is written down nowhere.
    pub fn end_of_lost(&mut self, is_gone: impl FnMut(&Request) -> bool) -> anyhow::Result<()> {
        let events = end_of_lost(&self.state, is_gone);
        if events.is_empty() {
            return Ok(());
        }
        let (now, _) = self.moment()?;
        self.record(None, events, &now)
    }
}
