//! The gate: asks `tpad` whether the person whom PAM is about to let in holds a live grant.
//!
//! This file only declares the entry points (pam(3)). [`ask`], [`account`], [`session`] and
//! [`scope`] are the phases; they see the world through three traits, [`handle::Pam`] (the PAM handle),
//! [`daemon::Daemon`] (tpad) and [`host::Host`] (the machine), and are tested with fakes of them.

pub mod account;
pub mod args;
pub mod ask;
pub mod bus;
pub mod cgroup;
pub mod child;
pub mod clock;
pub mod daemon;
pub mod decide;
pub mod departure;
pub mod door;
pub mod ffi;
pub mod folder;
pub mod given;
pub mod handle;
pub mod host;
pub mod limit;
pub mod people;
pub mod phase;
pub mod questions;
pub mod runtime;
pub mod scope;
pub mod seats;
pub mod session;
pub mod subject;

#[cfg(test)]
mod fakes;

use std::ffi::CStr;

use ::pam::constants::{PamFlag, PamResultCode};
use ::pam::module::{PamHandle, PamHooks};

use crate::phase::enter;

/// What PAM calls. `auth` and `password` have nothing to decide: who somebody is, others say.
/// `auth` may ask them what they need, and wait for it.
struct Gate;

mod entry_points {
    use super::Gate;
    ::pam::pam_hooks!(Gate);
}

impl PamHooks for Gate {
    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, account::account)
    }

    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, ask::authenticate)
    }

    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_IGNORE
    }

    fn sm_close_session(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, session::close)
    }

    fn sm_open_session(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, session::open)
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_IGNORE
    }
}
