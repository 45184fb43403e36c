//! A name service module (nsswitch.conf(5)) that does what a file tells it to: `answers`, `empty`,
//! `gone`, or `hangs N` seconds a call and then answers. Without the file nobody is there. It knows
//! one person and one group, which lists nobody. Only for the scenarios: no package has it.

use std::ffi::{CStr, c_char, c_int, c_long};
use std::slice;
use std::time::Duration;

use nix::libc::{ENOENT, ERANGE, gid_t, group, passwd, size_t, uid_t};
use nix::poll::{PollTimeout, poll};

const STATE: &str = "/run/nss-directory";
const DORA: &CStr = c"dora";
const DORA_ID: u32 = 7_001;
const GROUP: &CStr = c"dirgroup";
const GROUP_ID: u32 = 7_000;

// `enum nss_status` of nss.h.
const TRY_AGAIN: c_int = -2;
const UNAVAILABLE: c_int = -1;
const NOT_FOUND: c_int = 0;
const SUCCESS: c_int = 1;

/// Whether the directory answers; else its status.
fn state() -> Result<(), c_int> {
    let state = std::fs::read_to_string(STATE).unwrap_or_default();
    let mut words = state.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some("answers"), _) => Ok(()),
        (Some("empty"), _) => Err(NOT_FOUND),
        (Some("hangs"), seconds) => {
            let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(60);
            let limit = PollTimeout::try_from(Duration::from_secs(seconds));
            // Waits for nothing, which is what hanging is.
            let _ = poll(&mut [], limit.unwrap_or(PollTimeout::MAX));
            Ok(())
        }
        _ => Err(UNAVAILABLE),
    }
}

/// The caller's memory for the texts of an answer.
struct Room<'a>(&'a mut [u8]);

impl Room<'_> {
    /// A copy of the text in there.
    fn put(&mut self, text: &CStr) -> Option<*mut c_char> {
        let bytes = text.to_bytes_with_nul();
        let whole = std::mem::take(&mut self.0);
        let (place, rest) = whole.split_at_mut_checked(bytes.len())?;
        place.copy_from_slice(bytes);
        self.0 = rest;
        Some(place.as_mut_ptr().cast())
    }
}

fn dora(room: &mut Room<'_>) -> Option<passwd> {
    Some(passwd {
        pw_name: room.put(DORA)?,
        // None, and not "x", which stands for one in shadow(5).
        pw_passwd: room.put(c"*")?,
        pw_uid: DORA_ID,
        pw_gid: DORA_ID,
        pw_gecos: room.put(c"Dora of the directory")?,
        pw_dir: room.put(c"/home/dora")?,
        pw_shell: room.put(c"/bin/bash")?,
    })
}

fn dirgroup(room: &mut Room<'_>) -> Option<group> {
    let name = room.put(GROUP)?;
    let password = room.put(c"*")?;
    // The end of an empty list: a null pointer, aligned.
    let skip = room.0.as_ptr().align_offset(align_of::<*mut c_char>());
    let list = room
        .0
        .get_mut(skip..skip.checked_add(size_of::<*mut c_char>())?)?;
    list.fill(0);
    Some(group {
        gr_name: name,
        gr_passwd: password,
        gr_gid: GROUP_ID,
        gr_mem: list.as_mut_ptr().cast(),
    })
}

/// Answers a call.
///
/// # Safety
/// The pointers are those that the C library calls a module with: `buffer` is `length` bytes of its
/// caller's, the other two are places to write to.
unsafe fn answer<T>(
    is_it: bool,
    result: *mut T,
    buffer: *mut c_char,
    length: size_t,
    errno: *mut c_int,
    answer_of: fn(&mut Room<'_>) -> Option<T>,
) -> c_int {
    let (status, error) = match state() {
        Ok(()) if is_it => {
            // SAFETY: see above.
            let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast(), length) };
            match answer_of(&mut Room(buffer)) {
                Some(made) => {
                    // SAFETY: see above.
                    unsafe { result.write(made) };
                    return SUCCESS;
                }
                None => (TRY_AGAIN, ERANGE),
            }
        }
        Ok(()) => (NOT_FOUND, ENOENT),
        Err(status) => (status, ENOENT),
    };
    // SAFETY: see above.
    unsafe { errno.write(error) };
    status
}

/// See nss(5) and `getpwnam_r(3)`.
///
/// # Safety
/// Called by the C library alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_directory_getpwnam_r(
    name: *const c_char,
    result: *mut passwd,
    buffer: *mut c_char,
    length: size_t,
    errno: *mut c_int,
) -> c_int {
    // SAFETY: the C library's caller gave a name, and the rest is as `answer` wants it.
    unsafe {
        let is_it = CStr::from_ptr(name) == DORA;
        answer(is_it, result, buffer, length, errno, dora)
    }
}

/// See nss(5) and `getpwuid_r(3)`.
///
/// # Safety
/// Called by the C library alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_directory_getpwuid_r(
    uid: uid_t,
    result: *mut passwd,
    buffer: *mut c_char,
    length: size_t,
    errno: *mut c_int,
) -> c_int {
    // SAFETY: as `answer` wants it.
    unsafe { answer(uid == DORA_ID, result, buffer, length, errno, dora) }
}

/// See nss(5) and `getgrnam_r(3)`.
///
/// # Safety
/// Called by the C library alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_directory_getgrnam_r(
    name: *const c_char,
    result: *mut group,
    buffer: *mut c_char,
    length: size_t,
    errno: *mut c_int,
) -> c_int {
    // SAFETY: the C library's caller gave a name, and the rest is as `answer` wants it.
    unsafe {
        let is_it = CStr::from_ptr(name) == GROUP;
        answer(is_it, result, buffer, length, errno, dirgroup)
    }
}

/// See nss(5) and `getgrgid_r(3)`.
///
/// # Safety
/// Called by the C library alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_directory_getgrgid_r(
    gid: gid_t,
    result: *mut group,
    buffer: *mut c_char,
    length: size_t,
    errno: *mut c_int,
) -> c_int {
    // SAFETY: as `answer` wants it.
    unsafe { answer(gid == GROUP_ID, result, buffer, length, errno, dirgroup) }
}

/// Adds the groups of somebody to a list, see `initgroups_dyn` of nss(5) and getgrouplist(3).
///
/// # Safety
/// Called by the C library alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_directory_initgroups_dyn(
    user: *const c_char,
    _primary: gid_t,
    start: *mut c_long,
    size: *mut c_long,
    groups: *mut *mut gid_t,
    _limit: c_long,
    errno: *mut c_int,
) -> c_int {
    let status = match state() {
        // SAFETY: the C library's caller gave a name.
        Ok(()) if unsafe { CStr::from_ptr(user) } == DORA => SUCCESS,
        Ok(()) => NOT_FOUND,
        Err(status) => status,
    };
    // SAFETY: all are places of the C library's; the list has room for `size` numbers, of which
    // `start` are taken, and it comes with room for more than these.
    unsafe {
        match usize::try_from(*start) {
            Ok(place) if status == SUCCESS && *start < *size => {
                (*groups).add(place).write(GROUP_ID);
                *start += 1;
                SUCCESS
            }
            _ => {
                errno.write(ENOENT);
                status.min(NOT_FOUND)
            }
        }
    }
}
