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
    /// What it is when it is read again, given what it was.
    pub later: fn(i64) -> i64,
    /// What the reader's clock shows at a time, given in seconds since 1970.
    pub wall: fn(i64) -> Wall,
    /// When the reader's clock shows this, in order: once, never (in the hour that summer time leaves
    /// out) or twice.
    pub unix: fn(NaiveDateTime) -> LocalResult<i64>,
}

impl Clock {
    /// Reads the clock.
    pub fn read() -> Self {
        Self {
            now: now(),
            later: |_| now(),
            wall,
            unix,
        }
    }

    /// The same zone, at the time it is now: for commands that run for long.
    pub fn again(self) -> Self {
        Self {
            now: (self.later)(self.now),
            ..self
        }
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

fn unix(time: NaiveDateTime) -> LocalResult<i64> {
    match Local.from_local_datetime(&time) {
        LocalResult::Single(moment) => LocalResult::Single(moment.timestamp()),
        LocalResult::Ambiguous(one, other) => {
            let (one, other) = (one.timestamp(), other.timestamp());
            LocalResult::Ambiguous(one.min(other), one.max(other))
        }
        LocalResult::None => LocalResult::None,
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
        later: |now| now,
        wall: |at| Wall {
            time: chrono::DateTime::from_timestamp(at + HOUR, 0)
                .unwrap()
                .naive_utc(),
            zone: "CET".into(),
        },
        unix: |time| LocalResult::Single(time.and_utc().timestamp() - HOUR),
    }
}

/// A clock for tests: the night of 25 October 2026 in central Europe, in which the hour from two to
/// three comes twice. It begins at one.
#[cfg(test)]
pub fn autumn_night() -> Clock {
    const HOUR: i64 = 3_600;
    /// 01:00 UTC, when the clocks go back.
    const BACK: i64 = 1_792_890_000;
    Clock {
        now: BACK - 2 * HOUR,
        later: |now| now,
        wall: |at| {
            let (ahead, zone) = if at < BACK { (2, "CEST") } else { (1, "CET") };
            Wall {
                time: chrono::DateTime::from_timestamp(at + ahead * HOUR, 0)
                    .unwrap()
                    .naive_utc(),
                zone: zone.into(),
            }
        },
        unix: |time| {
            let utc = time.and_utc().timestamp();
            match (utc - 2 * HOUR < BACK, utc - HOUR >= BACK) {
                (true, true) => LocalResult::Ambiguous(utc - 2 * HOUR, utc - HOUR),
                (true, false) => LocalResult::Single(utc - 2 * HOUR),
                _ => LocalResult::Single(utc - HOUR),
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_time_reads_back_as_the_moment_it_was() {
        let clock = Clock::read();
        let wall = (clock.wall)(clock.now);
        let read_back = (clock.unix)(wall.time);
        assert!(
            [read_back.earliest(), read_back.latest()].contains(&Some(clock.now)),
            "{read_back:?}"
        );
        assert!(!wall.zone.is_empty());
    }

    /// The zone is read once a process, so this looks at one of its own.
    #[test]
    fn the_hour_that_comes_twice_is_told_in_order() {
        const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
        if std::env::var("TZ").as_deref() != Ok(ZONE) {
            let name = "clock::tests::the_hour_that_comes_twice_is_told_in_order";
            let mut there = std::process::Command::new(std::env::current_exe().unwrap());
            let run = there
                .env("TZ", ZONE)
                .args(["--exact", name])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let at = |text: &str| unix(text.parse().unwrap());
        let (back, half) = (autumn_night().now + 7_200, 1_800);
        assert_eq!(
            at("2026-10-25T02:30:00"),
            LocalResult::Ambiguous(back - half, back + half)
        );
        assert_eq!(at("2026-10-25T01:00:00"), LocalResult::Single(back - 7_200));
        assert_eq!(at("2026-03-29T02:30:00"), LocalResult::None);
    }
}
