//! People, as the kernel and the bus know them.

use serde::{Deserialize, Serialize};
use tpa_bus::offline::Who;

use super::{PasswdEntry, Proof};
use crate::clock::Now;
use crate::policy::Policy;

/// Someone with an account. There is no default: a person who was not looked up does not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// Somebody with an account, as the host knows them at this moment. A uid is one person, whatever
/// the number of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub person: Person,
    /// All names that this host's files give to the uid; the person's own among them.
    pub names: Vec<String>,
    /// Names of the groups that any of these names is in.
    pub groups: Vec<String>,
    /// Whether the account may be used.
    pub standing: Standing,
    /// Why the name service does not say which groups of a directory they are in, where it does not.
    pub untold: Option<String>,
    /// By which version of the host's accounts they were known; `None` where no file was looked at.
    pub entry: Option<PasswdEntry>,
}

impl Identity {
    /// Somebody with one name and an account in good order.
    #[must_use]
    pub fn of(person: Person, groups: Vec<String>) -> Self {
        Self {
            names: vec![person.name.clone()],
            person,
            groups,
            standing: Standing::Good,
            untold: None,
            entry: None,
        }
    }

    /// A uid of which the name service does not tell whose it is, and why: on no list, in no group.
    /// What is known to be this uid's it can end.
    #[must_use]
    pub fn untold(uid: u32, why: String) -> Self {
        Self {
            standing: Standing::Untold(why.clone()),
            untold: Some(why),
            ..Self::unknown(uid)
        }
    }

    /// A uid that nobody on this host has: on no list, in no group.
    #[must_use]
    pub fn unknown(uid: u32) -> Self {
        Self {
            person: Person {
                uid,
                name: format!("uid {uid}"),
            },
            names: Vec::new(),
            groups: Vec::new(),
            standing: Standing::Good,
            untold: None,
            entry: None,
        }
    }

    /// Whether a list of those who may ask names them; see [`Policy::means`].
    #[must_use]
    pub fn is_meant(&self, policy: &Policy, list: &[Who]) -> bool {
        let mut names = self.names.iter();
        names.any(|name| policy.means(list, name, self.person.uid, &self.groups))
    }

    /// Whether a list of those who decide names them. `*` means nobody here: no configuration may
    /// say that everyone decides.
    fn is_listed(&self, list: &[Who]) -> bool {
        list.iter().filter(|who| **who != Who::Everyone).any(|who| {
            self.names
                .iter()
                .any(|name| who.includes(name, &self.groups))
        })
    }
}

/// Whether an account may be used, as shadow(5) and subuid(5) say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Standing {
    /// Nothing says that it may not.
    Good,
    /// Its password was locked (`usermod -L`, `passwd -l`).
    Locked,
    /// It has expired (`usermod -e`), or its password has for longer than it may.
    Expired,
    /// Somebody else may use its uid in a user namespace (subuid(5)), and who.
    Lent(String),
    /// shadow(5) or subuid(5) cannot be read, and why.
    Unknown(String),
    /// Only a name service that does not answer knows the account, and why it does not: it may be
    /// locked, expired or gone.
    Untold(String),
}

/// Who is calling: the person, and what may take away from what they can do.
///
/// Made by [`super::caller()`] alone: see there for the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person whose doing it is.
    pub identity: Identity,
    /// The uid of the connection, as the kernel has it.
    pub uid: u32,
    /// Whose login the call comes from, where that is neither root's nor the person's: a decision
    /// must be allowed to both, and is the own affair of both.
    pub login: Option<Box<Identity>>,
    /// How it was told.
    pub proof: Proof,
}

impl Caller {
    /// The person whose doing it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.identity.person
    }

    /// Whose login it is, where that is another's.
    #[must_use]
    pub fn login_person(&self) -> Option<Person> {
        self.login.as_ref().map(|login| login.person.clone())
    }

    /// Whether the call comes with root's rights, whoever the human is.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// When they said it, in seconds since 1970: what counts from the saying counts from here. A
    /// signed statement may come late, and never lengthens anything by that.
    #[must_use]
    pub fn said_at(&self, now: &Now) -> i64 {
        let said = self.proof.said();
        said.map_or(now.wall_s, |said| said.at.min(now.wall_s))
    }

    /// Whether this uid is anybody's who may be behind the call: the person's, the calling
    /// process's, or that of its login.
    #[must_use]
    pub fn may_be(&self, uid: u32) -> bool {
        self.acts_for(uid) || self.identities().any(|who| who.person.uid == uid)
    }

    /// Whether what belongs to this uid is the caller's own to use: by the uid, never by a login.
    #[must_use]
    pub fn acts_for(&self, uid: u32) -> bool {
        self.person().uid == uid || self.uid == uid
    }

    /// Whether a list of those who decide names everybody behind the call.
    #[must_use]
    pub fn is_listed(&self, list: &[Who]) -> bool {
        self.identities().all(|who| who.is_listed(list))
    }

    /// Whether everybody behind the call is in this group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.identities()
            .all(|who| who.groups.iter().any(|name| name == group))
    }

    /// Why it cannot be told which groups somebody behind the call is in, where it cannot.
    #[must_use]
    pub fn untold(&self) -> Option<&str> {
        self.identities().find_map(|who| who.untold.as_deref())
    }

    /// The person, and whose login it is where that is another's.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        std::iter::once(&self.identity).chain(self.login.as_deref())
    }
}
