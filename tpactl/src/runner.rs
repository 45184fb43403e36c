//! What sudo starts to run an approved command: this program under the name `run`, with the id of the
//! grant and nothing else.
//!
//! It asks `tpad` for the command that was approved, and runs those very words, without a shell, in the
//! folder and with the program that stand in the approval; nothing of it comes from whoever called
//! sudo. `tpad` answers once: whatever becomes of the run, there is no other.

mod tell;
pub use tell::tell;

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use nix::sys::signal as kill;
use nix::unistd::{Pid, User, geteuid};
use tpa_bus::access::OneCommand;
use tpa_bus::names::RUNNER;
use tpa_bus::text::quoted;
use zruntime::Shared;
use zruntime::signal::{Signal, Signals};

use crate::bus::Client;
use crate::context::Context;
use crate::fail::{Exit, Fail};

/// What of sudo's environment the command gets, beside `LC_…` and `SUDO_…`. Whoever approved has read
/// no variable, so there are none that say what a program does.
const KEPT: [&str; 5] = ["COLORTERM", "LANG", "LANGUAGE", "TERM", "TZ"];

/// Where programs look for others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a shell says of a program that cannot be started.
const NOT_STARTED: u8 = 126;

/// Whether this process was started by sudo to run a command.
pub fn is_called() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| name == RUNNER)
}

/// Runs the command of the grant that is named, and ends as it ends.
pub fn main() -> ExitCode {
    let context = Context::of_process();
    match zruntime::block_on(run(&context)) {
        Ok(code) => code.into(),
        Err(fail) => {
            for line in fail.lines() {
                context.screen.note(&line);
            }
            fail.exit().into()
        }
    }
}

async fn run(context: &Context) -> Result<u8, Fail> {
    let mut words = std::env::args_os().skip(1);
    let (Some(id), None) = (
        words.next().and_then(|id| id.into_string().ok()),
        words.next(),
    ) else {
        return Err(Fail::new(
            Exit::Usage,
            "sudo starts this with the id of a grant",
            "tpactl run --resume ID",
        ));
    };
    let client = Client::connect().await?;
    let approved = client.ask(client.access.approved_command(&id)).await?;
    // What cannot be begun uses nothing up.
    std::env::set_current_dir(&approved.directory).map_err(|error| {
        let folder = quoted(&[&approved.directory]);
        Fail::new(
            Exit::Failure,
            format!("{} cannot go to {folder}: {error}", approved.run_as),
            "ask again from a folder that it can enter",
        )
    })?;
    let runtime = crate::bus::runtime()?;
    // From here on a signal reaches the command, and this process tells how that ended.
    let mut signals = Signals::new(&runtime, HEARD).map_err(Fail::from)?;
    let command = client.ask(client.access.start_command(&id)).await?;
    let code = match started(&command) {
        Ok(child) => ended(child, &mut signals).await?,
        Err(error) => {
            let line = &command.line;
            context
                .screen
                .note(&format!("error: cannot start {line}: {error}"));
            NOT_STARTED
        }
    };
    let told = tell(&client, (&id, code), Client::connect, context);
    if let Err(fail) = told.await {
        // The command is over all the same, and tpad sees that sudo has ended.
        for line in fail.lines() {
            context.screen.note(&line);
        }
    }
    Ok(code)
}

fn started(command: &OneCommand) -> std::io::Result<Child> {
    let mut words = command.argv.iter();
    let program = words.next().map(String::as_str).unwrap_or_default();
    let kept = std::env::vars_os().filter(|(name, _)| is_kept(name));
    // Some hosts have sudo keep the caller's HOME, where they say what programs do.
    let own = User::from_uid(geteuid())?
        .ok_or_else(|| std::io::Error::other("the account it runs as is not known"))?;
    Command::new(program)
        .arg0(program)
        .args(words)
        .env_clear()
        .envs(kept)
        .env("PATH", PATH)
        .env("HOME", &own.dir)
        .env("SHELL", &own.shell)
        .env("USER", &own.name)
        .env("LOGNAME", &own.name)
        // Whoever approved has read the words, and nothing that is typed or piped into it.
        .stdin(Stdio::null())
        .spawn()
}

fn is_kept(name: &OsString) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    KEPT.contains(&name) || name.starts_with("LC_") || name.starts_with("SUDO_")
}

/// What would end this process, and that the command has ended.
const HEARD: [Signal; 5] = [
    Signal::Hangup,
    Signal::Interrupt,
    Signal::Quit,
    Signal::Terminate,
    Signal::Child,
];

/// Waits for the end of the command, and has it told of what would end this process. What a terminal
/// sends (Ctrl-C), it sends to both; this one only stays, to tell how the command took it.
async fn ended(mut child: Child, signals: &mut Signals<Shared>) -> std::io::Result<u8> {
    loop {
        // Looked at first: it may have ended before anything was heard.
        if let Some(status) = child.try_wait()? {
            return Ok(code_of(status));
        }
        match signals.recv().await? {
            Signal::Hangup => forward(&child, kill::Signal::SIGHUP),
            Signal::Terminate => forward(&child, kill::Signal::SIGTERM),
            _ => {}
        }
    }
}

/// A child that has ended meanwhile hears nothing.
fn forward(child: &Child, signal: kill::Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill::kill(Pid::from_raw(pid), signal);
    }
}

/// As a shell tells it: 128 and the number of the signal where one ended it.
fn code_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| signal.saturating_add(128));
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).spawn().unwrap()
    }

    #[test]
    fn a_run_ends_as_its_command_ends() {
        let code = |script| {
            zruntime::block_on(async {
                let runtime = crate::bus::runtime().unwrap();
                let mut signals = Signals::new(&runtime, HEARD).unwrap();
                ended(child(script), &mut signals).await.unwrap()
            })
        };
        assert_eq!(code("exit 0"), 0);
        assert_eq!(code("exit 7"), 7);
        assert_eq!(code("kill -TERM $$"), 143);
    }

    #[test]
    fn no_variable_that_tells_a_program_what_to_do_is_handed_on() {
        for name in ["LANG", "LC_ALL", "TERM", "SUDO_USER"] {
            assert!(is_kept(&OsString::from(name)), "{name}");
        }
        for name in [
            "HOME",
            "LD_PRELOAD",
            "PATH",
            "PAGER",
            "EDITOR",
            "PSQLRC",
            "http_proxy",
            "IFS",
        ] {
            assert!(!is_kept(&OsString::from(name)), "{name}");
        }
    }
}
