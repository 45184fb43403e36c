//! Who waits at the gate for a decision, which may take hours: few of one person, and a share of all,
//! so that nobody who waits keeps others from being answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zruntime::Event;
use zruntime::lock::SemaphoreGuardArc;

use super::seats::Seats;

/// Most places of one person.
const MOST_EACH: usize = 2;

/// Seats for those who wait: so many of all.
#[must_use]
pub fn seats(most: usize) -> Arc<Seats> {
    Seats::new(most, MOST_EACH)
}

/// A place among the connections that are answered at once. Whoever waits for a decision leaves it.
#[derive(Debug)]
pub struct Place {
    held: Mutex<Option<SemaphoreGuardArc>>,
    waits: AtomicBool,
    decided: Event,
}

impl Place {
    /// It is taken.
    #[must_use]
    pub fn taken(place: SemaphoreGuardArc) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::new(Some(place)),
            waits: AtomicBool::new(false),
            decided: Event::new(),
        })
    }

    /// It is somebody else's from now on: whoever had it waits.
    pub fn leave(&self) {
        self.waits.store(true, Ordering::SeqCst);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take();
    }

    /// Whoever left it waits no more.
    pub fn is_decided(&self) {
        self.waits.store(false, Ordering::SeqCst);
        self.decided.notify(usize::MAX);
    }

    /// Waits while somebody waits for a decision.
    pub async fn decided(&self) {
        loop {
            let decided = self.decided.listen();
            if !self.waits.load(Ordering::SeqCst) {
                return;
            }
            decided.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_few_places_all_have_a_share_and_each_comes_back() {
        let waiting = seats(5);
        let mine: Vec<_> = (0..9).filter_map(|_| waiting.take(1_001)).collect();
        assert_eq!(mine.len(), MOST_EACH);
        let others: Vec<_> = (0..9).filter_map(|uid| waiting.take(uid)).collect();
        assert_eq!(others.len(), 3);
        drop(mine);
        assert!(waiting.take(1_001).is_some());
        drop(others);
        assert!(waiting.is_empty());
    }
}
