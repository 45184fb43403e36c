//! A test in a process of its own, where limits can be set and nothing else counts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Runs the test in a child; it passes when it returns true.
pub fn apart(test: impl FnOnce() -> bool) {
    // SAFETY: the child uses nothing that another thread of the parent could hold but the
    // allocator, which the C library keeps usable after fork(2), and leaves by _exit(2).
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let passed = catch_unwind(AssertUnwindSafe(test)).unwrap_or(false);
            // SAFETY: _exit(2) has no preconditions.
            unsafe { libc::_exit(i32::from(!passed)) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
}
