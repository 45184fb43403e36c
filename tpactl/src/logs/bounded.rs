//! Reading what somebody else wrote, in bounded time and memory.

use std::io::{self, BufRead};

/// Longest line that is kept, in bytes. `tpad` cuts each value, and its lines are a tenth of it.
pub const LINE_MAX: usize = 256 * 1_024;

/// Most bytes that are read in all, unpacked: years of a busy host's log.
const MOST: u64 = 8 << 30;

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its text, or the beginning of it.
    pub text: &'a str,
    /// Whether that is all of it.
    pub whole: bool,
}

/// What may still be read.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Budget {
    /// So many bytes.
    pub fn of(most: u64) -> Self {
        Self { most, left: most }
    }

    /// # Errors
    /// When a file of this size is more than may be read: before anything of it is.
    pub fn has_room_for(&self, bytes: u64) -> io::Result<()> {
        if bytes <= self.left {
            return Ok(());
        }
        Err(self.spent())
    }

    /// Gives each line to `take`. Of one that is too long, only the beginning is kept.
    ///
    /// # Errors
    /// When reading fails, or there is more than may be read.
    pub fn each_line(
        &mut self,
        lines: &mut impl BufRead,
        mut take: impl FnMut(Line<'_>),
    ) -> io::Result<()> {
        let mut line = Vec::new();
        let (mut whole, mut begun) = (true, false);
        loop {
            let buffer = lines.fill_buf()?;
            if buffer.is_empty() {
                if begun {
                    give(&line, whole, &mut take);
                }
                return Ok(());
            }
            let (piece, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (buffer.split_at(end).0, true),
                None => (buffer, false),
            };
            let room = LINE_MAX.saturating_sub(line.len()).min(piece.len());
            line.extend_from_slice(piece.split_at(room).0);
            whole &= room == piece.len();
            begun = !ends;
            let read = piece.len().saturating_add(usize::from(ends));
            lines.consume(read);
            self.left = self
                .left
                .checked_sub(read as u64)
                .ok_or_else(|| self.spent())?;
            if ends {
                give(&line, whole, &mut take);
                line.clear();
                whole = true;
            }
        }
    }

    fn spent(&self) -> io::Error {
        let most = self.most >> 20;
        io::Error::other(format!(
            "it is more than {most} MiB, which is no log of one host: give the part to compare"
        ))
    }
}

fn give(line: &[u8], whole: bool, take: &mut impl FnMut(Line<'_>)) {
    let text = String::from_utf8_lossy(line);
    take(Line { text: &text, whole });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_given_whole_or_cut_and_the_last_needs_no_end() {
        let long = "x".repeat(LINE_MAX + 1);
        let text = format!("one\n\n{long}\nlast");
        let mut found = Vec::new();
        let take = |line: Line<'_>| found.push((line.text.len(), line.whole));
        let mut budget = Budget::default();
        budget.each_line(&mut text.as_bytes(), take).unwrap();
        assert_eq!(found, [(3, true), (0, true), (LINE_MAX, false), (4, true)]);
    }

    #[test]
    fn more_than_may_be_read_is_an_error() {
        let mut budget = Budget::of(10);
        let mut lines = 0;
        let read = budget.each_line(&mut "abc\n".repeat(4).as_bytes(), |_| lines += 1);
        assert!(read.unwrap_err().to_string().contains("more than"));
        assert_eq!(lines, 2);
        assert!(budget.has_room_for(3).is_err());
    }
}
