//! `org.tpa1.Gate`: what the PAM module asks, for root alone.
//!
//! The module tells here whom PAM is about to let in; that is not the caller's identity, which is
//! always root's.

use zbus::{DeserializeDict, SerializeDict, Type};

use crate::access::{NewRequest, Request, Role};

/// In place of a class: the service is in no list, and the module refuses. `tpad` is told, for the
/// record.
pub const UNLISTED: &str = "unlisted";

/// Somebody at the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Query {
    /// PAM service name.
    pub service: String,
    /// `login` or `sudo`, see [`crate::offline::Class`], or [`UNLISTED`].
    pub class: String,
    /// The person: `PAM_USER`, or under sudo `PAM_RUSER`.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// The process that PAM runs in.
    pub pid: u32,
    /// Whether they are let in whatever the answer (the emergency group), to be logged as that.
    pub exempt: bool,
    /// `PAM_TTY`.
    pub tty: Option<String>,
    /// `PAM_RHOST`.
    pub rhost: Option<String>,
    /// As whom a sudo command will run.
    pub target: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Verdict {
    /// Whether they may come in.
    pub allowed: bool,
    /// What to tell them, line by line: why not and what to do, or the grant line.
    pub text: Vec<String>,
    /// The grant they come in on.
    pub grant: Option<String>,
    /// When it ends, in seconds since 1970.
    pub not_after: Option<i64>,
    /// Seconds until it ends.
    pub remaining_s: Option<u64>,
    /// Their undecided request which, approved, would let them in.
    pub pending: Option<String>,
    /// The live grant of theirs that gives something else than what they are here for.
    pub held: Option<String>,
}

/// Client side of `org.tpa1.Gate`.
#[zbus::proxy(
    interface = "org.tpa1.Gate",
    default_service = "org.tpa1",
    default_path = "/org/tpa1"
)]
pub trait Gate {
    /// The account phase: may they?
    fn account(&self, query: &Query) -> zbus::Result<Verdict>;
    /// The session phase: they are coming in, on which grant and until when?
    fn open_session(&self, query: &Query) -> zbus::Result<Verdict>;
    /// They left.
    fn close_session(&self, query: &Query) -> zbus::Result<()>;
    /// Somebody has come to the front door. `methods` is what sshd says of how they proved who they
    /// are (`SSH_AUTH_INFO_0`, sshd(8)); it is remembered of this process for as long as it lives.
    fn open_door(&self, query: &Query, methods: &str) -> zbus::Result<Verdict>;
    /// What the account phase would say now: nothing is recorded, and no grant begins.
    fn preview(&self, query: &Query) -> zbus::Result<Verdict>;
    /// The roles that the person may ask for, of those that give what they are here for.
    fn roles(&self, query: &Query) -> zbus::Result<Vec<Role>>;
    /// Files a request for the person, who has just authenticated.
    fn ask(&self, query: &Query, request: &NewRequest) -> zbus::Result<Request>;
    /// Answers when the request is no longer pending.
    fn await_decision(&self, id: &str) -> zbus::Result<Request>;
    /// Loads the configuration anew, whole or not at all.
    fn reload(&self) -> zbus::Result<()>;
}
