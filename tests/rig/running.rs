//! A command in a host that goes on while other things happen.

use std::io::{BufRead, BufReader, Read};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::clock;
use crate::output::Output;

/// A running command. Killed when dropped.
pub struct Running {
    command: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
    seen: String,
    since: Duration,
}

impl Running {
    /// Starts it, with nothing on its standard input.
    pub fn start(command: String, process: &mut Command) -> Result<Self> {
        Self::start_on(command, process, Stdio::null())
    }

    /// Starts it with a standard input on which nothing comes, as of a person who reads.
    pub fn start_open(command: String, process: &mut Command) -> Result<Self> {
        Self::start_on(command, process, Stdio::piped())
    }

    fn start_on(command: String, process: &mut Command, stdin: Stdio) -> Result<Self> {
        let since = clock::uptime()?;
        let mut child = process
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting `{command}`"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        Ok(Self {
            command,
            child,
            stdout: BufReader::new(stdout),
            seen: String::new(),
            since,
        })
    }

    /// Waits for a line that says this and nothing else.
    pub fn line(&mut self, text: &str) -> Result<String> {
        self.line_where(&[text], |line| line == text)
    }

    /// Waits for a line with this text on its standard output, and gives the line.
    pub fn line_with(&mut self, text: &str) -> Result<String> {
        self.line_with_all(&[text])
    }

    /// Waits for a line with all of these texts.
    pub fn line_with_all(&mut self, texts: &[&str]) -> Result<String> {
        self.line_where(texts, |line| texts.iter().all(|text| line.contains(text)))
    }

    fn line_where(&mut self, texts: &[&str], is_it: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            let mut line = Vec::new();
            if self.stdout.read_until(b'\n', &mut line)? == 0 {
                bail!(
                    "{texts:?} was expected of `{}`, which ended after saying:\n{}",
                    self.command,
                    self.seen
                );
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            self.seen.push_str(&line);
            if is_it(line.trim_end()) {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Waits until it ends; its time limit ends it at the latest.
    pub fn finish(mut self) -> Result<Output> {
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest)?;
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        let mut stderr = Vec::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_end(&mut stderr)?;
        }
        let output = process::Output {
            status: self.child.wait()?,
            stdout: std::mem::take(&mut self.seen).into_bytes(),
            stderr,
        };
        let took = clock::uptime()?.saturating_sub(self.since);
        Ok(Output::new(self.command.clone(), &output, took))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
