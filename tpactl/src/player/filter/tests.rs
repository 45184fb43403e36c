use proptest::prelude::*;

use super::*;

fn filtered(bytes: impl AsRef<[u8]>) -> String {
    Filter::default().feed(bytes.as_ref())
}

#[test]
fn what_programs_draw_with_gets_through() {
    for shown in [
        "plain text, grüße, 世界\r\n",
        "\ttab and back\x08",
        "\x1b[1;31mred\x1b[0m \x1b[38;5;208mx\x1b[48:2::1:2:3mx\x1b[m",
        "\x1b[5A\x1b[2;3H\x1b[10G\x1b[4d\x1b[H",
        "\x1b[2J\x1b[K\x1b[1K\x1b[4X\x1b[2P\x1b[3@\x1b[1L\x1b[1M",
        "\x1b[1;24r\x1b[2S\x1b[3T\x1b[r",
        "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?25h\x1b[?1049l",
        "\x1b7\x1b8\x1bM\x1bD\x1bE\x1b[s\x1b[u\x1b[4h\x1b[4l\x1b[80b",
    ] {
        assert_eq!(filtered(shown), shown, "{shown:?}");
    }
}

#[test]
fn what_acts_on_the_terminal_is_dropped() {
    for (what, dropped) in [
        ("clipboard", "\x1b]52;c;cm0gLXJmIC8=\x07"),
        ("clipboard, other end", "\x1b]52;c;?\x1b\\"),
        ("title", "\x1b]0;title\x07\x1b]2;t\x1b\\\x1bktitle\x1b\\"),
        ("link", "\x1b]8;;file:///etc\x07\x1b]8;;\x07"),
        (
            "colours of the palette",
            "\x1b]4;1;rgb:00/00/00\x07\x1b]10;?\x07",
        ),
        (
            "reports",
            "\x1b[6n\x1b[5n\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ\x1b[x\x1b[?6n",
        ),
        (
            "more reports",
            "\x1b[?25$p\x1b[4$p\x1b[>q\x1b[21t\x1b[18t\x1b[1$w\x1b[>0;1u",
        ),
        (
            "device control",
            "\x1bP$q\"p\x1b\\\x1bP+q544e\x1b\\\x1bPq#0~\x1b\\",
        ),
        (
            "other strings",
            "\x1b_Gi=1\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\",
        ),
        (
            "keys",
            "\x1b[?1h\x1b=\x1b>\x1b[>4;2m\x1b[>1u\x1b[=5u\x1b[?2004h\x1b[?1004h",
        ),
        (
            "mouse",
            "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[1;2;3;4;5T",
        ),
        (
            "windows and printing",
            "\x1b[8;10;10t\x1b[3t\x1b[5i\x1b[?5i",
        ),
        (
            "what stays",
            "\x1bc\x1b[!p\x1b[3J\x1b[?5h\x1b[?3h\x1b[20h\x1b[?69h\x1b[2;5s\x1b[0g\x1bH",
        ),
        (
            "character sets",
            "\x1b*0\x1b+0\x1bn\x1bo\x1b|\x1b}\x1b~\x1bN\x1bO\x1b%G\x1b%@\x1b#8",
        ),
        ("cursor's shape", "\x1b[2 q\x1b[?12h"),
        ("controls", "\x00\x05\x07\x7f\x11\x13\x18\x1a\x1c"),
        ("controls in UTF-8", "\u{9b}\u{9d}\u{90}\u{85}\u{84}"),
        ("marks", "\u{202e}\u{2066}\u{200b}\u{feff}"),
        ("too much", "\x1b[99999A\x1b[1;2;3H\x1b[2000b\x1b[12345m"),
    ] {
        let left = filtered(dropped);
        let left: String = left.chars().filter(char::is_ascii_control).collect();
        assert_eq!(left, "", "{what}");
    }
    // Of a control in two bytes its letters are left, as text.
    assert_eq!(filtered("\u{9b}6n\u{9d}0;t\u{7}"), "6n0;t");
    assert_eq!(filtered("a\x1b]0;title\x07b\x1b[6nc"), "abc");
}

#[test]
fn of_several_modes_only_those_that_are_safe_are_set() {
    assert_eq!(filtered("\x1b[?25;1000;1049h"), "\x1b[?25;1049h");
    assert_eq!(filtered("\x1b[?2004;1h"), "");
}

#[test]
fn bytes_that_are_no_text_are_shown_as_that() {
    assert_eq!(filtered(b"a\xffb\xc3"), "a\u{fffd}b");
    assert_eq!(filtered(b"\xc3(\xe2\x82\x1b[6n"), "\u{fffd}(\u{fffd}");
    // The control sequence introducer in one byte, as 8-bit terminals take it.
    assert_eq!(
        filtered(b"\x9b6n\x9d0;t\x9c"),
        "\u{fffd}6n\u{fffd}0;t\u{fffd}"
    );
    // Overlong, and half of a pair.
    assert!(!filtered(b"\xc0\x9b\xed\xa0\x80\xf5\x80").contains('\u{1b}'));
}

