//! PURE: what of a recording reaches the terminal of whoever looks at it.
//!
//! A list of what gets through, as a state machine over single bytes: printable text, line ends, tab
//! and backspace, colours, moving the cursor, erasing, the scroll region and the second screen.
//! Everything else is dropped, so that nothing on record can write to the clipboard, set a title,
//! make the terminal answer as if somebody typed, change what keys and the mouse send, print, or
//! leave another character set behind. What gets through is written anew from what was understood,
//! never copied. No sequence, however long, takes more memory than [`MOST_PARAMETERS`] bytes.

use std::fmt::Write as _;

use tpa_bus::text;

use super::charset::Charsets;

/// Longest parameters of a sequence, in bytes. A longer one is dropped.
const MOST_PARAMETERS: usize = 128;

/// Most bytes of a string (OSC, DCS, APC, PM, SOS) that are taken for a part of it. Beyond it, and
/// at a line end, text is shown again: nothing is hidden behind a string that never ends.
const MOST_STRING: usize = 65_536;

/// Greatest parameter: more than any screen has.
const MOST: u32 = 9_999;

/// Puts a terminal back to where it was, whatever of a recording it has seen: colours, scroll
/// region, second screen, cursor, line wrap and inserting.
pub const RESET: &str = "\x1b[0m\x1b7\x1b[r\x1b8\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[4l";

/// Takes bytes as a program wrote them, gives text for a terminal.
#[derive(Debug, Default)]
pub struct Filter {
    state: State,
    utf8: Utf8,
    charsets: Charsets,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    /// Behind `ESC`.
    Escape,
    /// Behind `ESC` and intermediate bytes, of which this was the first; one that is too long, or
    /// has several, is `None`.
    EscapeIntermediate(Option<u8>),
    /// Behind `CSI`.
    Control(Control),
    /// Within a string.
    String {
        length: usize,
        /// It was an `ESC` that came last, which may be the first half of its end.
        escape: bool,
    },
}

#[derive(Debug, Default)]
struct Control {
    parameters: String,
    /// It has intermediate bytes, or is too long: it is dropped when it ends.
    dropped: bool,
}

/// A character whose bytes have not all come.
#[derive(Debug, Default)]
struct Utf8 {
    bytes: [u8; 4],
    length: usize,
    wanted: usize,
}

impl Filter {
    /// Filters a piece; the next goes on where it ended.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut out = String::with_capacity(bytes.len());
        for byte in bytes {
            self.byte(*byte, &mut out);
        }
        out
    }

    fn byte(&mut self, byte: u8, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte, out),
            State::Escape => self.escape(byte, out),
            State::EscapeIntermediate(first) => self.intermediate(first, byte, out),
            State::Control(control) => self.control(control, byte, out),
            State::String { length, escape } => self.string(length, escape, byte, out),
        }
    }

    fn ground(&mut self, byte: u8, out: &mut String) {
        if byte < 0x80 && self.utf8.length > 0 {
            out.push(char::REPLACEMENT_CHARACTER);
            self.utf8 = Utf8::default();
        }
        match byte {
            0x1b => self.state = State::Escape,
            b'\r' | b'\n' | 0x08 | b'\t' => out.push(char::from(byte)),
            // Vertical tab and form feed are line feeds on a screen.
            0x0b | 0x0c => out.push('\n'),
            0x0e => self.charsets.shift(true),
            0x0f => self.charsets.shift(false),
            0x20..=0x7e => out.push(self.charsets.map(char::from(byte))),
            0x80.. => self.beyond_ascii(byte, out),
            _ => {}
        }
    }

    fn beyond_ascii(&mut self, byte: u8, out: &mut String) {
        match self.utf8.push(byte) {
            Decoded::More => {}
            Decoded::Character(c) => show(c, out),
            Decoded::Bad { again } => {
                out.push(char::REPLACEMENT_CHARACTER);
                if again {
                    self.ground(byte, out);
                }
            }
        }
    }

    fn escape(&mut self, byte: u8, out: &mut String) {
        match byte {
            b'[' => self.state = State::Control(Control::default()),
            // OSC, DCS, SOS, PM, APC, and the title of screen(1).
            b']' | b'P' | b'X' | b'^' | b'_' | b'k' => {
                self.state = State::String {
                    length: 0,
                    escape: false,
                }
            }
            0x20..=0x2f => self.state = State::EscapeIntermediate(Some(byte)),
            // Save and restore the cursor, index, next line, reverse index.
            b'7' | b'8' | b'D' | b'E' | b'M' => {
                out.push('\x1b');
                out.push(char::from(byte));
            }
            0x1b => self.state = State::Escape,
            // A control character does what it does, and what it interrupted is dropped.
            0x00..=0x1f | 0x80.. => self.ground(byte, out),
            _ => {}
        }
    }

    fn intermediate(&mut self, first: Option<u8>, byte: u8, out: &mut String) {
        match byte {
            0x20..=0x2f => self.state = State::EscapeIntermediate(None),
            0x30..=0x7e => {
                if let Some(first) = first {
                    self.charsets.designate(first, byte);
                }
            }
            0x1b => self.state = State::Escape,
            0x7f => self.state = State::EscapeIntermediate(first),
            _ => self.ground(byte, out),
        }
    }

    fn control(&mut self, mut control: Control, byte: u8, out: &mut String) {
        match byte {
            0x30..=0x3f if control.parameters.len() < MOST_PARAMETERS => {
                control.parameters.push(char::from(byte));
                self.state = State::Control(control);
            }
            0x20..=0x3f => {
                control.dropped = true;
                self.state = State::Control(control);
            }
            0x40..=0x7e => {
                if !control.dropped {
                    out.push_str(&sequence(&control.parameters, byte).unwrap_or_default());
                }
            }
            0x1b => self.state = State::Escape,
            0x7f => self.state = State::Control(control),
            _ => self.ground(byte, out),
        }
    }

    fn string(&mut self, length: usize, escape: bool, byte: u8, out: &mut String) {
        match byte {
            b'\\' if escape => {}
            // Any other sequence ends the string and begins.
            _ if escape => {
                self.state = State::Escape;
                self.byte(byte, out);
            }
            0x07 | 0x18 | 0x1a => {}
            b'\r' | b'\n' => self.ground(byte, out),
            _ if length >= MOST_STRING => self.ground(byte, out),
            _ => {
                self.state = State::String {
                    length: length.saturating_add(1),
                    escape: byte == 0x1b,
                }
            }
        }
    }
}

