//! A command as it can be typed.

use tpa_bus::text::one_line;

/// Longest command that is shown whole.
const COMMAND_MAX: usize = 8_000;

/// The words as a shell takes them, on one clean line.
pub fn command_line(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    one_line(&quoted.join(" "), COMMAND_MAX)
}

/// A word, in quotes where a shell would read more into it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
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
