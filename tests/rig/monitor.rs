//! The way to tell qemu what to do, and to hear what happens (QEMU Machine Protocol).

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::clock;

/// A monitor on the standard streams of qemu (`-qmp stdio`).
pub struct Monitor {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Events that came before an answer.
    early: Vec<Value>,
}

impl Monitor {
    /// Begins to talk; qemu may be about to start.
    pub fn open(qemu: &mut Child) -> Result<Self> {
        let mut monitor = Self {
            to: qemu.stdin.take().context("stdin is piped")?,
            from: BufReader::new(qemu.stdout.take().context("stdout is piped")?),
            early: Vec::new(),
        };
        monitor.tell("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Has a command carried out. Events that come before its answer are kept for
    /// [`Monitor::hears`].
    pub fn tell(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments});
        writeln!(self.to, "{line}").with_context(|| format!("telling qemu to {command}"))?;
        let limit = Duration::from_mins(1);
        let answer = loop {
            let said = self.next(limit, |_| true)?;
            if said.get("event").is_none() {
                break said;
            }
            self.early.push(said);
        };
        match answer.get("return") {
            Some(value) => Ok(value.clone()),
            None => bail!("{command}: qemu says {answer}"),
        }
    }

    /// Waits for an event with these data in it. What comes before it is passed over.
    pub fn hears(&mut self, event: &str, data: &Value, limit: Duration) -> Result<()> {
        let has = |said: &Value| {
            let fields = data.as_object().into_iter().flatten();
            let told = said.get("data");
            said.get("event").is_some_and(|name| name == event)
                && fields
                    .clone()
                    .all(|(name, value)| told.and_then(|told| told.get(name)) == Some(value))
        };
        if self.early.drain(..).any(|said| has(&said)) {
            return Ok(());
        }
        self.next(limit, has)
            .with_context(|| format!("waiting for {event} of qemu"))?;
        Ok(())
    }

    fn next(&mut self, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = clock::uptime()? + limit;
        loop {
            if self.from.buffer().is_empty() {
                let left = end.saturating_sub(clock::uptime()?);
                let mut stream = [PollFd::new(self.from.get_ref().as_fd(), PollFlags::POLLIN)];
                let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                ensure!(poll(&mut stream, left)? > 0, "not within {limit:?}");
            }
            let mut line = String::new();
            ensure!(self.from.read_line(&mut line)? > 0, "qemu has ended");
            let said: Value = serde_json::from_str(&line)?;
            // It greets before anything else.
            if said.get("QMP").is_none() && wanted(&said) {
                return Ok(said);
            }
        }
    }
}
