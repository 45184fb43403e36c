//! Where the lines come from: a log file with those it was rotated into, or the journal.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::compare::Comparison;
use super::line::{TAG, message};
use crate::fail::{Exit, Fail};

/// Where distributions put what goes to `authpriv`: Debian, then Fedora.
const FILES: [&str; 2] = ["/var/log/auth.log", "/var/log/secure"];

/// `LOG_AUTHPRIV` (syslog(3)).
const AUTHPRIV: &str = "SYSLOG_FACILITY=10";

/// What to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This file, and `FILE.1`, `FILE.2.gz` and so on.
    File(PathBuf),
    /// systemd's journal.
    Journal,
    /// Nothing.
    None,
}

impl Source {
    /// Where `authpriv` goes on this host.
    pub fn of_host() -> Self {
        let file = FILES.iter().map(Path::new).find(|file| file.exists());
        file.map_or(Self::Journal, |file| Self::File(file.to_owned()))
    }

    /// As people write it.
    pub fn parse(text: &str) -> Self {
        match text {
            "journal" => Self::Journal,
            "none" => Self::None,
            file => Self::File(file.into()),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Journal => "journal".to_owned(),
            Self::None => "none".to_owned(),
        }
    }

    /// Gives every line under the name of `tpad` to the comparison, the oldest first.
    pub fn read(&self, comparison: &mut Comparison<'_>) -> Result<(), Fail> {
        let read = match self {
            Self::File(path) => files(path).and_then(|files| {
                let mut files = files.iter();
                files.try_for_each(|file| read_file(file, comparison).map_err(|e| named(file, &e)))
            }),
            Self::Journal => read_journal(comparison),
            Self::None => Ok(()),
        };
        read.map_err(|error| {
            Fail::new(
                Exit::Failure,
                format!("cannot compare with {}: {error}", self.name()),
                "the log is for root and the group adm: sudo tpactl verify; \
                 the chain alone: tpactl verify --log none",
            )
        })
    }
}

fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// The file and what it was rotated into (logrotate(8)), the oldest first.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = || io::Error::from(ErrorKind::NotFound);
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(missing)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = vec![(i64::MAX, path.to_owned())];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let suffix = other.to_str().and_then(|other| other.strip_prefix(name));
        if let Some(place) = suffix.and_then(place_of) {
            found.push((place, entry.path()));
        }
    }
    if found.is_empty() {
        return Err(missing());
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Where a rotated file stands among the others, by what its name has more: `.2.gz` before `.1`,
/// and with logrotate's `dateext` `-20261123.gz` before `-20261124`.
fn place_of(suffix: &str) -> Option<i64> {
    let suffix = suffix.strip_suffix(".gz").unwrap_or(suffix);
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    match suffix.strip_prefix('.') {
        Some(count) => number(count).map(|count| -count),
        None => number(suffix.strip_prefix('-')?),
    }
}

fn read_file(path: &Path, comparison: &mut Comparison<'_>) -> io::Result<()> {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = Tool::start("/usr/bin/gzip", &["-dc", "--"], Some(path))?;
        read_lines(&mut gzip.lines, path, comparison)?;
        return gzip.finish();
    }
    read_lines(&mut BufReader::new(File::open(path)?), path, comparison)
}

fn read_lines(
    lines: &mut impl BufRead,
    path: &Path,
    comparison: &mut Comparison<'_>,
) -> io::Result<()> {
    let mut number = 0_u64;
    each_line(lines, |line| {
        number += 1;
        if let Some(message) = message(line) {
            comparison.take(|| format!("{}:{number}", path.display()), message);
        }
    })
}

/// The journal knows who wrote a line: what did not come from `tpad`'s own unit is not `tpad`'s.
fn read_journal(comparison: &mut Comparison<'_>) -> io::Result<()> {
    let identifier = format!("SYSLOG_IDENTIFIER={TAG}");
    let fields = "--output-fields=MESSAGE,_SYSTEMD_UNIT,_UID,_PID";
    let arguments = [
        "--quiet",
        "--no-pager",
        "--output=json",
        fields,
        &identifier,
        AUTHPRIV,
    ];
    let mut journal = Tool::start("/usr/bin/journalctl", &arguments, None)?;
    each_line(&mut journal.lines, |line| {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        let field = |name: &str| entry.get(name).and_then(Value::as_str);
        // What is not UTF-8 comes as numbers; nothing of tpad's does.
        let message = field("MESSAGE").unwrap_or("(not text)");
        let who = || {
            let (uid, pid) = (field("_UID").unwrap_or("?"), field("_PID").unwrap_or("?"));
            format!("journal: uid {uid}, pid {pid}")
        };
        if field("_SYSTEMD_UNIT") == Some("tpad.service") {
            comparison.take(who, message);
        } else {
            comparison.take_foreign(who(), message);
        }
    })?;
    journal.finish()
}

fn each_line(lines: &mut impl BufRead, mut take: impl FnMut(&str)) -> io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        take(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
    Ok(())
}

/// A program whose output is read.
struct Tool {
    name: &'static str,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tool {
    fn start(name: &'static str, arguments: &[&str], file: Option<&Path>) -> io::Result<Self> {
        let mut child = Command::new(name)
            .args(arguments)
            .args(file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| named(Path::new(name), &error))?;
        let stdout = child.stdout.take();
        let lines = BufReader::new(stdout.ok_or_else(|| io::Error::from(ErrorKind::BrokenPipe))?);
        Ok(Self { name, child, lines })
    }

    fn finish(mut self) -> io::Result<()> {
        drop(self.lines);
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{} failed ({status})", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Chain;
    use super::*;

    #[test]
    fn rotated_files_are_read_in_the_order_in_which_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("auth.log");
        let line = |n| format!("2026-11-24T10:00:00+00:00 h tpad[1]: e seq={n} hash=h{n}\n");
        for (suffix, n) in [
            (".10", 1),
            (".2", 2),
            ("", 3),
            ("-like", 9),
            (".old.gz.bak", 9),
        ] {
            let path = folder.path().join(format!("auth.log{suffix}"));
            fs::write(&path, line(n)).unwrap();
        }
        let oldest = folder.path().join("auth.log.10");
        let foreign = "2026-11-24T10:00:00+00:00 h tpad[1]: made up\n";
        fs::write(&log, line(3) + foreign).unwrap();
        let packed = Command::new("/usr/bin/gzip").arg(&oldest).status();
        assert!(packed.unwrap().success());
        let chain = Chain {
            after: 0,
            hashes: vec!["h1".into(), "h2".into(), "h3".into()],
        };
        let mut comparison = Comparison::new(&chain);
        Source::File(log).read(&mut comparison).unwrap();
        let found = comparison.finish();
        assert_eq!(
            (found.first, found.lines, found.foreign.count),
            (Some(1), 3, 1)
        );
    }

    #[test]
    fn a_log_that_is_not_there_is_an_error_with_the_next_step() {
        let chain = Chain::default();
        let source = Source::parse("/nowhere/auth.log");
        let fail = source.read(&mut Comparison::new(&chain)).unwrap_err();
        assert_eq!(fail.exit(), Exit::Failure);
        assert!(fail.lines()[1].contains("--log none"));
    }
}
