//! What happened: the catalogue of events, in the order of their codes.

use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;

use super::{
    Approval, BeginningNote, ClockSet, Closed, Deadline, Gave, Person, Proof, Repeated, Request,
    Residue, Run, Said, Session, Stage, Tidied,
};
use crate::clock::Now;
use crate::policy::Gives;

/// An event with when it happened and who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Seconds since 1970.
    pub at: i64,
    /// The person who caused it; nobody when time did.
    pub actor: Option<Person>,
    /// Effective uid of the process that the person caused it with.
    pub actor_uid: Option<u32>,
    /// Whose login they caused it from, where it was another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_login: Option<Person>,
    /// How they proved who they are; nothing in events of versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What happened.
    pub event: Event,
}

impl Envelope {
    /// The statement that brought it about; none where it only tells that one was refused.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        let proof = self.proof.as_ref().filter(|_| !self.event.is_refusal());
        proof.and_then(Proof::said)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// TPA1000: a request was filed.
    RequestCreated(Box<Request>),
    /// TPA1001: someone said yes. `next` is set by the yes that decides.
    ApprovalRecorded {
        /// The request.
        id: Id,
        /// Whose yes; nobody's when the role approves by itself.
        approval: Option<Approval>,
        /// Seconds of access from now on: the shortest that any approver gave.
        duration_s: u64,
        /// Yeses needed, by the role as it is now.
        needed: u32,
        /// Where the request stands after it, when it is decided.
        next: Option<Stage>,
        /// What is granted, when it is decided.
        gives: Option<Gives>,
    },
    /// TPA1002, 1003, 1004, 2002, 2003, 2004: it is over.
    Closed {
        /// The request.
        id: Id,
        /// How.
        how: Closed,
        /// What was said about it.
        why: Option<String>,
    },
    /// TPA1005: someone tried to decide what they may not.
    DecisionRefused {
        /// The request.
        id: Id,
        /// Which decision: `approve`, `deny`, `revoke`, `review`.
        decision: String,
        /// Why it was refused.
        why: String,
    },
    /// TPA1006: it lapses soon, and nobody has decided.
    RequestReminder {
        /// The request.
        id: Id,
    },
    /// TPA1007: a signed statement was not taken.
    StatementRefused {
        /// The SHA-256 of its bytes, in hexadecimal; of the whole text where there is no statement in
        /// it, and empty where it is too long.
        statement: String,
        /// Who is known to have signed it.
        by: Option<String>,
        /// Why not, in a word.
        why: String,
        /// Why not, as whoever brought it was told.
        problem: String,
    },
    /// TPA1008: one command was approved as it was typed.
    CommandApproved {
        /// The request.
        id: Id,
        /// Of the command with its folder, as whom, and its program's file; see
        /// [`super::OneCommand::digest`].
        sha256: String,
    },
    /// TPA2000: access is on.
    GrantActivated {
        /// The grant.
        id: Id,
        /// Until when.
        deadline: Deadline,
        /// What it gives, by the host as it is then; added when it is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gave: Option<Gave>,
    },
    /// TPA2001: access goes on for longer.
    GrantExtended {
        /// The grant.
        id: Id,
        /// The request that asked for it.
        by_request: Id,
        /// Until when now.
        deadline: Deadline,
    },
    /// TPA2005: something that the grant gave is still there.
    RemovalFailed {
        /// The grant.
        id: Id,
        /// Processes killed.
        killed: u32,
        /// What is left, one entry a process.
        survivors: Vec<String>,
        /// What it was looked for by.
        #[serde(default, skip_serializing_if = "LookedFor::is_unknown")]
        looked_for: LookedFor,
    },
    /// TPA2006: nothing that the grant gave is left.
    RemovalConfirmed {
        /// The grant.
        id: Id,
        /// Processes killed.
        killed: u32,
        /// What it was looked for by.
        #[serde(default, skip_serializing_if = "LookedFor::is_unknown")]
        looked_for: LookedFor,
    },
    /// TPA2007: what was there when access began is noted, to tell later what changed.
    BeginningNoted {
        /// The grant.
        id: Id,
        /// The note.
        note: BeginningNote,
    },
    /// TPA2008: what the window left behind was looked for.
    Residue {
        /// The grant.
        id: Id,
        /// What was looked for, and found.
        residue: Box<Residue>,
    },
    /// TPA2009: what of that appeared of run-as accounts whose role has it removed, and what became of it.
    ResidueTidied {
        /// The grant.
        id: Id,
        /// Each thing.
        tidied: Vec<Tidied>,
    },
    /// TPA3000: let in.
    LoginAllowed {
        /// On which grant.
        id: Id,
        /// Where.
        place: Place,
    },
    /// TPA3001: not let in.
    LoginDenied {
        /// Who.
        user: Person,
        /// Where.
        place: Place,
        /// Why not.
        why: String,
    },
    /// TPA3002, 3005: a login or a sudo command began.
    SessionOpened(Session),
    /// TPA3003, 3006: it is over by itself.
    SessionClosed(Session),
    /// TPA3004: it was ended with its grant.
    SessionKilled(Session),
    /// TPA3007: a login goes on under another grant, because its own has ended.
    SessionMoved {
        /// The session, under its new grant.
        session: Session,
        /// The grant that has ended.
        from: Id,
    },
    /// TPA3008, 3009: somebody began to look at what is or was recorded under it.
    RecordingOpened {
        /// The grant.
        id: Id,
        /// Which recording.
        recording: String,
        /// It is still being recorded.
        live: bool,
    },
    /// TPA3010: the one run of an approved command began.
    CommandStarted {
        /// The grant.
        id: Id,
        /// The run.
        run: Run,
    },
    /// TPA3011: it is over.
    CommandRun {
        /// The grant.
        id: Id,
        /// Its exit code; nothing where it did not come to tell.
        exit_code: Option<i32>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// TPA3012: a recording is over, and this is what it is.
    RecordingClosed {
        /// The grant.
        id: Id,
        /// Which recording.
        recording: String,
        /// Over all its files; see [`crate::recordings::Digest`].
        sha256: String,
        /// How many bytes those have.
        bytes: u64,
    },
    /// TPA4000: access without approval.
    BreakGlassUsed {
        /// The grant.
        id: Id,
    },
    /// TPA4001: an approver looked at it afterwards.
    BreakGlassReviewed {
        /// The grant.
        id: Id,
        /// Who, and what they said.
        review: Approval,
    },
    /// TPA4002: let in whatever the ledger says.
    ExemptLogin {
        /// Who.
        user: Person,
        /// Where.
        place: Place,
    },
    /// TPA5008: it happened again so many times, which were not told one by one.
    Repeated {
        /// What is the same each time.
        what: Repeated,
        /// How many times.
        count: u64,
        /// The first of them, in seconds since 1970.
        since: i64,
        /// The last of them.
        until: i64,
    },
    /// TPA5000: the daemon began.
    DaemonStarted {
        /// The moment, on every clock: deadlines of another boot are counted anew from it.
        now: Now,
        /// Version of the daemon.
        version: String,
    },
    /// TPA5001: the daemon stopped in good order.
    DaemonStopped,
    /// TPA5002: a configuration came into force.
    PolicyLoaded {
        /// Its revision.
        revision: String,
    },
    /// TPA5003: a configuration was refused; the one before stays.
    PolicyRejected {
        /// Its problems, one an entry.
        problems: Vec<String>,
    },
    /// TPA5004: the wall clock was set.
    ClockJump {
        /// What the clock said.
        clock: i64,
        /// What it is taken for.
        taken_for: i64,
        /// That it is believed, and from when on: what counts from a moment is moved with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        set: Option<ClockSet>,
    },
    /// TPA5005: the audit chain does not hold.
    ChainBroken {
        /// The first event that does not fit.
        seq: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// TPA5006: someone else changed what the daemon owns, and it was put right.
    HostDrift {
        /// The grant, where it is about one.
        id: Option<Id>,
        /// What.
        what: String,
    },
    /// TPA5007: the oldest events went, because they were kept for as long as the configuration
    /// says. A checkpoint: the chain begins behind what it names.
    LogPruned {
        /// The newest event that went.
        through: u64,
        /// Its hash.
        hash: String,
        /// Its time, in seconds since 1970.
        at: i64,
        /// How many went.
        events: u64,
    },
    /// TPA5010: what was recorded under a grant goes, because it was kept for as long as the
    /// configuration says. Recorded before it goes.
    RecordingsRemoved {
        /// The grant.
        id: Id,
    },
    /// TPA5009: a target of `notify.toml` could not be told of events, for as long as was tried.
    NoticeFailed {
        /// The target.
        target: String,
        /// How many events.
        count: u64,
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
        /// Why.
        why: String,
    },
}

/// Where someone came to the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// PAM service.
    pub service: String,
    /// Terminal.
    pub tty: Option<String>,
    /// Where from.
    pub rhost: Option<String>,
    /// Process.
    pub pid: u32,
}

/// What was looked for at an end: nothing else is said to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LookedFor {
    /// What was looked for, for people; empty where that was not recorded.
    pub at: String,
    /// What was found and left, one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What could not be looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_at: Option<String>,
}

