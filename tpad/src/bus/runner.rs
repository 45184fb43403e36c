//! The program that sudo starts to run an approved command: who is it, and for which grant.
//!
//! Nothing that it says is believed before this is seen: that it is our program, which nobody but root
//! can read or trace (mode 0711, as the front door's), that it was started by sudo for these words and
//! no others, and that sudo names the caller. The words of sudo's own process count, because whoever is
//! a run-as account already can start our program, too.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use tpa_bus::error::Refusal;
use tpa_bus::id::Id;
use tpa_bus::names::RUNNER;
use zbus::Connection;
use zbus::message::Header;

use super::caller::peer;
use super::process::{Held, parent, status_line};
use crate::host::process::{read_file, started};
use crate::ledger::{Named, Namespace, Process, Runner};

/// Most processes of sudo's between it and what it runs: one more where it has a terminal of its own.
const GENERATIONS: usize = 3;

/// Most bytes of a command line: those that count are shorter.
const WORDS_MAX: u64 = 1_024;

/// The run that a call is for.
///
/// # Errors
/// When the call comes from anybody but the program that sudo started for this grant.
pub async fn identify(
    connection: &Connection,
    header: &Header<'_>,
    id: Id,
) -> Result<Runner, Refusal> {
    let held = peer(connection, header).await?;
    held.and_then(|held| of(Path::new("/proc"), &held, id))
        .ok_or_else(|| {
            Refusal::NotPermitted(format!(
                "only sudo starts what runs {id}\nnext: tpactl run --resume {id}"
            ))
        })
}

fn of(proc: &Path, held: &Held, id: Id) -> Option<Runner> {
    let Process::Held(traits) = held.look(proc) else {
        return None;
    };
    let pid = u32::try_from(held.pid()).ok()?;
    let [uid, ..] = traits.uids;
    let program = fs::read_link(proc.join(format!("{pid}/exe"))).ok()?;
    let is_ours = traits.uids == [uid; 4]
        && traits.namespace == Namespace::Ours
        && is_program(&program)
        && words(proc, pid)? == [RUNNER, id.as_str()];
    if !is_ours {
        return None;
    }
    let called_by = caller_of(&read_file(&proc.join(format!("{pid}/environ"))).ok()?)?;
    let sudo = sudo_above(proc, pid, id)?;
    let runner = named(proc, pid)?;
    held.is_there().then_some(Runner {
        uid,
        called_by,
        runner,
        sudo,
    })
}

/// Whether it is our program: that or the one which an upgrade took away while it ran, which the kernel
/// names so (proc(5), `exe`). Nobody but root could put a file into that folder under either name.
fn is_program(program: &Path) -> bool {
    let program = program.to_str().unwrap_or_default();
    program.strip_suffix(" (deleted)").unwrap_or(program) == RUNNER
}

/// sudo's first process: the highest above that was called with these words, of those in a row.
fn sudo_above(proc: &Path, pid: u32, id: Id) -> Option<Named> {
    let (mut found, mut at) = (None, pid);
    for _ in 0..GENERATIONS {
        let Some(parent) = parent(proc, at).filter(|parent| is_sudo(proc, *parent, id)) else {
            break;
        };
        found = named(proc, parent);
        at = parent;
    }
    found
}

/// Whether it is sudo, as root, and was called for this run as `tpactl` calls it.
fn is_sudo(proc: &Path, pid: u32, id: Id) -> bool {
    let program = fs::read_link(proc.join(format!("{pid}/exe"))).unwrap_or_default();
    let name = program.file_name().and_then(|name| name.to_str());
    let called = words(proc, pid).unwrap_or_default();
    let called: Vec<&str> = called.iter().skip(1).map(String::as_str).collect();
    let is_run = matches!(called.as_slice(),
        ["-n", "-u", _, "--", program, run] if *program == RUNNER && *run == id.as_str());
    is_run && name.is_some_and(|name| name.starts_with("sudo")) && is_roots(proc, pid)
}

fn is_roots(proc: &Path, pid: u32) -> bool {
    let uids = status_line(proc, pid, "Uid:").unwrap_or_default();
    let mut uids = uids.split_ascii_whitespace();
    uids.nth(1) == Some("0")
}

fn named(proc: &Path, pid: u32) -> Option<Named> {
    let started = started(proc, pid)?;
    Some(Named { pid, started })
}

