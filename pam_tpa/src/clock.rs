//! The only place where the time is read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tpa_bus::stat::{TICK_MS, start_ticks};

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

/// When this process was started, by `CLOCK_BOOTTIME` in milliseconds, rounded down to a tick. A program
/// that it became since (execve(2)) does not change that.
///
/// # Errors
/// When the kernel does not tell (proc(5), stat).
pub fn own_start_ms() -> Result<u64, String> {
    const PATH: &str = "/proc/self/stat";
    let bytes = std::fs::read(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    // The program's name is in it, and may be any bytes: a link's, by which somebody called sudo.
    let ticks = start_ticks(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| format!("{PATH}: no start time"))?;
    Ok(ticks.saturating_mul(TICK_MS))
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
    use super::*;

    #[test]
    fn the_start_is_told_whatever_name_the_program_was_called_by() {
        const NAME: &str = "/proc/self/comm";
        let (before, start) = (std::fs::read(NAME).unwrap(), own_start_ms());
        std::fs::write(NAME, b"\xff) S 1 \xfe").unwrap();
        let renamed = own_start_ms();
        std::fs::write(NAME, before.trim_ascii_end()).unwrap();
        assert_eq!(renamed, start);
        assert!(start.is_ok_and(|start| start > 0));
    }
}
