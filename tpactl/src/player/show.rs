//! Puts a recording on the screen, at its own speed or another.

use std::time::Duration;

use futures_lite::future::or;

use super::filter::{Filter, RESET};
use super::keys::{Key, Keys};
use super::recording::{Frame, Shown, Source};
use crate::bus::runtime;
use crate::fail::Fail;
use crate::screen::Screen;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How many times faster than it was.
    pub speed: f64,
    /// Longest pause.
    pub idle: Option<Duration>,
    /// What came before this is shown at once.
    pub from: Duration,
}

impl Pace {
    /// How long to wait for what came so long after what was shown before; `past` is when that was.
    pub fn pause(&self, after: Duration, past: Duration) -> Duration {
        let begun = self.from.saturating_sub(past);
        let left = after.saturating_sub(begun);
        let pause = self.idle.map_or(left, |idle| left.min(idle));
        Duration::try_from_secs_f64(pause.as_secs_f64() / self.speed).unwrap_or(pause)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// There is nothing more.
    Over,
    /// Whoever looked left.
    Left,
    /// They want to end what they look at.
    Kill,
}

/// Shows it until its end, or until a key. Without a pace nothing is waited for.
pub async fn play(
    source: &mut Source<'_>,
    filter: &mut Filter,
    pace: Option<Pace>,
    keys: Option<&Keys>,
    screen: &Screen,
) -> Result<Ended, Fail> {
    let mut past = Duration::ZERO;
    loop {
        let frame = match unless(keys, source.next()).await {
            Err(ended) => return Ok(ended),
            Ok(frame) => frame?,
        };
        let Some(Frame { after, shown }) = frame else {
            return Ok(Ended::Over);
        };
        if let Some(pace) = pace {
            let pause = pace.pause(after, past);
            past = past.saturating_add(after);
            if !pause.is_zero()
                && let Err(ended) = unless(keys, runtime()?.sleep(pause)).await
            {
                return Ok(ended);
            }
        }
        if let Shown::Bytes(bytes) = shown {
            screen.show(&filter.feed(&bytes))?;
        }
    }
}

/// Puts the terminal back to where it was.
pub fn reset(screen: &Screen) -> Result<(), Fail> {
    screen.show(&format!("{RESET}\r\n"))
}

/// Does something unless a key that means something comes first.
async fn unless<T>(keys: Option<&Keys>, doing: impl Future<Output = T>) -> Result<T, Ended> {
    let Some(keys) = keys else {
        return Ok(doing.await);
    };
    let pressed = async {
        loop {
            match keys.pressed().await {
                Key::Quit => return Err(Ended::Left),
                Key::Kill => return Err(Ended::Kill),
                Key::Other => {}
            }
        }
    };
    or(async { Ok(doing.await) }, pressed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_speed_the_longest_that_is_wanted_and_where_to_begin() {
        let second = Duration::from_secs(1);
        let plain = Pace {
            speed: 1.0,
            idle: None,
            from: Duration::ZERO,
        };
        assert_eq!(plain.pause(second, second), second);
        let twice = Pace {
            speed: 2.0,
            ..plain
        };
        assert_eq!(twice.pause(second, second), second / 2);
        let short = Pace {
            idle: Some(second),
            ..twice
        };
        assert_eq!(short.pause(second * 60, second), second / 2);
        let from = Pace {
            from: second * 10,
            ..plain
        };
        assert_eq!(from.pause(second * 4, second * 2), Duration::ZERO);
        assert_eq!(from.pause(second * 4, second * 8), second * 2);
        assert_eq!(from.pause(second * 4, second * 20), second * 4);
    }
}
