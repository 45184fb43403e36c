//! The line drawing characters of old programs, as Unicode: the terminal of whoever looks is never
//! switched to another character set, which would stay when the recording is over.

/// What a character stands for where line drawing is on (DEC special graphics, VT100 user guide).
pub fn line_drawing(c: char) -> char {
    const DRAWN: [char; 31] = [
        '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─',
        '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
    ];
    let place = u32::from(c).checked_sub(u32::from('`'));
    let place = place.and_then(|place| usize::try_from(place).ok());
    let drawn = place.and_then(|place| DRAWN.get(place));
    drawn.copied().unwrap_or(c)
}

/// Which character sets a program has chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Charsets {
    /// Whether G0 and G1 are line drawing.
    sets: [bool; 2],
    /// Whether G1 is in use (SO) rather than G0 (SI).
    second: bool,
}

impl Charsets {
    /// `ESC ( F` and `ESC ) F`.
    pub fn designate(&mut self, set: u8, name: u8) {
        let [first, second] = &mut self.sets;
        match set {
            b'(' => *first = name == b'0',
            b')' => *second = name == b'0',
            _ => {}
        }
    }

    /// SO and SI.
    pub fn shift(&mut self, second: bool) {
        self.second = second;
    }

    /// A printable character as it is meant.
    pub fn map(self, c: char) -> char {
        let [first, second] = self.sets;
        if (self.second && second) || (!self.second && first) {
            line_drawing(c)
        } else {
            c
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_of_old_programs_are_drawn_with_unicode() {
        let frame: String = "lqkxmj~".chars().map(line_drawing).collect();
        assert_eq!(frame, "┌─┐│└┘·");
        for c in ['A', '_', '\u{7f}', 'é'] {
            assert_eq!(line_drawing(c), c);
        }
    }
}
