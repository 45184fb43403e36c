//! What leaves a host unprotected, or its people locked out, and how to fix it. Each area is a
//! file that looks at one thing; all of them only read.

mod accounts;
mod asking;
mod daemon;
mod database;
mod elsewhere;
mod emergency;
mod fail2ban;
mod front_door;
mod gate;
mod groups;
mod linger;
mod log;
mod notify;
mod pam;
mod recording;
mod root_groups;
mod rules;
mod services;
mod signers;
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
    pub fix: String,
    /// How bad it is. There is no default: whoever adds a finding chooses.
    pub severity: Severity,
    /// Whether this is about something that was looked at, or says that it could not be.
    pub sight: Sight,
}

/// What is known of what a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It was looked at.
    LookedAt,
    /// It could not be looked at: anything may be wrong there, and nothing is known to be.
    NotLookedAt,
}

/// How bad a finding is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Severity {
    /// The host is not protected, or people are shut out
    Error,
    /// Protection or the trail is weaker than it could be, or people may get shut out
    Warning,
    /// Worth knowing; also what could not be looked at
    Info,
}

impl Severity {
    /// As it is printed, in JSON and CSV too.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl Finding {
    /// The host is not protected by TPA, or people are shut out.
    fn error(area: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Severity::Error, area, problem, fix)
    }

    /// What is protected is so less than it could be.
    fn warning(area: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Severity::Warning, area, problem, fix)
    }

    /// Something could not be looked at, so that nobody can tell what is wrong there.
    fn not_looked_at(
        area: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            sight: Sight::NotLookedAt,
            ..Self::of(Severity::Info, area, problem, fix)
        }
    }

    /// One as severe as is said.
    pub fn of(
        severity: Severity,
        area: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            area,
            problem: problem.into(),
            fix: fix.into(),
            sight: Sight::LookedAt,
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

    /// Whether a file belongs to whom this host's own files belong: root.
    fn is_owned(&self, file: &std::fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(&self.root).is_ok_and(|root| root.uid() == file.uid())
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
    Finding::not_looked_at(
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

/// Looks at every area, and tells the worst first. An area that cannot be looked at is a finding
/// itself, told once, however many areas needed it.
pub fn examine(host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    for area in [
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
        front_door::examine,
        fail2ban::examine,
        asking::examine,
        accounts::examine,
        signers::examine,
        linger::examine,
        recording::examine,
        synchronised::examine,
        log::examine,
        notify::examine,
    ] {
        for finding in area(host).unwrap_or_else(|unreadable| vec![unreadable]) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    // Stable: among equals the order of the areas stays.
    findings.sort_by_key(|finding| finding.severity);
    findings
}

#[cfg(test)]
mod tests {
    use tpa_bus::offline::GateFile;

    use super::fake::saying;
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
            found.iter().all(|one| one.severity == Severity::Info
                && one.problem.contains("/etc/pam.d/sshd cannot be read")),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }

    /// The severity of what is found in these words after something was done to the host.
    fn severity(problem: &str, harm: impl FnOnce(&mut fake::Fake)) -> Severity {
        let mut host = fake::protected();
        harm(&mut host);
        let found = examine(&host.host);
        let one = found.iter().find(|one| one.problem.contains(problem));
        one.unwrap_or_else(|| panic!("{problem} in {found:?}"))
            .severity
    }

    #[test]
    fn a_door_that_is_not_watched_and_people_shut_out_are_errors() {
        type Harm = fn(&mut fake::Fake);
        let table: [(&str, Harm); 9] = [
            ("sudo has no account line", |host| {
                host.write("etc/pam.d/sudo", "@include common-session\n");
            }),
            ("lets people in without asking the gate", |host| {
                host.write("etc/pam.d/cockpit", "auth required pam_unix.so\n");
            }),
            ("tpad.service is inactive", |host| {
                saying!(host, "/usr/bin/systemctl", true, "inactive\n");
            }),
            ("gate is missing", |host| host.remove("var/lib/tpa/gate")),
            ("nobody needs a grant", |host| {
                let gate = GateFile {
                    login: Vec::new(),
                    sudo: Vec::new(),
                    ..GateFile::default()
                };
                host.write("var/lib/tpa/gate", &gate.render());
            }),
            ("without asking for a grant", |host| {
                host.write("etc/sudoers.d/more", "Defaults !pam_acct_mgmt\n");
            }),
            ("grants give no sudo", |host| {
                host.remove("etc/sudoers.d/tpa");
            }),
            ("does not ask PAM for everybody", |host| {
                saying!(host, "/usr/sbin/sshd", true, "usepam no\n");
            }),
            ("amounts to root", |host| {
                host.write(
                    "etc/passwd",
                    "alice:x:1001:1001::/home/alice:/bin/bash\neve:x:1005:1005::/:/bin/sh\n",
                );
                host.write(
                    "etc/group",
                    "engineers:x:2000:alice\ndocker:x:2002:alice\ntpa-emergency:x:2001:eve\n",
                );
            }),
        ];
        for (problem, harm) in table {
            assert_eq!(severity(problem, harm), Severity::Error, "{problem}");
        }
    }

    #[test]
    fn what_is_weaker_than_it_could_be_is_a_warning() {
        type Harm = fn(&mut fake::Fake);
        let table: [(&str, Harm); 5] = [
            ("clock is not synchronised", |host| {
                saying!(host, "/usr/bin/timedatectl", true, "no\n");
            }),
            ("gate.exempt has nobody in it", |host| {
                host.write(
                    "etc/group",
                    "engineers:x:2000:alice\ntpa-emergency:x:2001:\n",
                );
            }),
            ("may run services without a login", |host| {
                host.write("var/lib/systemd/linger/alice", "");
            }),
            ("whoever has no terminal", |host| {
                host.write("etc/sudoers.d/more", "Defaults requiretty\n");
            }),
            ("is read after", |host| {
                host.write("etc/sudoers.d/users", "carol ALL=(ALL) ALL\n");
            }),
        ];
        for (problem, harm) in table {
            assert_eq!(severity(problem, harm), Severity::Warning, "{problem}");
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_told_as_that_and_once() {
        type Harm = fn(&mut fake::Fake);
        let table: [(&str, Harm); 4] = [
            ("/var/log/auth.log cannot be read", |host| {
                saying!(host, "/usr/bin/grep", false, "Permission denied");
            }),
            ("sshd -T does not tell", |host| {
                saying!(host, "/usr/sbin/sshd", false, "OpenSSH_10.0p2\n");
            }),
            // Before OpenSSH 9.8 nobody asks it about penalties.
            ("sshd -T does not tell", |host| {
                saying!(host, "/usr/sbin/sshd", false, "OpenSSH_9.2p1\n");
            }),
            ("whether the clock is synchronised", |host| {
                saying!(
                    host,
                    "/usr/bin/timedatectl",
                    false,
                    "Failed to connect to bus\n"
                );
            }),
        ];
        for (problem, harm) in table {
            let mut host = fake::protected();
            harm(&mut host);
            let found = examine(&host.host);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].problem.contains(problem), "{found:?}");
            assert_eq!(found[0].severity, Severity::Info);
            assert_eq!(found[0].sight, Sight::NotLookedAt);
        }
    }
}
