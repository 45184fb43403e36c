//! No, and what to do next.

use std::fmt;

use super::{Event, Request};

/// What sort of no it is; the exit codes of `tpactl` follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for makes no sense.
    Invalid,
    /// The caller may not.
    NotPermitted,
    /// No such request, as far as the caller may know.
    UnknownId,
    /// Already so.
    NoChange,
    /// A limit is reached.
    Limit,
}

/// A command that the ledger refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What sort of no.
    pub kind: Kind,
    /// What was refused and why.
    pub why: String,
    /// What the caller can do next.
    pub next: Option<String>,
    /// What the audit trail says about the attempt, where it says anything.
    pub record: Option<Box<Event>>,
}

impl Refused {
    pub(super) fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
            next: None,
            record: None,
        }
    }

    /// There is no such user, or it cannot be told.
    #[must_use]
    pub fn user(why: impl Into<String>) -> Self {
        Self::invalid(why).next("see who is known here: getent passwd")
    }

    /// What was brought is no signed statement.
    #[must_use]
    pub fn no_statement(why: impl Into<String>, next: &str) -> Self {
        Self::invalid(why).next(next)
    }

    /// A signed statement is not taken here, or is not its signer's.
    #[must_use]
    pub fn statement(why: impl Into<String>, next: &str) -> Self {
        Self::not_permitted(why).next(next)
    }

    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, why)
    }

    pub(super) fn not_permitted(why: impl Into<String>) -> Self {
        Self::new(Kind::NotPermitted, why)
    }

    pub(super) fn no_change(why: impl Into<String>) -> Self {
        Self::new(Kind::NoChange, why)
    }

    /// There is no such request, or none that the caller may know of.
    #[must_use]
    pub(crate) fn unknown_id(text: &str) -> Self {
        let shown = tpa_bus::text::one_line(text, 20);
        Self::new(
            Kind::UnknownId,
            format!("no request {shown} that you may see"),
        )
        .next("list them with: tpactl ls")
    }

    /// The same, as an attempt that the audit trail tells of: `decision` was tried, and `why` in a
    /// word it was refused. How often it tells of a person's is for [`super::Repeats`] to say.
    pub(super) fn recorded(mut self, request: &Request, decision: &str, why: &str) -> Self {
        self.record = Some(Box::new(Event::DecisionRefused {
            id: request.id,
            decision: decision.to_owned(),
            why: why.to_owned(),
        }));
        self
    }

    /// The same, saying what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        match &self.next {
            Some(next) => write!(f, "\nnext: {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}
