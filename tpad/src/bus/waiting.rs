//! Who waits at the gate for a decision, which may take hours: few of one person, and a share of all,
//! so that nobody who waits keeps others from being answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zruntime::Event;
use zruntime::lock::SemaphoreGuardArc;

/// Most places of one person.
const MOST_EACH: usize = 2;

/// Those who wait, by uid.
#[derive(Debug)]
pub struct Waiting {
    most: usize,
    places: Mutex<BTreeMap<u32, usize>>,
}

/// Somebody who waits, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    waiting: Arc<Waiting>,
    uid: u32,
}

impl Waiting {
    /// With room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            places: Mutex::default(),
        }
    }

    /// Room for one more of this person's; nothing where there is none.
    #[must_use]
    pub fn take(self: &Arc<Self>, uid: u32) -> Option<Seat> {
        let mut places = self.lock();
        let all: usize = places.values().sum();
        let own = places.get(&uid).copied().unwrap_or(0);
        if own >= MOST_EACH || all >= self.most {
            return None;
        }
        places.insert(uid, own.saturating_add(1));
        let waiting = Arc::clone(self);
        Some(Seat { waiting, uid })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut places = self.waiting.lock();
        let left = places.remove(&self.uid).unwrap_or(0).saturating_sub(1);
        if left > 0 {
            places.insert(self.uid, left);
        }
    }
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
        let waiting = Arc::new(Waiting::new(5));
        let mine: Vec<_> = (0..9).filter_map(|_| waiting.take(1_001)).collect();
        assert_eq!(mine.len(), MOST_EACH);
        let others: Vec<_> = (0..9).filter_map(|uid| waiting.take(uid)).collect();
        assert_eq!(others.len(), 3);
        drop(mine);
        assert!(waiting.take(1_001).is_some());
        drop(others);
        assert!(waiting.lock().is_empty());
    }
}
