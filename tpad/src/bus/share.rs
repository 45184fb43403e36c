//! Whose share of what is limited a connection takes.

use std::fs;

use tpa_bus::subuid::{self, SUBUID};

/// The share of a uid. All uids that somebody may have in user namespaces take one, or a person with
/// 65,536 of them took everybody's. A file that cannot be read says nothing: then each uid has its
/// own.
#[must_use]
pub fn share_of(uid: u32) -> u32 {
    let text = fs::read_to_string(SUBUID).unwrap_or_default();
    subuid::share(&text, uid)
}
