//! The only place where the time is read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment, by both clocks that a grant can end by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_REALTIME`, in seconds since 1970.
    pub wall_s: i64,
    /// `CLOCK_BOOTTIME`, in milliseconds.
    pub boottime_ms: u64,
}

/// `CLOCK_BOOTTIME`, for measuring how long something takes.
///
/// # Errors
/// When the kernel refuses to tell (`clock_gettime(2)`).
pub fn uptime() -> nix::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}

/// A tick of the clock by which proc(5) tells when a process started, in milliseconds: `USER_HZ` is
/// 100 wherever Debian runs.
const TICK_MS: u64 = 10;

/// When this process was started, by `CLOCK_BOOTTIME` in milliseconds, rounded down to a tick. A program
/// that it became since (execve(2)) does not change that.
///
/// # Errors
/// When the kernel does not tell (proc(5), stat).
pub fn own_start_ms() -> Result<u64, String> {
    const PATH: &str = "/proc/self/stat";
    let text = std::fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    let ticks = start_ticks(&text).ok_or_else(|| format!("{PATH}: no start time"))?;
    Ok(ticks.saturating_mul(TICK_MS))
}

/// Field 22. The second field is the program's name, in which there may be anything.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(") ")?;
    behind.split(' ').nth(19)?.parse().ok()
}

/// The moment it is.
///
/// # Errors
/// When the kernel refuses to tell (`clock_gettime(2)`).
pub fn now() -> nix::Result<Now> {
    let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(Now {
        wall_s: wall.tv_sec(),
        boottime_ms: u64::try_from(uptime()?.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::start_ticks;

    #[test]
    fn the_start_stands_behind_a_name_that_may_look_like_fields() {
        let rest: Vec<_> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) S 1 (b) S {}\n", rest.join(" "));
        assert_eq!(start_ticks(&stat), Some(22));
        assert_eq!(start_ticks("7 (a) S 1\n"), None);
    }
}
