//! PURE: what people typed, as the trail keeps it: of bounded length, and so that two texts that
//! differ never look alike.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tpa_bus::text::is_unsafe;

use crate::hex::hex;

/// Longest value that a line of the log shows whole, in characters. A command that is longer has its
/// [`Digest`] beside it.
pub const LINE_MAX: usize = 256;

/// Longest command that an event keeps whole, in bytes.
const COMMAND_MAX: usize = 1_024;

/// Most bytes of a command line that are told apart into words.
pub const WORDS_MAX: usize = 64 * 1_024;

/// Longest name of a service, a terminal, an address or an account that an event keeps, in bytes.
const NAME_MAX: usize = 256;

/// The command line of sudo (proc(5), cmdline).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// Its words, its own name first; of a line of more than [`WORDS_MAX`] bytes the first ones.
    pub words: Vec<String>,
    /// Whether there are more words than those, or may be.
    pub cut: bool,
    /// As the trail has it.
    pub shown: Shown,
}

/// A command as the trail has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Its words, quoted where they have to be, as far as it is kept.
    pub text: String,
    /// Of all of it, where a line of the log does not show all.
    pub digest: Option<Digest>,
}

/// Names a text that is not shown whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal. Of a command: over its words, each ended by a zero byte.
    pub sha256: String,
}

impl CommandLine {
    /// One that cannot be read: it may be anything.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            cut: true,
            ..Self::default()
        }
    }

    /// From its beginning, at most [`WORDS_MAX`] bytes, and the digest of all of it.
    #[must_use]
    pub fn of(beginning: &[u8], digest: Digest) -> Self {
        let mut words: Vec<&[u8]> = beginning.split(|byte| *byte == 0).collect();
        // The last one ends with a zero, too; what stands behind it was cut.
        let is_ended = words.pop_if(|word| word.is_empty()).is_some();
        let is_whole_line = usize::try_from(digest.bytes) == Ok(beginning.len());
        let cut = words.is_empty() || !is_ended || !is_whole_line;
        let text = kept(&words);
        let is_whole = text.chars().count() <= LINE_MAX;
        let lossy = |word: &&[u8]| String::from_utf8_lossy(word).into_owned();
        Self {
            words: words.iter().map(lossy).collect(),
            cut,
            shown: Shown {
                text,
                digest: (!is_whole).then_some(digest),
            },
        }
    }
}

/// Words as one text, cut where it is too long.
fn kept(words: &[&[u8]]) -> String {
    let mut text = String::new();
    for (count, word) in words.iter().enumerate() {
        if count > 0 {
            text.push(' ');
        }
        push_quoted(&mut text, word);
        if text.len() > COMMAND_MAX {
            text.truncate(text.floor_char_boundary(COMMAND_MAX));
            text.push('…');
            break;
        }
    }
    text
}

/// A word as it is where it can be told from its neighbours; else as a shell would take it: in
/// `'…'`, or in `$'…'` with escapes for what cannot be seen or is no text.
fn push_quoted(text: &mut String, word: &[u8]) {
    let marks = ['\'', '"', '\\'];
    match std::str::from_utf8(word) {
        Ok(plain)
            if !plain.is_empty() && !plain.contains([' ', '\'', '"', '\\']) && is_clean(plain) =>
        {
            text.push_str(plain);
        }
        Ok(plain) if !plain.contains(['\'', '\\']) && is_clean(plain) => {
            text.push('\'');
            text.push_str(plain);
            text.push('\'');
        }
        _ => {
            text.push_str("$'");
            for chunk in word.utf8_chunks() {
                for c in chunk.valid().chars() {
                    if marks.contains(&c) || is_unsafe(c) {
                        text.extend(c.escape_default());
                    } else {
                        text.push(c);
                    }
                }
                for byte in chunk.invalid() {
                    text.push_str("\\x");
                    text.push_str(&hex(&[*byte]));
                }
            }
            text.push('\'');
        }
    }
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(is_unsafe)
}

