//! The handle that PAM gives us. The only unsafe code of the module.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ::pam::constants::{
    PAM_ERROR_MSG, PAM_PROMPT_ECHO_ON, PAM_SILENT, PAM_TEXT_INFO, PamFlag, PamMessageStyle,
    PamResultCode,
};
use ::pam::conv::Conv;
use ::pam::items::{RHost, RUser, Service, Tty, User};
use ::pam::module::PamHandle;

use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, fork, pipe2};
use tpa_bus::id::Id;

use crate::child::{Reaper, read_until};
use crate::handle::{Level, NotStored, OpenedOn, Pam};

/// Name of the data that `pam_systemd` reads the limit from.
const RUNTIME_MAX: &str = "systemd.runtime_max_sec";
/// Name of the data that the session line leaves for the scope line.
const OPENED_ON: &str = "tpa_session";
/// Name of the data that tells the session line which grant the account line bound sudo to.
const BOUND: &str = "tpa_bound";
/// Name of the data that tells the scope line which grants held the process before `pam_systemd`.
const HOLDERS: &str = "tpa_holders";

unsafe extern "C" {
    /// `pam_syslog(3)`, with the one format that we use.
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
    /// `pam_getenv(3)`
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
}

/// A PAM transaction during one call into the module.
pub struct Handle<'a> {
    pamh: &'a mut PamHandle,
    flags: PamFlag,
}

impl<'a> Handle<'a> {
    /// The handle and the flags of the call.
    pub fn new(pamh: &'a mut PamHandle, flags: PamFlag) -> Self {
        Self { pamh, flags }
    }

    fn say(&self, style: PamMessageStyle, text: &str) {
        if let Ok(Some(conv)) = self.pamh.get_item::<Conv<'_>>() {
            // The ssh client of somebody with LC_ALL=C shows the dots as three numbers.
            let _ = conv.send(style, &text.replace('…', "..."));
        }
    }
}

/// A descriptor of our own of what a number stands for in this process, closed on exec(3).
///
/// # Errors
/// When it stands for nothing (`EBADF`), or no more can be had.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number is lent for this one call, which leaves it as it is, and fails with EBADF
    // when it is not open.
    let lent = unsafe { BorrowedFd::borrow_raw(number) };
    lent.try_clone_to_owned()
}

/// What some work wrote within the limit, done in a process of its own, which is gone afterwards.
///
/// For calls that may hang and cannot be interrupted: a thread could not be ended, and would stay
/// in a program that knows nothing of it. The program does not hear of the process (see
/// [`Reaper`]).
///
/// # Errors
/// When no process can be made.
pub fn in_child(
    limit: Duration,
    work: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<String> {
    let (from, to) = pipe2(OFlag::O_CLOEXEC)?;
    let reaper = Reaper::begin()?;
    // SAFETY: the child runs the work and then ends at once, with no handler of the program's; the
    // C library makes the allocator usable in it also where the program has threads, and whatever
    // else hangs in there is ended at the limit.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(from);
            let mut to = File::from(to);
            let _ = catch_unwind(AssertUnwindSafe(|| work(&mut to)));
            // SAFETY: ends the process, and runs nothing of it.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(to);
            let text = read_until(from, limit);
            reaper.end(child);
            text
        }
    }
}

