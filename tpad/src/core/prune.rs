//! Lets the oldest events go.

use super::Core;
use crate::ledger::Event;

/// Seconds between two prunings.
const PRUNE_EVERY_S: i64 = 86_400;

/// Most events that go at once: less than a tenth of a second, in which nobody else is served.
const PRUNE_MOST: u32 = 1_000;

impl Core {
    /// Lets the oldest events go when they are a day older than the configuration says to keep
    /// them, and records what went. What was not told (`told`) stays.
    ///
    /// # Errors
    /// When the trail cannot be read, or that cannot be recorded.
    pub fn prune(&mut self, told: u64) -> anyhow::Result<()> {
        let Some(keep_s) = self.policy.audit_keep_s else {
            return Ok(());
        };
        let now = self.tick()?;
        if self.state.wall_clock.is_unsettled(&now) {
            // A clock that is set ahead by mistake for a moment must not cost the trail.
            return Ok(());
        }
        let before = now.wall_s.saturating_sub_unsigned(keep_s);
        let overdue = before.saturating_sub(PRUNE_EVERY_S);
        if self.store.prunable(overdue, told, 1)?.is_none() {
            return Ok(());
        }
        let Some(old) = self.store.prunable(before, told, PRUNE_MOST)? else {
            return Ok(());
        };
        let event = Event::LogPruned {
            through: old.through.seq,
            hash: old.through.hash,
            at: old.at,
            events: old.events,
        };
        self.record(None, vec![event], &now)
    }
}
