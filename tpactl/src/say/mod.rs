//! Every text that people see. What anybody typed passes through [`clean`] on the way.

pub mod command_line;
pub mod event;
pub mod page;
pub mod recording;
pub mod report;
pub mod request;
pub mod residue;
pub mod role;
pub mod statement;
pub mod style;
pub mod table;
pub mod time;
pub mod verify;

use tpa_bus::id::Id;
use tpa_bus::text::one_line;

/// Longest text of one field that is shown whole; the JSON has all of it.
const FIELD_MAX: usize = 1_000;

/// One clean line of what somebody typed. Two spaces are what stands between columns and after a
/// label, so of two in a row the second is shown: no text looks like the field beside it.
pub fn clean(text: &str) -> String {
    one_line(&text.replace("  ", " \\u{20}"), FIELD_MAX)
}

/// An id as people read it: `7H2KM4QX`.
pub fn id(bare: &str) -> String {
    Id::parse(bare).map_or_else(|_| clean(bare), |id| id.to_string())
}

/// `@oncall, carol`
pub fn names(names: &[String]) -> String {
    names
        .iter()
        .map(|name| clean(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `1 grant`, `3 grants`
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn no_text_has_a_gap_that_looks_like_the_next_column() {
        assert_eq!(clean("fix  ticket"), "fix \\u{20}ticket");
        for spaces in 2..9 {
            let shown = clean(&format!("a{}b", " ".repeat(spaces)));
            assert!(!shown.contains("  "), "{shown}");
        }
        assert_eq!(clean("restart nginx"), "restart nginx");
    }
}
