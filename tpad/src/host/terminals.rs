//! Saying a line on a person's own terminals, without ever waiting for one.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::host::process::{self, Process};

/// The processes that have a terminal: one look, for whoever is to be told of something at this
/// moment.
#[derive(Debug)]
pub struct Terminals(Vec<Process>);

impl Terminals {
    /// Looks.
    #[must_use]
    pub fn look(proc: &Path) -> Self {
        let mut found = process::scan(proc);
        found.retain(|process| process.tty != 0);
        Self(found)
    }

    /// Writes the line on every terminal that the person's processes have and that is theirs, and
    /// says on how many.
    pub fn say(&self, uid: u32, line: &str) -> usize {
        let theirs = self.0.iter().filter(|process| process.belongs_to(uid));
        let terminals: BTreeSet<u32> = theirs.map(|process| process.tty).collect();
        terminals
            .into_iter()
            .filter_map(|tty| Some((tty, path_of(tty)?)))
            .filter(|(tty, path)| write(path, *tty, uid, line))
            .count()
    }
}

/// The terminal of a device number, by the kernel's list of devices: pseudo terminals have the
/// majors 136 to 143, consoles 4 with minors up to 63, serial lines those above. The daemon has a
/// /dev of its own (`PrivateDevices=`) with pseudo terminals alone: the others are PID 1's.
fn path_of(tty: u32) -> Option<PathBuf> {
    let (major, minor) = (tty >> 8 & 0xfff, tty & 0xff | tty >> 12 & 0xfff00);
    let path = match (major, minor) {
        (136..=143, _) => format!("/dev/pts/{}", ((major - 136) << 8) + minor),
        (4, 1..=63) => format!("/proc/1/root/dev/tty{minor}"),
        (4, 64..=255) => format!("/proc/1/root/dev/ttyS{}", minor - 64),
        _ => return None,
    };
    Some(path.into())
}

/// Writes when the device is the one meant, a terminal, and the person's own. A terminal that is
/// stopped or full is passed over.
fn write(path: &Path, tty: u32, uid: u32, line: &str) -> bool {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let Ok(mut terminal) = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(path)
    else {
        return false;
    };
    let theirs = terminal.metadata().is_ok_and(|metadata| {
        metadata.file_type().is_char_device()
            && metadata.rdev() == u64::from(tty)
            && metadata.uid() == uid
    });
    let line = format!("\r\n{}\r\n", tpa_bus::text::one_line(line, 400));
    theirs
        && terminal.is_terminal()
        && terminal
            .write(line.as_bytes())
            .is_ok_and(|length| length == line.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read as _;

    struct Terminal {
        master: File,
        path: PathBuf,
        tty: u32,
        uid: u32,
        _slave: File,
    }

    fn terminal() -> Terminal {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = File::from(pty.slave);
        let metadata = slave.metadata().unwrap();
        let tty = u32::try_from(metadata.rdev()).unwrap();
        Terminal {
            master: File::from(pty.master),
            path: path_of(tty).unwrap(),
            tty,
            uid: metadata.uid(),
            _slave: slave,
        }
    }

    #[test]
    fn a_line_reaches_the_persons_terminal_and_nothing_in_it_moves_the_cursor() {
        let mut terminal = terminal();
        assert!(write(
            &terminal.path,
            terminal.tty,
            terminal.uid,
            "ends\x1b[2J soon"
        ));
        let mut buffer = [0; 100];
        let length = terminal.master.read(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        // The terminal itself makes \r\n of \n.
        assert_eq!(text.replace('\r', ""), "\nends\\u{1b}[2J soon\n");
    }

    #[test]
    fn a_terminal_of_somebody_else_is_not_written_to() {
        let terminal = terminal();
        assert!(!write(&terminal.path, terminal.tty, terminal.uid + 1, "x"));
        assert!(!write(&terminal.path, terminal.tty + 1, terminal.uid, "x"));
        assert!(!write(Path::new("/dev/null"), terminal.tty, 0, "x"));
    }

    #[test]
    fn a_terminal_that_nobody_reads_does_not_hold_us_up() {
        let terminal = terminal();
        let mut written = 0;
        while write(&terminal.path, terminal.tty, terminal.uid, &"x".repeat(300)) {
            written += 1;
            assert!(written < 10_000);
        }
    }

    #[test]
    fn device_numbers_are_read_as_the_kernel_writes_them() {
        let path = |tty| path_of(tty).map(|path| path.display().to_string());
        assert_eq!(path(34_819).as_deref(), Some("/dev/pts/3"));
        assert_eq!(path(0x8900).as_deref(), Some("/dev/pts/256"));
        assert_eq!(path(1_025).as_deref(), Some("/proc/1/root/dev/tty1"));
        assert_eq!(path(1_088).as_deref(), Some("/proc/1/root/dev/ttyS0"));
        assert_eq!(path(1_281), None);
    }
}
