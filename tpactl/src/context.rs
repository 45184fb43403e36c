//! What every verb works with.

use tpa_bus::access::Request;

use crate::bus::Client;
use crate::clock::Clock;
use crate::fail::Fail;
use crate::json::{self, View};
use crate::say;
use crate::screen::Screen;

/// The streams, the clock and the way to `tpad`.
pub struct Context {
    /// Where words go.
    pub screen: Screen,
    /// The time when the command began.
    pub clock: Clock,
    /// A connection that is there already; for tests.
    pub connected: Option<Client>,
}

impl Context {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            screen: Screen::of_process(),
            clock: Clock::read(),
            connected: None,
        }
    }

    /// Connects to `tpad`.
    pub async fn client(&self) -> Result<Client, Fail> {
        match &self.connected {
            Some(client) => Ok(client.clone()),
            None => Client::connect().await,
        }
    }

    /// Writes lines of data.
    pub fn lines(&self, lines: impl IntoIterator<Item = String>) -> Result<(), Fail> {
        lines
            .into_iter()
            .try_for_each(|line| self.screen.data(&line))
    }

    /// Writes a list: as JSON, or as lines, or on stderr that there is nothing.
    pub fn show_list<V: View>(
        &self,
        values: &[V],
        json: bool,
        lines: impl FnOnce() -> Vec<String>,
        nothing: &str,
    ) -> Result<(), Fail> {
        if json {
            return self.screen.data(&json::list(values));
        }
        if values.is_empty() {
            self.screen.note(nothing);
            return Ok(());
        }
        self.lines(lines())
    }

    /// Writes how a request stands, in one line or as JSON.
    pub fn show_outcome(&self, request: &Request, json: bool) -> Result<(), Fail> {
        if json {
            self.screen.data(&json::object(request))
        } else {
            let clock = self.clock.again();
            self.screen.data(&say::request::outcome(request, &clock))
        }
    }

    /// Writes how several requests stand. Where one was named, one is shown.
    pub fn show_outcomes(
        &self,
        requests: &[Request],
        named: usize,
        json: bool,
    ) -> Result<(), Fail> {
        match requests {
            [request] if named == 1 => self.show_outcome(request, json),
            _ if json => self.screen.data(&json::list(requests)),
            _ => requests
                .iter()
                .try_for_each(|request| self.show_outcome(request, json)),
        }
    }
}
