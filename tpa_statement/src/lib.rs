//! What people say with their SSH key.
//!
//! A [`statement`] is a JSON object that names who says what, for which hosts, and until when.
//! Its bytes are signed with `ssh-keygen -Y sign -n statement@tpa.v1` and travel with the
//! signature as [`paper`], text that can be pasted. A host reads the paper, checks the signature
//! ([`sshsig`]) and looks the key up in `/etc/tpa/signers` ([`signers`]); [`accept`] does all of it
//! in one order. What the statement then comes to is the ledger's to say, as for a call on the bus.
//!
//! The bytes that were signed are the bytes that are parsed, kept and shown: nothing is encoded
//! anew. This crate reads no file and no clock.
#![forbid(unsafe_code)]

pub mod accept;
mod draft;
pub mod login;
pub mod paper;
pub mod signers;
pub mod sshsig;
pub mod statement;

/// The namespace of every signature (ssh-keygen(1), `-n`): a signature that was made for something
/// else, a commit or a login, says nothing here.
pub const NAMESPACE: &str = "statement@tpa.v1";
