//! People, as the kernel and the bus know them.

use serde::{Deserialize, Serialize};
use tpa_bus::offline::Who;

/// Someone with an account. There is no default: a person who was not looked up does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Their uid. Never −1.
    pub uid: u32,
    /// Their name at the time.
    pub name: String,
}

impl Person {
    /// root without an audit login uid: the rescue console.
    #[must_use]
    pub fn root() -> Self {
        Self {
            uid: 0,
            name: "root".to_owned(),
        }
    }
}

/// Who is calling: the human behind the call and the uid that the process runs with.
///
/// The human is the audit login uid's, which survives `sudo` and `su` (`pam_loginuid(8)`); where
/// there is none, the uid's. A decision is the human's, but neither identity may be one that the
/// decision excludes: alice in a root shell is alice, and alice as carol is not carol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The human.
    pub person: Person,
    /// Names of the groups that the human is in, asked of NSS for this call.
    pub groups: Vec<String>,
    /// Effective uid of the calling process, from the bus driver.
    pub uid: u32,
}

impl Caller {
    /// Whether the call comes with root's rights, whoever the human is.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether this uid is the human's or the calling process's.
    #[must_use]
    pub fn is(&self, uid: u32) -> bool {
        self.person.uid == uid || self.uid == uid
    }

    /// Whether the human is on a list of those who decide. `*` means nobody here: no
    /// configuration may say that everyone decides.
    #[must_use]
    pub fn is_listed(&self, list: &[Who]) -> bool {
        list.iter()
            .any(|who| *who != Who::Everyone && who.includes(&self.person.name, &self.groups))
    }
}
