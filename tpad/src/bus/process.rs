//! The process behind a connection: what it is, and a proof that it made the connection.

use std::fs;
use std::io::{self, IoSliceMut, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, getsockopt, recvmsg, setsockopt,
    sockopt::{PassCred, PeerCredentials},
};
use tpa_bus::names::CHALLENGE_LENGTH;
use zruntime::{AsyncIo, SharedRuntime};

use crate::host::cgroup::uid_of_slice;
use crate::host::process::read_file;
use crate::ledger::{Namespace, Process, Traits};
use crate::sys;

/// `(uid_t) -1`: no login uid.
const NO_LOGIN: u32 = u32::MAX;

/// Most bytes of an environment that are looked at.
const MOST_BYTES: u64 = 256 * 1_024;

/// A process that is known to have made a connection, held for as long as that lives.
#[derive(Debug, Clone)]
pub struct Held(Arc<(i32, OwnedFd)>);

impl Held {
    /// Takes a process that a descriptor holds.
    #[must_use]
    pub fn new(pid: i32, descriptor: OwnedFd) -> Self {
        Self(Arc::new((pid, descriptor)))
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_there(&self) -> bool {
        is_there(&self.0.1)
    }

    /// What it is at this moment.
    #[must_use]
    pub fn look(&self, proc: &Path) -> Process {
        let (pid, descriptor) = self.0.as_ref();
        look(proc, *pid, descriptor).map_or(Process::Gone, Process::Held)
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.0
    }
}

/// What proc(5) tells of the process that the descriptor holds; `None` when it has ended. What was
/// read under its number was its own only if it has not ended since.
pub fn look(proc: &Path, pid: i32, descriptor: &OwnedFd) -> Option<Traits> {
    let dir = proc.join(pid.to_string());
    let read = |name: &str| read_file(&dir.join(name)).ok();
    let status = read("status")?;
    // Missing where the kernel has no audit.
    let login = read("loginuid");
    let cgroup = read("cgroup");
    let mut traits = traits(
        &String::from_utf8_lossy(&status),
        &String::from_utf8_lossy(&login.unwrap_or_default()),
        &String::from_utf8_lossy(&cgroup.unwrap_or_default()),
    )?;
    traits.namespace = namespace(proc, &dir);
    // Only root's: a person's process can have its memory in a file system of theirs, where whoever
    // reads it waits for as long as they like.
    if traits.uids == [0; 4] {
        traits.called_by = called_by(&dir);
    }
    is_there(descriptor).then_some(traits)
}

/// Two processes are in one namespace when the links lead to one file (namespaces(7)).
fn namespace(proc: &Path, dir: &Path) -> Namespace {
    let file = |dir: &Path| fs::metadata(dir.join("ns/user")).map(|file| (file.dev(), file.ino()));
    match (file(dir), file(&proc.join("self"))) {
        (Ok(theirs), Ok(ours)) if theirs == ours => Namespace::Ours,
        // A kernel without user namespaces.
        (Err(theirs), Err(ours))
            if [theirs.kind(), ours.kind()] == [io::ErrorKind::NotFound; 2] =>
        {
            Namespace::Ours
        }
        _ => Namespace::Another,
    }
}

/// Who called sudo(8), pkexec(1) or doas(1), as those tell in the environment of what they start.
fn called_by(dir: &Path) -> Option<u32> {
    let mut bytes = Vec::new();
    let read = fs::File::open(dir.join("environ"))
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    match read.map(u64::try_from) {
        Ok(Ok(length)) if length < MOST_BYTES => caller_in(&bytes),
        _ => Some(NO_LOGIN),
    }
}

/// Of several who are told, none is believed.
fn caller_in(environment: &[u8]) -> Option<u32> {
    let mut told = environment.split(|byte| *byte == 0).filter_map(|variable| {
        let (name, value) = std::str::from_utf8(variable).ok()?.split_once('=')?;
        match name {
            "SUDO_UID" | "PKEXEC_UID" => Some(value.parse().unwrap_or(NO_LOGIN)),
            // A name, not a uid.
            "DOAS_USER" => Some(if value == "root" { 0 } else { NO_LOGIN }),
            _ => None,
        }
    });
    let first = told.next()?;
    Some(if told.all(|other| other == first) {
        first
    } else {
        NO_LOGIN
    })
}

/// `0::/user.slice/user-1001.slice/session-3.scope`: nobody but root and PID 1 puts a process of
/// another's there (cgroups(7), "Cgroups v2 delegation").
fn session(cgroup: &str) -> Option<u32> {
    // systemd keeps one of them: the unified one where there is one (systemd(1), "hybrid").
    let lines = || cgroup.lines();
    let unified = lines().find(|line| line.starts_with("0::") && *line != "0::/");
    let in_named = || lines().find(|line| line.contains(":name=systemd:"));
    let line = unified.or_else(in_named)?;
    let mut names = line.rsplit_once(':')?.1.split('/');
    if (names.next()?, names.next()?) != ("", "user.slice") {
        return None;
    }
    let slice = names.next()?;
    names.next()?;
    uid_of_slice(slice)
}

fn traits(status: &str, login: &str, cgroup: &str) -> Option<Traits> {
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let mut uids = uids.split_ascii_whitespace().map(str::parse);
    let mut uid = || uids.next()?.ok();
    let uids = [uid()?, uid()?, uid()?, uid()?];
    let login = match login.trim() {
        "" => None,
        text => Some(text.parse().ok()?).filter(|uid| *uid != NO_LOGIN),
    };
    Some(Traits {
        uids,
        login,
        namespace: Namespace::Another,
        session: session(cgroup),
        called_by: None,
    })
}

/// What follows a name, such as `Uid:`, in proc(5)'s `status` of a process.
pub(super) fn status_line(proc: &Path, pid: u32, name: &str) -> Option<String> {
    let status = read_file(&proc.join(format!("{pid}/status"))).ok()?;
    let status = String::from_utf8_lossy(&status);
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .map(str::to_owned)
}

/// The parent of a process.
pub(super) fn parent(proc: &Path, pid: u32) -> Option<u32> {
    status_line(proc, pid, "PPid:")?.trim().parse().ok()
}

fn is_there(process: &OwnedFd) -> bool {
    let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut ended, PollTimeout::ZERO) == Ok(0)
}

