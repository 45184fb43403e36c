//! A command as it can be typed.

use tpa_bus::text::{one_line, quoted};

/// Longest command that is shown whole.
const COMMAND_MAX: usize = 8_000;

/// The words as a shell takes them, on one clean line.
pub fn command_line(words: &[String]) -> String {
    one_line(&quoted(words), COMMAND_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_that_were_meant() {
        for (word, shown) in [
            ("web-ops", "web-ops"),
            ("--wait=10m", "--wait=10m"),
            ("", "''"),
            ("it's  $HOME", r"'it'\''s  $HOME'"),
            ("a;b", "'a;b'"),
            ("~root", "'~root'"),
            ("red\x1b[31m", "'red\\u{1b}[31m'"),
        ] {
            assert_eq!(command_line(&[word.to_owned()]), shown);
        }
    }
}
