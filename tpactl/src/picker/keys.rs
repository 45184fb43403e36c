//! Keys, as a terminal sends them.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Enter.
    Enter,
    /// Takes the last character back.
    Backspace,
    /// Esc, Ctrl-C, Ctrl-D: one step back, or out.
    Back,
    /// A character that can be typed.
    Char(char),
}

/// The keys in what was read at once. What is none of them is left out.
pub fn parse(bytes: &[u8]) -> Vec<Key> {
    // A lone Esc is the key; what follows one at once belongs to a key that has no character.
    if let Some(sequence) = bytes.strip_prefix(b"\x1b") {
        return match sequence {
            b"" => vec![Key::Back],
            b"[A" | b"OA" => vec![Key::Up],
            b"[B" | b"OB" => vec![Key::Down],
            _ => Vec::new(),
        };
    }
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter_map(key).collect()
}

fn key(c: char) -> Option<Key> {
    match c {
        '\r' | '\n' => Some(Key::Enter),
        '\u{3}' | '\u{4}' => Some(Key::Back),
        '\u{7f}' | '\u{8}' => Some(Key::Backspace),
        c if tpa_bus::text::is_unsafe(c) || c == char::REPLACEMENT_CHARACTER => None,
        c => Some(Key::Char(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_what_they_send() {
        for (bytes, keys) in [
            (&b"a"[..], &[Key::Char('a')][..]),
            (b"\x1b[A", &[Key::Up]),
            (b"\x1bOB", &[Key::Down]),
            (b"\x1b", &[Key::Back]),
            (b"\x03", &[Key::Back]),
            (b"\r", &[Key::Enter]),
            (b"\x7f", &[Key::Backspace]),
            (b"\x1b[15~", &[]),
            (b"\x00\x07", &[]),
            ("é\u{202e}".as_bytes(), &[Key::Char('é')]),
            (b"\xff", &[]),
        ] {
            assert_eq!(parse(bytes), keys, "{bytes:?}");
        }
    }
}
