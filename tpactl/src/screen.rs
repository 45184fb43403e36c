//! Where words go: data to stdout, everything else to stderr, questions only to a terminal.

use std::cell::RefCell;
use std::io::{self, BufRead, IsTerminal, Write};

use crate::fail::{Exit, Fail};
use crate::input::read_bytes;

/// Columns of a terminal that does not know its size.
const UNKNOWN_WIDTH: usize = 80;

/// The three streams of the command, and what is known of them.
pub struct Screen {
    out: RefCell<Box<dyn Write>>,
    /// stdout for what a recording shows: a terminal gets all of it, anything else its text alone.
    shown: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    answers: RefCell<Box<dyn BufRead>>,
    /// Somebody can be asked: stdin and stderr are terminals.
    pub can_ask: bool,
    /// Somebody is reading along: stdin and stdout are terminals.
    pub watched: bool,
    /// Columns of stdout; `None` when it is not a terminal, and nothing is cut to fit.
    pub width: Option<usize>,
}

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Consent {
    /// Go on.
    Yes,
    /// Leave everything as it is.
    No,
}

impl Screen {
    /// The streams of this process. Colour is taken out on the way to anything but a terminal,
    /// and with `NO_COLOR`.
    pub fn of_process() -> Self {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let width = stdout.is_terminal().then(|| {
            let size = terminal_size::terminal_size_of(&stdout);
            size.map_or(UNKNOWN_WIDTH, |(columns, _)| usize::from(columns.0))
        });
        Self {
            can_ask: stdin.is_terminal() && stderr.is_terminal(),
            watched: stdin.is_terminal() && stdout.is_terminal(),
            width,
            shown: RefCell::new(if stdout.is_terminal() {
                Box::new(io::stdout())
            } else {
                Box::new(anstream::StripStream::new(io::stdout()))
            }),
            out: RefCell::new(Box::new(anstream::AutoStream::auto(stdout))),
            err: RefCell::new(Box::new(anstream::AutoStream::auto(stderr))),
            answers: RefCell::new(Box::new(stdin.lock())),
        }
    }

    /// Writes a line of data to stdout.
    pub fn data(&self, line: &str) -> Result<(), Fail> {
        let mut out = self.out.borrow_mut();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    /// Writes what a recording shows.
    pub fn show(&self, text: &str) -> Result<(), Fail> {
        let mut shown = self.shown.borrow_mut();
        shown.write_all(text.as_bytes())?;
        Ok(shown.flush()?)
    }

    /// Writes a line to stderr. That nobody reads it there is no reason to stop.
    pub fn note(&self, line: &str) {
        let _ = writeln!(self.err.borrow_mut(), "{line}");
    }

    /// Fails unless `--yes` was given or somebody can be asked. To be called before anything is
    /// done, so that a script fails early and never hangs.
    pub fn consent_possible(&self, yes: bool, verb: &str) -> Result<(), Fail> {
        if yes || self.can_ask {
            return Ok(());
        }
        Err(Fail::new(
            Exit::Usage,
            format!("tpactl {verb} asks for confirmation, and this is not a terminal"),
            format!("look at it with tpactl show, then repeat tpactl {verb} with --yes"),
        ))
    }

    /// What comes on stdin, no more than so many bytes.
    pub fn input(&self, most: usize) -> io::Result<Vec<u8>> {
        read_bytes(&mut *self.answers.borrow_mut(), most)
    }

    /// Asks a question that is answered with y or n; anything but a clear yes is a no.
    pub fn ask(&self, question: &str) -> Result<Consent, Fail> {
        let answer = self.answer(&format!("{question} [y/N] "))?;
        Ok(answer.map_or(Consent::No, |answer| consent(&answer)))
    }

    /// Puts a question, and reads the line that answers it; `None` at the end of input, also behind
    /// words that no Enter followed.
    pub fn answer(&self, question: &str) -> Result<Option<String>, Fail> {
        {
            let mut err = self.err.borrow_mut();
            write!(err, "{question}")?;
            err.flush()?;
        }
        let mut answer = String::new();
        self.answers.borrow_mut().read_line(&mut answer)?;
        if !answer.ends_with('\n') {
            // The end of input leaves the cursor behind the question.
            self.note("");
            return Ok(None);
        }
        Ok(Some(answer))
    }
}

fn consent(answer: &str) -> Consent {
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Consent::Yes,
        _ => Consent::No,
    }
}

#[cfg(test)]
pub mod fake {
    //! A screen whose words are kept.

    use std::io::{self, Write};
    use std::rc::Rc;

    use super::{RefCell, Screen};

    /// What was written to a stream.
    #[derive(Clone, Default)]
    pub struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Paper {
        /// All of it.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen and its papers: stdout, stderr.
    pub fn screen(answers: Option<&'static str>) -> (Screen, Paper, Paper) {
        let (out, err) = (Paper::default(), Paper::default());
        let screen = Screen {
            out: RefCell::new(Box::new(out.clone())),
            shown: RefCell::new(Box::new(out.clone())),
            err: RefCell::new(Box::new(err.clone())),
            answers: RefCell::new(Box::new(answers.unwrap_or_default().as_bytes())),
            can_ask: answers.is_some(),
            watched: answers.is_some(),
            width: Some(80),
        };
        (screen, out, err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["y\n", "Y\n", "yes\n", " YES "] {
            assert_eq!(consent(yes), Consent::Yes, "{yes:?}");
        }
        for no in ["", "\n", "n\n", "ye\n", "yess\n", "y y\n", "\u{4}"] {
            assert_eq!(consent(no), Consent::No, "{no:?}");
        }
    }

    #[test]
    fn without_a_terminal_and_without_yes_nothing_is_asked() {
        let (screen, _, err) = fake::screen(None);
        let fail = screen.consent_possible(false, "approve").unwrap_err();
        assert_eq!(fail.exit(), Exit::Usage);
        assert!(fail.lines().concat().contains("--yes"));
        assert!(screen.consent_possible(true, "approve").is_ok());
        assert_eq!(err.text(), "");
    }

    #[test]
    fn a_question_goes_to_stderr_and_its_answer_counts() {
        let (screen, out, err) = fake::screen(Some("y\n"));
        assert_eq!(screen.ask("Approve it?").unwrap(), Consent::Yes);
        assert_eq!(err.text(), "Approve it? [y/N] ");
        assert_eq!(out.text(), "");
        assert_eq!(
            screen.ask("And this?").unwrap(),
            Consent::No,
            "end of input"
        );
    }
}
