//! `tpactl submit`: hands signed statements to this host.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tpa_bus::access::Submission;
use tpa_statement::paper::{self, Paper};

use crate::bus::Client;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;
use crate::input::{open_regular, read_text};
use crate::json::{self, Time};
use crate::say;

const EXAMPLES: &str = "\
Examples:
  tpactl submit approved.txt
  tpactl submit - < approved.txt
  tpactl submit approved.txt --json";

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
    let papers = papers(&args.file, context)?;
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
    let fail = |why: String| {
        Fail::new(
            Exit::Failure,
            format!("cannot read statements from {}: {why}", file.display()),
            "give the text as it was handed over: the block of the statement, then that of its signature",
        )
    };
    let text = if file == Path::new(STREAM) {
        context.screen.input(paper::TEXT_MAX)
    } else {
        open_regular(file).and_then(|file| read_text(file, paper::TEXT_MAX))
    };
    let text = text.map_err(|error| fail(error.to_string()))?;
    paper::read(&text).map_err(|error| fail(error.to_string()))
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
