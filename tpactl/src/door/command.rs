//! Reads the command behind `--` of `ssh tpa@HOST run ROLE … -- COMMAND`: the one place at the front
//! door where every word counts, and where two words must never become one.
//!
//! It is read as a shell divides words, and only where every shell would divide it alike and read
//! nothing more into it: quotes group, `\` before a character stands for that one, and a sign that a
//! shell would do something with (`$`, `*`, `;`, `~` …) is refused outside quotes. So whoever put quotes
//! around their words for one shell too few is told so where it can be told, and what is shown of a
//! command ([`tpa_bus::text::quoted`]) can be given again as it stands.

use super::line::Unreadable;

/// The words of a command.
///
/// # Errors
/// [`Unreadable`].
pub fn read(line: &str) -> Result<Vec<String>, Unreadable> {
    let mut words = Vec::new();
    let mut rest = line.trim_matches(' ');
    while !rest.is_empty() {
        let (word, behind) = word(rest)?;
        words.push(word);
        rest = behind.trim_start_matches(' ');
    }
    Ok(words)
}

/// The first word, and what stands behind it.
fn word(text: &str) -> Result<(String, &str), Unreadable> {
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => return Ok((word, chars.as_str())),
            '\'' | '"' => {
                let (inside, behind) = chars.as_str().split_once(c).ok_or(Unreadable::Quote)?;
                // Between double quotes a shell reads on.
                if c == '"' && inside.contains(['$', '`', '\\', '!']) {
                    return Err(Unreadable::Sign);
                }
                word.push_str(inside);
                chars = behind.chars();
            }
            '\\' => word.push(chars.next().ok_or(Unreadable::Quote)?),
            c if is_plain(c) => word.push(c),
            _ => return Err(Unreadable::Sign),
        }
    }
    Ok((word, ""))
}

/// Whether no shell reads more into a character.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c) || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;
    use tpa_bus::text::{is_unsafe, quoted};

    use super::*;

    #[test]
    fn words_are_divided_as_a_shell_does() {
        for (line, words) in [
            ("/usr/bin/id -u", &["/usr/bin/id", "-u"][..]),
            ("a 'b c' \"d e\" ''", &["a", "b c", "d e", ""]),
            (r"'it'\''s' it\'s a\ b", &["it's", "it's", "a b"]),
            (
                "-c 'DROP TABLE old;' --x='y z'",
                &["-c", "DROP TABLE old;", "--x=y z"],
            ),
            ("-- --reason x", &["--", "--reason", "x"]),
            ("", &[]),
        ] {
            assert_eq!(read(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_read_more_into_or_does_not_end_is_not_read() {
        for sign in "$`*?[]{}()<>;|&!#~^".chars() {
            assert_eq!(read(&format!("a b{sign}")), Err(Unreadable::Sign), "{sign}");
        }
        for line in ["\"$HOME\"", "\"a\\b\"", "\"`id`\""] {
            assert_eq!(read(line), Err(Unreadable::Sign), "{line}");
        }
        for line in ["it's", "'a", "\"a", "a\\"] {
            assert_eq!(read(line), Err(Unreadable::Quote), "{line}");
        }
    }

    /// What a shell makes of a line that was read here.
    fn by_a_shell(line: &str) -> Vec<String> {
        let script = format!("printf '%s\\0' {line}");
        let ran = Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        let mut words: Vec<_> = text.split('\0').map(str::to_owned).collect();
        words.pop();
        words
    }

    proptest! {
        #[test]
        fn words_that_ssh_joined_are_what_they_were(words in prop::collection::vec("\\PC{0,12}|['\"\\\\$ a*]{0,6}", 0..12)) {
            prop_assume!(!words.concat().contains(is_unsafe));
            prop_assert_eq!(read(&quoted(&words)), Ok(words));
        }

        #[test]
        fn a_shell_reads_the_same_words_or_none_are_read(line in "[-a-z0-9'\"\\\\ $;*~=ü]{1,40}") {
            if let Ok(words) = read(&line) && !words.is_empty() {
                prop_assert_eq!(by_a_shell(&line), words);
            }
        }
    }
}
