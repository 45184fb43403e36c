//! How many may be inside at once, so that a flood of calls neither fills the memory nor keeps the
//! gate waiting.
//!
//! A call is refused before anything is looked up for it: it then costs no more than being read.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tpa_bus::error::Refusal;
use zbus::Connection;
use zbus::message::Header;

use super::caller::identify;
use crate::ledger::Caller;

/// Most calls at once, of everybody together.
const MOST: usize = 128;

/// Most calls at once of one connection. `tpactl` makes one after the other.
const MOST_EACH: usize = 16;

/// Longest body of a call, in bytes: many times what the longest texts and lists take.
const BODY_MAX: u32 = 64 * 1_024;

/// The calls that are being answered, by connection.
#[derive(Debug, Clone, Default)]
pub struct Doors(Arc<Mutex<BTreeMap<String, usize>>>);

/// Someone who was let in, until their call is answered.
#[derive(Debug)]
pub struct Inside {
    caller: Caller,
    _place: Place,
}

impl Deref for Inside {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// A place that somebody takes. Free when dropped.
#[derive(Debug)]
struct Place {
    doors: Doors,
    sender: String,
}

impl Doors {
    /// Lets a call in, and finds out whose it is.
    ///
    /// # Errors
    /// When it is too long, when too many are inside, or when the caller cannot be told.
    pub async fn admit(
        &self,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Inside, Refusal> {
        if header.primary().body_len() > BODY_MAX {
            return Err(Refusal::Invalid(format!(
                "a call of more than {} KiB is not read\nnext: say it shorter",
                BODY_MAX / 1_024
            )));
        }
        let sender = header.sender().map(ToString::to_string);
        let place = self.enter(sender.unwrap_or_default()).ok_or_else(|| {
            Refusal::Failed("too many calls at once\nnext: try again in a moment".to_owned())
        })?;
        Ok(Inside {
            caller: identify(connection, header).await?,
            _place: place,
        })
    }

    fn enter(&self, sender: String) -> Option<Place> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = inside.get(&sender).copied().unwrap_or(0);
        if theirs >= MOST_EACH || inside.values().sum::<usize>() >= MOST {
            return None;
        }
        inside.insert(sender.clone(), theirs.saturating_add(1));
        Some(Place {
            doors: self.clone(),
            sender,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doors.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = inside.get(&self.sender).copied().unwrap_or(0);
        if left > 1 {
            inside.insert(self.sender.clone(), left.saturating_sub(1));
        } else {
            inside.remove(&self.sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_does_not_take_all_places() {
        let doors = Doors::default();
        let enter = |who: &str| doors.enter(who.to_owned());
        let mut greedy: Vec<_> = (0..MOST_EACH).map(|_| enter(":1.1").unwrap()).collect();
        assert!(enter(":1.1").is_none());
        assert!(enter(":1.2").is_some());
        greedy.pop();
        assert!(enter(":1.1").is_some(), "a place that is left is free");
    }

    #[test]
    fn many_connections_do_not_take_more_than_there_are() {
        let doors = Doors::default();
        let crowd: Vec<_> = (0..2 * MOST)
            .filter_map(|n| doors.enter(format!(":1.{n}")))
            .collect();
        assert_eq!(crowd.len(), MOST);
        drop(crowd);
        assert!(
            doors.0.lock().unwrap().is_empty(),
            "nothing is kept of those who left"
        );
    }
}
