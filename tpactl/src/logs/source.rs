//! Where the lines come from: a log file with those it was rotated into, or the journal.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::bounded::{Budget, LINE_MAX, Line};
use super::compare::Comparison;
use super::line::{Heard, heard, heard_tagged};
use crate::fail::{Exit, Fail};
use crate::input::open_regular;

/// Where distributions put what goes to `authpriv`: Debian, then Fedora.
const FILES: [&str; 2] = ["/var/log/auth.log", "/var/log/secure"];

/// `LOG_AUTHPRIV` and `LOG_AUTH` (syslog(3)): what goes to those files.
const FACILITIES: [&str; 2] = ["SYSLOG_FACILITY=10", "SYSLOG_FACILITY=4"];

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
        let mut budget = Budget::default();
        let read = match self {
            Self::File(path) => read_files(path, comparison, &mut budget),
            Self::Journal => read_journal(comparison, &mut budget),
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

fn read_files(path: &Path, comparison: &mut Comparison<'_>, budget: &mut Budget) -> io::Result<()> {
    for file in files(path)? {
        read_file(&file, comparison, budget).map_err(|error| named(&file, &error))?;
    }
    if comparison.has_beside() {
        // Where the journal cannot be read, nobody vouches for them.
        let known = vouched_by_journal(budget).unwrap_or_default();
        comparison.vouched(|message| known.contains(message));
    }
    Ok(())
}

fn read_file(path: &Path, comparison: &mut Comparison<'_>, budget: &mut Budget) -> io::Result<()> {
    let file = open_regular(path)?;
    budget.has_room_for(file.metadata()?.len())?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = Tool::start("/usr/bin/gzip", &["-dc"], Stdio::from(file))?;
        read_lines(&mut gzip.lines, path, comparison, budget)?;
        return gzip.finish();
    }
    read_lines(&mut BufReader::new(file), path, comparison, budget)
}

fn read_lines(
    lines: &mut impl BufRead,
    path: &Path,
    comparison: &mut Comparison<'_>,
    budget: &mut Budget,
) -> io::Result<()> {
    let mut number = 0_u64;
    budget.each_line(lines, |line| {
        number = number.saturating_add(1);
        let place = || format!("{}:{number}", path.display());
        match (heard(line.text), line) {
            (Heard::Tpad(message), Line { whole: true, .. }) => comparison.take(place, message),
            (Heard::Beside(message), Line { whole: true, .. }) => {
                comparison.take_beside(place(), message);
            }
            (Heard::Other, _) => {}
            (_, Line { text, .. }) => comparison.take_foreign(place(), text),
        }
    })
}

/// An entry of the journal, with what journald itself says of who wrote it.
struct Entry(Value);

impl Entry {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// As a log file has it, behind the time and the host.
    fn tagged(&self) -> String {
        // What is not UTF-8 comes as numbers; nothing of TPA's does.
        let message = self.field("MESSAGE").unwrap_or("(not text)");
        match (self.field("SYSLOG_IDENTIFIER"), self.field("SYSLOG_PID")) {
            (Some(name), Some(pid)) => format!("{name}[{pid}]: {message}"),
            (Some(name), None) => format!("{name}: {message}"),
            (None, _) => message.to_owned(),
        }
    }

    /// Whether root wrote it, by the kernel's word.
    fn is_roots(&self) -> bool {
        self.field("_UID") == Some("0")
    }

    /// Whether a program that PAM runs in wrote it. atd(8) is there as `daemon`, not as root; in its
    /// unit people's jobs run too, but as these people.
    fn is_pams(&self, daemon: Option<&str>) -> bool {
        let is_atds = self.field("_SYSTEMD_UNIT") == Some(ATD) && self.field("_UID") == daemon;
        self.is_roots() || (is_atds && daemon.is_some())
    }

    /// Whether `tpad` may have written it. journald does not know the unit of a process that is
    /// gone already.
    fn may_be_tpads(&self) -> bool {
        let unit = self.field("_SYSTEMD_UNIT");
        self.is_roots() && unit.is_none_or(|unit| unit == "tpad.service")
    }

    fn place(&self) -> String {
        let who = |name| self.field(name).unwrap_or("?");
        format!("journal: uid {}, pid {}", who("_UID"), who("_PID"))
    }
}

/// The unit of atd(8).
const ATD: &str = "atd.service";

/// The journal knows who wrote a line: what others wrote is not TPA's, however it looks.
fn read_journal(comparison: &mut Comparison<'_>, budget: &mut Budget) -> io::Result<()> {
    let daemon = uid_of_daemon();
    each_entry(&[], budget, |entry| {
        let tagged = entry.tagged();
        match heard_tagged(&tagged) {
            Heard::Other => {}
            Heard::Tpad(message) if entry.may_be_tpads() => {
                comparison.take(|| entry.place(), message);
            }
            Heard::Beside(_) if entry.is_pams(daemon.as_deref()) => {}
            _ => comparison.take_foreign(entry.place(), &tagged),
        }
    })
}

