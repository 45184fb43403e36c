//! The only place where the time is read.

use nix::time::{ClockId, clock_gettime};

/// A moment, by both clocks that a grant can end by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_REALTIME`, in seconds since 1970.
    pub wall_s: i64,
    /// `CLOCK_BOOTTIME`, in milliseconds.
    pub boottime_ms: u64,
}

/// The moment it is.
///
/// # Errors
/// When the kernel refuses to tell (`clock_gettime(2)`).
pub fn now() -> nix::Result<Now> {
    let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
    let boottime = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let boottime_ms = boottime.tv_sec() * 1_000 + boottime.tv_nsec() / 1_000_000;
    Ok(Now {
        wall_s: wall.tv_sec(),
        boottime_ms: u64::try_from(boottime_ms).unwrap_or(u64::MAX),
    })
}
