//! System calls that have no safe wrapper: process descriptors, `pidfd_open(2)`.
//!
//! A pid is a number that the kernel gives to somebody else as soon as its process is gone; a
//! process descriptor stays with the process it was opened for.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Opens a descriptor of the process. It becomes readable when the process ends.
///
/// # Errors
/// `ESRCH` when there is no such process, `ENOSYS` before Linux 5.3.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory of this process.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends `SIGKILL` to the process behind the descriptor.
///
/// # Errors
/// `ESRCH` when it has ended already, `EPERM` when it may not be killed.
pub fn pidfd_kill(process: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the whole call, and a null siginfo is allowed:
    // the kernel then fills it in as kill(2) does.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A moment as the people of this host read it: `16:30 CET`. UTC when it cannot be told.
#[must_use]
pub fn local_time(at: i64) -> String {
    // SAFETY: an all-zero tm is a valid value of that plain structure; localtime_r fills it, and
    // its zone name is a string of libc's that lives as long as the process, which sets no zone.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const at, &raw mut tm).is_null() || tm.tm_zone.is_null() {
            let (hour, minute) = (
                at.div_euclid(3_600).rem_euclid(24),
                at.div_euclid(60).rem_euclid(60),
            );
            return format!("{hour:02}:{minute:02} UTC");
        }
        let zone = std::ffi::CStr::from_ptr(tm.tm_zone).to_string_lossy();
        format!("{:02}:{:02} {zone}", tm.tm_hour, tm.tm_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn a_process_is_killed_through_its_descriptor() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = pidfd_open(i32::try_from(child.id()).unwrap()).unwrap();
        pidfd_kill(process.as_fd()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        let error = pidfd_kill(process.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn there_is_no_descriptor_of_nobody() {
        assert!(pidfd_open(-1).is_err());
        assert!(pidfd_open(0).is_err());
    }
}
