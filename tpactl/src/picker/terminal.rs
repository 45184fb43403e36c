//! The terminal while the picker has it: raw, on its second screen, given back in any case.

use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::read;

use super::keys::{self, Key};
use crate::fail::{Exit, Fail};

/// What a terminal that does not know its size is taken for.
const UNKNOWN_SIZE: (usize, usize) = (80, 24);

/// The second screen, without a cursor; and back (xterm's control sequences).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Where the picker draws, and where keys come from.
pub trait Terminal {
    /// Columns and rows.
    fn size(&self) -> (usize, usize);
    /// Draws these rows, and nothing else.
    fn draw(&mut self, rows: &[String]) -> Result<(), Fail>;
    /// Waits for keys; those that came at once.
    fn keys(&mut self) -> Result<Vec<Key>, Fail>;
    /// Gives it to another program, as it was.
    fn lend(&mut self) -> Result<(), Fail>;
    /// Has it back from that.
    fn take_back(&mut self) -> Result<(), Fail>;
}

/// This process's terminal: keys from stdin, rows to stderr, so that stdout is left for data.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Takes the terminal.
    pub fn enter() -> Result<Self, Fail> {
        let before = tcgetattr(io::stdin().as_fd()).map_err(|error| cannot("read", error))?;
        // From here on, dropping it gives the terminal back.
        let terminal = Self { before };
        terminal.take(SetArg::TCSANOW)?;
        Ok(terminal)
    }

    fn take(&self, when: SetArg) -> Result<(), Fail> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin().as_fd(), when, &raw).map_err(|error| cannot("set", error))?;
        io::stderr().write_all(ENTER.as_bytes())?;
        Ok(())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It fails only where the terminal is gone, and then nobody misses it.
        let _ = self.lend();
    }
}

impl Terminal for Raw {
    fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size_of(io::stderr());
        size.map_or(UNKNOWN_SIZE, |(columns, rows)| {
            (usize::from(columns.0), usize::from(rows.0))
        })
    }

    fn draw(&mut self, rows: &[String]) -> Result<(), Fail> {
        // Raw: a line feed alone does not go back to the first column. Each row clears what it
        // leaves of the one before it, and the last everything below.
        let rows = rows.join("\x1b[K\r\n");
        let frame = format!("\x1b[H{rows}\x1b[K\x1b[J");
        io::stderr().write_all(frame.as_bytes())?;
        Ok(())
    }

    fn keys(&mut self) -> Result<Vec<Key>, Fail> {
        let mut bytes = [0; 256];
        match read(io::stdin().as_fd(), &mut bytes) {
            // The terminal is gone.
            Ok(0) => Ok(vec![Key::Back]),
            Ok(length) => Ok(keys::parse(bytes.get(..length).unwrap_or_default())),
            // Stopped and continued: draw anew.
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(error) => Err(cannot("read from", error)),
        }
    }

    fn lend(&mut self) -> Result<(), Fail> {
        let left = io::stderr().write_all(LEAVE.as_bytes());
        tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.before)
            .map_err(|error| cannot("set", error))?;
        Ok(left?)
    }

    fn take_back(&mut self) -> Result<(), Fail> {
        // What was typed ahead was for the other program.
        self.take(SetArg::TCSAFLUSH)
    }
}

fn cannot(what: &str, error: Errno) -> Fail {
    Fail::new(
        Exit::Failure,
        format!("cannot {what} the terminal: {}", error.desc()),
        "decide with tpactl approve ID, tpactl deny ID",
    )
}
