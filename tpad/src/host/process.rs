//! The processes of a person, from proc(5), and ending them.
//!
//! A process is somebody's when it runs with their uid, or when its audit login uid is theirs:
//! the latter stays when they become root through sudo.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use futures_lite::future::yield_now;
use sha2::{Digest as _, Sha256};
use tpa_bus::stat::{TICK_MS, start_ticks};
use zruntime::{AsyncIo, SharedRuntime};

use crate::hex::hex;
use crate::ledger::{CommandLine, Digest, WORDS_MAX};
use crate::plan::{self, Facts, Place};
use crate::sys;

/// Longest command line that is read, in bytes. The kernel allows 6 MiB (execve(2)).
const COMMAND_MAX: u64 = 8 * 1_024 * 1_024;

/// How much of it is read before others have their turn, in bytes.
const PIECE: usize = 64 * 1_024;

/// Most that proc(5) tells of a process in one of its short files, as a rule, in bytes.
const FILE_MAX: usize = 4 * 1_024;

/// A process as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name, for people.
    pub comm: String,
    /// Real, effective and saved uid.
    uids: [u32; 3],
    /// Audit login uid; (uid_t)-1 when it descends from no login.
    login: u32,
    /// In a pid namespace of its own: a container, mostly.
    contained: bool,
    /// Device of its controlling terminal, 0 for none.
    pub tty: u32,
    /// When it started, in ticks since boot: with the pid, this names it for ever.
    started: u64,
}

/// What names a process for ever: its number, and when it started.
pub type Name = (i32, u64);

impl Process {
    /// Whether it acts as root, as sudo does. What a person's own process shows of itself may be on a
    /// file system of theirs, which answers when they like.
    #[must_use]
    pub fn is_roots(&self) -> bool {
        let [_, effective, _] = self.uids;
        effective == 0
    }

    /// When it began, in milliseconds of `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn began_ms(&self) -> u64 {
        self.started.saturating_mul(TICK_MS)
    }

    /// What names it.
    #[must_use]
    pub fn name(&self) -> Name {
        (self.pid, self.started)
    }

    /// Whether it is this person's; see [`plan::belongs_to`].
    #[must_use]
    pub fn belongs_to(&self, uid: u32) -> bool {
        plan::belongs_to(&self.facts(Place::default()), uid)
    }

    /// What is judged by.
    #[must_use]
    pub fn facts(&self, place: Place) -> Facts {
        Facts {
            uids: self.uids,
            login: (self.login != u32::MAX).then_some(self.login),
            contained: self.contained,
            began_ms: self.started.saturating_add(1).saturating_mul(TICK_MS),
            place,
        }
    }

    /// Kills it, and gives a descriptor that becomes readable when it is gone. `None` when it is
    /// gone already.
    ///
    /// # Errors
    /// When it may not be killed.
    pub fn kill(&self, proc: &Path) -> io::Result<Option<OwnedFd>> {
        let Some(process) = hold(proc, self.pid, self.started)? else {
            return Ok(None);
        };
        match sys::pidfd_kill(process.as_fd()) {
            Err(error) if is_gone(&error) => Ok(None),
            killed => killed.map(|()| Some(process)),
        }
    }
}

/// A descriptor of the process that has this number and started then, which becomes readable when
/// it ends (`pidfd_open(2)`). `None` when it has ended.
fn hold(proc: &Path, pid: i32, started: u64) -> io::Result<Option<OwnedFd>> {
    let process = match sys::pidfd_open(pid) {
        Err(error) if is_gone(&error) => return Ok(None),
        opened => opened?,
    };
    // The descriptor is of whoever has the number now. Same start, same process.
    let is_it = look_at(proc, pid).is_some_and(|now| now.started == started);
    Ok(is_it.then_some(process))
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

/// Waits until the process that has this number and started then has ended.
///
/// # Errors
/// When there is no descriptor to wait with.
pub async fn ended(runtime: &SharedRuntime, proc: &Path, pid: u32, started: u64) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    match hold(proc, pid, started)? {
        Some(process) => AsyncIo::new_nonblocking(runtime, process)?.readable().await,
        None => Ok(()),
    }
}

/// When a process started, in ticks since boot; `None` when it has ended.
#[must_use]
pub fn started(proc: &Path, pid: u32) -> Option<u64> {
    Some(look_at(proc, i32::try_from(pid).ok()?)?.started)
}

