//! Text that people typed, made safe for one line of a log or a terminal.

/// Whether a character could move a cursor, break a line or turn the reading direction: the
/// control characters, the line and paragraph separators, the bidirectional controls (UAX #9)
/// and the invisible ones that hide text.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

/// The text as one clean line: every unsafe character becomes a visible escape (`\n`, `\t`,
/// `\u{1b}`), and what is longer than `max` characters then is cut and ends in `…`. A line stays
/// as it is.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    let mut left = max;
    for c in text.chars() {
        let escape = is_unsafe(c).then(|| c.escape_default());
        let width = escape.as_ref().map_or(1, ExactSizeIterator::len);
        let Some(rest) = left.checked_sub(width) else {
            line.push('…');
            break;
        };
        left = rest;
        match escape {
            Some(escape) => line.extend(escape),
            None => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_become_visible() {
        assert_eq!(
            one_line("a\nb\x1b[31m\u{202e}c", 100),
            "a\\nb\\u{1b}[31m\\u{202e}c"
        );
        assert_eq!(one_line("grüße, 世界", 100), "grüße, 世界");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(one_line("abc", 3), "abc");
        for text in ["abcdef", "ab\0", "\0\0", "a\0b"] {
            let line = one_line(text, 5);
            assert_eq!(one_line(&line, 5), line, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_unsafe_character_survives(text: String) {
            proptest::prop_assert!(!one_line(&text, usize::MAX).chars().any(is_unsafe));
        }
    }
}
