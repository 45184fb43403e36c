//! How many statements a person may bring: counted before anything of one is looked at.

use std::collections::BTreeMap;

/// How many at once.
const AT_ONCE: u64 = 60;

/// After how many milliseconds one more may come.
const ONE_MORE_MS: u64 = 500;

/// How many each person, by uid, may still bring.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<u32, Spent>);

/// What somebody has used up, as it was at a time.
#[derive(Debug, Clone, Copy)]
struct Spent {
    ms: u64,
    at_ms: u64,
}

impl Spent {
    /// What is left of it now.
    fn now(self, now_ms: u64) -> u64 {
        self.ms.saturating_sub(now_ms.saturating_sub(self.at_ms))
    }
}

impl Rates {
    /// Whether one more of this person's is looked at. Milliseconds count from any moment that does
    /// not change.
    pub fn admit(&mut self, uid: u32, now_ms: u64) -> bool {
        self.0.retain(|_, spent| spent.now(now_ms) > 0);
        let used = self.0.get(&uid).map_or(0, |spent| spent.now(now_ms));
        let with_one_more = used.saturating_add(ONE_MORE_MS);
        if with_one_more > AT_ONCE * ONE_MORE_MS {
            return false;
        }
        let spent = Spent {
            ms: with_one_more,
            at_ms: now_ms,
        };
        self.0.insert(uid, spent);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rates: &mut Rates, uid: u32, times: u64, now_ms: u64) -> usize {
        (0..times).filter(|_| rates.admit(uid, now_ms)).count()
    }

    #[test]
    fn so_many_come_at_once_then_one_after_the_other_and_nobody_pays_for_another() {
        let mut rates = Rates::default();
        assert_eq!(admitted(&mut rates, 1001, 1_000, 5), 60);
        assert_eq!(admitted(&mut rates, 1002, 10, 5), 10);
        assert_eq!(admitted(&mut rates, 1001, 10, 5 + ONE_MORE_MS), 1);
        assert_eq!(admitted(&mut rates, 1001, 1_000, 1_000_000), 60);
    }

    #[test]
    fn whoever_has_nothing_left_to_wait_for_is_forgotten() {
        let mut rates = Rates::default();
        for uid in 0..1_000 {
            assert!(rates.admit(uid, 0));
        }
        assert!(rates.admit(5, 10_000));
        assert_eq!(rates.0.len(), 1);
    }
}
