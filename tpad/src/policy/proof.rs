//! How surely it was told who somebody is.

use serde::{Deserialize, Serialize};

/// How a person proves who they are, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[must_use]
pub enum ProofLevel {
    /// By their login on this host.
    #[default]
    Session,
    /// By their SSH key.
    Key,
    /// By a security key that they touched.
    Touch,
    /// By a security key that knew them by PIN or finger.
    Pin,
}

impl ProofLevel {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Session, Self::Key, Self::Touch, Self::Pin];

    /// Its name in role files, events and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Touch => "touch",
            Self::Pin => "pin",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}
