//! Stories that flood something. Hosts share the processors and the kernel of this machine: two
//! floods at once are not what either story is about, and a bus, a login or `logind` would wait for
//! its turn as long as on no host.

use std::sync::{Mutex, MutexGuard, PoisonError};

static FLOOD: Mutex<()> = Mutex::new(());

/// Nobody else floods anything while this is held. Other stories go on.
pub fn flood() -> MutexGuard<'static, ()> {
    // A story that failed has left nothing behind but its host, which is gone.
    FLOOD.lock().unwrap_or_else(PoisonError::into_inner)
}
