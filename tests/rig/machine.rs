//! What a host runs on, seen from outside.

use std::process::Command;

use anyhow::Result;

/// What a command runs under: it ends with the one that watches it, and after so many seconds
/// (timeout(1)), so that a host that hangs fails its test. That is far longer than anything that a
/// story waits for, on a machine that does five other things too: a login that a story keeps open
/// is such a command.
pub const WATCHED: [&str; 6] = [
    "/usr/bin/setpriv",
    "--pdeathsig",
    "TERM",
    "/usr/bin/timeout",
    "--kill-after=2",
    "300",
];

/// What a command finds in its environment, and nothing else.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
];

/// A machine that is up. Gone when dropped.
pub trait Machine {
    /// A process that runs a command in the machine, as root and on no login, with
    /// [`ENVIRONMENT`] and a time limit. The command ends when the one that watches it does.
    fn command(&self, argv: &[&str]) -> Command;

    /// A process that is a root shell in the machine, on this terminal.
    fn shell(&self) -> Command;

    /// Writes a file of root's.
    fn put(&self, contents: &[u8], mode: u32, path: &str) -> Result<()>;

    /// Cuts the power at once, and gives it back; returns when it is up again, from the same disk.
    fn cut_power(&self) -> Result<()>;

    /// Shuts it down in good order, and returns when it is up again.
    fn reboot(&self) -> Result<()>;

    /// Suspends it to memory for so many seconds, and returns when it has woken. Only a machine
    /// with a kernel of its own can.
    fn suspend(&self, seconds: u64) -> Result<()>;
}
