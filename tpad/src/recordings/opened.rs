//! PURE: who reads which recording.

use std::collections::VecDeque;

use tpa_bus::id::Id;

/// Most recordings that one person reads at a time. The one that was begun first is given up.
const MOST_EACH: usize = 16;

/// Most of everybody.
const MOST: usize = 256;

/// Who reads: the person's uid, and the uid of their process.
pub type Reader = (u32, u32);

/// A recording that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Who reads it.
    pub reader: Reader,
    /// Of which grant it is.
    pub id: Id,
    /// Its name.
    pub name: String,
}

/// The recordings that are being read, the newest last.
#[derive(Debug, Default)]
pub struct OpenedRecordings {
    all: VecDeque<(u64, Opened)>,
    last: u64,
}

impl OpenedRecordings {
    /// Keeps one more; its number.
    pub fn open(&mut self, opened: Opened) -> u64 {
        let own = |one: &Opened| one.reader == opened.reader;
        let count = self.all.iter().filter(|(_, one)| own(one)).count();
        let oldest = if count >= MOST_EACH {
            self.all.iter().position(|(_, one)| own(one))
        } else {
            (self.all.len() >= MOST).then_some(0)
        };
        if let Some(oldest) = oldest {
            self.all.remove(oldest);
        }
        self.last = self.last.wrapping_add(1);
        self.all.push_back((self.last, opened));
        self.last
    }

    /// The one with this number, for whoever opened it.
    pub fn find(&self, number: u64, reader: Reader) -> Option<Opened> {
        let mut all = self.all.iter();
        let found = all.find(|(known, one)| *known == number && one.reader == reader);
        found.map(|(_, opened)| opened.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(uid: u32) -> Opened {
        Opened {
            reader: (uid, uid),
            id: Id::from_random([0; 5]),
            name: "alice-00/00/01".to_owned(),
        }
    }

    #[test]
    fn a_number_is_of_use_to_whom_it_was_given_alone() {
        let mut all = OpenedRecordings::default();
        let number = all.open(opened(1_003));
        assert_eq!(all.find(number, (1_003, 1_003)), Some(opened(1_003)));
        for reader in [(1_001, 1_001), (1_003, 0), (0, 0)] {
            assert_eq!(all.find(number, reader), None);
        }
    }

    #[test]
    fn whoever_opens_many_keeps_the_newest_and_takes_nobody_elses() {
        let mut all = OpenedRecordings::default();
        let carols = all.open(opened(1_003));
        let numbers: Vec<_> = (0..40).map(|_| all.open(opened(1_004))).collect();
        let kept = |number: &&u64| all.find(**number, (1_004, 1_004)).is_some();
        assert_eq!(numbers.iter().filter(kept).count(), MOST_EACH);
        assert!(all.find(carols, (1_003, 1_003)).is_some());
        let crowd = (0..1_000).map(|uid| all.open(opened(uid)));
        assert_eq!(crowd.count(), 1_000);
        assert!(all.all.len() <= MOST);
    }
}
