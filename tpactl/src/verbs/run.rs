//! `tpactl run`: asks for one command as it is typed, waits for the decision, and has it run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tpa_bus::access::{NewCommand, NewRequest, Request};
use tpa_bus::names::RUNNER;
use tpa_bus::span::Span;
use tpa_bus::text::quoted;

use super::request::{Waiting, file};
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::goal::Goal;
use crate::say;
use crate::waiting::Wait;
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl run db-once --reason \"OPS-4821: drop the old table\" -- psql -d shop -c 'DROP TABLE old;'
  tpactl run web-once --as root --for 10m --reason \"Certificate\" -- /usr/bin/certbot renew
  tpactl run web-once --reason \"Certificate\" --no-wait --json -- /usr/bin/certbot renew
  tpactl run --resume 7H2KM4QX

The command runs in this folder and ends tpactl with its own exit code. It finds nothing on its
standard input, as nobody has approved what is piped or typed: name a file for it to read that root
alone can change, or give it all as arguments (psql -c '…'). In a shell that was put into this host
from outside (nsenter) its end cannot be kept, and it is not run: log in, by ssh or at a terminal.
Ctrl-C while it waits leaves the request pending. With --json the request is printed where the
command is not run; what stands on stdout otherwise is the command's.";

/// sudo, which is looked for in no folder of the caller's.
const SUDO: &str = "/usr/bin/sudo";

/// Where a program is looked for that is named without its folder; `PATH` has no say.
const FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The role to ask for; tpactl roles lists them
    #[arg(
        add = completion::roles(),
        required_unless_present = "resume",
        conflicts_with = "resume",
        requires_all = ["reason", "command"]
    )]
    role: Option<String>,
    /// Run it as this user; may be left out where the role names only one
    #[arg(long = "as", value_name = "USER", conflicts_with = "resume")]
    run_as: Option<String>,
    /// Within how long after the approval it has to be done; the role's default when not given
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "resume")]
    length: Option<Span>,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        alias = "comment",
        conflicts_with = "resume"
    )]
    reason: Option<String>,
    /// The ticket that it belongs to
    #[arg(long, conflicts_with = "resume")]
    ticket: Option<String>,
    /// Go on with a command that was asked for before: wait for its decision, and run it
    #[arg(long, value_name = "ID", add = completion::any(), conflicts_with_all = ["no_wait", "command"])]
    resume: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    change: Change,
    /// The command, behind --
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Files it, or takes up one that was filed; waits; runs it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let form = args.change.form();
    let limit = args.waiting.wait_limit(!context.outside);
    let new = match &args.resume {
        None => Some(new_request(&args, context)?),
        Some(_) => None,
    };
    let client = context.client().await?;
    let wait = match limit {
        Some(limit) => Some(Wait::begin(&client, limit.limit()).await?),
        None => None,
    };
    let request = match (&new, &args.resume) {
        (Some(new), _) => file(new, &client).await?,
        (None, Some(id)) => client.get(id).await?,
        (None, None) => return Err(no_command("nothing")),
    };
    let command = request.command.clone();
    let command = command.ok_or_else(|| no_command(&say::id(&request.id)))?;
    if command.started_at.is_some() {
        let id = say::id(&request.id);
        return Err(Fail::new(
            Exit::NoChange,
            format!("{id} was run already, and is run once"),
            format!("tpactl show {id}"),
        ));
    }
    if wait.is_some() || context.outside {
        for line in say::request::one_command(&request) {
            context.screen.note(&line);
        }
    }
    let reached = match wait {
        None => Ok(request),
        Some(wait) => {
            let reached = wait.reached(Goal::Active, request, &client, context, form);
            match reached.await? {
                Ok(request) if !context.outside => {
                    return Err(hand_over(&request, &command.run_as));
                }
                other => other,
            }
        }
    };
    match reached {
        Ok(request) => {
            context.show_outcome(&request, form)?;
            if context.outside {
                let id = say::id(&request.id);
                let host = &context.host;
                context.screen.note(&format!(
                    "  once it is approved, log in to {host} and run it: tpactl run --resume {id}"
                ));
            }
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

/// Becomes sudo, which becomes the command: nothing of this process is between them. Returns only
/// where that failed.
fn hand_over(request: &Request, run_as: &str) -> Fail {
    let error = Command::new(SUDO)
        .args(["-n", "-u", run_as, "--", RUNNER, &request.id])
        .exec();
    Fail::new(
        Exit::Failure,
        format!("cannot start {SUDO}: {error}"),
        format!("tpactl run --resume {}", say::id(&request.id)),
    )
}

fn no_command(what: &str) -> Fail {
    Fail::new(
        Exit::Usage,
        format!("{what} is not a request for one command"),
        "tpactl run ROLE --reason TEXT -- COMMAND",
    )
}

fn new_request(args: &Args, context: &Context) -> Result<NewRequest, Fail> {
    let mut words = args.command.clone();
    if let Some(program) = words.first_mut() {
        *program = absolute(program)?;
    }
    let directory = directory(context)?;
    Ok(NewRequest {
        role: args.role.clone().unwrap_or_default(),
        reason: args.reason.clone().unwrap_or_default(),
        duration_s: args.length.map(Span::as_secs),
        ticket: args.ticket.clone(),
        command: Some(NewCommand {
            argv: words,
            run_as: args.run_as.clone(),
            directory,
        }),
        ..NewRequest::default()
    })
}

/// The folder that the command runs in: this one. Whoever is elsewhere is in none of this host's.
fn directory(context: &Context) -> Result<String, Fail> {
    if context.outside {
        return Ok("/".to_owned());
    }
    let directory = std::env::current_dir().map_err(|error| {
        Fail::new(
            Exit::Failure,
            format!("cannot tell which folder this is: {error}"),
            "cd to a folder that is there",
        )
    })?;
    directory.into_os_string().into_string().map_err(|_| {
        Fail::new(
            Exit::Usage,
            "the name of this folder is not text",
            "cd to another one",
        )
    })
}

/// The absolute path of a program.
fn absolute(program: &str) -> Result<String, Fail> {
    if program.starts_with('/') {
        return Ok(program.to_owned());
    }
    let runs = |path: &String| {
        let found = fs::metadata(Path::new(path));
        found.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let mut found = FOLDERS.iter().map(|folder| format!("{folder}/{program}"));
    let found = (!program.contains('/')).then(|| found.find(runs));
    found.flatten().ok_or_else(|| {
        Fail::new(
            Exit::Usage,
            format!(
                "there is no program {} in {}",
                quoted(&[program]),
                FOLDERS.join(", ")
            ),
            "name it by its absolute path",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_system_has_its_own_and_nowhere_else() {
        assert_eq!(absolute("/opt/x"), Ok("/opt/x".to_owned()));
        assert_eq!(absolute("env"), Ok("/usr/bin/env".to_owned()));
        for program in ["./env", "../bin/env", "bin/env", "no-such-program", ""] {
            assert_eq!(
                absolute(program).unwrap_err().exit(),
                Exit::Usage,
                "{program}"
            );
        }
    }
}
