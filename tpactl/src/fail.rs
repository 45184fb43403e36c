//! How a command ends: the exit codes, and errors that say what to do next.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use tpa_bus::error::Refusal;
use tpa_bus::text::one_line;

/// Longest line of an error that is shown whole.
const LINE_MAX: usize = 2_000;

/// The exit codes of tpactl(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed.
    Failure = 1,
    /// The command line makes no sense, or a confirmation could not be asked for.
    Usage = 2,
    /// Still pending at the timeout.
    Pending = 3,
    /// Not permitted.
    NotPermitted = 4,
    /// Denied, withdrawn or lapsed.
    Declined = 5,
    /// No such id, or the beginning of more than one.
    UnknownId = 6,
    /// Already decided or ended: nothing changed.
    NoChange = 7,
    /// `tpad` cannot be reached.
    Unreachable = 8,
    /// The audit chain has a break, or a statement was not signed by whom it names.
    Unverified = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, PartialEq, Eq)]
pub enum Fail {
    /// To be said on stderr.
    Said {
        /// The exit code.
        exit: Exit,
        /// What was tried, and why it failed.
        error: String,
        /// What to do next.
        next: Option<String>,
    },
    /// Whoever read stdout has left: the command ends quietly.
    ClosedPipe,
}

impl Fail {
    /// An error with its next step.
    pub fn new(exit: Exit, error: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Said {
            exit,
            error: error.into(),
            next: Some(next.into()),
        }
    }

    /// The same, with another next step.
    pub fn with_next(self, next: String) -> Self {
        match self {
            Self::Said { exit, error, .. } => Self::new(exit, error, next),
            Self::ClosedPipe => self,
        }
    }

    /// The exit code it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Said { exit, .. } => *exit,
            Self::ClosedPipe => Exit::Done,
        }
    }

    /// What was tried, and why it failed; nothing where the command ends quietly.
    pub fn error(&self) -> &str {
        match self {
            Self::Said { error, .. } => error,
            Self::ClosedPipe => "",
        }
    }

    /// What stands on stderr: `error: …`, then `  next: …`.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Said { error, next, .. } => {
                let next = next
                    .as_deref()
                    .map(|next| format!("  next: {}", clean(next)));
                [Some(format!("error: {}", clean(error))), next]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Self::ClosedPipe => Vec::new(),
        }
    }
}

/// Words of others pass through errors, so they are cleaned here once for all.
fn clean(text: &str) -> String {
    one_line(text, LINE_MAX)
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Self {
        let exit = match &refusal {
            Refusal::Invalid(_) => Exit::Usage,
            Refusal::NotPermitted(_) => Exit::NotPermitted,
            Refusal::UnknownId(_) => Exit::UnknownId,
            Refusal::NoChange(_) => Exit::NoChange,
            Refusal::Failed(_) => Exit::Failure,
        };
        let text = refusal.to_string();
        let mut lines = text.lines().map(|line| {
            let line = line.trim();
            line.strip_prefix("next:")
                .map_or(line, str::trim)
                .to_owned()
        });
        Self::Said {
            exit,
            error: lines.next().unwrap_or_else(|| "refused".to_owned()),
            next: lines.next().filter(|next| !next.is_empty()),
        }
    }
}

impl From<io::Error> for Fail {
    /// For what goes wrong while writing to the terminal.
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::new(
                Exit::Failure,
                format!("cannot write the answer: {error}"),
                "what was asked for is done; look again with: tpactl ls --mine",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_exit_code() {
        let text = String::from("no");
        for (refusal, code) in [
            (Refusal::Failed(text.clone()), 1),
            (Refusal::Invalid(text.clone()), 2),
            (Refusal::NotPermitted(text.clone()), 4),
            (Refusal::UnknownId(text.clone()), 6),
            (Refusal::NoChange(text), 7),
        ] {
            assert_eq!(
                Fail::from(refusal.clone()).exit() as u8,
                code,
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn the_second_line_of_a_refusal_is_the_next_step() {
        let text = "you cannot approve your own request (7H2KM4QX)\nask one of @oncall, carol";
        let shown = Fail::from(Refusal::NotPermitted(text.into())).lines();
        assert_eq!(
            shown,
            [
                "error: you cannot approve your own request (7H2KM4QX)",
                "  next: ask one of @oncall, carol"
            ]
        );
    }

    #[test]
    fn nothing_in_a_refusal_moves_the_cursor() {
        let fail = Fail::from(Refusal::Failed("role \x1b[2J\u{202e} unknown".into()));
        assert_eq!(fail.lines(), ["error: role \\u{1b}[2J\\u{202e} unknown"]);
    }

    #[test]
    fn a_closed_pipe_ends_quietly() {
        let fail = Fail::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!((fail.exit(), fail.lines()), (Exit::Done, Vec::new()));
        let full = Fail::from(io::Error::from(ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::Failure);
    }
}
