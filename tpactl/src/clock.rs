//! The only place where the time is read, and where it is turned into the reader's own time zone.

use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{Local, LocalResult, NaiveDateTime, TimeZone};

/// What the clock on the reader's wall shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// Date and time.
    pub time: NaiveDateTime,
    /// Abbreviation of the zone: `CET`.
    pub zone: String,
}

/// The time now, and the reader's time zone.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds since 1970 in UTC.
    pub now: i64,
    /// What the reader's clock shows at a time, given in seconds since 1970.
    pub wall: fn(i64) -> Wall,
    /// When the reader's clock shows this; `None` where it never does (the hour that summer time
    /// leaves out), the earlier of the two where it does so twice.
    pub unix: fn(NaiveDateTime) -> Option<i64>,
}

impl Clock {
    /// Reads the clock.
    pub fn read() -> Self {
        Self {
            now: now(),
            wall,
            unix,
        }
    }

    /// The same zone, at the time it is now: for commands that run for long.
    pub fn again(self) -> Self {
        Self { now: now(), ..self }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

fn unix(time: NaiveDateTime) -> Option<i64> {
    match Local.from_local_datetime(&time) {
        LocalResult::Single(moment) => Some(moment.timestamp()),
        LocalResult::Ambiguous(one, other) => Some(one.timestamp().min(other.timestamp())),
        LocalResult::None => None,
    }
}

/// chrono knows the zone's offset but not its name; localtime(3) does.
fn wall(at: i64) -> Wall {
    let time = Local
        .timestamp_opt(at, 0)
        .single()
        .map(|moment| moment.naive_local())
        .unwrap_or_default();
    Wall {
        time,
        zone: zone(at).unwrap_or_else(|| "local".to_owned()),
    }
}

fn zone(at: i64) -> Option<String> {
    let mut parts = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to live values of the right type, and localtime_r(3) keeps
    // neither.
    let filled = unsafe { libc::localtime_r(&raw const at, parts.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: localtime_r(3) returned its second argument, so it filled every field. `tm_zone`
    // points into libc's table of the zone, which is not changed here: this program never sets
    // TZ, and the name is copied before anything else runs.
    let name = unsafe {
        let name = parts.assume_init().tm_zone;
        (!name.is_null()).then(|| CStr::from_ptr(name).to_owned())
    };
    name?.into_string().ok()
}

/// A clock for tests: 24 November 2026, 13:31 UTC, in a zone one hour ahead.
#[cfg(test)]
pub fn fixed() -> Clock {
    const HOUR: i64 = 3_600;
    Clock {
        now: 1_795_527_060,
        wall: |at| Wall {
            time: chrono::DateTime::from_timestamp(at + HOUR, 0)
                .unwrap()
                .naive_utc(),
            zone: "CET".into(),
        },
        unix: |time| Some(time.and_utc().timestamp() - HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_time_reads_back_as_the_moment_it_was() {
        let clock = Clock::read();
        let wall = (clock.wall)(clock.now);
        assert_eq!((clock.unix)(wall.time), Some(clock.now));
        assert!(!wall.zone.is_empty());
    }
}
