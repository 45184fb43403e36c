//! The moment somebody who is made to wait leaves.
//!
//! sshd does not look at its connection while a module runs, sudo only notes Ctrl-C, and login
//! ignores it. So the wait itself watches for both, and is over when they happen.

use std::fs;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{OwnedFd, RawFd};
use std::pin::pin;
use std::task::Poll;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use zruntime::{Interest, SharedRuntime};

use crate::ffi::duplicate;

/// What a terminal sends when somebody leaves it, and sshd to its helper.
const SIGNALS: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// A watch for it. While it lasts the signals are held back; they are not taken, so that
/// afterwards the program gets them and does what it does with them.
pub struct Departure {
    happened: Epoll,
    before: SigSet,
    _signals: SignalFd,
    _connections: Vec<OwnedFd>,
}

impl Departure {
    /// Watches the signals and the connections of this process from `rhost` (`PAM_RHOST`).
    ///
    /// # Errors
    /// When the kernel has no room for the watch.
    pub fn watch(rhost: Option<&str>) -> nix::Result<Self> {
        let held: SigSet = SIGNALS.into_iter().collect();
        let happened = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let signals = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        happened.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let connections = rhost.map(connections).unwrap_or_default();
        for connection in &connections {
            // What else comes on it is the program's to read.
            happened.add(connection, EpollEvent::new(EpollFlags::EPOLLRDHUP, 0))?;
        }
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self {
            happened,
            before,
            _signals: signals,
            _connections: connections,
        })
    }

    /// What the work comes to, or `None` when the person leaves before.
    pub async fn unless_first<T>(
        &self,
        runtime: &SharedRuntime,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let mut departure = pin!(self.happens(runtime));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => departure.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Also over when it cannot be watched for: then nobody is made to wait.
    async fn happens(&self, runtime: &SharedRuntime) {
        if let Ok(own) = self.happened.0.try_clone()
            && let Ok(watched) = runtime.register(own)
        {
            let _ = watched.ready(Interest::Readable).await;
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        // Fails for a mask that is none, which the one of before is not.
        let _ = self.before.thread_set_mask();
    }
}

/// The connections of this process that lead to an address.
fn connections(rhost: &str) -> Vec<OwnedFd> {
    let Ok(rhost) = rhost.parse::<IpAddr>() else {
        return Vec::new();
    };
    let Ok(open) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|number| leads_to(number, rhost).ok().flatten())
        .collect()
}

fn leads_to(number: RawFd, rhost: IpAddr) -> io::Result<Option<OwnedFd>> {
    let socket = TcpStream::from(duplicate(number)?);
    let theirs = socket
        .peer_addr()
        .is_ok_and(|peer| peer.ip().to_canonical() == rhost.to_canonical());
    Ok(theirs.then(|| socket.into()))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::TcpListener;

    use nix::sys::signal::raise;

    use super::*;

    fn waits_in_vain(departure: &Departure) -> bool {
        let runtime = SharedRuntime::new().unwrap();
        let work = departure.unless_first(&runtime, pending::<()>());
        runtime.block_on(work).is_none()
    }

    #[test]
    fn work_that_is_done_is_not_thrown_away() {
        let departure = Departure::watch(None).unwrap();
        let runtime = SharedRuntime::new().unwrap();
        let work = departure.unless_first(&runtime, async { 7 });
        assert_eq!(runtime.block_on(work), Some(7));
    }

    #[test]
    fn a_connection_that_closes_ends_the_wait_whatever_was_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut client, b"typed ahead").unwrap();
        let departure = Departure::watch(Some("127.0.0.1")).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(waits_in_vain(&departure));
    }

    #[test]
    fn a_signal_ends_the_wait_and_reaches_the_program_after_it() {
        let held = || SigSet::thread_get_mask().unwrap().contains(Signal::SIGINT);
        // Held back by the test itself, so that the signal stays pending for it to see.
        let outer: SigSet = [Signal::SIGINT].into_iter().collect();
        outer.thread_block().unwrap();
        let departure = Departure::watch(None).unwrap();
        raise(Signal::SIGINT).unwrap();
        assert!(waits_in_vain(&departure));
        drop(departure);
        assert!(held(), "the mask of before is back");
        assert_eq!(outer.wait().unwrap(), Signal::SIGINT);
        outer.thread_unblock().unwrap();
    }

    #[test]
    fn afterwards_no_signal_is_held_back_that_was_not_before() {
        drop(Departure::watch(None).unwrap());
        let mask = SigSet::thread_get_mask().unwrap();
        assert!(SIGNALS.iter().all(|signal| !mask.contains(*signal)));
    }
}
