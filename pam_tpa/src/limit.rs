//! The limit of a scope, read from the unit files that systemd and `tpad` write for it.
//!
//! PID 1 writes `/run/systemd/transient/session-N.scope` when logind starts the scope
//! (systemd.scope(5)); the limit stands there as systemd.time(7) shows spans, such as
//! `1h 2min 3.500s`.

/// The last `RuntimeMaxSec=` of the `[Scope]` section in seconds, rounded up. `None` when there
/// is none, or when it is no limit at all or cannot be read as one.
#[must_use]
pub fn runtime_max_s(unit: &str) -> Option<u64> {
    let mut in_scope = false;
    let mut limit = None;
    for line in unit.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            in_scope = line == "[Scope]";
        } else if in_scope && let Some(value) = line.strip_prefix("RuntimeMaxSec=") {
            limit = span_s(value.trim());
        }
    }
    limit
}

const US_PER_S: u64 = 1_000_000;

/// Units as systemd writes them, in microseconds. A month is a twelfth of a year of 365.25 days.
const UNITS: [(&str, u64); 9] = [
    ("y", 31_557_600 * US_PER_S),
    ("month", 2_629_800 * US_PER_S),
    ("w", 604_800 * US_PER_S),
    ("d", 86_400 * US_PER_S),
    ("h", 3_600 * US_PER_S),
    ("min", 60 * US_PER_S),
    ("s", US_PER_S),
    ("ms", 1_000),
    ("us", 1),
];

/// `1h 2min 3.500s` in seconds, rounded up; `infinity`, 0 and everything else is `None`.
fn span_s(text: &str) -> Option<u64> {
    let mut total = 0u64;
    for word in text.split_ascii_whitespace() {
        let unit_at = word.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = word.split_at_checked(unit_at)?;
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *scale)?)?;
    }
    (total > 0).then(|| total.div_ceil(US_PER_S))
}

/// A number with at most six decimals, times the scale.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if decimals.is_empty() || decimals.len() > 6 {
        return None;
    }
    let digits = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())?
    };
    let places = 10u64.pow(u32::try_from(decimals.len()).ok()?);
    let part = digits(decimals)?.checked_mul(scale)?.div_ceil(places);
    digits(whole)?.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_systemd_writes_them() {
        for (text, seconds) in [
            ("5min", 300),
            ("1h 2min 3.500s", 3_724),
            ("1d", 86_400),
            ("2w 1d 59s", 1_296_059),
            ("1month 2d", 2_802_600),
            ("500ms", 1),
            ("1us", 1),
        ] {
            assert_eq!(span_s(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_limit_is_none() {
        for text in [
            "infinity",
            "",
            "0",
            "0s",
            "12",
            "-1s",
            "00:05",
            "1.s",
            "1.1234567s",
            "1x",
        ] {
            assert_eq!(span_s(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_assignment_in_the_scope_section_holds() {
        let unit = "[Unit]\nDescription=x\nRuntimeMaxSec=1s\n\n[Scope]\nRuntimeMaxSec=5min\n\
                    RuntimeMaxSec=1min\nSlice=user-1001.slice\n";
        assert_eq!(runtime_max_s(unit), Some(60));
        assert_eq!(runtime_max_s("[Unit]\nRuntimeMaxSec=1s\n"), None);
        let reset = "[Scope]\nRuntimeMaxSec=5min\nRuntimeMaxSec=infinity\n";
        assert_eq!(runtime_max_s(reset), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = runtime_max_s(&format!("[Scope]\nRuntimeMaxSec={text}"));
        }
    }
}