/// The command line of a process (proc(5), cmdline); one that is not known when it has ended. A long
/// one is read in pieces, between which others are served.
pub async fn command_line(proc: &Path, pid: u32) -> CommandLine {
    let Ok(file) = fs::File::open(proc.join(format!("{pid}/cmdline"))) else {
        return CommandLine::unread();
    };
    let mut rest = file.take(COMMAND_MAX);
    let (mut beginning, mut piece) = (Vec::new(), vec![0; PIECE]);
    let (mut hasher, mut bytes) = (Sha256::new(), 0_u64);
    loop {
        let length = match rest.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        let read = piece.get(..length).unwrap_or_default();
        hasher.update(read);
        bytes = bytes.saturating_add(length as u64);
        let room = WORDS_MAX.saturating_sub(beginning.len()).min(length);
        beginning.extend_from_slice(read.get(..room).unwrap_or_default());
        if length == PIECE {
            yield_now().await;
        }
    }
    let sha256 = hex(&hasher.finalize());
    CommandLine::of(&beginning, Digest { bytes, sha256 })
}

/// The first words of a process's command line, as far as one reading goes; none when it has ended.
#[must_use]
pub fn first_words(proc: &Path, pid: u32) -> Vec<String> {
    let mut piece = vec![0; PIECE];
    let length = fs::File::open(proc.join(format!("{pid}/cmdline")))
        .and_then(|mut file| file.read(&mut piece))
        .unwrap_or(0);
    let read = piece.get(..length).unwrap_or_default();
    let words = read
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Everything that runs, but for the first process and this one.
#[must_use]
pub fn scan(proc: &Path) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    fs::read_dir(proc)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid > 1 && *pid != own)
        .filter_map(|pid| look_at(proc, pid))
        .collect()
}

/// Waits until all of these have ended.
///
/// # Errors
/// When they cannot be waited for.
pub async fn all_ended(runtime: &SharedRuntime, dying: Vec<OwnedFd>) -> io::Result<()> {
    for descriptor in dying {
        AsyncIo::new_nonblocking(runtime, descriptor)?
            .readable()
            .await?;
    }
    Ok(())
}

