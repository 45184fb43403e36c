//! Running another program and waiting for it, without a shell and with a limit.

use std::ffi::OsStr;
use std::future::pending;
use std::io::{self, PipeReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use futures_lite::future::or;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use zruntime::{AsyncIo, SharedRuntime};

use crate::sys;

/// Longest that a program may take. visudo takes some milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

/// How much is taken at once, in bytes.
const PIECE: usize = 64 * 1_024;

/// Most that a program may write, in bytes. What cvtsudoers says of ten thousand grants is less.
const MOST: usize = 16 * 1_024 * 1_024;

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
/// When it cannot be started, is not done within 5 s, or writes more than 16 MiB; it is killed then.
pub async fn run(
    runtime: &SharedRuntime,
    program: &Path,
    arguments: &[&OsStr],
) -> anyhow::Result<Ran> {
    let what = || format!("run {}", program.display());
    let (reader, writer) = io::pipe().with_context(what)?;
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
    let mut bytes = Vec::new();
    let done = read_until_ended(runtime, &child, reader, &mut bytes);
    let done = runtime.timeout(LIMIT, done).await;
    let killed = match done {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(anyhow::Error::new(error).context(what())),
        Err(_) => Some(anyhow::anyhow!(
            "{} was not done within {LIMIT:?} and was killed",
            program.display()
        )),
    };
    if let Some(why) = killed {
        child.kill().with_context(what)?;
        child.wait().with_context(what)?;
        return Err(why);
    }
    let status = child.wait().with_context(what)?;
    Ok(Ran {
        success: status.success(),
        text: String::from_utf8_lossy(&bytes).trim().to_owned(),
    })
}

/// Takes what the child writes while it writes it: a pipe holds 64 KiB (pipe(7)), and who has more to
/// say waits for its reader.
async fn read_until_ended(
    runtime: &SharedRuntime,
    child: &Child,
    reader: PipeReader,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let reader = AsyncIo::new_nonblocking(runtime, reader)?;
    let reading = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = reader.read_with(|mut pipe| pipe.read(&mut piece)).await?;
            bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
            if bytes.len() > MOST {
                return Err(io::Error::other("it writes without end"));
            }
            if length == 0 {
                // It may close what it writes to before it ends.
                return pending().await;
            }
        }
    };
    or(reading, ended(runtime, child)).await?;
    // A child of the child may hold the other end open: what is there is taken.
    let mut rest = reader.get_ref().take(MOST as u64);
    match rest.read_to_end(bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
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
    fn a_program_that_writes_more_than_a_pipe_holds_is_read_to_its_end() {
        let ran = run_now("/usr/bin/seq", &["100000"]).unwrap();
        assert!(ran.success && ran.text.ends_with("\n99999\n100000"));
        assert!(run_now("/usr/bin/yes", &[]).is_err());
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