/// A character beyond ASCII. Controls in two bytes (C1) do what their sequences do, and marks that
/// turn the reading direction or show nothing make a text look like another.
fn show(c: char, out: &mut String) {
    if !text::is_unsafe(c) {
        out.push(c);
    } else if c.is_whitespace() && !c.is_control() {
        out.push(' ');
    }
}

/// A control sequence that gets through, as it is written to the terminal.
fn sequence(parameters: &str, last: u8) -> Option<String> {
    if let Some(modes) = parameters.strip_prefix('?') {
        return modes_of(modes, last);
    }
    if last == b'm' {
        return colours(parameters);
    }
    let numbers = numbers(parameters)?;
    let fits = match last {
        // Moving the cursor, inserting and deleting, scrolling.
        b'A' | b'B' | b'C' | b'D' | b'E' | b'F' | b'G' | b'I' | b'Z' | b'd' | b'e' | b'`'
        | b'a' | b'X' | b'P' | b'@' | b'L' | b'M' | b'S' | b'T' => numbers.len() <= 1,
        b'H' | b'f' | b'r' => numbers.len() <= 2,
        // Erasing, but not what the terminal keeps of before (3).
        b'J' | b'K' => numbers.len() <= 1 && numbers.iter().all(|number| *number <= 2),
        // With a parameter these are other things: margins, and keys.
        b's' | b'u' => parameters.is_empty(),
        // Inserting.
        b'h' | b'l' => numbers == [4],
        // Repeating a character: as often as a line is wide.
        b'b' => numbers.len() <= 1 && numbers.iter().all(|number| *number <= 1_000),
        _ => false,
    };
    fits.then(|| written("", &numbers, last))
}

/// The modes that get through: the cursor is shown, lines wrap, the second screen.
fn modes_of(modes: &str, last: u8) -> Option<String> {
    if !matches!(last, b'h' | b'l') {
        return None;
    }
    let mut numbers = numbers(modes)?;
    numbers.retain(|mode| matches!(mode, 7 | 25 | 47 | 1047 | 1049));
    (!numbers.is_empty()).then(|| written("?", &numbers, last))
}

/// Colours and the like, of which parts are parted by colons too.
fn colours(parameters: &str) -> Option<String> {
    let fits = parameters
        .split([';', ':'])
        .all(|part| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()));
    fits.then(|| format!("\x1b[{parameters}m"))
}

/// Parameters that are numbers; one that is left out is 0.
fn numbers(parameters: &str) -> Option<Vec<u32>> {
    if parameters.is_empty() {
        return Some(Vec::new());
    }
    let number = |part: &str| match part {
        "" => Some(0),
        part if part.bytes().all(|byte| byte.is_ascii_digit()) => {
            part.parse().ok().filter(|number| *number <= MOST)
        }
        _ => None,
    };
    parameters.split(';').map(number).collect()
}

fn written(mark: &str, numbers: &[u32], last: u8) -> String {
    let mut out = format!("\x1b[{mark}");
    for (index, number) in numbers.iter().enumerate() {
        let part = if index == 0 { "" } else { ";" };
        let _ = write!(out, "{part}{number}");
    }
    out.push(char::from(last));
    out
}

/// What a byte of a character came to.
enum Decoded {
    More,
    Character(char),
    /// No character; the byte that was not expected begins anew where `again` is set.
    Bad {
        again: bool,
    },
}

impl Utf8 {
    fn push(&mut self, byte: u8) -> Decoded {
        let is_next = (0x80..0xc0).contains(&byte);
        if self.length == 0 {
            self.wanted = match byte {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return Decoded::Bad { again: false },
            };
        } else if !is_next {
            *self = Self::default();
            return Decoded::Bad { again: true };
        }
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
        if self.length < self.wanted {
            return Decoded::More;
        }
        let Self { bytes, length, .. } = std::mem::take(self);
        let text = std::str::from_utf8(bytes.get(..length).unwrap_or_default());
        let character = text.ok().and_then(|text| text.chars().next());
        character.map_or(Decoded::Bad { again: false }, Decoded::Character)
    }
}

#[cfg(test)]
mod tests;
