//! The way to `/dev/log`: through a cursor over the event table.

use std::io;
use std::path::Path;
use std::time::Duration;

use syslog::{Facility, Formatter3164, LogFormat, Severity};
use zruntime::net::unix::UnixDatagram;
use zruntime::{Shared, SharedRuntime};

use super::line;
use crate::ledger::Priority;
use crate::policy::AuditFormat;
use crate::store::Record;

/// Where the local log daemon listens: journald, or rsyslog itself.
pub const DEV_LOG: &str = "/dev/log";

/// How long to wait before trying again when there is no log daemon at all. Nothing else tells
/// when one is back, and this runs only while lines are owed.
const RETRY: Duration = Duration::from_secs(1);

/// The local log daemon.
#[derive(Debug)]
pub struct Syslog {
    runtime: SharedRuntime,
    socket: Option<UnixDatagram<Shared>>,
}

impl Syslog {
    /// Not connected yet.
    #[must_use]
    pub fn new(runtime: SharedRuntime) -> Self {
        Self {
            runtime,
            socket: None,
        }
    }

    /// Sends one record's line. Returns when the log daemon's socket has taken it, however long
    /// that takes; a full socket is waited for, a missing one is tried again.
    pub async fn send(&mut self, record: &Record, format: AuditFormat) {
        let frame = frame(record, format);
        loop {
            match self.try_send(&frame).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!("cannot log to {DEV_LOG} yet: {error}");
                    self.socket = None;
                    self.runtime.sleep(RETRY).await;
                }
            }
        }
    }

    async fn try_send(&mut self, frame: &[u8]) -> io::Result<()> {
        let socket = if let Some(socket) = self.socket.take() {
            socket
        } else {
            let socket = UnixDatagram::unbound(&self.runtime)?;
            socket.connect(Path::new(DEV_LOG))?;
            socket
        };
        socket.send(frame).await?;
        self.socket = Some(socket);
        Ok(())
    }
}

/// The line in its RFC 3164 frame, as `/dev/log` takes it: RFC 5424 frames are mangled there.
fn frame(record: &Record, format: AuditFormat) -> Vec<u8> {
    let formatter = Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        hostname: None,
        process: "tpad".to_owned(),
        pid: std::process::id(),
    };
    let severity = match record.priority() {
        Priority::Alert => Severity::LOG_ALERT,
        Priority::Warning => Severity::LOG_WARNING,
        Priority::Notice => Severity::LOG_NOTICE,
        Priority::Info => Severity::LOG_INFO,
    };
    let mut frame = Vec::new();
    if let Err(error) = formatter.format(&mut frame, severity, line::render(record, format)) {
        tracing::error!("cannot frame event {}: {error}", record.seq);
    }
    frame
}