/// A name that others chose, as an event keeps it: of one that is too long the beginning, its length
/// and its SHA-256.
#[must_use]
pub fn name(text: String) -> String {
    if text.len() <= NAME_MAX {
        return text;
    }
    let end = text.floor_char_boundary(NAME_MAX / 2);
    let beginning = text.get(..end).unwrap_or_default();
    let sha256 = hex(&Sha256::digest(text.as_bytes()));
    format!("{beginning}…[{} bytes, sha256 {sha256}]", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn command(words: &[&[u8]]) -> CommandLine {
        let mut bytes = Vec::new();
        for word in words {
            bytes.extend_from_slice(word);
            bytes.push(0);
        }
        let digest = Digest {
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(&bytes)),
        };
        bytes.truncate(WORDS_MAX);
        CommandLine::of(&bytes, digest)
    }

    #[test]
    fn a_command_is_shown_as_it_was_typed() {
        let command = command(&[b"sudo", b"-n", b"-u", b"postgres", b"/usr/bin/id", b"-un"]);
        assert_eq!(command.shown.text, "sudo -n -u postgres /usr/bin/id -un");
        assert_eq!((command.shown.digest, command.cut), (None, false));
        assert_eq!(command.words.len(), 6);
    }

    #[test]
    fn two_commands_that_differ_never_look_alike() {
        let long = |last: u8| {
            let mut word = vec![b'A'; 100_000];
            word.push(last);
            word
        };
        let (one, other) = (long(b'x'), long(b'y'));
        let commands: [&[&[u8]]; 17] = [
            &[b"sudo", b"a", b"b"],
            &[b"sudo", b"a b"],
            &[b"sudo", b"a", b"", b"b"],
            &[b"sudo", b"a  b"],
            &[b"sudo", b"'a", b"b'"],
            &[b"sudo", b"'a b'"],
            &[b"sudo", b"\"a b\""],
            &[b"sudo", b"a\nb"],
            &[b"sudo", b"a\\nb"],
            &[b"sudo", b"a\\", b"b"],
            &[b"sudo", b"\xff"],
            &[b"sudo", b"\xfe"],
            &[b"sudo", b"\\xff"],
            &[b"sudo", "\u{fffd}".as_bytes()],
            &[b"sudo", "\u{202e}".as_bytes()],
            &[b"sudo", &one],
            &[b"sudo", &other],
        ];
        let seen: BTreeSet<_> = commands
            .iter()
            .map(|words| {
                let shown = command(words).shown;
                let line: String = shown.text.chars().take(LINE_MAX).collect();
                (line, shown.digest.map(|digest| digest.sha256))
            })
            .collect();
        assert_eq!(seen.len(), commands.len());
    }

    #[test]
    fn of_a_long_command_a_bounded_part_is_kept_with_the_length_and_the_hash_of_all() {
        let long = vec![b'A'; 100_000];
        let command = command(&[b"sudo", b"id", &long]);
        assert!(command.shown.text.starts_with("sudo id AAAA"));
        assert!(command.shown.text.len() <= COMMAND_MAX + '…'.len_utf8());
        let digest = command.shown.digest.unwrap();
        assert_eq!((digest.bytes, digest.sha256.len()), (100_009, 64));
        assert!(command.cut);
    }

    #[test]
    fn every_escape_makes_a_word_no_longer_than_the_bound() {
        let long = vec![0xff; 50_000];
        assert!(command(&[b"sudo", &long]).shown.text.len() <= COMMAND_MAX + '…'.len_utf8());
    }

    #[test]
    fn a_name_that_is_too_long_keeps_its_beginning_and_stays_itself() {
        assert_eq!(name("pts/3".to_owned()), "pts/3");
        let long = |last: char| name("ü".repeat(5_000) + &last.to_string());
        assert!(long('a').len() <= NAME_MAX);
        assert_ne!(long('a'), long('b'));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_bring_an_unsafe_character_into_the_trail(
            words in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..20), 0..5)
        ) {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            proptest::prop_assert!(is_clean(&command(&words).shown.text));
        }
    }
}
