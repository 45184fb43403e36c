//! `tpactl submit`: hands signed statements to this host.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tpa_bus::access::Submission;
use tpa_statement::paper::{self, Paper};

use crate::bus::Client;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;
use crate::input::{open_regular, read_bytes, text};
use crate::json::{self, Time};
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl submit approved.txt
  tpactl submit - < approved.txt
  tpactl submit approved.txt --json";

/// How much of a text that is none is handed over, in bytes: more than the daemon looks at, and less
/// than it does not read at all.
const HANDED_OVER: usize = 56 * 1024;

/// What stands for stdin, and for stdout.
pub const STREAM: &str = "-";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The text as it was signed: one statement or several, which are taken in their order; - for
    /// stdin
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    format: WholeFormat,
}

/// `SubmissionList`
#[derive(Serialize)]
struct List<'a> {
    items: Vec<View<'a>>,
}

/// `Submission`
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    state: &'a str,
    verb: &'a str,
    by: &'a str,
    statement: &'a str,
    not_after: Option<Time>,
}

/// Hands over each, and tells what came of it. One that was taken before stops nothing: a text often
/// has the request beside the decision.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let bytes = bytes(&args.file, context)?;
    let papers = match read(&args.file, &bytes) {
        Ok(papers) => papers,
        Err(fail) => return Err(refused(&bytes, fail, context).await),
    };
    let client = context.client().await?;
    let mut exit = None;
    let mut taken = Vec::new();
    for paper in &papers {
        match submit(paper, &client).await {
            Ok(submission) => {
                if !args.format.is_json() {
                    context
                        .screen
                        .data(&say::statement::taken(&submission, &context.clock))?;
                }
                taken.push(submission);
            }
            Err(Fail::ClosedPipe) => return Err(Fail::ClosedPipe),
            Err(fail) => {
                fail.lines()
                    .iter()
                    .for_each(|line| context.screen.note(line));
                exit = Some(worse(exit, fail.exit()));
            }
        }
    }
    if args.format.is_json() {
        let items = taken.iter().map(view).collect();
        context
            .screen
            .data(&json::kind("SubmissionList", List { items }))?;
    }
    Ok(match exit {
        Some(Exit::NoChange) if !taken.is_empty() => Exit::Done,
        Some(exit) => exit,
        None => Exit::Done,
    })
}

/// The first failure counts, and any before one that only changed nothing.
fn worse(known: Option<Exit>, exit: Exit) -> Exit {
    match known {
        None | Some(Exit::NoChange) => exit,
        Some(known) => known,
    }
}

/// What the host says to a text that is none, where there is one to say so: whoever brings something
/// there that is cut off or far too long is a matter for its trail. `fail` is what was found here.
async fn refused(bytes: &[u8], fail: Fail, context: &Context) -> Fail {
    let Ok(client) = context.client().await else {
        return fail;
    };
    match client.ask(client.access.submit(&some_of(bytes))).await {
        Err(told) => told,
        Ok(_) => fail,
    }
}

/// The beginning of what was brought, as a text that can be handed over: on the bus none has zeros.
fn some_of(bytes: &[u8]) -> String {
    let some = bytes.get(..HANDED_OVER).unwrap_or(bytes);
    let text = String::from_utf8_lossy(some).replace('\0', "\u{fffd}");
    let fits = |at: &usize| *at <= HANDED_OVER;
    let ends = text
        .char_indices()
        .map(|(at, c)| at.saturating_add(c.len_utf8()));
    let end = ends.take_while(fits).last().unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Hands over one.
pub async fn submit(paper: &Paper, client: &Client) -> Result<Submission, Fail> {
    let text = paper.to_text(&[]).map_err(|error| {
        let why = format!("no host would take this: {error}");
        Fail::new(Exit::Failure, why, "have it signed again")
    })?;
    client.ask(client.access.submit(&text)).await
}

/// All statements in a text.
pub fn papers(file: &Path, context: &Context) -> Result<Vec<Paper>, Fail> {
    read(file, &bytes(file, context)?)
}

/// What stands in a file, or comes from stdin: no more of it than shows that it is too long.
fn bytes(file: &Path, context: &Context) -> Result<Vec<u8>, Fail> {
    let most = paper::TEXT_MAX.saturating_add(1);
    let bytes = if file == Path::new(STREAM) {
        context.screen.input(most)
    } else {
        open_regular(file).and_then(|file| read_bytes(file, most))
    };
    bytes.map_err(|error| unreadable(file, &error))
}

fn read(file: &Path, bytes: &[u8]) -> Result<Vec<Paper>, Fail> {
    let text = text(bytes, paper::TEXT_MAX).map_err(|error| unreadable(file, &error))?;
    paper::read(text).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> Fail {
    Fail::new(
        Exit::Failure,
        format!("cannot read statements from {}: {why}", file.display()),
        "give the text as it was handed over: the block of the statement, then that of its signature",
    )
}

fn view(submission: &Submission) -> View<'_> {
    View {
        id: &submission.id,
        state: &submission.state,
        verb: &submission.verb,
        by: &submission.by,
        statement: &submission.statement,
        not_after: submission.not_after.map(Time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_no_text_so_much_is_handed_over_as_is_read() {
        assert_eq!(some_of(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
        assert_eq!(some_of(b""), "");
        for byte in [0, 0xff, b'x'] {
            let some = some_of(&vec![byte; 1024 * 1024]);
            assert!(some.len() <= HANDED_OVER && some.len() > HANDED_OVER - 4);
        }
    }
}
