//! Spans of time as people write them: `7d8h30m10s`.

use std::fmt;

/// A span of whole seconds. Written as days, hours, minutes and seconds in this order, lower
/// case, each with its unit; a bare number is refused because nobody knows what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

/// Why a text is not a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSpanError {
    /// A number stands without a unit.
    #[error("\"{0}\" has no unit; write for example 90m, 2h or 7d8h30m10s")]
    NoUnit(String),
    /// The text has some other form.
    #[error("\"{0}\" is not a span of time; write for example 90m, 2h or 7d8h30m10s")]
    Malformed(String),
    /// The span does not fit.
    #[error("\"{0}\" is too long a span of time (at most 3650d)")]
    TooLong(String),
}

/// Ten years: beyond that a span is a mistake, and sums of times stay far from overflow.
const MAX_SECONDS: u64 = 3650 * 86_400;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Span {
    /// A span of so many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Length in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Reads `7d8h30m10s`.
    pub fn parse(text: &str) -> Result<Self, ParseSpanError> {
        let shown = || crate::text::one_line(text, 40);
        let malformed = || ParseSpanError::Malformed(shown());
        let mut units = UNITS.iter();
        let mut seconds = 0u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit());
            let (number, after) = match digits {
                Some(at) => rest.split_at_checked(at).ok_or_else(malformed)?,
                None => return Err(ParseSpanError::NoUnit(shown())),
            };
            let unit = after.chars().next().ok_or_else(malformed)?;
            // Units come once each, from long to short.
            let (_, scale) = units
                .find(|(name, _)| *name == unit)
                .ok_or_else(malformed)?;
            if number.is_empty() {
                return Err(malformed());
            }
            seconds = number
                .parse::<u64>()
                .ok()
                .and_then(|n| n.checked_mul(*scale))
                .and_then(|n| n.checked_add(seconds))
                .filter(|total| *total <= MAX_SECONDS)
                .ok_or_else(|| ParseSpanError::TooLong(shown()))?;
            rest = after.get(unit.len_utf8()..).unwrap_or_default();
        }
        if text.is_empty() {
            Err(malformed())
        } else {
            Ok(Self(seconds))
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, scale) in UNITS {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_days_hours_minutes_and_seconds() {
        assert_eq!(Span::parse("2h").unwrap().as_secs(), 7_200);
        assert_eq!(Span::parse("7d8h30m10s").unwrap().as_secs(), 635_410);
        assert_eq!(Span::parse("90m").unwrap().as_secs(), 5_400);
        assert_eq!(Span::parse("0s").unwrap().as_secs(), 0);
    }

    #[test]
    fn a_bare_number_is_refused_by_name() {
        assert_eq!(Span::parse("90"), Err(ParseSpanError::NoUnit("90".into())));
        assert_eq!(
            Span::parse("1h30"),
            Err(ParseSpanError::NoUnit("1h30".into()))
        );
    }

    #[test]
    fn everything_else_is_malformed_or_too_long() {
        for text in [
            "", "h", "-1h", "1H", "1m1h", "1h1h", "1.5h", " 1h", "1h ", "1w", "1ħ",
        ] {
            assert!(
                matches!(Span::parse(text), Err(ParseSpanError::Malformed(_))),
                "{text:?}"
            );
        }
        for text in ["3651d", "99999999999999999999s", "18446744073709551615d"] {
            assert!(
                matches!(Span::parse(text), Err(ParseSpanError::TooLong(_))),
                "{text:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn every_span_reads_back_as_itself(seconds in 0..=MAX_SECONDS) {
            let span = Span::from_secs(seconds);
            proptest::prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = Span::parse(&text);
        }
    }
}