/// Reads a file of proc(5). It tells no length beforehand: the room is for what one of them has at
/// most, so that it takes two calls to read it and not eight.
///
/// # Errors
/// When it cannot be read.
pub fn read_file(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FILE_MAX);
    // A `File` alone would be asked for its length first.
    fs::File::open(file)?
        .take(u64::MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a process; `None` when it is gone, or has ended and waits to be collected.
fn look_at(proc: &Path, pid: i32) -> Option<Process> {
    let dir = proc.join(pid.to_string());
    let read = |name: &str| {
        let bytes = read_file(&dir.join(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    // Missing where the kernel has no audit.
    let login = read("loginuid")
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(u32::MAX);
    parse(pid, &read("status")?, &read("stat")?, login)
}

fn parse(pid: i32, status: &str, stat: &str, login: u32) -> Option<Process> {
    let field = |key: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
    };
    // A process whose first thread has ended shows that thread's state, whatever the others do.
    let threads: u32 = field("Threads").and_then(|number| number.parse().ok())?;
    if field("State")?.starts_with(['Z', 'X']) && threads <= 1 {
        return None;
    }
    let mut uids = field("Uid")?.split_ascii_whitespace().map(str::parse);
    let mut uid = || uids.next()?.ok();
    // The name stands in brackets and may hold brackets itself; fields count after the last.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    // tty_nr is the 7th field of the line; the state is the 3rd.
    let tty = fields.nth(4)?.parse::<i32>().ok()?.cast_unsigned();
    Some(Process {
        pid,
        comm: tpa_bus::text::one_line(field("Name")?, 16),
        uids: [uid()?, uid()?, uid()?],
        login,
        contained: field("NSpid").is_some_and(|pids| pids.split_ascii_whitespace().count() > 1),
        tty,
        started: start_ticks(stat)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const STATUS: &str =
        "Name:\ta) R 1 (b\nState:\tS (sleeping)\nUid:\t1001\t0\t0\t0\nNSpid:\t77\nThreads:\t1\n";
    const STAT: &str =
        "77 (a) R 1 (b) S 1 77 77 34817 77 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 0 0\n";

    fn process(status: &str, login: u32) -> Process {
        parse(77, status, STAT, login).unwrap()
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let process = process(STATUS, 7);
        assert_eq!(process.comm, "a) R 1 (b");
        assert_eq!((process.uids, process.login), ([1001, 0, 0], 7));
        assert_eq!((process.tty, process.started), (34817, 4242));
    }

    #[test]
    fn a_process_belongs_to_whom_it_runs_as_and_to_whose_login_it_descends_from() {
        assert!(process(STATUS, u32::MAX).belongs_to(1001));
        assert!(process(STATUS, 1002).belongs_to(1002));
        assert!(!process(STATUS, 1002).belongs_to(1003));
    }

    #[test]
    fn nothing_belongs_to_root_or_to_nobody() {
        assert!(!process(STATUS, 0).belongs_to(0));
        assert!(!process(STATUS, u32::MAX).belongs_to(u32::MAX));
    }

    #[test]
    fn a_containers_process_is_somebodys_only_when_a_login_led_there() {
        let status = STATUS.replace("NSpid:\t77", "NSpid:\t77\t3");
        assert!(!process(&status, u32::MAX).belongs_to(1001));
        assert!(process(&status, 1001).belongs_to(1001));
    }

    #[test]
    fn what_has_ended_is_not_there() {
        let zombie = STATUS.replace("S (sleeping)", "Z (zombie)");
        assert_eq!(parse(77, &zombie, STAT, 0), None);
        let its_threads_run = zombie.replace("Threads:\t1", "Threads:\t2");
        assert!(parse(77, &its_threads_run, STAT, 0).is_some());
    }

    #[test]
    fn the_end_of_all_that_was_killed_is_seen() {
        let mut children = [(); 2].map(|()| Command::new("/bin/sleep").arg("60").spawn().unwrap());
        let pids = children
            .each_ref()
            .map(|child| i32::try_from(child.id()).unwrap());
        let runtime = SharedRuntime::new().unwrap();
        let proc = Path::new("/proc");
        let kill = |pid: &i32| look_at(proc, *pid)?.kill(proc).unwrap();
        let dying: Vec<_> = pids.iter().filter_map(kill).collect();
        assert_eq!(dying.len(), 2);
        runtime.block_on(all_ended(&runtime, dying)).unwrap();
        for child in &mut children {
            assert!(!child.wait().unwrap().success());
        }
    }

    #[test]
    fn a_command_line_tells_whether_it_is_whole() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("7")).unwrap();
        let read = |pid| zruntime::block_on(command_line(proc.path(), pid));
        let line = |text: &[u8]| {
            fs::write(proc.path().join("7/cmdline"), text).unwrap();
            let CommandLine { words, cut, .. } = read(7);
            (words.join(" "), cut)
        };
        assert_eq!(line(b"sudo\0id\0"), ("sudo id".to_owned(), false));
        assert_eq!(line(b"sudo\0i"), ("sudo i".to_owned(), true));
        assert_eq!(line(b""), (String::new(), true));
        let long = [b"sudo\0-p\0", &vec![b'x'; 70_000][..], b"\0bash\0"].concat();
        assert!(line(&long).1);
        assert!(read(8).cut, "it has ended");
    }

    #[test]
    fn a_number_that_was_given_to_another_process_is_left_alone() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let proc = Path::new("/proc");
        let mut seen = look_at(proc, pid).unwrap();
        seen.started -= 1;
        assert!(seen.kill(proc).unwrap().is_none());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_end_of_a_process_is_waited_for_but_not_that_of_whoever_has_its_number_now() {
        let runtime = SharedRuntime::new().unwrap();
        let proc = Path::new("/proc");
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let began = started(proc, child.id()).unwrap();
        runtime
            .block_on(ended(&runtime, proc, child.id(), began - 1))
            .unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        runtime
            .block_on(ended(&runtime, proc, child.id(), began))
            .unwrap();
        assert!(child.try_wait().unwrap().is_some());
    }

    #[test]
    fn a_command_line_of_any_length_is_read_whole_and_kept_in_part() {
        let runtime = SharedRuntime::new().unwrap();
        let read = |last: &str| {
            let words = vec!["A".repeat(100_000); 9];
            let mut child = Command::new("/bin/sh")
                .args(["-c", "echo begun; read line"])
                .args(words)
                .arg(last)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Until then the kernel may not have its arguments yet.
            let mut begun = [0; 6];
            child
                .stdout
                .as_mut()
                .unwrap()
                .read_exact(&mut begun)
                .unwrap();
            let line = runtime.block_on(command_line(Path::new("/proc"), child.id()));
            child.kill().unwrap();
            child.wait().unwrap();
            line
        };
        let (one, other) = (read("x"), read("y"));
        let digest = one.shown.digest.clone().unwrap();
        assert_eq!(digest.bytes, 900_044);
        assert!(one.cut && one.shown.text.len() < 2_000);
        assert_ne!(Some(digest), other.shown.digest);
        assert_eq!(one.shown.text, other.shown.text);
    }

    #[test]
    fn the_first_process_and_this_one_are_never_seen() {
        let own = i32::try_from(std::process::id()).unwrap();
        let seen = scan(Path::new("/proc"));
        assert!(!seen.is_empty());
        assert!(
            seen.iter()
                .all(|process| process.pid > 1 && process.pid != own)
        );
    }
}
