//! What many times come to.

use std::time::Duration;

/// What the times of one thing come to, when there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Half of all took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The slowest of all.
    pub last: Duration,
    /// How many there are.
    pub count: usize,
}

/// Each is a time that was measured, none is made up between two (nearest rank).
#[must_use]
pub fn summary(times: &[Duration]) -> Option<Summary> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = sorted.len().saturating_mul(percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    };
    Some(Summary {
        p50: at(50)?,
        p99: at(99)?,
        last: at(100)?,
        count: sorted.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(most: u64) -> Vec<Duration> {
        // From the slowest down: an order of their own must not count.
        (1..=most).rev().map(Duration::from_millis).collect()
    }

    fn millis(times: &[Duration]) -> [u128; 3] {
        let all = summary(times).unwrap();
        [all.p50, all.p99, all.last].map(|time| time.as_millis())
    }

    #[test]
    fn of_no_times_nothing_is_said() {
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn one_time_is_all_of_them() {
        assert_eq!(millis(&up_to(1)), [1, 1, 1]);
    }

    #[test]
    fn half_took_no_longer_than_the_median() {
        assert_eq!(millis(&up_to(4)), [2, 4, 4]);
        assert_eq!(millis(&up_to(5)), [3, 5, 5]);
    }

    #[test]
    fn of_two_hundred_two_are_slower_than_the_99th_percentile() {
        assert_eq!(millis(&up_to(200)), [100, 198, 200]);
        assert_eq!(summary(&up_to(200)).unwrap().count, 200);
    }
}
