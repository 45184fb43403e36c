//! `tpad`, as the gate sees it.

use std::fmt;

use std::time::Duration;

use tpa_bus::access::NewRequest;
use tpa_bus::error::Refusal;
use tpa_bus::gate::{FiledRequest, OfferedRole, Query, Verdict};

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

/// Why a request is not filed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum NotFiled {
    /// `tpad` does not take it, and says why.
    Refused(Refusal),
    /// `tpad` does not answer.
    Unanswered(Unanswered),
}

/// How waiting for a decision ended.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Waited {
    /// It is decided, or it lapsed.
    Decided(Box<FiledRequest>),
    /// Nobody decided in time.
    Undecided,
    /// The person left: the connection closed, the terminal hung up, Ctrl-C.
    Left,
    /// It could not be waited for any longer.
    Lost(String),
}

/// `tpad`. A refusal of the call itself by `tpad` is a verdict too: not allowed, with its words.
pub trait Daemon {
    /// The person holds a grant by their state file, so they get in without an answer too: from now
    /// on none is waited for as long as for those who do not.
    fn vouched_for(&mut self);
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
    /// The front door: somebody has come in, and this is how they proved to sshd who they are.
    ///
    /// # Errors
    /// When `tpad` does not answer.
    fn open_door(&mut self, query: &Query, methods: &str) -> Result<Verdict, Unanswered>;
    /// They left. Nothing depends on it being heard.
    fn close_session(&mut self, query: &Query);
    /// What the account phase would say now, with the request that they could wait for.
    ///
    /// # Errors
    /// When `tpad` does not answer.
    fn preview(&mut self, query: &Query) -> Result<Verdict, Unanswered>;
    /// The roles they may ask for that give what they are here for.
    ///
    /// # Errors
    /// When `tpad` does not answer.
    fn roles(&mut self, query: &Query) -> Result<Vec<OfferedRole>, NotFiled>;
    /// Files a request of theirs.
    ///
    /// # Errors
    /// When it is refused, or `tpad` does not answer.
    fn file(&mut self, query: &Query, request: &NewRequest) -> Result<FiledRequest, NotFiled>;
    /// Waits until a request is decided, for so long, or until the person leaves; `rhost` is where
    /// they come from.
    fn await_decision(&mut self, id: &str, rhost: Option<&str>, timeout: Duration) -> Waited;
}