/// What the reaper and the PAM module said, by the journal of this host.
fn vouched_by_journal(budget: &mut Budget) -> io::Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    let daemon = uid_of_daemon();
    let atds = format!("_SYSTEMD_UNIT={ATD}");
    each_entry(&["_UID=0", "+", &atds], budget, |entry| {
        if let Heard::Beside(message) = heard_tagged(&entry.tagged())
            && entry.is_pams(daemon.as_deref())
        {
            known.insert(message.to_owned());
        }
    })?;
    Ok(known)
}

/// The uid of `daemon` on this host, as the journal writes it.
fn uid_of_daemon() -> Option<String> {
    let daemon = nix::unistd::User::from_name("daemon").ok()??;
    Some(daemon.uid.to_string())
}

fn each_entry(
    matches: &[&str],
    budget: &mut Budget,
    mut take: impl FnMut(&Entry),
) -> io::Result<()> {
    let fields =
        "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_SYSTEMD_UNIT,_UID,_PID,_COMM";
    let mut arguments = vec!["--quiet", "--no-pager", "--all", "--output=json", fields];
    arguments.extend(FACILITIES);
    arguments.extend(matches);
    let mut journal = Tool::start("/usr/bin/journalctl", &arguments, Stdio::null())?;
    budget.each_line(&mut journal.lines, |line| {
        let entry = serde_json::from_str(line.text).unwrap_or_else(|_| {
            serde_json::json!({ "MESSAGE": format!("tpad: an entry of more than {LINE_MAX} bytes") })
        });
        take(&Entry(entry));
    })?;
    journal.finish()
}

/// A program whose output is read.
struct Tool {
    name: &'static str,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tool {
    fn start(name: &'static str, arguments: &[&str], input: Stdio) -> io::Result<Self> {
        let mut child = Command::new(name)
            .args(arguments)
            .env_clear()
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| named(Path::new(name), &error))?;
        let stdout = child.stdout.take();
        let lines = BufReader::new(stdout.ok_or_else(|| io::Error::from(ErrorKind::BrokenPipe))?);
        Ok(Self { name, child, lines })
    }

    /// Its outcome, once all that it says was read.
    fn finish(mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{} failed ({status})", self.name)))
    }
}

/// A program whose output is not wanted any more ends on its next write; one that ended is waited
/// for.
impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::{Chain, Findings};
    use super::*;

    #[test]
    fn what_pam_says_in_atd_is_told_from_what_its_jobs_say() {
        let entry = |uid: &str, unit: &str| {
            Entry(serde_json::json!({ "_UID": uid, "_SYSTEMD_UNIT": unit }))
        };
        let is_pams = |uid, unit| entry(uid, unit).is_pams(Some("1"));
        assert!(is_pams("0", "ssh.service"));
        assert!(is_pams("1", ATD));
        assert!(!is_pams("1000", ATD), "a job");
        assert!(!is_pams("1", "user@1.service"));
        assert!(!entry("1", ATD).is_pams(None));
    }

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
            hashes: vec!["h1".into(), "h2".into(), "h3".into()],
            ..Chain::default()
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

    fn read(path: &Path) -> io::Result<Findings> {
        let chain = Chain::default();
        let mut comparison = Comparison::new(&chain);
        read_file(path, &mut comparison, &mut Budget::default())?;
        Ok(comparison.finish())
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.gz");
        let made = Command::new("/usr/bin/mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [Path::new("/dev/zero"), &pipe, folder.path()] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("not a regular file"), "{path:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_no_log_by_its_size_is_an_error_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        fs::File::create(&path).unwrap().set_len(20 << 30).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("more than"), "{error}");
    }

    #[test]
    fn a_packed_file_that_grows_beyond_the_limit_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.log.1");
        fs::write(&path, "x\n".repeat(4_096)).unwrap();
        let packed = Command::new("/usr/bin/gzip").arg(&path).status();
        assert!(packed.unwrap().success());
        let chain = Chain::default();
        let mut comparison = Comparison::new(&chain);
        let mut budget = Budget::of(4_096);
        let packed = path.with_extension("1.gz");
        let error = read_file(&packed, &mut comparison, &mut budget).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }

    #[test]
    fn a_line_too_long_to_be_tpads_is_named_when_it_looks_so_and_the_next_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.log");
        let head = "Nov 24 10:00:00 h";
        let long = "x".repeat(LINE_MAX * 3);
        let text = format!("{head} tpad[1]: {long}\n{head} sshd[1]: {long}\n{head} tpad : y\n");
        fs::write(&path, text).unwrap();
        let found = read(&path).unwrap();
        let places: Vec<_> = found.foreign.first.iter().map(|odd| &odd.place).collect();
        let at = |line| format!("{}:{line}", path.display());
        assert_eq!(places, [&at(1), &at(3)]);
        assert!(found.foreign.first[0].text.len() < 2_000);
    }
}
