//! A short-lived process of the module's own, in a program that must not notice: what it wrote,
//! and its end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::clock;

/// Longest text that is read of a process.
const MAX_BYTES: u64 = 4 << 20;

/// What is written to a pipe until it is closed at the other end, or the limit.
///
/// # Errors
/// When it cannot be read.
pub fn read_until(from: OwnedFd, limit: Duration) -> io::Result<String> {
    let end = clock::uptime()?.saturating_add(limit);
    let mut from = File::from(from);
    let mut text = Vec::new();
    loop {
        let left = end.saturating_sub(clock::uptime()?);
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut ready = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, left) {
            Ok(0) => break,
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut piece = [0; 4_096];
        let length = from.read(&mut piece)?;
        text.extend(piece.iter().take(length));
        if length == 0 || text.len() as u64 > MAX_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Holds SIGCHLD back while there is a child of the module's, and takes the one that is for that
/// child: the handlers of sshd, sudo or cron would look for children of theirs.
pub struct Reaper {
    before: SigSet,
    told: SignalFd,
}

impl Reaper {
    /// Holds it back from now on.
    ///
    /// # Errors
    /// When the kernel has no descriptor left for it.
    pub fn begin() -> nix::Result<Self> {
        let held: SigSet = [Signal::SIGCHLD].into_iter().collect();
        let told = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before, told })
    }

    /// Ends the child, at once.
    pub fn end(self, child: Pid) {
        let _ = kill(child, Signal::SIGKILL);
        // ECHILD where the program ignores SIGCHLD, or another thread of it waits for everybody.
        while waitpid(child, None) == Err(nix::Error::EINTR) {}
        let taken = self.told.read_signal().is_ok_and(|signal| signal.is_some());
        // The signal counts for all children that ended meanwhile.
        if taken && has_ended_child() {
            let _ = raise(Signal::SIGCHLD);
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // Fails for a mask that is none, which the one of before is not.
        let _ = self.before.thread_set_mask();
    }
}

/// Whether the program has a child that ended and that it has not waited for.
fn has_ended_child() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    matches!(waitid(Id::All, flags), Ok(ended) if ended != WaitStatus::StillAlive)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::ffi::in_child;

    #[test]
    fn what_hangs_is_ended_at_the_limit_and_what_it_wrote_before_counts() {
        let limit = Duration::from_secs(1);
        let text = in_child(limit, |out| {
            out.write_all(b"first\n")?;
            nix::unistd::pause();
            out.write_all(b"never\n")
        });
        assert_eq!(text.unwrap(), "first\n");
    }

    #[test]
    fn work_that_is_done_is_not_waited_for_and_one_that_panics_ends_itself_alone() {
        let long = Duration::from_secs(100);
        let text = in_child(long, |out| out.write_all("done, grün".as_bytes()));
        assert_eq!(text.unwrap(), "done, grün");
        let text = in_child(long, |out| {
            out.write_all(b"before")?;
            panic!("in the child");
        });
        assert_eq!(text.unwrap(), "before");
    }

    #[test]
    fn the_program_hears_of_its_own_children_and_of_no_other() {
        let held: SigSet = [Signal::SIGCHLD].into_iter().collect();
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap();
        let hears = SignalFd::with_flags(&held, SfdFlags::SFD_NONBLOCK).unwrap();
        let run = || in_child(Duration::from_secs(100), |out| out.write_all(b"x"));
        run().unwrap();
        // Another test of this program may have ended a child of its own meanwhile.
        if !has_ended_child() {
            assert_eq!(hears.read_signal().unwrap(), None);
        }
        let mut own = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(own.id()).unwrap());
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        run().unwrap();
        assert!(has_ended_child() && own.wait().unwrap().success());
        before.thread_set_mask().unwrap();
    }
}
