//! Times on screen: relative, absolute and with their zone.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDateTime};

use crate::clock::Clock;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The two longest units of a span: `1h59m`, `2d3h`, `45s`. What is left over is dropped, so
/// nobody is promised a second too many.
pub fn short(seconds: u64) -> String {
    let mut units = UNITS.iter().skip_while(|(_, scale)| seconds < *scale);
    let Some((unit, scale)) = units.next() else {
        return "0s".to_owned();
    };
    let first = format!("{}{unit}", seconds / scale);
    match units.next() {
        Some((unit, next)) if seconds % scale >= *next => {
            format!("{first}{}{unit}", seconds % scale / next)
        }
        _ => first,
    }
}

/// `1h59m left (until 16:30 CET, 15:30Z)`
pub fn left(remaining: u64, until: i64, clock: &Clock) -> String {
    format!(
        "{} left (until {})",
        short(remaining),
        absolute(until, clock)
    )
}

/// `5m ago (14:26 CET, 13:26Z)` or `in 2h (16:31 CET, 15:31Z)`
pub fn relative(at: i64, clock: &Clock) -> String {
    format!("{} ({})", distance(at, clock), absolute(at, clock))
}

/// `5m ago`, `now` or `in 2h`
pub fn distance(at: i64, clock: &Clock) -> String {
    let span = short(at.abs_diff(clock.now));
    match at.cmp(&clock.now) {
        Ordering::Less => format!("{span} ago"),
        Ordering::Equal => "now".to_owned(),
        Ordering::Greater => format!("in {span}"),
    }
}

/// `16:30 CET, 15:30Z`; with the date on any other day than today, and once where the reader's
/// clock shows UTC.
pub fn absolute(at: i64, clock: &Clock) -> String {
    let local = (clock.wall)(at);
    let today = (clock.wall)(clock.now).time.date();
    let utc = utc(at);
    let form = if local.time.date() == today && utc.date() == today {
        "%H:%M"
    } else {
        "%F %H:%M"
    };
    let here = format!("{} {}", local.time.format(form), local.zone);
    if local.time == utc {
        return here;
    }
    format!("{here}, {}Z", utc.format(form))
}

/// `2026-11-24 16:30:00 CET`: for what is read on another day, or elsewhere.
pub fn dated(at: i64, clock: &Clock) -> String {
    let wall = (clock.wall)(at);
    format!("{} {}", wall.time.format("%F %T"), wall.zone)
}

/// RFC 3339 in UTC: `2026-11-24T15:30:00Z`
pub fn rfc3339(at: i64) -> String {
    utc(at).format("%FT%TZ").to_string()
}

fn utc(at: i64) -> NaiveDateTime {
    DateTime::from_timestamp(at, 0)
        .unwrap_or_default()
        .naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;

    #[test]
    fn a_span_is_shown_in_its_two_longest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (45, "45s"),
            (60, "1m"),
            (299, "4m59s"),
            (7_199, "1h59m"),
            (7_200, "2h"),
            (3_605, "1h"),
            (187_200, "2d4h"),
        ] {
            assert_eq!(short(seconds), text);
        }
    }

    #[test]
    fn what_is_left_is_said_three_ways() {
        let clock = fixed();
        let end = clock.now + 7_140;
        assert_eq!(
            left(7_140, end, &clock),
            "1h59m left (until 16:30 CET, 15:30Z)"
        );
    }

    #[test]
    fn another_day_is_named() {
        let clock = fixed();
        assert_eq!(
            relative(clock.now + 86_400, &clock),
            "in 1d (2026-11-25 14:31 CET, 2026-11-25 13:31Z)"
        );
        assert_eq!(
            relative(clock.now - 300, &clock),
            "5m ago (14:26 CET, 13:26Z)"
        );
    }

    #[test]
    fn a_reader_whose_clock_shows_utc_reads_it_once() {
        let clock = Clock {
            wall: |at| crate::clock::Wall {
                time: utc(at),
                zone: "UTC".into(),
            },
            ..fixed()
        };
        assert_eq!(relative(clock.now, &clock), "now (13:31 UTC)");
        assert_eq!(absolute(clock.now - 86_400, &clock), "2026-11-23 13:31 UTC");
    }

    #[test]
    fn around_midnight_both_days_are_named() {
        let clock = fixed();
        // 00:30 CET tomorrow is 23:30Z today.
        assert_eq!(
            absolute(clock.now + 35_940, &clock),
            "2026-11-25 00:30 CET, 2026-11-24 23:30Z"
        );
    }

    #[test]
    fn json_times_are_rfc3339_in_utc() {
        assert_eq!(rfc3339(1_795_534_200), "2026-11-24T15:30:00Z");
    }
}
