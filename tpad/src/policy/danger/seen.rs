//! What was looked at on the host once, for rules to be judged by: handed in, so that judging needs
//! no look of its own. What was not looked at is judged by its name alone.

use std::collections::BTreeMap;

use crate::policy::SudoRule;

/// The host, as far as rules name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Files and programs that rules name, by the path that is named.
    pub files: BTreeMap<String, SeenFile>,
    /// Accounts that rules run as.
    pub accounts: BTreeMap<String, Account>,
    /// The members of groups that lists name, as far as they can be told here.
    pub members: BTreeMap<String, Vec<String>>,
    /// Why sudo's configuration could not be read, where it was to be.
    pub sudoers_unread: Option<String>,
    /// The sudo of this host is sudo-rs.
    pub sudo_rs: bool,
    /// Files in `roles.d` that may be meant as roles and are none.
    pub strays: Vec<String>,
}

/// A path that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenFile {
    /// Nothing is there.
    Missing,
    /// There is something, and root alone can change it.
    Roots {
        /// Its path with all links followed.
        real: String,
    },
    /// There is something, or nothing yet, in a place that others can write.
    Loose {
        /// What of the path others can write.
        place: String,
    },
}

/// An account that rules run as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Names of the groups it is in.
    pub groups: Vec<String>,
    /// Its uid is root's.
    pub is_root: bool,
    /// Names of the roles it decides on.
    pub decides: Vec<String>,
    /// What the host's own configuration of sudo gives it, without an end.
    pub standing: Vec<SudoRule>,
}
