//! `tpad`, as the gate sees it.

use std::fmt;

use tpa_bus::gate::{Query, Verdict};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Unanswered {
    /// Nobody is there, or whoever was there went away without an answer: `tpad` is not running,
    /// is being restarted, was killed.
    Gone(String),
    /// Somebody took the question and said nothing in time.
    Hung,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(why) => f.write_str(why),
            Self::Hung => f.write_str("no answer in time"),
        }
    }
}

/// `tpad`. A refusal of the call itself by `tpad` is a verdict too: not allowed, with its words.
pub trait Daemon {
    /// The account phase: may they?
    ///
    /// # Errors
    /// When `tpad` does not answer.
    fn account(&mut self, query: &Query) -> Result<Verdict, Unanswered>;
    /// The session phase: on which grant, until when?
    ///
    /// # Errors
    /// When `tpad` does not answer.
    fn open_session(&mut self, query: &Query) -> Result<Verdict, Unanswered>;
    /// They left. Nothing depends on it being heard.
    fn close_session(&mut self, query: &Query);
}