/// Proves which process is on the other end of a connection that was just accepted.
///
/// The kernel's number of whoever connected (`SO_PEERCRED`) may be another's by now. So whoever has
/// that number is held first, and then has to answer a challenge: the kernel tells from whom the
/// answer came (`SCM_CREDENTIALS`), and while the held process lives nobody else has its number.
/// This needs no descriptor of the peer's from the kernel, which came with Linux 6.5.
///
/// # Errors
/// When there is no proof.
pub async fn prove(
    runtime: &SharedRuntime,
    stream: UnixStream,
) -> anyhow::Result<(UnixStream, Held)> {
    let peer = getsockopt(&stream, PeerCredentials).context("ask who it is")?;
    let descriptor = sys::pidfd_open(peer.pid()).context("whoever connected has gone")?;
    setsockopt(&stream, PassCred, &true).context("have answers signed")?;
    let mut challenge = [0; CHALLENGE_LENGTH];
    getrandom::fill(&mut challenge).map_err(io::Error::other)?;
    let stream = AsyncIo::new(runtime, stream)?;
    let sent = stream
        .write_with(|mut stream| io::Write::write(&mut stream, &challenge))
        .await?;
    ensure!(sent == CHALLENGE_LENGTH, "the challenge was not taken");
    let mut answer = Vec::new();
    while answer.len() < CHALLENGE_LENGTH {
        let most = CHALLENGE_LENGTH.saturating_sub(answer.len());
        let (bytes, sender) = stream.read_with(|stream| receive(stream, most)).await?;
        ensure!(!bytes.is_empty(), "closed without an answer");
        let sender = sender.context("an answer of nobody's")?;
        ensure!(
            sender.pid() == peer.pid() && sender.uid() == peer.uid(),
            "process {} connected, process {} answered",
            peer.pid(),
            sender.pid()
        );
        answer.extend(bytes);
    }
    ensure!(answer == challenge, "a wrong answer");
    ensure!(is_there(&descriptor), "whoever connected has gone");
    let stream = stream.into_inner();
    setsockopt(&stream, PassCred, &false).context("have answers unsigned again")?;
    Ok((stream, Held::new(peer.pid(), descriptor)))
}

