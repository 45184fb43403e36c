//! What is wrong with the configuration, and where.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use tpa_bus::text::one_line;

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path of the file or folder.
    pub file: String,
    /// Line, from 1; none when the file as a whole is meant.
    pub line: Option<usize>,
    /// The offending text, on one line; may be empty.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// Most characters of offending text that are shown.
const SHOWN: usize = 80;

impl Problem {
    /// Something wrong with a file or folder as a whole.
    pub(super) fn of_file(path: &Path, message: impl Into<String>) -> Self {
        Self {
            file: one_line(&path.to_string_lossy(), 4096),
            line: None,
            text: String::new(),
            message: message.into(),
            next: None,
        }
    }

    /// Something wrong at a line of a file.
    pub(super) fn at_line(file: &str, line: usize, text: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
            text: one_line(text, SHOWN),
            message: message.into(),
            next: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(super) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `FILE:LINE: message: "text"`, without the parts that do not apply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.text.is_empty() {
            write!(f, ": \"{}\"", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_compilers_write_them() {
        let problem = Problem::at_line("web.toml", 3, "maxx", "unknown key").next("mend it");
        assert_eq!(problem.to_string(), "web.toml:3: unknown key: \"maxx\"");
        let problem = Problem::of_file(Path::new("/etc/tpa"), "is a link");
        assert_eq!(problem.to_string(), "/etc/tpa: is a link");
    }

    #[test]
    fn offending_text_is_shown_on_one_clean_line() {
        let problem = Problem::at_line("web.toml", 1, "a\u{1b}[2J\nb", "not good");
        assert_eq!(
            problem.to_string(),
            "web.toml:1: not good: \"a\\u{1b}[2J\\nb\""
        );
    }
}
