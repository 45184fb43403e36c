//! `org.tpa1.Gate`: what the PAM module asks, for root alone.
//!
//! The module tells here whom PAM is about to let in; that is not the caller's identity, which is
//! always root's.

use zbus::{DeserializeDict, SerializeDict, Type};

use crate::access::NewRequest;
use crate::state::State;

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
    /// They need no grant to come in, and hold one: the answer is yes, and names a grant where one may
    /// be what gives the command, which is then to end with it. Left out by a module of before.
    pub ungated: Option<bool>,
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

/// What somebody at a prompt is shown of a role that they may ask for. What else a
/// [`Role`](crate::access::Role) has is passed over: what no question needs is not part of every login
/// program.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct OfferedRole {
    /// Its name, which is its file's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Length of access when none is asked for.
    pub default_s: u64,
    /// Longest access.
    pub max_s: u64,
    /// Least number of characters in a reason.
    pub reason_min: u32,
    /// Whether a ticket must be named.
    pub ticket_required: bool,
    /// Regular expression that a ticket must match as a whole.
    pub ticket_pattern: Option<String>,
    /// Users and `@groups` who may decide.
    pub approvers: Vec<String>,
    /// How many of them.
    pub needed: u32,
    /// The person's own requests are approved at once.
    pub auto: bool,
    /// Access at once, reviewed later.
    pub break_glass: bool,
}

/// What somebody at a prompt is told of a request that they filed there, or wait for, in the same way
/// (see [`Request`](crate::access::Request)).
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct FiledRequest {
    /// Eight characters, no dash.
    pub id: String,
    /// One of [`State::WORDS`]; what it means is [`FiledRequest::standing`].
    pub state: String,
    /// Distinct approvers needed.
    pub needed: u32,
    /// Those who have approved so far.
    pub approvals: Vec<GivenApproval>,
    /// Users and `@groups` who may decide.
    pub approvers: Vec<String>,
    /// Who made the decision final.
    pub decided_by: Option<String>,
    /// Why it was denied or revoked, or has lapsed.
    pub decision_reason: Option<String>,
}

impl FiledRequest {
    /// Where it stands; `None` for a word of a later version's. At the gate nobody asks for more time.
    #[must_use]
    pub fn standing(&self) -> Option<State> {
        State::of(&self.state, false)
    }
}

/// An approval, of which only this is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct GivenApproval {
    /// Who gave it.
    pub by: String,
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
    fn roles(&self, query: &Query) -> zbus::Result<Vec<OfferedRole>>;
    /// Files a request for the person, who has just authenticated.
    fn ask(&self, query: &Query, request: &NewRequest) -> zbus::Result<FiledRequest>;
    /// Answers when the request is no longer pending.
    fn await_decision(&self, id: &str) -> zbus::Result<FiledRequest>;
    /// Loads the configuration anew, whole or not at all.
    fn reload(&self) -> zbus::Result<()>;
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::Context;
    use zbus::wire::{LE, to_bytes};

    use super::*;
    use crate::access::{Approval, OneCommand, Request, Role, Session, Warning};

    #[test]
    fn the_gate_reads_its_part_of_a_request_and_passes_over_the_rest() {
        let sent = Request {
            id: "7H2KM4QX".into(),
            state: "approved".into(),
            needed: 2,
            approvals: vec![
                Approval {
                    by: "carol".into(),
                    comment: Some("yes".into()),
                    ..Approval::default()
                },
                Approval::default(),
            ],
            approvers: vec!["@oncall".into()],
            sessions: vec![Session::default()],
            warnings: Some(vec![Warning::default()]),
            command: Some(OneCommand::default()),
            decided_by: Some("carol".into()),
            ..Request::default()
        };
        let bytes = to_bytes(Context::new(LE, 0), &sent).unwrap();
        let (read, _) = bytes.deserialize::<FiledRequest>().unwrap();
        assert_eq!(read.standing(), sent.standing());
        let expected = FiledRequest {
            id: sent.id,
            state: sent.state,
            needed: 2,
            approvals: ["carol", ""]
                .map(|by| GivenApproval { by: by.into() })
                .into(),
            approvers: sent.approvers,
            decided_by: sent.decided_by,
            decision_reason: None,
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn the_gate_reads_its_part_of_roles_and_passes_over_the_rest() {
        let sent = vec![Role {
            name: "web-ops".into(),
            reason_min: 10,
            ticket_pattern: Some("OPS-[0-9]+".into()),
            gives: vec!["may log in".into()],
            warnings: Some(vec![Warning::default()]),
            exact: Some(true),
            ..Role::default()
        }];
        let bytes = to_bytes(Context::new(LE, 0), &sent).unwrap();
        let (read, _) = bytes.deserialize::<Vec<OfferedRole>>().unwrap();
        let expected = OfferedRole {
            name: "web-ops".into(),
            reason_min: 10,
            ticket_pattern: Some("OPS-[0-9]+".into()),
            ..OfferedRole::default()
        };
        assert_eq!(read, [expected]);
    }
}