impl LookedFor {
    fn is_unknown(&self) -> bool {
        self.at.is_empty()
    }
}

/// How loud an event is (syslog(3) priorities).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// `LOG_ALERT`
    Alert,
    /// `LOG_WARNING`
    Warning,
    /// `LOG_NOTICE`
    Notice,
    /// `LOG_INFO`
    Info,
}

impl Event {
    /// The code of [`Event::Residue`], to read those from the trail.
    pub const RESIDUE: &str = "TPA2008";
    /// The code of [`Event::ResidueTidied`].
    pub const RESIDUE_TIDIED: &str = "TPA2009";
    /// The code of [`Event::RecordingClosed`].
    pub const RECORDING_CLOSED: &str = "TPA3012";
    /// The code of [`Event::RecordingsRemoved`].
    pub const RECORDINGS_REMOVED: &str = "TPA5010";

    /// Code and name, as the catalogue has them.
    #[must_use]
    pub fn code(&self) -> (&'static str, &'static str) {
        match self {
            Self::RequestCreated(_) => ("TPA1000", "request-created"),
            Self::ApprovalRecorded { .. } => ("TPA1001", "approval-recorded"),
            Self::Closed { how, .. } => match how {
                Closed::Denied => ("TPA1002", "request-denied"),
                Closed::Withdrawn => ("TPA1003", "request-withdrawn"),
                Closed::Lapsed => ("TPA1004", "request-lapsed"),
                Closed::Expired => ("TPA2002", "grant-expired"),
                Closed::Revoked => ("TPA2003", "grant-revoked"),
                Closed::Ended => ("TPA2004", "grant-ended"),
            },
            Self::DecisionRefused { .. } => ("TPA1005", "decision-refused"),
            Self::RequestReminder { .. } => ("TPA1006", "request-reminder"),
            Self::StatementRefused { .. } => ("TPA1007", "statement-refused"),
            Self::CommandApproved { .. } => ("TPA1008", "command-approved"),
            Self::CommandStarted { .. } => ("TPA3010", "command-started"),
            Self::CommandRun { .. } => ("TPA3011", "command-run"),
            Self::GrantActivated { .. } => ("TPA2000", "grant-activated"),
            Self::GrantExtended { .. } => ("TPA2001", "grant-extended"),
            Self::RemovalFailed { .. } => ("TPA2005", "removal-failed"),
            Self::RemovalConfirmed { .. } => ("TPA2006", "removal-confirmed"),
            Self::BeginningNoted { .. } => ("TPA2007", "beginning-noted"),
            Self::Residue { .. } => (Self::RESIDUE, "residue"),
            Self::ResidueTidied { .. } => (Self::RESIDUE_TIDIED, "residue-tidied"),
            Self::LoginAllowed { .. } => ("TPA3000", "login-allowed"),
            Self::LoginDenied { .. } => ("TPA3001", "login-denied"),
            Self::SessionOpened(session) if session.is_sudo() => ("TPA3005", "sudo-opened"),
            Self::SessionClosed(session) if session.is_sudo() => ("TPA3006", "sudo-closed"),
            Self::SessionOpened(_) => ("TPA3002", "session-opened"),
            Self::SessionClosed(_) => ("TPA3003", "session-closed"),
            Self::SessionKilled(_) => ("TPA3004", "session-killed"),
            Self::SessionMoved { .. } => ("TPA3007", "session-moved"),
            Self::RecordingOpened { live: true, .. } => ("TPA3008", "recording-watched"),
            Self::RecordingOpened { .. } => ("TPA3009", "recording-replayed"),
            Self::RecordingClosed { .. } => (Self::RECORDING_CLOSED, "recording-closed"),
            Self::RecordingsRemoved { .. } => (Self::RECORDINGS_REMOVED, "recordings-removed"),
            Self::BreakGlassUsed { .. } => ("TPA4000", "break-glass-used"),
            Self::BreakGlassReviewed { .. } => ("TPA4001", "break-glass-reviewed"),
            Self::ExemptLogin { .. } => ("TPA4002", "exempt-login"),
            Self::DaemonStarted { .. } => ("TPA5000", "daemon-started"),
            Self::DaemonStopped => ("TPA5001", "daemon-stopped"),
            Self::PolicyLoaded { .. } => ("TPA5002", "policy-loaded"),
            Self::PolicyRejected { .. } => ("TPA5003", "policy-rejected"),
            Self::ClockJump { .. } => ("TPA5004", "clock-jump"),
            Self::ChainBroken { .. } => ("TPA5005", "chain-broken"),
            Self::HostDrift { .. } => ("TPA5006", "host-drift"),
            Self::LogPruned { .. } => ("TPA5007", "log-pruned"),
            Self::Repeated { .. } => ("TPA5008", "repeated"),
            Self::NoticeFailed { .. } => ("TPA5009", "notice-failed"),
        }
    }