/// An item's text; an empty one counts as not set.
fn text(item: &CStr) -> Option<String> {
    let text = item.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn stored(result: Result<(), PamResultCode>) -> Result<(), NotStored> {
    result.map_err(|_| NotStored)
}

impl Pam for Handle<'_> {
    fn service(&self) -> Option<String> {
        text(self.pamh.get_item::<Service<'_>>().ok()??.0)
    }

    fn user(&self) -> Option<String> {
        text(self.pamh.get_item::<User<'_>>().ok()??.0)
    }

    fn ruser(&self) -> Option<String> {
        text(self.pamh.get_item::<RUser<'_>>().ok()??.0)
    }

    fn tty(&self) -> Option<String> {
        text(self.pamh.get_item::<Tty<'_>>().ok()??.0)
    }

    fn rhost(&self) -> Option<String> {
        text(self.pamh.get_item::<RHost<'_>>().ok()??.0)
    }

    fn ssh_methods(&self) -> Option<String> {
        let pamh = std::ptr::from_ref::<PamHandle>(self.pamh).cast_mut();
        // SAFETY: the handle is live for the length of the call, which only reads of it; the name
        // is NUL-terminated.
        let value = unsafe { pam_getenv(pamh, c"SSH_AUTH_INFO_0".as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: PAM gives a NUL-terminated string of its own, which stays until the variable is
        // set again; nothing does that before it is copied here.
        text(unsafe { CStr::from_ptr(value) })
    }

    fn say_error(&mut self, text: &str) {
        self.say(PAM_ERROR_MSG, text);
    }

    fn say_info(&mut self, text: &str) {
        if self.flags & PAM_SILENT == 0 {
            self.say(PAM_TEXT_INFO, text);
        }
    }

    fn prompt(&mut self, text: &str) -> Option<String> {
        let conv = self.pamh.get_item::<Conv<'_>>().ok()??;
        let answer = conv
            .send(PAM_PROMPT_ECHO_ON, &text.replace('…', "..."))
            .ok()??;
        Some(String::from_utf8_lossy(answer.as_bytes()).into_owned())
    }

    fn log(&mut self, level: Level, line: &str) {
        let priority = match level {
            Level::Alert => libc::LOG_ALERT,
            Level::Error => libc::LOG_ERR,
            Level::Warning => libc::LOG_WARNING,
            Level::Notice => libc::LOG_NOTICE,
        };
        let Ok(line) = CString::new(line) else { return };
        // SAFETY: the handle is live for the length of the call; the format takes exactly one
        // string, and both are NUL-terminated and outlive the call.
        unsafe { pam_syslog(self.pamh, priority, c"%s".as_ptr(), line.as_ptr()) }
    }

    fn limit_runtime(&mut self, seconds: u64) -> Result<(), NotStored> {
        // pam_systemd takes the data for a NUL-terminated string. A u64 has at most 20 digits.
        let mut text = Box::new([0u8; 32]);
        let written = format!("{seconds}s");
        for (to, from) in text.iter_mut().zip(written.bytes()) {
            *to = from;
        }
        stored(self.pamh.set_data(RUNTIME_MAX, text))
    }

    fn store_opened(&mut self, opened: OpenedOn) -> Result<(), NotStored> {
        stored(self.pamh.set_data(OPENED_ON, Box::new(opened)))
    }

    fn opened(&self) -> Option<OpenedOn> {
        // SAFETY: data of this name is stored by `store_opened` alone, with this type, and PAM
        // keeps it until the transaction ends or it is replaced, neither of which can happen
        // before it is copied here.
        unsafe { self.pamh.get_data::<OpenedOn>(OPENED_ON) }
            .ok()
            .copied()
    }

    fn keep_bound(&mut self, grant: Id) -> Result<(), NotStored> {
        stored(self.pamh.set_data(BOUND, Box::new(grant)))
    }

    fn bound(&self) -> Option<Id> {
        // SAFETY: as for `opened`: `keep_bound` alone stores data of this name, with this type.
        unsafe { self.pamh.get_data::<Id>(BOUND) }.ok().copied()
    }

    fn keep_holders(&mut self, grants: Vec<Id>) -> Result<(), NotStored> {
        stored(self.pamh.set_data(HOLDERS, Box::new(grants)))
    }

    fn holders(&self) -> Vec<Id> {
        // SAFETY: as for `opened`: `keep_holders` alone stores data of this name, with this type.
        let kept = unsafe { self.pamh.get_data::<Vec<Id>>(HOLDERS) };
        kept.cloned().unwrap_or_default()
    }
}
