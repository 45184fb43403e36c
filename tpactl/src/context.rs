//! What every verb works with.

use std::marker::PhantomData;

use tpa_bus::access::Request;

use crate::bus::Client;
use crate::clock::Clock;
use crate::csv::{self, Row};
use crate::door::from_outside;
use crate::fail::Fail;
use crate::form::Form;
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
    /// The name of this host, for what leaves the terminal.
    pub host: String,
    /// Whether the person is elsewhere, and came in through the front door: nothing of this
    /// process is theirs, and no key that it could sign with.
    pub outside: bool,
}

impl Context {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            screen: Screen::of_process(),
            clock: Clock::read(),
            connected: None,
            host: host(),
            outside: false,
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

    /// Columns that a form may take; `None` cuts nothing.
    pub fn width(&self, form: Form) -> Option<usize> {
        self.screen.width.filter(|_| form != Form::Wide)
    }

    /// Writes a list: as JSON or CSV, or as lines, or on stderr that there is nothing.
    pub fn show_list<V: View + Row>(
        &self,
        values: &[V],
        form: Form,
        lines: impl FnOnce() -> Vec<String>,
        nothing: &str,
    ) -> Result<(), Fail> {
        match form {
            Form::Json => self.screen.data(&json::list(values)),
            Form::Csv => self.lines(csv::lines(values, &self.host)),
            Form::Table | Form::Wide if values.is_empty() => {
                self.screen.note(nothing);
                Ok(())
            }
            Form::Table | Form::Wide => self.lines(lines()),
        }
    }

    /// Begins to write things one after the other, as they come.
    pub fn stream<V: View + Row>(&self, form: Form) -> Result<Stream<'_, V>, Fail> {
        if form == Form::Csv {
            self.screen.data(&csv::heading::<V>())?;
        }
        Ok(Stream {
            context: self,
            form,
            of: PhantomData,
        })
    }

    /// Says why not; the next step is told as it is taken from where they are.
    pub fn note_refusal(&self, fail: &Fail) {
        for line in fail.lines() {
            let is_next = self.outside && line.starts_with("  next: ");
            let line = if is_next {
                from_outside(&line, &self.host)
            } else {
                line
            };
            self.screen.note(&line);
        }
    }

    /// Writes how a request stands, in one line or as JSON or CSV.
    pub fn show_outcome(&self, request: &Request, form: Form) -> Result<(), Fail> {
        match form {
            Form::Json => self.screen.data(&json::object(request)),
            Form::Csv => self.lines(csv::lines(std::slice::from_ref(request), &self.host)),
            Form::Table | Form::Wide => {
                let clock = self.clock.again();
                self.screen.data(&say::request::outcome(request, &clock))
            }
        }
    }

    /// Writes how several requests stand. Where one was named, one is shown.
    pub fn show_outcomes(
        &self,
        requests: &[Request],
        named: usize,
        form: Form,
    ) -> Result<(), Fail> {
        match (requests, form) {
            ([request], _) if named == 1 => self.show_outcome(request, form),
            (_, Form::Json) => self.screen.data(&json::list(requests)),
            (_, Form::Csv) => self.lines(csv::lines(requests, &self.host)),
            (_, Form::Table | Form::Wide) => requests
                .iter()
                .try_for_each(|request| self.show_outcome(request, form)),
        }
    }
}

/// The host's name (`gethostname(2)`), clean; empty where there is none to be had.
fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    say::clean(&name.to_string_lossy())
}

/// What is written one after the other.
pub struct Stream<'c, V> {
    context: &'c Context,
    form: Form,
    of: PhantomData<V>,
}

impl<V: View + Row> Stream<'_, V> {
    /// Writes one: as a line of JSON or CSV, or the line that `text` makes.
    pub fn show(&self, value: &V, text: impl FnOnce() -> String) -> Result<(), Fail> {
        let line = match self.form {
            Form::Json => json::line(value),
            Form::Csv => csv::line(value, &self.context.host),
            Form::Table | Form::Wide => text(),
        };
        self.context.screen.data(&line)
    }
}
