//! PURE: how fast a target is told, and when it is tried again.

use std::collections::VecDeque;
use std::time::Duration;

/// What "a minute" is, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// First and longest wait before another try.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(5);

/// What may be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Turn {
    /// The next event by itself.
    One,
    /// All that waits, in one message: it is the last for now.
    All,
    /// Nothing, for so long; then all that waits.
    Wait(Duration),
}

/// Counts messages.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    sent: VecDeque<u64>,
}

impl Pace {
    /// At most so many messages a minute.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: most.max(1),
            sent: VecDeque::new(),
        }
    }

    /// What may be told at this moment, in milliseconds of any clock that does not go back.
    pub(super) fn turn(&mut self, now_ms: u64) -> Turn {
        if self.most == u32::MAX {
            return Turn::One;
        }
        while self
            .sent
            .front()
            .is_some_and(|at| at.saturating_add(MINUTE_MS) <= now_ms)
        {
            self.sent.pop_front();
        }
        let sent = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        match (self.most.saturating_sub(sent), self.sent.front()) {
            (0, Some(first)) => {
                let free = first.saturating_add(MINUTE_MS);
                Turn::Wait(Duration::from_millis(free.saturating_sub(now_ms)))
            }
            (0 | 1, _) => Turn::All,
            _ => Turn::One,
        }
    }

    /// A message went out.
    pub(super) fn sent(&mut self, now_ms: u64) {
        if self.most < u32::MAX {
            self.sent.push_back(now_ms);
        }
    }
}

/// How long to wait before the next try after so many, and after what the target asked for.
pub(super) fn wait(tries: u32, retry_after_s: Option<u64>) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.min(16)));
    let asked = Duration::from_secs(retry_after_s.unwrap_or(0));
    doubled.min(LONGEST).max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_of_a_minute_has_all_that_waits() {
        let mut pace = Pace::new(3);
        for at in [0, 1_000] {
            assert_eq!(pace.turn(at), Turn::One);
            pace.sent(at);
        }
        assert_eq!(pace.turn(2_000), Turn::All);
        pace.sent(2_000);
        assert_eq!(pace.turn(3_000), Turn::Wait(Duration::from_secs(57)));
        assert_eq!(pace.turn(60_000), Turn::All);
        pace.sent(60_000);
        assert_eq!(pace.turn(60_500), Turn::Wait(Duration::from_millis(500)));
        assert_eq!(pace.turn(200_000), Turn::One);
    }

    #[test]
    fn never_more_go_out_in_any_minute_than_was_said() {
        for most in [1, 2, 10] {
            let mut pace = Pace::new(most);
            let mut sent = Vec::new();
            let mut now = 0;
            while now < 600_000 {
                match pace.turn(now) {
                    Turn::Wait(wait) => now += u64::try_from(wait.as_millis()).unwrap(),
                    Turn::One | Turn::All => {
                        pace.sent(now);
                        sent.push(now);
                        now += 37;
                    }
                }
            }
            for first in &sent {
                let in_minute = sent
                    .iter()
                    .filter(|at| (*first..first + MINUTE_MS).contains(*at));
                assert!(in_minute.count() <= most as usize);
            }
        }
    }

    #[test]
    fn tries_come_further_apart_and_not_before_the_target_wants_one() {
        let waits: Vec<_> = (0..10).map(|tries| wait(tries, None).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(0, Some(60)).as_secs(), 60);
        assert_eq!(wait(u32::MAX, None).as_secs(), 300);
    }
}
