//! What a command said, and how it ended.

use std::fmt;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::object::Object;

/// The outcome of a command in a host.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, as a person would type it.
    pub command: String,
    /// Exit code; 124 when it was stopped at its time limit (timeout(1)), 128 + n for signal n.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl Output {
    /// Takes the output of a finished process.
    #[must_use]
    pub fn new(command: String, output: &process::Output, took: Duration) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let by_signal = output.status.signal().map_or(-1, |signal| 128 + signal);
        Self {
            command,
            code: output.status.code().unwrap_or(by_signal),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            took,
        }
    }

    /// Standard output of a command that has to succeed.
    pub fn ok(&self) -> Result<&str> {
        self.code_is(0)?;
        Ok(self.out.trim_end())
    }

    /// The command ended with this exit code.
    pub fn code_is(&self, code: i32) -> Result<&Self> {
        ensure!(self.code == code, "exit code {code} was expected of {self}");
        Ok(self)
    }

    /// The command failed by itself, whatever its exit code.
    pub fn fails(&self) -> Result<&Self> {
        let stopped = self.code == 124;
        ensure!(
            self.code != 0 && !stopped,
            "a failure was expected of {self}"
        );
        Ok(self)
    }

    /// A text stands in standard output or standard error.
    pub fn says(&self, text: &str) -> Result<&Self> {
        ensure!(
            self.out.contains(text) || self.err.contains(text),
            "\"{text}\" was expected of {self}"
        );
        Ok(self)
    }

    /// A text stands in neither.
    pub fn keeps_quiet_about(&self, text: &str) -> Result<&Self> {
        ensure!(
            !self.out.contains(text) && !self.err.contains(text),
            "\"{text}\" was not expected of {self}"
        );
        Ok(self)
    }

    /// It took no longer than this.
    pub fn within(&self, limit: Duration) -> Result<&Self> {
        ensure!(
            self.took <= limit,
            "{:.1} s at most were expected of {self}",
            limit.as_secs_f64()
        );
        Ok(self)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Object> {
        serde_json::from_str(self.ok()?)
            .map(Object)
            .with_context(|| format!("JSON was expected of {self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`{}`: exit code {} after {:.1} s",
            self.command,
            self.code,
            self.took.as_secs_f64()
        )?;
        for (name, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            for line in text.lines() {
                writeln!(f, "  {name}: {line}")?;
            }
        }
        Ok(())
    }
}
