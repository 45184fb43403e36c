//! What whoever looks presses meanwhile. Nothing of it reaches whom they look at.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zruntime::{AsyncIo, Shared};

use crate::bus::runtime;

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// q, Ctrl-C, Ctrl-D: leave.
    Quit,
    /// k: end what is watched.
    Kill,
    /// Anything else.
    Other,
}

/// The terminal's keys, each as it is pressed, not shown. The terminal is as before once dropped.
pub struct Keys {
    terminal: AsyncIo<File, Shared>,
    before: Termios,
}

impl Keys {
    /// Of the terminal of this process; `None` where it has none.
    pub fn of_terminal() -> Option<Self> {
        // Opened anew, so that not blocking is this descriptor's alone.
        let mut options = OpenOptions::new();
        let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY | nix::libc::O_CLOEXEC;
        let terminal = options
            .read(true)
            .custom_flags(flags)
            .open("/dev/tty")
            .ok()?;
        let before = tcgetattr(&terminal).ok()?;
        let mut set = before.clone();
        set.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(&terminal, SetArg::TCSANOW, &set).ok()?;
        let terminal = AsyncIo::new_nonblocking(&runtime().ok()?, terminal).ok()?;
        Some(Self { terminal, before })
    }

    /// Waits for a key that means something.
    pub async fn pressed(&self) -> Key {
        let mut bytes = [0; 64];
        let read = self.terminal.read_with(|mut terminal| {
            let length = terminal.read(&mut bytes)?;
            Ok(key(bytes.get(..length).unwrap_or_default()))
        });
        // The terminal is gone.
        read.await.unwrap_or(Key::Quit)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // It fails only where the terminal is gone, and then nobody misses it.
        let _ = tcsetattr(self.terminal.get_ref(), SetArg::TCSANOW, &self.before);
    }
}

/// What was pressed. An arrow key and the like are several bytes, of which none counts alone.
fn key(bytes: &[u8]) -> Key {
    match bytes {
        [] | [b'q' | b'Q' | 3 | 4] => Key::Quit,
        [b'k' | b'K'] => Key::Kill,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_counts_and_what_was_pasted_does_not() {
        for (bytes, expected) in [
            (&b"q"[..], Key::Quit),
            (b"\x03", Key::Quit),
            (b"", Key::Quit),
            (b"k", Key::Kill),
            (b"kk", Key::Other),
            (b"\x1b[A", Key::Other),
            (b"x", Key::Other),
        ] {
            assert_eq!(key(bytes), expected, "{bytes:?}");
        }
    }
}
