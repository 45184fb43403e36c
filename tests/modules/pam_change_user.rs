//! A PAM module as a directory service may bring it: in each phase whose line names it, it makes
//! somebody else of the person (`PAM_USER`, `pam_set_item(3)`). Its arguments say whom of whom:
//! `mallory=alice`. It decides nothing. Only for the scenarios: no package has it.

use std::ffi::{CStr, CString};

use pam::constants::{PamFlag, PamResultCode};
use pam::items::User;
use pam::module::{PamHandle, PamHooks};

struct ChangeUser;

mod entry_points {
    use super::ChangeUser;
    pam::pam_hooks!(ChangeUser);
}

fn change(pamh: &mut PamHandle, args: &[&CStr]) -> PamResultCode {
    match whom(pamh, args).map(|name| pamh.set_item_str(User(&name))) {
        None | Some(Ok(())) => PamResultCode::PAM_IGNORE,
        Some(Err(code)) => code,
    }
}

/// Whom the person becomes.
fn whom(pamh: &PamHandle, args: &[&CStr]) -> Option<CString> {
    let now = pamh.get_item::<User<'_>>().ok()??.to_str().ok()?;
    let mut changes = args
        .iter()
        .filter_map(|arg| arg.to_str().ok()?.split_once('='));
    let (_, name) = changes.find(|(from, _)| *from == now)?;
    CString::new(name).ok()
}

impl PamHooks for ChangeUser {
    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        change(pamh, &args)
    }

    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        change(pamh, &args)
    }

    fn sm_open_session(pamh: &mut PamHandle, args: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        change(pamh, &args)
    }
}
