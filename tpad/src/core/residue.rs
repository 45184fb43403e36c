//! What a window leaves behind: which looks are due, and what they came to.

use std::collections::BTreeSet;
use std::sync::Arc;

use tpa_bus::id::Id;

use super::{Core, Result};
use crate::ledger::{
    BeginningNote, Caller, Depth, Event, Refused, Request, Residue, Subject, Tidied, TidyDue,
    look_due, may_read_residue, no_residue, notes_due, notes_needed, tidy_due, unless_shared,
    untended,
};
use crate::policy::danger::amounts_to_root;

impl Core {
    /// The grants whose beginning is to be noted.
    pub fn notes_due(&self) -> Vec<Id> {
        notes_due(&self.state)
    }

    /// The notes that are still needed, by their SHA-256.
    pub fn notes_needed(&self) -> BTreeSet<String> {
        notes_needed(&self.state)
    }

    /// The grant whose end is to be looked at next of those that are looked at so thoroughly.
    pub fn look_due(&self, depth: Depth) -> Option<Subject> {
        let policy = Arc::clone(&self.policy);
        let depth_of = |request: &Request| {
            if amounts_to_root(&request.gives, &policy.seen) {
                Depth::Deep
            } else {
                Depth::Short
            }
        };
        look_due(&self.state, depth, &depth_of)
    }

    /// Records what was noted of the beginning of these grants.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record_notes(&mut self, ids: &[Id], note: &BeginningNote) -> anyhow::Result<()> {
        let now = self.tick()?;
        let known = ids.iter().filter(|id| self.state.requests.contains_key(id));
        let noted = |id: &Id| Event::BeginningNoted {
            id: *id,
            note: note.clone(),
        };
        let events = known.map(noted).collect();
        self.record(None, events, &now)
    }

    /// Records what was found at an end.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record_residue(&mut self, id: Id, mut residue: Residue) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.ensure_loaded(id)?;
        if let Some(request) = self.state.requests.get(&id) {
            let untended = untended(request);
            residue.complete &= untended.is_empty();
            residue.not_looked.extend(untended);
            if let Some(looks) = &request.looks {
                residue.appeared = unless_shared(residue.appeared, &looks.shared);
            }
        }
        let residue = Box::new(residue);
        self.record(None, vec![Event::Residue { id, residue }], &now)
    }

    /// What is to be removed after an end, or told of as what stays, next.
    pub fn tidy_due(&self) -> Option<TidyDue> {
        tidy_due(&self.state)
    }

    /// Records what became of what was to be removed.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record_tidied(&mut self, id: Id, tidied: Vec<Tidied>) -> anyhow::Result<()> {
        let now = self.tick()?;
        self.record(None, vec![Event::ResidueTidied { id, tidied }], &now)
    }

    /// That the caller may read what a grant left behind, and that there is something to read.
    ///
    /// # Errors
    /// A refusal, or what keeps the grant from being read.
    pub fn may_read_residue(&mut self, caller: &Caller, id: Id) -> Result<()> {
        self.ensure_loaded(id)?;
        let request = self.state.requests.get(&id);
        let request = request.ok_or_else(|| Refused::unknown_id(id.as_str()))?;
        may_read_residue(&self.policy, caller, request)?;
        let looks = request.looks.as_ref();
        looks
            .and_then(|looks| looks.found)
            .map(drop)
            .ok_or_else(|| no_residue(request).into())
    }
}
