//! The verbs, one a file: what they take, and what they do.

pub mod approve;
pub mod check;
pub mod completions;
pub mod deny;
pub mod doctor;
pub mod end;
pub mod extend;
pub mod log;
pub mod ls;
pub mod man;
pub mod notify;
pub mod prompt;
pub mod replay;
pub mod report;
pub mod request;
pub mod residue;
pub mod review;
pub mod revoke;
pub mod roles;
pub mod run;
pub mod sessions;
pub mod show;
pub mod status;
pub mod submit;
pub mod verify;
pub mod version;
pub mod wait;
pub mod watch;
pub mod withdraw;

use tpa_bus::access::Request;

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Form;
use crate::screen::Consent;

/// What came of several ids: one that is refused does not stop the others.
struct Each {
    done: Vec<Request>,
    exit: Exit,
}

impl Default for Each {
    fn default() -> Self {
        Self {
            done: Vec::new(),
            exit: Exit::Done,
        }
    }
}

impl Each {
    /// Says the refusal; the first one's code is the command's.
    fn refused(&mut self, context: &Context, fail: &Fail) {
        context.note_refusal(fail);
        if self.exit == Exit::Done {
            self.exit = fail.exit();
        }
    }

    fn show(self, context: &Context, named: usize, form: Form) -> Result<Exit, Fail> {
        // Where the one that was named was refused, there is nothing to show.
        if !self.done.is_empty() || named > 1 {
            context.show_outcomes(&self.done, named, form)?;
        }
        Ok(self.exit)
    }
}

/// Asks, unless `--yes` was given.
fn confirm(context: &Context, yes: bool, question: &str) -> Result<(), Fail> {
    if yes {
        return Ok(());
    }
    match context.screen.ask(question)? {
        Consent::Yes => Ok(()),
        Consent::No => Err(Fail::new(
            Exit::Failure,
            "not confirmed; nothing was changed",
            "answer y, or repeat the command with --yes",
        )),
    }
}
