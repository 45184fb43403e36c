//! What leaves a host unprotected, or its people locked out, and how to mend it. Each area is a
//! file that looks at one thing; all of them only read.

mod accounts;
mod asking;
mod daemon;
mod database;
mod elsewhere;
mod emergency;
mod fail2ban;
mod gate;
mod groups;
mod linger;
mod log;
mod pam;
mod recording;
mod root_groups;
mod rules;
mod services;
mod sshd;
mod stack;
mod sudoers;
mod synchronised;
mod use_pam;

#[cfg(test)]
pub mod fake;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `pam`, `sshd`, …
    pub area: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

impl Finding {
    /// One of them.
    pub fn new(area: &'static str, problem: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            area,
            problem: problem.into(),
            mend: mend.into(),
        }
    }
}

/// A host to look at.
pub struct Host {
    root: PathBuf,
    run: fn(&Path, &[&str]) -> io::Result<Ran>,
}

/// What a program said.
pub struct Ran {
    success: bool,
    /// stdout, then stderr: version numbers are found on either.
    said: String,
}

impl Host {
    /// This one.
    pub fn this() -> Self {
        Self {
            root: PathBuf::from("/"),
            run: run_program,
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text; `None` when it is not there.
    fn read(&self, path: &str) -> Result<Option<String>, Finding> {
        match std::fs::read_to_string(self.path(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// The names in a folder, sorted; none when it is not there.
    fn names(&self, path: &str) -> Result<Vec<OsString>, Finding> {
        let entries = match std::fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(path, &error)),
        };
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(path, &error))?;
        names.sort();
        Ok(names)
    }

    /// What a program says; `None` when it is not installed or cannot be run.
    fn run(&self, program: &str, args: &[&str]) -> Option<Ran> {
        (self.run)(Path::new(program), args).ok()
    }
}

fn unreadable(path: &str, error: &io::Error) -> Finding {
    Finding::new(
        "doctor",
        format!("{path} cannot be read: {error}"),
        "run it as root: sudo tpactl doctor",
    )
}

fn run_program(program: &Path, args: &[&str]) -> io::Result<Ran> {
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ran {
        success: output.status.success(),
        said: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// Looks at every area. An area that cannot be looked at is a finding itself.
pub fn examine(host: &Host) -> Vec<Finding> {
    [
        pam::examine,
        services::examine,
        daemon::examine,
        database::examine,
        sudoers::examine,
        rules::examine,
        elsewhere::examine,
        root_groups::examine,
        emergency::examine,
        groups::examine,
        sshd::examine,
        use_pam::examine,
        fail2ban::examine,
        asking::examine,
        accounts::examine,
        linger::examine,
        recording::examine,
        synchronised::examine,
        log::examine,
    ]
    .into_iter()
    .flat_map(|area| area(host).unwrap_or_else(|unreadable| vec![unreadable]))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_as_it_should_be_has_no_findings() {
        let host = fake::protected();
        assert_eq!(examine(&host.host), Vec::new());
    }

    #[test]
    fn what_cannot_be_read_is_a_finding() {
        let host = fake::protected();
        host.remove("etc/pam.d/sshd");
        // A folder in a file's place: not even root reads it.
        host.write("etc/pam.d/sshd/x", "");
        let found = examine(&host.host);
        assert!(
            found[0].problem.contains("/etc/pam.d/sshd cannot be read"),
            "{found:?}"
        );
    }
}
