//! Rows under a heading, one line each: the last column takes what is left of the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style;

/// Widest that a column other than the last becomes on a terminal.
const COLUMN_MAX: usize = 18;
const GAP: &str = "  ";

/// A table. Its cells are clean text; see [`super::clean`].
pub struct Table<const N: usize> {
    heading: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub fn new(heading: [&'static str; N]) -> Self {
        Self {
            heading,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines, at most `width` columns wide; `None` cuts nothing.
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns = self.columns(width);
        let heading = self.heading.map(str::to_owned);
        let heading = style::bold(&line(&heading, &columns));
        let rows = self.rows.iter().map(|row| line(row, &columns));
        std::iter::once(heading).chain(rows).collect()
    }

    /// Width of each column.
    fn columns(&self, width: Option<usize>) -> Vec<usize> {
        let mut columns: Vec<usize> = self.heading.iter().map(|cell| cell.width()).collect();
        for row in &self.rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                *column = cell.width().max(*column);
            }
        }
        let Some(width) = width else { return columns };
        let Some((last, others)) = columns.split_last_mut() else {
            return columns;
        };
        for column in others.iter_mut() {
            *column = COLUMN_MAX.min(*column);
        }
        let taken: usize = others.iter().map(|column| column + GAP.len()).sum();
        *last = width.saturating_sub(taken).max(1).min(*last);
        columns
    }
}

fn line<const N: usize>(cells: &[String; N], columns: &[usize]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .zip(columns)
        .map(|(cell, width)| {
            let cell = fit(cell, *width);
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            cell + &fill
        })
        .collect();
    cells.join(GAP).trim_end().to_owned()
}

/// The text, cut to so many columns with a mark where it was cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 1; // the mark's
    for c in text.chars() {
        columns += c.width().unwrap_or(0);
        if columns > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// The text in rows of at most `width` columns, broken between words, the rows after the first
/// set in by so many columns. Words wider than a row, such as paths, stand in one of their own.
/// `None` breaks nothing.
pub fn wrap(text: &str, indent: usize, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut rows = Vec::new();
    let mut row = String::new();
    for word in text.split_inclusive(' ') {
        if row.width() + word.trim_end().width() > width && !row.trim().is_empty() {
            rows.push(row.trim_end().to_owned());
            row = " ".repeat(indent);
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(reason: &str) -> Table<3> {
        let mut table = Table::new(["ID", "ROLE", "REASON"]);
        table.row([
            "7H2KM4QX".into(),
            "a-role-with-quite-a-long-name".into(),
            reason.into(),
        ]);
        table
    }

    #[test]
    fn a_row_is_one_line_of_the_terminals_width() {
        let lines = table(&"restart nginx ".repeat(20)).lines(Some(80));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].width(), 80);
        assert!(lines[1].ends_with('…') && lines[1].contains("a-role-with-quite…"));
    }

    #[test]
    fn wide_characters_are_counted_as_the_terminal_shows_them() {
        let lines = table(&"世界".repeat(40)).lines(Some(40));
        assert!(lines[1].width() <= 40, "{}", lines[1]);
        assert!(lines[1].ends_with('…'));
    }

    #[test]
    fn a_text_is_broken_between_words_and_set_in() {
        assert_eq!(
            wrap("  fix: a b c", 7, Some(10)),
            ["  fix: a b", "       c"]
        );
        assert_eq!(wrap("a-long-word b", 2, Some(4)), ["a-long-word", "  b"]);
        assert_eq!(wrap("a b c", 2, None), ["a b c"]);
        assert_eq!(wrap("", 2, Some(4)), [""]);
    }

    #[test]
    fn a_pipe_gets_everything() {
        let reason = "restart nginx ".repeat(20);
        let lines = table(&reason).lines(None);
        assert!(lines[1].ends_with(reason.trim_end()));
        assert!(lines[1].contains("a-role-with-quite-a-long-name"));
    }
}
