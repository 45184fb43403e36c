//! The only place where the time is read.

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment, by every clock that a grant can end by. Functions that decide take it as a parameter.
///
/// Grants end on whole seconds of the wall clock. So a moment is the beginning of the second that
/// it lies in, on both clocks: what is left until an end is then the same by either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// `CLOCK_REALTIME`: seconds since 1970 in UTC. People set this one.
    pub wall_s: i64,
    /// `CLOCK_BOOTTIME` in milliseconds: counts through suspend, never goes back, starts anew
    /// with each boot.
    pub boottime_ms: u64,
    /// Which boot that is: `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// Which boot it is, as PID 1 sees it and so everybody who logs in: a /proc of its own, as a unit may
/// have one, tells the machine's boot id in a container. The second for who may not look there.
const BOOT_ID: [&str; 2] = [
    "/proc/1/root/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/random/boot_id",
];

/// Reads the clocks.
#[derive(Debug, Clone)]
pub struct Clock {
    boot_id: String,
}

impl Clock {
    /// Learns which boot this is.
    ///
    /// # Errors
    /// When `/proc/sys/kernel/random/boot_id` cannot be read.
    pub fn new() -> std::io::Result<Self> {
        let boot_id = BOOT_ID
            .iter()
            .map(std::fs::read_to_string)
            .reduce(Result::or)
            .unwrap_or(Err(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self {
            boot_id: boot_id.trim().to_owned(),
        })
    }

    /// `CLOCK_REALTIME` to the nanosecond, since 1970.
    ///
    /// # Errors
    /// When the kernel refuses to tell (`clock_gettime(2)`).
    pub fn wall(&self) -> nix::Result<std::time::Duration> {
        Ok(clock_gettime(ClockId::CLOCK_REALTIME)?.into())
    }

    /// The moment it is.
    ///
    /// # Errors
    /// When the kernel refuses to tell (`clock_gettime(2)`).
    pub fn now(&self) -> nix::Result<Now> {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let boottime = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        let into_second_ms = wall.tv_nsec() / 1_000_000;
        let boottime_ms =
            boottime.tv_sec() * 1_000 + boottime.tv_nsec() / 1_000_000 - into_second_ms;
        Ok(Now {
            wall_s: wall.tv_sec(),
            boottime_ms: u64::try_from(boottime_ms).unwrap_or(0),
            boot_id: self.boot_id.clone(),
        })
    }
}

/// `CLOCK_BOOTTIME` in milliseconds, not the beginning of a second as in [`Now`].
///
/// # Errors
/// When the kernel refuses to tell (`clock_gettime(2)`).
pub fn boottime_ms() -> nix::Result<u64> {
    let boottime = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let ms = boottime.tv_sec() * 1_000 + boottime.tv_nsec() / 1_000_000;
    Ok(u64::try_from(ms).unwrap_or(0))
}

/// `CLOCK_REALTIME` in seconds since 1970, to hold against the times of files; long ago where the kernel
/// does not tell.
#[must_use]
pub fn wall_s() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(i64::MIN, |wall| wall.tv_sec())
}

/// `CLOCK_MONOTONIC` in microseconds, by which systemd tells when a unit started. It does not
/// count through suspend.
///
/// # Errors
/// When the kernel refuses to tell (`clock_gettime(2)`).
pub fn monotonic_us() -> nix::Result<u64> {
    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let us = monotonic.tv_sec() * 1_000_000 + monotonic.tv_nsec() / 1_000;
    Ok(u64::try_from(us).unwrap_or(0))
}