#[test]
fn line_drawing_is_drawn_without_switching_the_terminal() {
    assert_eq!(filtered("\x1b(0lqk\x1b(Blqk"), "┌─┐lqk");
    assert_eq!(filtered("\x1b)0\x0eqx\x0fqx"), "─│qx");
}

#[test]
fn nothing_hides_behind_a_string_that_never_ends() {
    assert_eq!(filtered("\x1b]0;title\r\nrm -rf /\r\n"), "\r\nrm -rf /\r\n");
    let long = format!("\x1bP{}here", "x".repeat(MOST_STRING));
    assert_eq!(filtered(long), "here");
    assert_eq!(filtered("\x1b]0;t\x1b[31mred"), "\x1b[31mred");
    assert_eq!(filtered("\x1b]0;t\x1b\x1b\\x"), "x");
}

#[test]
fn an_endless_sequence_takes_no_memory() {
    let mut filter = Filter::default();
    filter.feed(b"\x1b[");
    for _ in 0..1_000 {
        assert_eq!(filter.feed(&[b'1'; 1_024]), "");
    }
    let State::Control(control) = &filter.state else {
        panic!("{filter:?}");
    };
    assert!(control.parameters.len() <= MOST_PARAMETERS);
    assert_eq!(filter.feed(b"Ax"), "x");
}

/// Bytes that are likely to make sequences.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\x1b".to_vec()),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b]".to_vec()),
        Just(b"\x1bP".to_vec()),
        Just("\u{9b}".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
        "[0-9;:?><=!$ ]{0,6}[@-~]".prop_map(String::into_bytes),
        "\\PC{0,4}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// What may be in the output, read anew: text, and whole sequences of the list.
fn is_safe(text: &str) -> bool {
    let mut left = text;
    while let Some(c) = left.chars().next() {
        left = left.get(c.len_utf8()..).unwrap_or_default();
        if c != '\x1b' {
            if text::is_unsafe(c) && !matches!(c, '\r' | '\n' | '\t' | '\x08') {
                return false;
            }
            continue;
        }
        if let Some(rest) = left.strip_prefix(['7', '8', 'D', 'E', 'M']) {
            left = rest;
            continue;
        }
        let Some(rest) = left.strip_prefix('[') else {
            return false;
        };
        let end = rest.find(|c: char| c.is_ascii_alphabetic() || matches!(c, '@' | '`'));
        let Some(end) = end else { return false };
        let (parameters, last) = rest.split_at(end);
        let allowed = if let Some(modes) = parameters.strip_prefix('?') {
            let mut modes = modes.split(';');
            let known = modes.all(|mode| ["7", "25", "47", "1047", "1049"].contains(&mode));
            known && last.starts_with(['h', 'l'])
        } else {
            let digits = |c: char| c.is_ascii_digit() || matches!(c, ';' | ':');
            parameters.chars().all(digits)
                && last.starts_with(|c| "ABCDEFGIZde`aXPLMST@HfrJKsuhlbm".contains(c))
                && (!last.starts_with(['h', 'l']) || parameters == "4")
                && (!last.starts_with(['s', 'u']) || parameters.is_empty())
                && (!last.starts_with('J') || parameters != "3")
        };
        if !allowed || parameters.len() > MOST_PARAMETERS + 2 {
            return false;
        }
        left = last.get(1..).unwrap_or_default();
    }
    true
}

proptest! {
    #[test]
    fn whatever_comes_in_only_what_is_on_the_list_comes_out(bytes in likely()) {
        let out = filtered(&bytes);
        prop_assert!(is_safe(&out), "{out:?}");
    }

    #[test]
    fn it_makes_no_difference_where_a_piece_ends(bytes in likely(), at in any::<prop::sample::Index>()) {
        let whole = filtered(&bytes);
        let at = at.index(bytes.len() + 1);
        let mut filter = Filter::default();
        let (first, second) = bytes.split_at(at);
        prop_assert_eq!(filter.feed(first) + &filter.feed(second), whole);
    }

    #[test]
    fn text_stays_as_it_is(text in "[a-zA-Z0-9 é世.,;()\\r\\n\\t]{0,40}") {
        prop_assert_eq!(filtered(&text), text);
    }

    #[test]
    fn what_came_through_comes_through_again_as_it_is(bytes in likely()) {
        let once = filtered(&bytes);
        prop_assert_eq!(filtered(&once), once);
    }
}
