//! PURE: the timing file of a recording (`sudo_plugin(5)`, `sudoreplay(8)`): a line for each thing
//! that happened, how long after the one before it, and how many bytes of which stream it is.

use std::time::Duration;

/// Where what was written went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// A terminal.
    Terminal,
    /// Standard output, where that was none.
    Out,
    /// Standard error, where that was none.
    Error,
}

impl Stream {
    /// The name of its file.
    pub fn part(self) -> &'static str {
        match self {
            Self::Terminal => "ttyout",
            Self::Out => "stdout",
            Self::Error => "stderr",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// So many bytes were written.
    Output(Stream, u64),
    /// The terminal has a new size: rows, columns.
    Resize(u32, u32),
    /// Something that shows nothing.
    Nothing,
}

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// How long after the one before.
    pub after: Duration,
    /// What.
    pub what: What,
}

/// Reads a line; `None` where it is none of sudo's.
pub fn parse(line: &str) -> Option<Moment> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next()?;
    let after = span(words.next()?)?;
    let mut number = || words.next()?.parse::<u64>().ok();
    let what = match kind {
        "1" => What::Output(Stream::Out, number()?),
        "2" => What::Output(Stream::Error, number()?),
        "4" | "6" => What::Output(Stream::Terminal, number()?),
        "5" => {
            let (rows, columns) = (number()?, number()?);
            What::Resize(u32::try_from(rows).ok()?, u32::try_from(columns).ok()?)
        }
        // What was typed, which is not recorded, and stopping and continuing.
        "0" | "3" | "7" => What::Nothing,
        _ => return None,
    };
    Some(Moment { after, what })
}

/// `1.204000000`, also with a comma.
fn span(text: &str) -> Option<Duration> {
    let (seconds, parts) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let nanoseconds = format!("{parts:0<9}");
    let nanoseconds = nanoseconds.get(..9)?.parse::<u32>().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_sudo_are_read() {
        let moment = |ms, what| {
            let after = Duration::from_millis(ms);
            Some(Moment { after, what })
        };
        for (line, read) in [
            (
                "4 1.204000000 17",
                moment(1_204, What::Output(Stream::Terminal, 17)),
            ),
            ("1 0.000000000 9", moment(0, What::Output(Stream::Out, 9))),
            ("2 0,5 9", moment(500, What::Output(Stream::Error, 9))),
            ("5 2.0 24 80", moment(2_000, What::Resize(24, 80))),
            ("7 0.100000000 TSTP", moment(100, What::Nothing)),
            ("", None),
            ("4", None),
            ("4 x 7", None),
            ("4 -1.0 7", None),
            ("4 1.0 -7", None),
            ("9 1.0 7", None),
            ("4 1.\u{e9}\u{e9}\u{e9}\u{e9}\u{e9} 7", None),
        ] {
            assert_eq!(parse(line), read, "{line}");
        }
    }
}
