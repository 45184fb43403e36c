//! Times as people type them: `17:30`, `2026-11-24T17:30:00+01:00`, `7d`, `2026-11-24`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use tpa_bus::span::{ParseSpanError, Span};
use tpa_bus::text::one_line;

use crate::clock::Clock;
use crate::fail::{Exit, Fail};

/// Reads a span for clap.
pub fn span(text: &str) -> Result<Span, ParseSpanError> {
    Span::parse(text)
}

/// A moment to come: `17:30` or RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The next time that the reader's clock shows this.
    Clock(NaiveTime),
    /// Seconds since 1970.
    Exact(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Exact(exact.timestamp()));
        }
        NaiveTime::parse_from_str(text, "%H:%M")
            .map(Self::Clock)
            .map_err(|_| {
                let shown = one_line(text, 40);
                format!("\"{shown}\" is not a time; write 17:30 or 2026-11-24T17:30:00+01:00")
            })
    }
}

impl fmt::Display for Moment {
    /// As it can be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(time) => write!(f, "{}", time.format("%H:%M")),
            Self::Exact(at) => {
                let time = DateTime::from_timestamp(*at, 0).unwrap_or_default();
                write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%SZ"))
            }
        }
    }
}

impl Moment {
    /// Seconds since 1970. A time of day is the first one later than `after`.
    pub fn resolve(self, after: i64, clock: &Clock) -> Result<i64, Fail> {
        let time = match self {
            Self::Exact(at) => return Ok(at),
            Self::Clock(time) => time,
        };
        let today = (clock.wall)(after).time.date();
        [Some(today), today.checked_add_days(Days::new(1))]
            .into_iter()
            .flatten()
            .map(|day| (clock.unix)(day.and_time(time)))
            .flat_map(|shown| [shown.earliest(), shown.latest()])
            .flatten()
            .find(|at| *at > after)
            .ok_or_else(|| {
                Fail::new(
                    Exit::Usage,
                    format!("there is no {time} on the clock within a day"),
                    "write the time with its zone, such as 2026-11-24T17:30:00+01:00",
                )
            })
    }
}

/// A moment gone by: a span back from now, a day, or RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// This long ago.
    Ago(Span),
    /// The day's first moment, on the reader's clock.
    Day(NaiveDate),
    /// Seconds since 1970.
    Exact(i64),
}

impl FromStr for Past {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Exact(exact.timestamp()));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Day(day));
        }
        Span::parse(text).map(Self::Ago).map_err(|error| {
            format!("{error}, or a day or time such as 2026-11-24 or 2026-11-24T17:30:00Z")
        })
    }
}

impl Past {
    /// Seconds since 1970.
    pub fn resolve(self, clock: &Clock) -> i64 {
        match self {
            Self::Exact(at) => at,
            Self::Ago(span) => {
                let back = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
                clock.now.saturating_sub(back)
            }
            Self::Day(day) => {
                let midnight = day.and_time(NaiveTime::MIN);
                // Where summer time leaves midnight out, UTC's is near enough to begin from.
                let shown = (clock.unix)(midnight).earliest();
                shown.unwrap_or_else(|| midnight.and_utc().timestamp())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{autumn_night, fixed};

    #[test]
    fn a_time_of_day_is_the_next_one_on_the_readers_clock() {
        let clock = fixed(); // 14:31 CET
        let at = |text: &str, after| {
            let moment: Moment = text.parse().unwrap();
            moment.resolve(after, &clock).unwrap() - clock.now
        };
        assert_eq!(at("14:32", clock.now), 60);
        assert_eq!(at("14:31", clock.now), 86_400);
        assert_eq!(at("09:00", clock.now), 18 * 3_600 + 29 * 60);
        assert_eq!(at("2026-11-24T14:32:00+01:00", clock.now), 60);
    }

    #[test]
    fn of_an_hour_that_comes_twice_the_earlier_is_meant_until_it_has_passed() {
        let clock = autumn_night();
        let half_past: Moment = "02:30".parse().unwrap();
        let minutes = |after: i64| (half_past.resolve(after, &clock).unwrap() - after) / 60;
        assert_eq!(minutes(clock.now), 90, "from 01:00 on");
        assert_eq!(minutes(clock.now + 100 * 60), 50, "from the first 02:40 on");
        assert_eq!(
            minutes(clock.now + 160 * 60),
            23 * 60 + 50,
            "from the second 02:40 on"
        );
    }

    #[test]
    fn an_end_is_counted_from_the_start_asked_for() {
        let clock = fixed();
        let start: Moment = "22:00".parse().unwrap();
        let start = start.resolve(clock.now, &clock).unwrap();
        let end: Moment = "02:00".parse().unwrap();
        assert_eq!(end.resolve(start, &clock).unwrap() - start, 4 * 3_600);
    }

    #[test]
    fn a_moment_is_shown_as_it_can_be_typed_again() {
        for text in ["09:05", "17:30", "2026-11-24T16:30:00Z"] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        let elsewhere: Moment = "2026-11-24T17:30:00+01:00".parse().unwrap();
        assert_eq!(elsewhere.to_string().parse(), Ok(elsewhere));
    }

    #[test]
    fn what_is_not_a_time_is_refused_by_name() {
        for text in ["", "25:00", "5pm", "90", "2026-11-24", "17:30\x1b[2J"] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.contains("is not a time"), "{text:?}: {error}");
            assert!(!error.contains('\x1b'));
        }
    }

    #[test]
    fn the_past_is_a_span_a_day_or_a_time() {
        let clock = fixed();
        let back = |text: &str| clock.now - text.parse::<Past>().unwrap().resolve(&clock);
        assert_eq!(back("7d"), 604_800);
        assert_eq!(back("2026-11-24"), 14 * 3_600 + 31 * 60);
        assert_eq!(back("2026-11-24T13:30:00Z"), 60);
        assert!("7".parse::<Past>().unwrap_err().contains("no unit"));
    }
}
