//! The command line of TPA: reads the arguments, calls the verb, says how it ended.

mod bus;
mod changes;
mod cli;
mod clock;
mod completion;
mod context;
mod csv;
mod doctor;
mod door;
mod export;
mod fail;
mod form;
mod goal;
mod input;
mod json;
mod logs;
mod page;
mod picker;
mod player;
mod questions;
mod recordings;
mod runner;
#[cfg(test)]
mod sample;
mod say;
mod screen;
mod signing;
mod socket;
mod trail;
mod verbs;
mod waiting;
mod when;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;

use cli::{Cli, Verb};
use context::Context;
use fail::{Exit, Fail};

fn main() -> ExitCode {
    if door::is_called() {
        return door::main();
    }
    if runner::is_called() {
        return runner::main();
    }
    if only_prompt() {
        return print(verbs::prompt::quick());
    }
    CompleteEnv::with_factory(Cli::command)
        .var(completion::VARIABLE)
        .complete();
    let cli = Cli::parse();
    let context = Context::of_process();
    let ended = zruntime::block_on(run(cli.verb, &context));
    finish(ended, &context).into()
}

/// Says on stderr what failed, and answers with the exit code.
fn finish(ended: Result<Exit, Fail>, context: &Context) -> Exit {
    ended.unwrap_or_else(|fail| {
        for line in fail.lines() {
            context.screen.note(&line);
        }
        fail.exit()
    })
}

/// A shell calls `tpactl prompt` each time it draws its prompt: that much and nothing else is set
/// up for it.
fn only_prompt() -> bool {
    let mut args = std::env::args_os().skip(1);
    args.next().is_some_and(|verb| verb == "prompt") && args.next().is_none()
}

fn print(line: Option<String>) -> ExitCode {
    use std::io::Write;
    if let Some(line) = line {
        // Nobody to show it to is no error.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    ExitCode::SUCCESS
}

async fn run(verb: Verb, context: &Context) -> Result<Exit, Fail> {
    match verb {
        Verb::Request(args) => verbs::request::run(args, context).await,
        Verb::Run(args) => verbs::run::run(args, context).await,
        Verb::Ls(args) => verbs::ls::run(args, context).await,
        Verb::Show(args) => verbs::show::run(args, context).await,
        Verb::Roles(args) => verbs::roles::run(args, context).await,
        Verb::Approve(args) => verbs::approve::run(args, context).await,
        Verb::Deny(args) => verbs::deny::run(args, context).await,
        Verb::Withdraw(args) => verbs::withdraw::run(args, context).await,
        Verb::Extend(args) => verbs::extend::run(args, context).await,
        Verb::End(args) => verbs::end::run(args, context).await,
        Verb::Revoke(args) => verbs::revoke::run(args, context).await,
        Verb::Review(args) => verbs::review::run(args, context).await,
        Verb::Submit(args) => verbs::submit::run(args, context).await,
        Verb::Status(args) => verbs::status::run(args, context).await,
        Verb::Wait(args) => verbs::wait::run(args, context).await,
        Verb::Sessions(args) => verbs::sessions::run(args, context).await,
        Verb::Watch(args) => verbs::watch::run(args, context).await,
        Verb::Replay(args) => verbs::replay::run(args, context).await,
        Verb::Log(args) => verbs::log::run(args, context).await,
        Verb::Residue(args) => verbs::residue::run(args, context).await,
        Verb::Report(args) => verbs::report::run(args, context).await,
        Verb::Verify(args) => verbs::verify::run(args, context).await,
        Verb::Check(args) => verbs::check::run(&args),
        Verb::Doctor(args) => verbs::doctor::run(&args, context),
        Verb::Notify(args) => verbs::notify::run(args, context).await,
        Verb::Prompt(args) => verbs::prompt::run(&args, context),
        Verb::Version(args) => verbs::version::run(&args, context),
        Verb::Completions(args) => verbs::completions::run(&args, context),
        Verb::Man(args) => verbs::man::run(&args),
    }
}
