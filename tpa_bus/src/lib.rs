//! The contract between the parts of TPA.
//!
//! `tpad` serves two D-Bus interfaces: [`access`] on the system bus, for people through `tpactl`,
//! and [`gate`], for the PAM module, peer to peer on a socket that only root can open (and, for
//! root alone, on the system bus too). [`offline`] is what the module goes by when nobody answers:
//! two small files that `tpad` derives from its ledger. [`state`], [`id`], [`span`] and [`text`] are the
//! written forms of what crosses these boundaries, so that every part reads and says them alike; [`groups`]
//! and [`stat`] are what more than one part reads of a host.
#![forbid(unsafe_code)]

pub mod access;
pub mod error;
pub mod gate;
pub mod groups;
pub mod id;
pub mod names;
pub mod offline;
#[cfg(feature = "pattern")]
pub mod pattern;
pub mod span;
pub mod stat;
pub mod state;
pub mod subuid;
pub mod sudo_list;
pub mod text;
