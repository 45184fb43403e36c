//! How it was told who is calling. Each further way to say something gets its own word here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::policy::ProofLevel;

/// How it was told who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[must_use]
pub enum Proof {
    /// The kernel's uid of the connection is the person's.
    Uid,
    /// The connection is root's, of a process that is known to have made it: the person is its
    /// login uid's, and root where it has none.
    Login,
    /// PAM has just authenticated the person.
    Gate,
    /// An SSH key proves the person, who is the one that `/etc/tpa/signers` says it is of.
    Key(Key),
    /// They signed a statement with such a key.
    Statement(Box<Said>),
    /// The process that made the connection cannot be told, so that nobody knows whose login it
    /// comes from. Root's rights are there all the same; a person behind them is not.
    Unproven,
}

/// The key that proved a person, and what it told beside that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key, as `SHA256:…`.
    pub fingerprint: String,
    /// Whether a security key told that somebody touched it.
    pub touched: bool,
    /// Whether it told that it knew them by PIN or finger.
    pub verified: bool,
}

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The key that signed it.
    pub key: Key,
    /// The SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
    /// When it was signed, in seconds since 1970.
    pub at: i64,
    /// From when on it says nothing any more, in seconds since 1970.
    pub expires: i64,
    /// The other hosts that it names beside this one. What it asks for keeps them; beside that its
    /// text has them.
    #[serde(skip)]
    pub others: BTreeSet<String>,
    /// The statement with its signature, as text: evidence, in the first event that it brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<String>,
}

impl Proof {
    /// What it is worth, as roles ask for it; nothing where nobody is proven.
    #[must_use]
    pub fn level(&self) -> Option<ProofLevel> {
        match self {
            Self::Uid | Self::Login | Self::Gate => Some(ProofLevel::Session),
            Self::Key(key) => Some(key.level()),
            Self::Statement(said) => Some(said.key.level()),
            Self::Unproven => None,
        }
    }

    /// The key, where one proved it.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(key) => Some(key),
            Self::Statement(said) => Some(&said.key),
            Self::Uid | Self::Login | Self::Gate | Self::Unproven => None,
        }
    }

    /// The statement, where one was signed.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Statement(said) => Some(said),
            Self::Uid | Self::Login | Self::Gate | Self::Key(_) | Self::Unproven => None,
        }
    }

    /// The same without the text of the statement, and what is told by it alone.
    pub fn without_paper(mut self) -> Self {
        if let Self::Statement(said) = &mut self {
            said.paper = None;
            said.others.clear();
        }
        self
    }
}

impl Key {
    fn level(&self) -> ProofLevel {
        match (self.touched, self.verified) {
            (true, true) => ProofLevel::Pin,
            (true, false) => ProofLevel::Touch,
            // Nobody was there whom it could have known.
            (false, _) => ProofLevel::Key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(touched: bool, verified: bool) -> Proof {
        Proof::Key(Key {
            fingerprint: "SHA256:x".to_owned(),
            touched,
            verified,
        })
    }

    #[test]
    fn a_key_that_nobody_touched_is_worth_no_more_than_a_file() {
        assert_eq!(key(false, false).level(), Some(ProofLevel::Key));
        assert_eq!(key(false, true).level(), Some(ProofLevel::Key));
        assert_eq!(key(true, false).level(), Some(ProofLevel::Touch));
        assert_eq!(key(true, true).level(), Some(ProofLevel::Pin));
    }

    #[test]
    fn who_cannot_be_told_has_proven_nothing_and_a_session_is_not_a_key() {
        assert_eq!(Proof::Unproven.level(), None);
        for session in [Proof::Uid, Proof::Login, Proof::Gate] {
            assert_eq!(session.level(), Some(ProofLevel::Session));
            assert!(session.level() < Some(ProofLevel::Key));
        }
    }

    #[test]
    fn a_proof_is_recorded_and_read_again() {
        for proof in [Proof::Uid, key(true, false), Proof::Unproven] {
            let text = serde_json::to_string(&proof).unwrap();
            assert_eq!(serde_json::from_str::<Proof>(&text).unwrap(), proof);
        }
    }
}
