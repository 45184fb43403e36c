//! The hash chain: no event can be changed, removed, inserted or moved without a break.

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The newest link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its place, from 1; 0 when there is none yet.
    pub seq: u64,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
}

impl Head {
    /// What stands before the first event.
    #[must_use]
    pub fn genesis() -> Self {
        Self {
            seq: 0,
            hash: "0".repeat(64),
        }
    }
}

/// The hash of an event: SHA-256 (FIPS 180-4) over the hash before it, its place, time, code and
/// body, each ended by a line feed, which none of the first four holds.
#[must_use]
pub fn link(previous: &str, seq: u64, at: i64, code: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{previous}\n{seq}\n{at}\n{code}\n"));
    hasher.update(body);
    hasher.update("\n");
    hex(&hasher.finalize())
}
