//! What is looked at: one thing, and what tells that it is another.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tpa_bus::text::one_line;

use crate::hex::hex;
use crate::ledger::SeenFile;

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An account.
    Account,
    /// A group, or who is in it.
    Group,
    /// The password of an account.
    Password,
    /// A rule of sudo's.
    Sudoers,
    /// A key that an account lets in.
    Key,
    /// A job of cron's.
    Cron,
    /// A job of at's.
    At,
    /// A unit of systemd's.
    Unit,
    /// A unit that somebody has for themselves.
    UserUnit,
    /// PAM.
    Pam,
    /// What every program loads.
    Preload,
    /// sshd.
    Sshd,
    /// Where names come from.
    Nss,
    /// polkit's rules.
    Polkit,
    /// A package.
    Package,
    /// A module of the kernel.
    Module,
    /// Something that listens.
    Socket,
    /// Something that runs.
    Process,
    /// A file that gives the rights of its owner, its group or capabilities to whoever runs it.
    Setuid,
}

impl Kind {
    /// The word that stands in lines and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Group => "group",
            Self::Password => "password",
            Self::Sudoers => "sudoers",
            Self::Key => "key",
            Self::Cron => "cron",
            Self::At => "at",
            Self::Unit => "unit",
            Self::UserUnit => "user-unit",
            Self::Pam => "pam",
            Self::Preload => "preload",
            Self::Sshd => "sshd",
            Self::Nss => "nss",
            Self::Polkit => "polkit",
            Self::Package => "package",
            Self::Module => "module",
            Self::Socket => "socket",
            Self::Process => "process",
            Self::Setuid => "setuid",
        }
    }

    /// What was looked for, for people.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::Group => "groups",
            Self::Password => "passwords",
            Self::Sudoers => "sudoers",
            Self::Key => "authorized keys",
            Self::Cron => "cron jobs",
            Self::At => "at jobs",
            Self::Unit => "systemd units",
            Self::UserUnit => "people's own systemd units",
            Self::Pam => "PAM",
            Self::Preload => "ld.so.preload",
            Self::Sshd => "sshd",
            Self::Nss => "name services",
            Self::Polkit => "polkit rules",
            Self::Package => "packages",
            Self::Module => "kernel modules",
            Self::Socket => "listening sockets",
            Self::Process => "processes",
            Self::Setuid => "setuid, setgid and capability files",
        }
    }

    /// Whether it is there for as long as the boot lasts, and another thing after it.
    #[must_use]
    pub const fn is_of_one_boot(self) -> bool {
        matches!(self, Self::Module | Self::Socket | Self::Process)
    }
}

/// Longest name of a thing that is kept, in characters.
const WHAT_MAX: usize = 300;

/// One thing, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What kind.
    pub kind: Kind,
    /// Which: with the kind, this names it.
    pub what: String,
    /// Another one when it is another.
    pub print: String,
    /// More of it for people, which does not name it.
    pub detail: Option<String>,
    /// Whose file it is.
    pub owner: Option<u32>,
    /// When its file was last changed in any way, in seconds since 1970 (`st_ctime`: nobody sets it,
    /// but by setting the clock).
    pub changed_at: Option<i64>,
    /// Which file it is, or stands in, where that was read whole.
    pub file: Option<Box<SeenFile>>,
    /// Who made it as it is, by somebody's record, and whose record that is.
    pub by: Option<By>,
}

/// Who did something, by a record that is not theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The uid of whoever did it; nothing where the record names nobody.
    pub uid: Option<u32>,
    /// How that is known: `the login uid`, `apt's log: apt install hello`.
    pub record: String,
}

impl Item {
    /// A thing of which no more is known.
    pub fn new(kind: Kind, what: &str, print: impl Into<String>) -> Self {
        Self {
            kind,
            what: named(what),
            print: print.into(),
            detail: None,
            owner: None,
            changed_at: None,
            file: None,
            by: None,
        }
    }
}

/// A name that people gave, as one clean line. Of a long one the beginning, and what tells it from
/// others that begin alike.
pub fn named(what: &str) -> String {
    let whole = one_line(what, WHAT_MAX);
    if !whole.ends_with('…') {
        return whole;
    }
    let mut digest = hex(&Sha256::digest(what.as_bytes()));
    digest.truncate(16);
    format!("{whole} #{digest}")
}

/// What fingerprints are made with: known to whoever reads the note, so to root alone. A print of a
/// password's hash tells that it was changed, and nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(pub String);

impl Salt {
    /// The fingerprint of these parts: 128 bits.
    pub fn print(&self, parts: &[&[u8]]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut print = hex(&hasher.finalize());
        print.truncate(32);
        print
    }
}
