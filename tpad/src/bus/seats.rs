//! How many of something there may be at once: so many of all, and few of each share, so that nobody
//! takes the room of others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Those that are taken, by share: a uid, or what [`super::share::share_of`] makes of it.
#[derive(Debug)]
pub struct Seats {
    most: usize,
    most_each: usize,
    taken: Mutex<BTreeMap<u32, usize>>,
}

/// One that is taken, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    share: u32,
}

impl Seats {
    /// So many of all, and so many of each share.
    #[must_use]
    pub fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_each,
            taken: Mutex::default(),
        })
    }

    /// One more of this share's; nothing where there is none.
    #[must_use]
    pub fn take(self: &Arc<Self>, share: u32) -> Option<Seat> {
        let mut taken = self.lock();
        let all: usize = taken.values().sum();
        let own = taken.get(&share).copied().unwrap_or(0);
        if own >= self.most_each || all >= self.most {
            return None;
        }
        taken.insert(share, own.saturating_add(1));
        let seats = Arc::clone(self);
        Some(Seat { seats, share })
    }

    /// Whether none is taken.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        let left = taken.remove(&self.share).unwrap_or(0).saturating_sub(1);
        if left > 0 {
            taken.insert(self.share, left);
        }
    }
}