    /// The request that it is about.
    #[must_use]
    pub fn request_id(&self) -> Option<Id> {
        match self {
            Self::RequestCreated(request) => Some(request.id),
            Self::ApprovalRecorded { id, .. }
            | Self::Closed { id, .. }
            | Self::DecisionRefused { id, .. }
            | Self::RequestReminder { id }
            | Self::GrantActivated { id, .. }
            | Self::GrantExtended { id, .. }
            | Self::RemovalFailed { id, .. }
            | Self::RemovalConfirmed { id, .. }
            | Self::BeginningNoted { id, .. }
            | Self::Residue { id, .. }
            | Self::ResidueTidied { id, .. }
            | Self::LoginAllowed { id, .. }
            | Self::RecordingOpened { id, .. }
            | Self::RecordingClosed { id, .. }
            | Self::RecordingsRemoved { id }
            | Self::CommandApproved { id, .. }
            | Self::CommandStarted { id, .. }
            | Self::CommandRun { id, .. }
            | Self::BreakGlassUsed { id }
            | Self::BreakGlassReviewed { id, .. } => Some(*id),
            Self::SessionOpened(session)
            | Self::SessionClosed(session)
            | Self::SessionKilled(session)
            | Self::SessionMoved { session, .. } => Some(session.grant),
            Self::HostDrift { id, .. } => *id,
            Self::StatementRefused { .. }
            | Self::LoginDenied { .. }
            | Self::ExemptLogin { .. }
            | Self::Repeated { .. }
            | Self::DaemonStarted { .. }
            | Self::DaemonStopped
            | Self::PolicyLoaded { .. }
            | Self::PolicyRejected { .. }
            | Self::ClockJump { .. }
            | Self::ChainBroken { .. }
            | Self::LogPruned { .. }
            | Self::NoticeFailed { .. } => None,
        }
    }