/// All words of a command line, empty ones too; nothing where it is longer than what is read at once.
fn words(proc: &Path, pid: u32) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(proc.join(format!("{pid}/cmdline"))).ok()?;
    file.take(WORDS_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let words = text.strip_suffix('\0')?.split('\0');
    Some(words.map(str::to_owned).collect())
}

/// The uid that sudo tells of its caller; nothing where it is not told once.
fn caller_of(environment: &[u8]) -> Option<u32> {
    let told = environment
        .split(|byte| *byte == 0)
        .filter_map(|one| one.strip_prefix(b"SUDO_UID="));
    let told: Vec<_> = told.collect();
    let [one] = told.as_slice() else { return None };
    std::str::from_utf8(one).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUDO: &str = "sudo\0-n\0-u\0postgres\0--\0/usr/libexec/tpa/run\x0000000001\0";

    fn id() -> Id {
        Id::parse("00000001").unwrap()
    }

    /// A folder like `/proc`.
    struct Processes(tempfile::TempDir);

    impl Processes {
        fn add(&self, pid: u32, above: u32, uid: u32, (program, words): (&str, &str)) {
            let folder = self.0.path().join(pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            let status = format!(
                "Name:\tx\nState:\tS (sleeping)\nPPid:\t{above}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nThreads:\t1\n"
            );
            fs::write(folder.join("status"), status).unwrap();
            let zeros = "0 ".repeat(17);
            let stat = format!("{pid} (x) S {above} {zeros}7 0 0\n");
            fs::write(folder.join("stat"), stat).unwrap();
            fs::write(folder.join("loginuid"), "4294967295").unwrap();
            fs::write(folder.join("cgroup"), "0::/\n").unwrap();
            fs::write(folder.join("cmdline"), words).unwrap();
            let _ = fs::remove_file(folder.join("exe"));
            std::os::unix::fs::symlink(program, folder.join("exe")).unwrap();
        }
    }

    #[test]
    fn only_sudo_called_for_this_run_counts_and_its_first_process_is_held() {
        let all = Processes(tempfile::tempdir().unwrap());
        let words = format!("{RUNNER}\x0000000001\0");
        all.add(1, 0, 0, ("/usr/lib/systemd/systemd", "init\0"));
        all.add(10, 1, 0, ("/usr/bin/sudo", SUDO));
        all.add(11, 10, 0, ("/usr/bin/sudo", SUDO));
        all.add(12, 11, 115, (RUNNER, &words));
        let first = |proc: &Processes| sudo_above(proc.0.path(), 12, id()).map(|one| one.pid);
        assert_eq!(first(&all), Some(10));
        for (program, uid, called) in [
            ("/usr/bin/sudo", 1001, SUDO),
            ("/usr/bin/bash", 0, SUDO),
            (
                "/usr/bin/sudo",
                0,
                "sudo\0-n\0-u\0postgres\0--\0sh\0-c\0x\0",
            ),
            (
                "/usr/bin/sudo",
                0,
                "sudo\0sh\0-c\0exec \"$0\" \"$1\"\0/usr/libexec/tpa/run\x0000000001\0",
            ),
            (
                "/usr/bin/sudo",
                0,
                "sudo\0-n\0-u\0postgres\0--\0/usr/libexec/tpa/run\x0000000002\0",
            ),
            (
                "/usr/bin/sudo",
                0,
                "sudo\0-n\0-u\0postgres\0--\0/usr/libexec/tpa/run\x0000000001\0\0",
            ),
        ] {
            all.add(11, 10, uid, (program, called));
            assert_eq!(first(&all), None, "{called:?}");
        }
    }

    #[test]
    fn our_program_is_known_also_after_an_upgrade_took_it_away() {
        let gone = format!("{RUNNER} (deleted)");
        assert!(is_program(Path::new(RUNNER)) && is_program(Path::new(&gone)));
        for other in [
            format!("{gone} (deleted)"),
            format!("{RUNNER}.dpkg-tmp"),
            "/usr/bin/sh (deleted)".to_owned(),
        ] {
            assert!(!is_program(Path::new(&other)), "{other}");
        }
    }

    #[test]
    fn the_caller_is_whom_sudo_names_once() {
        assert_eq!(caller_of(b"A=b\0SUDO_UID=1001\0"), Some(1001));
        for other in [
            "",
            "SUDO_UID=\0",
            "SUDO_UID=1\0SUDO_UID=1\0",
            "XSUDO_UID=1\0",
        ] {
            assert_eq!(caller_of(other.as_bytes()), None, "{other:?}");
        }
    }
}
