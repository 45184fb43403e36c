//! Reads `tpad.toml`, `roles.d` and `notify.toml` into the values of [`crate::policy`], whole or not at all, and
//! says what is wrong with them and what they come to.

mod document;
mod exact;
pub mod explain;
mod explain_json;
mod files;
pub mod load;
mod login_defs;
pub(crate) mod look;
mod notify;
pub mod people;
pub mod problem;
mod program;
mod role;
mod settings;
mod signers;
pub(crate) mod standing;
mod sudo;
mod usable;
mod who;
