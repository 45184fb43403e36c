//! A program on a terminal, with somebody who reads and types.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// Ctrl-C, as the terminal sends it.
pub const INTERRUPT: &str = "\x03";

/// Some terminal reads a line without showing it: a password is asked for. A line of shell, see
/// [`Host::eventually`](crate::host::Host::eventually).
pub const HIDDEN: &str = "(for tty in /dev/pts/[0-9]*; do \
    case \"$(stty -a -F $tty 2>/dev/null)\" in *-icanon*) ;; *' -echo '*) exit 0;; esac; done; exit 1)";

/// A running program on a terminal of its own. Killed when dropped.
pub struct Terminal {
    command: String,
    child: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    seen: String,
    ahead: String,
}

impl Terminal {
    /// Starts a process that gives its program a terminal, as script(1) does.
    pub fn start(command: String, process: &mut Command) -> Result<Self> {
        let mut child = process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting `{command}`"))?;
        Ok(Self {
            command,
            keyboard: child.stdin.take().context("stdin is piped")?,
            screen: child.stdout.take().context("stdout is piped")?,
            child,
            seen: String::new(),
            ahead: String::new(),
        })
    }

    /// Waits until this text comes; gives what came before it since the last text waited for.
    pub fn sees(&mut self, text: &str) -> Result<String> {
        loop {
            if let Some((before, after)) = self.ahead.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.ahead = after;
                return Ok(before);
            }
            if !self.look()? {
                bail!(
                    "{text:?} was expected of `{}`, which ended after showing:\n{}",
                    self.command,
                    self.seen
                );
            }
        }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> Result<()> {
        self.presses(&format!("{line}\r"))
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &str) -> Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits until the program ends; everything that it showed. Its time limit ends it at the
    /// latest.
    pub fn ends(mut self) -> Result<String> {
        while self.look()? {}
        self.child.wait()?;
        Ok(std::mem::take(&mut self.seen))
    }

    fn look(&mut self) -> Result<bool> {
        let mut chunk = [0; 1024];
        let length = self.screen.read(&mut chunk)?;
        let chunk = String::from_utf8_lossy(chunk.get(..length).unwrap_or_default());
        self.seen.push_str(&chunk);
        self.ahead.push_str(&chunk);
        Ok(length > 0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only for a process that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
