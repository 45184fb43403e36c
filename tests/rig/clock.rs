//! The only place of the rig where the time is read.

use std::time::Duration;

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`: for measuring how long something takes.
pub fn uptime() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(Duration::from(now))
}

/// `CLOCK_REALTIME` since 1970, in UTC.
pub fn wall() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(Duration::from(now))
}
