//! PURE: the text of a recording, to be read and searched without a terminal.
//!
//! Takes what [`super::filter::Filter`] lets through. Nothing that was shown is left out: what a
//! program wrote over stands on a line of its own, and what was rubbed out is there, with a sign for
//! each time that the cursor went back. So nobody hides a line with a carriage return.

/// Stands for each time that the cursor went back by one.
const BACK: char = '⌫';

/// Columns between tab stops.
const TAB: usize = 8;

/// The text so far.
#[derive(Debug)]
pub struct Text {
    lines: Vec<String>,
    line: String,
    /// A carriage return came: the next character begins a line.
    returned: bool,
    left: usize,
    cut: bool,
}

impl Text {
    /// An empty one, of at most so many bytes.
    pub fn new(max: usize) -> Self {
        Self {
            lines: Vec::new(),
            line: String::new(),
            returned: false,
            left: max,
            cut: false,
        }
    }

    /// Takes a piece; the next goes on where it ended.
    pub fn feed(&mut self, shown: &str) {
        let mut rest = shown.chars();
        while let Some(c) = rest.next() {
            match c {
                '\x1b' => self.sequence(&mut rest),
                '\r' => self.returned = true,
                '\n' => {
                    self.returned = false;
                    self.end_line();
                }
                '\x08' => self.put(BACK),
                '\t' => {
                    let column = self.line.chars().count();
                    (column % TAB..TAB).for_each(|_| self.put(' '));
                }
                c => self.put(c),
            }
        }
    }

    /// Whether there was more than it holds.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Its lines.
    pub fn into_lines(mut self) -> Vec<String> {
        self.break_line();
        self.lines
    }

    fn put(&mut self, c: char) {
        if self.returned {
            self.returned = false;
            self.break_line();
        }
        let Some(left) = self.left.checked_sub(c.len_utf8()) else {
            self.cut = true;
            return;
        };
        self.left = left;
        self.line.push(c);
    }

    fn end_line(&mut self) {
        let Some(left) = self.left.checked_sub(1) else {
            self.cut = true;
            return;
        };
        self.left = left;
        self.lines.push(std::mem::take(&mut self.line));
    }

    /// Ends a line that something stands on.
    fn break_line(&mut self) {
        if !self.line.is_empty() {
            self.lines.push(std::mem::take(&mut self.line));
        }
    }

    /// What stands elsewhere on the screen stands apart here.
    fn sequence(&mut self, rest: &mut std::str::Chars<'_>) {
        match rest.next() {
            Some('[') => {}
            Some('7' | '8' | 'D' | 'E') => return self.break_line(),
            _ => return,
        }
        match rest.find(|c| matches!(c, '\x40'..='\x7e')) {
            Some('A' | 'B' | 'E' | 'F' | 'H' | 'J' | 'd' | 'f') => self.break_line(),
            Some('C' | 'G' | '`' | 'a') if !self.line.is_empty() && !self.line.ends_with(' ') => {
                self.put(' ');
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::filter::Filter;

    fn text(bytes: &[u8]) -> Vec<String> {
        let mut text = Text::new(1_000);
        text.feed(&Filter::default().feed(bytes));
        assert!(!text.is_cut());
        text.into_lines()
    }

    #[test]
    fn lines_are_those_that_were_shown() {
        assert_eq!(
            text(b"$ id\r\nuid=0\r\n\r\n$ "),
            ["$ id", "uid=0", "", "$ "]
        );
        assert_eq!(text(b"a\tb\r\r\nc"), ["a       b", "c"]);
        assert_eq!(text(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x"), ["red x"]);
    }

    #[test]
    fn nothing_is_hidden_by_writing_over_it_or_rubbing_it_out() {
        assert_eq!(text(b"rm -rf /\rls"), ["rm -rf /", "ls"]);
        assert_eq!(text(b"lss\x08\x1b[K"), ["lss⌫"]);
        assert_eq!(text(b"one\x1b[2J\x1b[1;1Htwo\x1b[9Cx"), ["one", "two x"]);
    }

    #[test]
    fn it_holds_so_much_and_tells_that_there_was_more() {
        let mut text = Text::new(6);
        text.feed("abc\ndefgh\nij");
        assert!(text.is_cut());
        assert_eq!(text.into_lines(), ["abc", "de"]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_line_that_acts(bytes: Vec<u8>) {
            let mut text = Text::new(100);
            text.feed(&Filter::default().feed(&bytes));
            for line in text.into_lines() {
                proptest::prop_assert!(!line.contains(tpa_bus::text::is_unsafe));
            }
        }
    }
}