/// Some bytes, and the process that sent them.
fn receive(stream: &UnixStream, most: usize) -> io::Result<(Vec<u8>, Option<UnixCredentials>)> {
    let mut bytes = vec![0; most];
    let mut space = nix::cmsg_space!(UnixCredentials);
    let (length, sender) = {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
        let sender = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(sender) => Some(sender),
            _ => None,
        });
        (message.bytes, sender)
    };
    bytes.truncate(length);
    Ok((bytes, sender))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn uids_and_the_login_uid_are_read() {
        let status = "Name:\tUid: 7\nUid:\t1001\t0\t2\t3\n";
        let place = "0::/user.slice/user-1002.slice/session-3.scope\n";
        let read = |login| traits(status, login, place);
        let with = |login| {
            Some(Traits {
                uids: [1001, 0, 2, 3],
                login,
                namespace: Namespace::Another,
                session: Some(1002),
                called_by: None,
            })
        };
        assert_eq!(read("1002\n"), with(Some(1002)));
        assert_eq!(read("4294967295\n"), with(None));
        assert_eq!(read(""), with(None));
        assert_eq!(read("x"), None);
    }

    #[test]
    fn only_what_stands_among_somebodys_logins_is_of_their_session() {
        for (place, uid) in [
            ("/user.slice/user-1002.slice/session-3.scope", Some(1002)),
            (
                "/user.slice/user-1002.slice/session-3.scope/tpa-7H2KM4QX",
                Some(1002),
            ),
            (
                "/user.slice/user-1002.slice/user@1002.service/tmux.scope",
                Some(1002),
            ),
            ("/user.slice/user-1002.slice", None),
            ("/user.slice", None),
            ("/system.slice/cron.service", None),
            (
                "/system.slice/a.service/user.slice/user-1002.slice/session-3.scope",
                None,
            ),
            ("/../user.slice/user-1002.slice/session-3.scope", None),
            ("/user.slice/user-x.slice/session-3.scope", None),
            ("", None),
        ] {
            assert_eq!(session(&format!("0::{place}\n")), uid, "{place}");
            let both = format!("5:pids:/user.slice\n1:name=systemd:{place}\n");
            assert_eq!(session(&both), uid, "{place}");
            let hybrid = format!("9:name=systemd:/\n0::{place}\n");
            assert_eq!(session(&hybrid), uid, "{place}");
        }
    }

    #[test]
    fn whoever_called_sudo_is_read_and_of_several_nobody_is_believed() {
        for (environment, uid) in [
            ("HOME=/root\0SUDO_UID=33\0", Some(33)),
            ("PKEXEC_UID=33\0", Some(33)),
            ("SUDO_UID=33\0PKEXEC_UID=33\0", Some(33)),
            ("SUDO_UID=33\0PKEXEC_UID=1003\0", Some(NO_LOGIN)),
            ("SUDO_UID=carol\0", Some(NO_LOGIN)),
            ("DOAS_USER=carol\0", Some(NO_LOGIN)),
            ("XSUDO_UID=33\0SUDO_UIDS=1\0", None),
            ("", None),
        ] {
            assert_eq!(caller_in(environment.as_bytes()), uid, "{environment}");
        }
    }

    #[test]
    fn this_process_is_in_our_user_namespace() {
        let proc = Path::new("/proc");
        assert_eq!(namespace(proc, &proc.join("self")), Namespace::Ours);
        assert_eq!(namespace(proc, Path::new("/proc/none")), Namespace::Another);
    }

    #[test]
    fn whoever_answers_the_challenge_is_the_one_that_connected() {
        let runtime = SharedRuntime::new().unwrap();
        let (here, mut there) = UnixStream::pair().unwrap();
        let answering = std::thread::spawn(move || {
            let mut challenge = [0; CHALLENGE_LENGTH];
            there.read_exact(&mut challenge).unwrap();
            there.write_all(&challenge).unwrap();
        });
        let proven = runtime.block_on(prove(&runtime, here));
        answering.join().unwrap();
        let (_stream, held) = proven.unwrap();
        assert!(matches!(held.look(Path::new("/proc")), Process::Held(_)));
    }

    #[test]
    fn another_process_cannot_answer_for_the_one_that_connected() {
        let runtime = SharedRuntime::new().unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        let there: OwnedFd = there.into();
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "dd bs=1 count=16 <&0 >&1 2>/dev/null"])
            .stdin(there.try_clone().unwrap())
            .stdout(there)
            .spawn()
            .unwrap();
        let refused = runtime.block_on(prove(&runtime, here)).unwrap_err();
        child.wait().unwrap();
        assert!(refused.to_string().contains("answered"), "{refused:#}");
    }

    #[test]
    fn an_answer_that_was_sent_before_the_challenge_is_none() {
        let runtime = SharedRuntime::new().unwrap();
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(&[0; CHALLENGE_LENGTH]).unwrap();
        let refused = runtime.block_on(prove(&runtime, here)).unwrap_err();
        // Who sent it was noted only where that was asked for by then.
        let told = ["wrong answer", "process 0 answered"];
        let refused = refused.to_string();
        assert!(told.iter().any(|why| refused.contains(why)), "{refused}");
    }
}
