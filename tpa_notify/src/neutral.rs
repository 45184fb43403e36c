//! Text that others typed, made to mean nothing but itself.
//!
//! Reasons, tickets, comments and names come from people, some of whom would like a message of
//! TPA's to mention everybody, to lead somewhere or to look like another message. Control,
//! invisible and bidirectional characters have become visible escapes first ([`one_line`]).

use tpa_bus::text::one_line;

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Of this program's own words, or of the host's configuration.
    Ours(String),
    /// What people typed, or are called.
    Theirs(String),
}

/// Longest text of theirs, in characters.
pub const LONGEST: usize = 300;

impl Piece {
    /// Words of ours.
    pub fn ours(text: impl Into<String>) -> Self {
        Self::Ours(text.into())
    }

    /// Something of theirs, on one clean line.
    #[must_use]
    pub fn theirs(text: &str) -> Self {
        Self::Theirs(one_line(text.trim(), LONGEST))
    }
}

/// The sentence as plain text, in which nothing of theirs is taken for an address: mail programs
/// and pagers make links of what looks like one.
#[must_use]
pub fn plain(pieces: &[Piece]) -> String {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Ours(text) => text.clone(),
        Piece::Theirs(text) => no_address(text),
    });
    text.collect()
}

/// The sentence in Markdown as Mattermost and Discord read it: what is theirs is code, in which
/// nothing is markup, a mention or a link. Only a backtick could end it.
#[must_use]
pub fn in_code(pieces: &[Piece]) -> String {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Ours(text) => text.clone(),
        Piece::Theirs(text) if text.is_empty() => String::new(),
        Piece::Theirs(text) => format!("`{}`", text.replace('`', "'")),
    });
    text.collect()
}

/// The words of ours alone, for where a target takes nothing but markup.
#[must_use]
pub fn ours_alone(pieces: &[Piece]) -> String {
    let text = pieces.iter().filter_map(|piece| match piece {
        Piece::Ours(text) => Some(text.as_str()),
        Piece::Theirs(_) => None,
    });
    text.collect()
}

/// The text with its schemes, domains and mail addresses written so that they lead nowhere:
/// `https[:]//a[.]example`.
fn no_address(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or(' ');
    let mut neutral = String::with_capacity(text.len());
    for (index, c) in chars.iter().copied().enumerate() {
        let before = index.checked_sub(1).map_or(' ', at);
        let (after, next) = (at(index.saturating_add(1)), at(index.saturating_add(2)));
        let in_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        match c {
            // A domain ends in at least two letters; a dot that others take for one counts too.
            '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}'
                if in_name(before) && in_name(after) && in_name(next) =>
            {
                neutral.push_str("[.]");
            }
            ':' if before.is_alphanumeric()
                && !after.is_whitespace()
                && !after.is_ascii_digit() =>
            {
                neutral.push_str("[:]");
            }
            c => neutral.push(c),
        }
    }
    neutral
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_like_an_address_leads_nowhere_and_other_text_stays() {
        for (typed, shown) in [
            ("see https://a.example/x", "see https[:]//a[.]example/x"),
            ("www.evil.com", "www[.]evil[.]com"),
            ("mail root@evil.com", "mail root@evil[.]com"),
            ("mailto:a@b", "mailto[:]a@b"),
            ("javascript:alert(1)", "javascript[:]alert(1)"),
            ("evil。com", "evil[.]com"),
            ("error 5: disk full. Twice.", "error 5: disk full. Twice."),
            ("at 12:30, 1.5 GB", "at 12:30, 1.5 GB"),
        ] {
            assert_eq!(plain(&[Piece::theirs(typed)]), shown);
        }
    }

    /// Text with much of what has a meaning somewhere.
    pub fn hostile() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            Just("`".to_owned()),
            Just("```".to_owned()),
            Just("<!channel>".to_owned()),
            Just("@here".to_owned()),
            Just("@everyone".to_owned()),
            Just("https://evil.example/a".to_owned()),
            Just("[x](http://evil.example)".to_owned()),
            Just("\r\nBcc: all@evil.example\r\n\r\n".to_owned()),
            Just("\u{202e}".to_owned()),
            ".{0,12}",
        ];
        prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_of_theirs_leaves_its_code(text in hostile()) {
            let shown = in_code(&[Piece::ours("by "), Piece::theirs(&text), Piece::ours(" now")]);
            let theirs = Piece::theirs(&text);
            let ticks = if theirs == Piece::Theirs(String::new()) { 0 } else { 2 };
            prop_assert_eq!(shown.matches('`').count(), ticks);
            prop_assert!(!shown.contains(|c: char| c.is_control()));
        }

        #[test]
        fn nothing_of_theirs_is_an_address_in_plain_text(text in hostile()) {
            let shown = plain(&[Piece::theirs(&text)]);
            prop_assert!(!shown.contains("://"), "{}", shown);
            prop_assert!(!shown.contains("evil.example"), "{}", shown);
            prop_assert!(!shown.contains(|c: char| c.is_control()), "{}", shown);
        }
    }
}
