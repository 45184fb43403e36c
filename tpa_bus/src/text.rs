//! Text that people typed, made safe for one line of a log or a terminal.

/// Whether a character could move a cursor, break a line, turn the reading direction or be seen
/// as nothing or as a gap: the control characters, every space but U+0020 (Zs, Zl, Zp), the format
/// characters (Cf), what a terminal may ignore (`Default_Ignorable_Code_Point`, such as the Hangul
/// fillers) and the blank Braille pattern. From the Unicode Character Database.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}'
            | '\u{070F}' | '\u{0890}'..='\u{0891}' | '\u{08E2}'
            | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}'
            | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
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

/// Words as a shell takes them, so that two lists of words never read alike: a word is in quotes where
/// a shell would read more into it, or nothing at all.
#[must_use]
pub fn quoted<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| in_quotes(word.as_ref())).collect();
    quoted.join(" ")
}

fn in_quotes(word: &str) -> String {
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
    fn words_that_sudo_joins_alike_are_told_apart() {
        let shown = |words: &[&str]| quoted(words);
        assert_eq!(shown(&["a", "b c"]), "a 'b c'");
        assert_eq!(shown(&["a", "b", "c"]), "a b c");
        assert_eq!(shown(&["a", ""]), "a ''");
        assert_eq!(shown(&["it's", "$x", "*"]), r"'it'\''s' '$x' '*'");
    }

    proptest::proptest! {
        #[test]
        fn no_two_lists_of_words_read_alike(
            one in proptest::collection::vec("[a '\"*\\\\$]{0,3}", 0..4),
            other in proptest::collection::vec("[a '\"*\\\\$]{0,3}", 0..4),
        ) {
            proptest::prop_assert_eq!(one == other, quoted(&one) == quoted(&other));
        }
    }

    #[test]
    fn control_and_bidirectional_characters_become_visible() {
        assert_eq!(
            one_line("a\nb\x1b[31m\u{202e}c", 100),
            "a\\nb\\u{1b}[31m\\u{202e}c"
        );
        assert_eq!(one_line("grüße, 世界", 100), "grüße, 世界");
    }

    #[test]
    fn what_is_seen_as_nothing_or_as_a_gap_becomes_visible() {
        let blank = "\u{a0}\u{1680}\u{2000}\u{2007}\u{200a}\u{202f}\u{205f}\u{3000}\u{2800}\
                     \u{34f}\u{115f}\u{1160}\u{3164}\u{ffa0}\u{fe0f}\u{e0100}\u{1d173}\u{600}";
        for c in blank.chars() {
            let shown = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(one_line(&format!("a{c}b"), 100), shown);
        }
        assert_eq!(one_line("a b", 100), "a b");
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
