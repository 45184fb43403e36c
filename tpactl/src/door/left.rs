//! Whoever came has left: their connection is gone, or the channel of it that this process is for.
//!
//! sshd ends nothing that has no terminal when its client is gone. A process that waits for a decision
//! would go on for as long as nobody decides, with its connection to the bus; and all who come in have
//! the connections of one account between them.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Ends this process when nobody can read it any more.
pub fn end_with_them() {
    std::thread::spawn(|| {
        if is_gone_for_good(&io::stdout()) {
            std::process::exit(1);
        }
    });
}

/// Waits until nobody can read what is written there; `false` where that cannot be told.
fn is_gone_for_good(out: &impl AsFd) -> bool {
    // That the other end is gone is told unasked (poll(2)).
    let mut watched = [PollFd::new(out.as_fd(), PollFlags::empty())];
    loop {
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) => return true,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn they_have_left_when_both_directions_are_closed_and_not_when_they_say_no_more() {
        let (here, there) = UnixStream::pair().unwrap();
        let (told, tells) = channel();
        there.shutdown(std::net::Shutdown::Write).unwrap();
        let watching = std::thread::spawn(move || told.send(is_gone_for_good(&here)));
        assert!(tells.try_recv().is_err(), "they still read");
        drop(there);
        assert_eq!(tells.recv(), Ok(true));
        watching.join().unwrap().unwrap();
        let (read, write) = io::pipe().unwrap();
        drop(read);
        assert!(is_gone_for_good(&write));
    }
}
