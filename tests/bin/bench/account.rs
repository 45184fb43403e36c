//! What a program does before it lets somebody in: PAM's account phase, in a process of its own.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use anyhow::{Context, Result, ensure};

/// `PAM_SUCCESS`.
const SUCCESS: c_int = 0;

/// `PAM_CONV_ERR`.
const NOBODY_THERE: c_int = 19;

/// `struct pam_conv`, `pam_conv(3)`.
#[repr(C)]
struct Conversation {
    talk: extern "C" fn(c_int, *const c_void, *mut c_void, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

/// Nobody is there to answer.
extern "C" fn talk(_: c_int, _: *const c_void, _: *mut c_void, _: *mut c_void) -> c_int {
    NOBODY_THERE
}

/// As sshd asks about this person, by the stack in this folder.
pub fn ask(folder: &str, user: &str) -> Result<()> {
    let [service, user, folder] = ["sshd", user, folder].map(CString::new);
    let (service, user, folder) = (service?, user?, folder?);
    let conversation = Conversation {
        talk,
        data: null_mut(),
    };
    let mut handle = null_mut();
    // SAFETY: the texts and the conversation live until pam_end(3), and pam_start_confdir(3) writes
    // the handle, which is used by nobody else, and no more after pam_end.
    let answer = unsafe {
        let began = pam_start_confdir(
            service.as_ptr(),
            user.as_ptr(),
            &raw const conversation,
            folder.as_ptr(),
            &raw mut handle,
        );
        (began == SUCCESS && !handle.is_null()).then(|| {
            let answer = pam_acct_mgmt(handle, 0);
            pam_end(handle, answer);
            answer
        })
    };
    let answer = answer.context("PAM did not begin")?;
    ensure!(answer == SUCCESS, "PAM says {answer}");
    Ok(())
}
