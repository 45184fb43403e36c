//! PURE: the picker's rows. Every row is cut to the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::state::{Mode, State};
use crate::clock::Clock;
use crate::say::{self, page, request, style, table};

/// Keys that go with the list and with a page.
const LIST_KEYS: &str = "↑↓ move   a approve   d deny   s show   r refresh   q quit";
const PAGE_KEYS: &str = "↑↓ scroll   a approve   d deny   q back";

/// What stands before the one that is meant, and before the others.
const MARK: &str = "> ";
const NO_MARK: &str = "  ";

/// Exactly the rows of the terminal: what is shown, then a line of words and a line of keys.
pub fn frame(state: &State, clock: &Clock, width: usize, height: usize) -> Vec<String> {
    let room = height.saturating_sub(2);
    let (rows, words, keys) = match &state.mode {
        Mode::List => (
            list(state, clock, width, room),
            state.said.clone(),
            LIST_KEYS,
        ),
        Mode::Page(top) => (
            whole(state, clock, *top, (width, room)),
            String::new(),
            PAGE_KEYS,
        ),
        Mode::Sure => {
            let shown = state.meant();
            let rows = shown.map(|meant| request::to_approve(meant, None, clock));
            let rows = all_or_told(wrapped(&rows.unwrap_or_default(), width), room);
            (rows, "Approve? [y/N]".to_owned(), "y approve   q back")
        }
        Mode::Reason(text) => (
            list(state, clock, width, room),
            typed("Deny, because: ", text, width),
            "Enter deny   Esc back",
        ),
        Mode::Finding(text) => (
            list(state, clock, width, room),
            typed("Reviewed, and found: ", text, width),
            "Enter close the review   Esc back",
        ),
    };
    let mut rows: Vec<String> = rows.into_iter().take(room).collect();
    rows.resize(room, String::new());
    rows.extend([words, keys.to_owned()]);
    rows.iter().map(|row| cut(row, width)).collect()
}

/// Colour takes no columns; a row that is too long is cut without it.
fn cut(row: &str, width: usize) -> String {
    let plain = anstream::adapter::strip_str(row).to_string();
    let fitting = table::fit(&plain, width);
    if fitting == plain {
        row.to_owned()
    } else {
        fitting
    }
}

/// The list around the one that is meant.
fn list(state: &State, clock: &Clock, width: usize, room: usize) -> Vec<String> {
    let count = say::count(state.waiting.len(), "request");
    let mut lines = request::table(
        &state.waiting,
        clock,
        Some(width.saturating_sub(MARK.len())),
    );
    let rows = lines.split_off(1.min(lines.len()));
    let below_heading = room.saturating_sub(3);
    let first = (state.at + 1).saturating_sub(below_heading);
    let heading = lines.into_iter().map(|line| format!("{NO_MARK}{line}"));
    let rows = rows.iter().enumerate().skip(first).map(|(index, row)| {
        if index == state.at {
            style::bold(&format!("{MARK}{row}"))
        } else {
            format!("{NO_MARK}{row}")
        }
    });
    let title = [
        style::bold(&format!("{count} for you to decide")),
        String::new(),
    ];
    title.into_iter().chain(heading).chain(rows).collect()
}

/// Everything about the one that is meant, no further than to its last row.
fn whole(state: &State, clock: &Clock, top: usize, (width, room): (usize, usize)) -> Vec<String> {
    let lines = state.meant().map(|meant| page::request(meant, clock));
    let lines = wrapped(&lines.unwrap_or_default(), width);
    let top = top.min(lines.len().saturating_sub(room));
    lines.into_iter().skip(top).collect()
}

/// The lines, those that are too long in as many rows as they need: what is decided on is read
/// whole. Colour is left out.
fn wrapped(lines: &[String], width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in lines {
        let mut row = String::new();
        for c in anstream::adapter::strip_str(line).to_string().chars() {
            if row.width() + c.width().unwrap_or(0) > width && !row.is_empty() {
                rows.push(std::mem::take(&mut row));
            }
            row.push(c);
        }
        rows.push(row);
    }
    rows
}

/// The rows, or as many as there is room for and a word that there are more.
fn all_or_told(mut rows: Vec<String>, room: usize) -> Vec<String> {
    let more = rows.len().saturating_sub(room);
    if more > 0 {
        rows.truncate(room.saturating_sub(1));
        rows.push(format!("… {} more: q, then s shows all", more + 1));
    }
    rows
}

/// What is typed, its end always in sight.
fn typed(question: &str, text: &str, width: usize) -> String {
    let room = width.saturating_sub(question.chars().count() + 1);
    let mut hidden = text.chars().count();
    let mut shown = text;
    while shown.width() > room && hidden > 0 {
        let mut rest = shown.chars();
        rest.next();
        shown = rest.as_str();
        hidden -= 1;
    }
    format!("{question}{shown}_")
}

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;
    use crate::clock::fixed;
    use crate::sample;

    fn drawn(state: &State, width: usize, height: usize) -> Vec<String> {
        frame(state, &fixed(), width, height)
            .iter()
            .map(|row| anstream::adapter::strip_str(row).to_string())
            .collect()
    }

    #[test]
    fn every_frame_fits_its_terminal_whatever_was_typed() {
        let mut hostile = sample::pending();
        hostile.reason = "two\nlines \x1b[2J 世界 ".repeat(40);
        hostile.gives = vec!["x".repeat(300); 40];
        let mut state = State::of(vec![hostile; 60]);
        for mode in [
            Mode::List,
            Mode::Page(usize::MAX),
            Mode::Sure,
            Mode::Reason("界".repeat(200)),
            Mode::Finding(String::new()),
        ] {
            state.mode = mode;
            for (width, height) in [(80, 24), (20, 5), (1, 1), (0, 0)] {
                let rows = drawn(&state, width, height);
                assert!(rows.len() <= height.max(2), "{:?}", state.mode);
                for row in rows {
                    assert!(row.width() <= width.max(1), "{width}: {row}");
                    assert!(!row.contains('\n'));
                }
            }
        }
    }

    #[test]
    fn the_one_that_is_meant_is_always_in_sight() {
        let mut state = State::of(vec![sample::pending(); 60]);
        for _ in 0..59 {
            let _ = state.press(Key::Down);
            let rows = drawn(&state, 80, 24);
            assert_eq!(rows.iter().filter(|row| row.starts_with("> ")).count(), 1);
        }
    }

    #[test]
    fn what_is_decided_on_is_shown_whole_or_said_not_to_be() {
        let mut long = sample::pending();
        long.reason = "because ".repeat(30);
        let mut state = State::of(vec![long]);
        state.mode = Mode::Sure;
        let shown = drawn(&state, 80, 24).concat();
        assert_eq!(shown.matches("because").count(), 30);
        let last = &drawn(&state, 80, 5)[2];
        assert!(last.contains("more: q, then s shows all"), "{last}");
    }

    #[test]
    fn the_end_of_what_is_typed_is_in_sight() {
        let long = typed("Deny, because: ", &format!("{}end", "word ".repeat(40)), 80);
        assert!(long.ends_with("word end_") && long.width() <= 80, "{long}");
    }
}
