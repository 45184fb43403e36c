//! Tells one target, once: what and whom comes as JSON on standard input, what came of it goes as
//! a line of JSON to standard output, behind one for each step of mail. tpad has systemd run it, without rights.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use tpa_notify::job::{Job, Outcome};
use tpa_notify::secret::Secrets;

/// Longest job, in bytes.
const MOST: u64 = 4 * 1_024 * 1_024;

fn main() -> ExitCode {
    let outcome = outcome();
    say(&outcome);
    match outcome {
        Outcome::Told => ExitCode::SUCCESS,
        Outcome::Failed { .. } | Outcome::Refused { .. } => ExitCode::FAILURE,
    }
}

/// A line of JSON. Whoever reads it may be gone.
fn say(what: &impl serde::Serialize) {
    let line = serde_json::to_string(what).unwrap_or_default();
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn outcome() -> Outcome {
    let mut text = String::new();
    let read = std::io::stdin().take(MOST).read_to_string(&mut text);
    let job: Result<Job, _> = read
        .map_err(|error| error.kind().to_string())
        // serde's own words quote what they are about.
        .and_then(|_| {
            serde_json::from_str(&text)
                .map_err(|error| format!("line {}, column {}", error.line(), error.column()))
        });
    match (job, Secrets::of_this_process()) {
        (Ok(job), Ok(secrets)) => tpa_notify::tell(&job, &secrets, |step| say(&step)),
        (Err(why), _) => Outcome::Refused {
            why: format!("tpad asked for what is not understood: {why}"),
        },
        (_, Err(why)) => Outcome::Failed {
            why,
            retry_after_s: None,
        },
    }
}
