//! What a ticket has to look like: a regular expression, as the role's file says it.

use regex_lite::{Error, Regex};

/// An expression that a text must match from end to end.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads an expression. It is compiled on its own first: otherwise `a)|(b` would break out of
    /// the group around it.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Regex::new(text)?;
        Regex::new(&format!("^(?:{text})$")).map(Self)
    }

    /// Whether the text matches as a whole.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
