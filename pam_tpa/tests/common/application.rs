//! An application that uses PAM, as far as the tests need one: a transaction from a folder of
//! service files (`pam_start_confdir(3)`), and the module's entry points by name (dlsym(3)).

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use tempfile::TempDir;

/// `pam_handle_t`
#[repr(C)]
struct Transaction {
    _opaque: [u8; 0],
}

/// `struct pam_conv`, with no conversation.
#[repr(C)]
struct Conversation {
    function: *const c_void,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        confdir: *const c_char,
        pamh: *mut *mut Transaction,
    ) -> c_int;
    fn pam_end(pamh: *mut Transaction, status: c_int) -> c_int;
}

type EntryPoint =
    unsafe extern "C" fn(*mut Transaction, c_int, c_int, *const *const c_char) -> c_int;

/// The module, loaded, and a folder of service files.
pub struct Module(*mut c_void, TempDir);

impl Module {
    /// Loads it, with every symbol resolved at once, as libpam does.
    pub fn load(path: &Path) -> Self {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path is NUL-terminated; the module's initialisers have no preconditions.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        // SAFETY: dlerror(3) gives a NUL-terminated text after a failure.
        assert!(!library.is_null(), "{:?}", unsafe {
            CStr::from_ptr(libc::dlerror())
        });
        Self(library, tempfile::tempdir().unwrap())
    }

    /// Calls an entry point in a new transaction.
    pub fn call(&self, entry: &CStr, service: &CStr, user: &CStr, args: &[&CStr]) -> c_int {
        let file = self.1.path().join(service.to_str().unwrap());
        if !file.exists() {
            std::fs::write(file, "account required pam_permit.so\n").unwrap();
        }
        let confdir = CString::new(self.1.path().to_str().unwrap()).unwrap();
        let silent = Conversation {
            function: ptr::null(),
            data: ptr::null_mut(),
        };
        let mut pamh = ptr::null_mut();
        let args: Vec<_> = args.iter().map(|arg| arg.as_ptr()).collect();
        let count = c_int::try_from(args.len()).unwrap();
        // SAFETY: all texts are NUL-terminated and outlive the transaction, which is started
        // before it is used and ended after; the symbol is one of the six that pam(3) defines
        // with this type.
        unsafe {
            let started = pam_start_confdir(
                service.as_ptr(),
                user.as_ptr(),
                &raw const silent,
                confdir.as_ptr(),
                &raw mut pamh,
            );
            assert_eq!(started, 0, "pam_start_confdir");
            let symbol = libc::dlsym(self.0, entry.as_ptr());
            assert!(!symbol.is_null(), "{entry:?}");
            let code = std::mem::transmute::<*mut c_void, EntryPoint>(symbol)(
                pamh,
                0,
                count,
                args.as_ptr(),
            );
            pam_end(pamh, 0);
            code
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the handle came from dlopen(3) and is used no more.
        unsafe { libc::dlclose(self.0) };
    }
}
