//! Running another program and waiting for it, without a shell and with a limit.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use zruntime::{AsyncIo, SharedRuntime};

use crate::sys;

/// Longest that a program may take. visudo takes some milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// It ended with exit status 0.
    pub success: bool,
    /// What it wrote to standard output and standard error.
    pub text: String,
}

/// Runs a program by its absolute path, with no input and an empty environment.
///
/// # Errors
/// When it cannot be started, or is not done within 5 s; it is killed then.
pub async fn run(
    runtime: &SharedRuntime,
    program: &Path,
    arguments: &[&OsStr],
) -> anyhow::Result<Ran> {
    let what = || format!("run {}", program.display());
    let (mut reader, writer) = io::pipe().with_context(what)?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().with_context(what)?)
        .stderr(writer)
        .spawn()
        .with_context(what)?;
    if runtime
        .timeout(LIMIT, ended(runtime, &child))
        .await
        .is_err()
    {
        child.kill().with_context(what)?;
        child.wait().with_context(what)?;
        bail!(
            "{} was not done within {LIMIT:?} and was killed",
            program.display()
        );
    }
    let status = child.wait().with_context(what)?;
    // A child of the child may hold the other end open: take what is there.
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).with_context(what)?;
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            return Err(error).with_context(what);
        }
        Ok(_) | Err(_) => {}
    }
    Ok(Ran {
        success: status.success(),
        text: String::from_utf8_lossy(&bytes).trim().to_owned(),
    })
}

/// Waits for the end of the child. The wait(2) that follows it does not block.
async fn ended(runtime: &SharedRuntime, child: &Child) -> io::Result<()> {
    let process = sys::pidfd_open(i32::try_from(child.id()).map_err(io::Error::other)?)?;
    AsyncIo::new_nonblocking(runtime, process)?.readable().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_now(program: &str, arguments: &[&str]) -> anyhow::Result<Ran> {
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        let runtime = SharedRuntime::new().unwrap();
        runtime.block_on(run(&runtime, Path::new(program), &arguments))
    }

    #[test]
    fn a_program_says_how_it_ended_and_what_it_wrote() {
        let ran = run_now("/bin/ls", &["/nowhere"]).unwrap();
        assert!(!ran.success && ran.text.contains("/nowhere"), "{ran:?}");
    }

    #[test]
    fn nothing_of_our_environment_is_passed_on() {
        let ran = run_now("/usr/bin/env", &[]).unwrap();
        assert_eq!(ran.text, "LC_ALL=C");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = run_now("/nowhere/visudo", &[]).unwrap_err();
        assert_eq!(error.to_string(), "run /nowhere/visudo");
    }
}