    /// How loud it is.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self {
            Self::BreakGlassUsed { .. } | Self::ExemptLogin { .. } | Self::ChainBroken { .. } => {
                Priority::Alert
            }
            Self::Repeated { what, .. } if what.why.is_empty() => Priority::Alert,
            Self::RemovalFailed { .. }
            | Self::NoticeFailed { .. }
            | Self::Repeated { .. }
            | Self::DecisionRefused { .. }
            | Self::StatementRefused { .. }
            | Self::LoginDenied { .. }
            | Self::PolicyRejected { .. }
            | Self::ClockJump { .. }
            | Self::HostDrift { .. } => Priority::Warning,
            Self::Residue { residue, .. } if !residue.findings.is_empty() => Priority::Warning,
            Self::ResidueTidied { tidied, .. } if tidied.iter().any(Tidied::stays) => {
                Priority::Warning
            }
            Self::SessionOpened(_)
            | Self::SessionClosed(_)
            | Self::LoginAllowed { .. }
            | Self::BeginningNoted { .. } => Priority::Info,
            _ => Priority::Notice,
        }
    }

    /// Whether it only tells that something was refused.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::DecisionRefused { .. } | Self::StatementRefused { .. }
        )
    }

    /// Whether it gives access, or more of it: the host must have room for that.
    #[must_use]
    pub fn gives_access(&self) -> bool {
        matches!(
            self,
            Self::GrantActivated { .. } | Self::GrantExtended { .. }
        )
    }

    /// Whether it only takes access away, or records that or what the clock did. Such an event takes
    /// effect even when it cannot be written down at the moment.
    #[must_use]
    pub fn ends_access(&self) -> bool {
        matches!(
            self,
            Self::Closed { .. }
                | Self::RemovalFailed { .. }
                | Self::RemovalConfirmed { .. }
                | Self::SessionClosed(_)
                | Self::SessionKilled(_)
                | Self::ClockJump { .. }
                | Self::CommandRun { .. }
        )
    }
}
