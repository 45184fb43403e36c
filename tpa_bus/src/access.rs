//! `org.tpa1.Access`: requests and grants, for people.
//!
//! Times are seconds since 1970 in UTC, spans are whole seconds. Every structure crosses the bus
//! as a dictionary (`a{sv}`), so fields can be added and what does not apply is left out. Nowhere
//! is there a field that says who is calling: that comes from the bus driver alone.

use std::collections::HashMap;

use zbus::{DeserializeDict, SerializeDict, Type};

/// One person's yes to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Approval {
    /// Name of the person who approved.
    pub by: String,
    /// Their uid.
    pub uid: u32,
    /// When.
    pub at: i64,
    /// What they said about it.
    pub comment: Option<String>,
    /// How they proved who they are: `session`, `key`, `touch` or `pin`.
    pub proof: Option<String>,
    /// The SSH key that proved it, as `SHA256:…`.
    pub key: Option<String>,
}

/// Something that a role gives beyond what it seems to.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Warning {
    /// The command or file as the role writes it; empty when the role as a whole is meant.
    pub rule: String,
    /// In which way, as a word that stays: `shell`, `pager`, `writes`.
    pub kind: String,
    /// What it really gives.
    pub message: String,
    /// The narrower way.
    pub next: String,
}

/// A request, and the grant it became.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Request {
    /// Eight characters, no dash.
    pub id: String,
    /// One of [`crate::state::State::WORDS`]; what it means is [`Request::standing`].
    pub state: String,
    /// For whom.
    pub user: String,
    /// For whom, by number.
    pub uid: u32,
    /// The role asked for.
    pub role: String,
    /// Set when the role no longer exists in the configuration.
    pub role_gone: Option<bool>,
    /// Why.
    pub reason: String,
    /// Reference to a ticket.
    pub ticket: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// When they asked.
    pub requested_at: i64,
    /// Length asked for or, when an approver shortened it, granted.
    pub duration_s: u64,
    /// When access starts: known when the request names a time, and once it is approved.
    pub not_before: Option<i64>,
    /// When access ends; known once it started. Of access that ended sooner, when it did.
    pub not_after: Option<i64>,
    /// Distinct approvers needed.
    pub needed: u32,
    /// Those given so far.
    pub approvals: Vec<Approval>,
    /// Users and `@groups` who may decide.
    pub approvers: Vec<String>,
    /// When the request lapses if nobody decides, or nobody uses it.
    pub lapses_at: Option<i64>,
    /// Approved and not used yet: first use starts it, and must come before this.
    pub use_by: Option<i64>,
    /// Who made the decision final.
    pub decided_by: Option<String>,
    /// When it was decided; when it lapsed, where nobody did.
    pub decided_at: Option<i64>,
    /// Why it was denied or revoked, or has lapsed.
    pub decision_reason: Option<String>,
    /// The grant this request would extend.
    pub extends: Option<String>,
    /// Access began without approval.
    pub break_glass: bool,
    /// Who reviewed a break-glass grant.
    pub reviewed_by: Option<String>,
    /// Whether a break-glass grant waits for its review.
    pub review_due: Option<bool>,
    /// When access ended.
    pub ended_at: Option<i64>,
    /// Why it ended: `expired`, `revoked` or `ended`, with the words given.
    pub end_reason: Option<String>,
    /// Logins and sudo commands under the grant that are open now.
    pub sessions: Vec<Session>,
    /// Seconds of access left; active grants only.
    pub remaining_s: Option<u64>,
    /// What the role gives, one line a rule, as people read it.
    pub gives: Vec<String>,
    /// What of that amounts to more than it seems to.
    pub warnings: Option<Vec<Warning>>,
    /// What its commands may start that goes on after the end, when there is any.
    pub goes_on: Option<String>,
    /// What appeared of its run-as accounts and is removed after the end, when its role has that.
    pub tidies: Option<String>,
    /// Why this host's sudo did not take the grant's rules, when it did not: then it gives none of
    /// its commands.
    pub rules_rejected: Option<String>,
    /// Whether the caller of the method may decide this request now.
    pub reviewable: Option<bool>,
    /// How an approver proves who they are: `session`, `key`, `touch` or `pin`.
    pub proof: Option<String>,
    /// What a signed decision says that it is about: a SHA-256 in hexadecimal.
    pub digest: Option<String>,
    /// The one command that it is for.
    pub command: Option<OneCommand>,
    /// What was found that it left behind, in numbers, once that was looked for.
    pub residue: Option<ResidueCount>,
}

/// What a grant left behind, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ResidueCount {
    /// Of the grant's person, by the record of somebody else.
    pub certain: u64,
    /// Of others perhaps, or of the host itself.
    pub doubtful: u64,
    /// Whether all was looked for that was to be.
    pub complete: bool,
}

/// What was looked for at the end of a grant, and found.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Residue {
    /// The grant.
    pub id: String,
    /// `short`, or `deep`: local file systems as well.
    pub depth: String,
    /// What was looked for.
    pub looked: Vec<String>,
    /// What was not, and why.
    pub not_looked: Vec<String>,
    /// Whether all was looked for that was to be.
    pub complete: bool,
    /// When what was there at the beginning was noted; nothing where it was not.
    pub noted_at: Option<i64>,
    /// When it was looked for.
    pub looked_at: i64,
    /// What was found, the certain first.
    pub findings: Vec<ResidueFinding>,
    /// How many more there are.
    pub more: u64,
    /// What of that the role has removed, as far as it is about such: what became of each.
    pub tidied: Option<Vec<ResidueTidied>>,
    /// When that was done; nothing while it is due.
    pub tidied_at: Option<i64>,
}

/// Something that appeared of a run-as account whose role has it removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ResidueTidied {
    /// The account.
    pub account: String,
    /// `cron`, `at` or `key`.
    pub kind: String,
    /// Which.
    pub what: String,
    /// `removed`, `gone`, `stays`, or `due` while it is to be removed yet.
    pub came_to: String,
    /// Why it stays.
    pub why: Option<String>,
}

/// One thing that is other than it was when a grant began.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ResidueFinding {
    /// What kind of thing: `account`, `key`, `cron`, …
    pub kind: String,
    /// Which.
    pub what: String,
    /// `new`, `changed`, `gone` or `runs`.
    pub change: String,
    /// Whose it is, or who did it, and how that is known.
    pub by: Option<String>,
    /// `certain`, or `doubtful`.
    pub sure: String,
}

/// One command, asked for as it was typed, to be run once.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct OneCommand {
    /// The program's absolute path, and its arguments.
    pub argv: Vec<String>,
    /// The same as a shell takes it: two lists of words never read alike.
    pub line: String,
    /// As whom it runs.
    pub run_as: String,
    /// In which folder.
    pub directory: String,
    /// The program's file with all links followed.
    pub program: String,
    /// The SHA-256 of that file when it was asked for, in hexadecimal.
    pub sha256: String,
    /// When it was run; nothing while it was not.
    pub started_at: Option<i64>,
    /// Its exit code, once it is known.
    pub exit_code: Option<i32>,
}

/// What somebody wants to run.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct NewCommand {
    /// The program's absolute path, and its arguments.
    pub argv: Vec<String>,
    /// As whom; may be left out where the role names one account.
    pub run_as: Option<String>,
    /// In which folder: an absolute path.
    pub directory: String,
}

/// What someone asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct NewRequest {
    /// The role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// For how long; the role's default when neither this nor `until` is given.
    pub duration_s: Option<u64>,
    /// Until when; excludes `duration_s`.
    pub until: Option<i64>,
    /// From when; at once when not given.
    pub at: Option<i64>,
    /// Reference to a ticket.
    pub ticket: Option<String>,
    /// On behalf of this user; for the role's approvers only.
    pub user: Option<String>,
    /// The one command that it is for, where the role is of that kind.
    pub command: Option<NewCommand>,
}

/// How an approver says yes.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ApproveOptions {
    /// A length shorter than the one asked for.
    pub duration_s: Option<u64>,
    /// A word on it.
    pub comment: Option<String>,
}

/// What came of a signed statement: what it says itself, and how the request stands. Whoever brought
/// it need not be allowed to see more.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Submission {
    /// The request: for more time, the one that asks for it.
    pub id: String,
    /// How it stands, as in [`Request::state`].
    pub state: String,
    /// What was said.
    pub verb: String,
    /// Who said it.
    pub by: String,
    /// The SHA-256 of the statement's bytes, in hexadecimal.
    pub statement: String,
    /// When access ends, where it is on.
    pub not_after: Option<i64>,
}

/// Which grants to revoke. Exactly one of the three is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct RevokeWhat {
    /// These.
    pub ids: Option<Vec<String>>,
    /// All of this user's.
    pub user: Option<String>,
    /// Every one.
    pub all: Option<bool>,
}

/// Most requests that one call lists: the newest that fit. Older ones are asked for with `until`.
pub const LIST_MAX: u32 = 1_000;

/// Which requests to list. All conditions set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Filter {
    /// Asked by or for the caller.
    pub mine: Option<bool>,
    /// Waiting for a decision, or a review, that the caller may make.
    pub reviewable: Option<bool>,
    /// In one of these states.
    pub states: Option<Vec<String>>,
    /// For this user.
    pub user: Option<String>,
    /// For this role.
    pub role: Option<String>,
    /// Asked at this time or later.
    pub since: Option<i64>,
    /// Asked before this time.
    pub until: Option<i64>,
}

/// A role that the caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Role {
    /// Its name, which is its file's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Length of access when none is asked for.
    pub default_s: u64,
    /// Longest access.
    pub max_s: u64,
    /// Undecided for this long, a request lapses.
    pub lapse_s: u64,
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
    /// The caller's own requests are approved at once.
    pub auto: bool,
    /// Access at once, reviewed later.
    pub break_glass: bool,
    /// May log in with it.
    pub login: bool,
    /// What runs under it is recorded.
    pub record: bool,
    /// The clock starts on first use, which must be within this.
    pub use_within_s: Option<u64>,
    /// What it gives, one line a rule.
    pub gives: Vec<String>,
    /// What of that amounts to more than it seems to.
    pub warnings: Option<Vec<Warning>>,
    /// What its commands may start that goes on after the end, when there is any.
    pub goes_on: Option<String>,
    /// What appeared of its run-as accounts and is removed after the end, when it has that.
    pub tidies: Option<String>,
    /// Whether it is asked for with one command, to be run once.
    pub exact: Option<bool>,
}

/// A login or a sudo command under a grant.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Session {
    /// The grant's id.
    pub grant: String,
    /// PAM service name.
    pub service: String,
    /// The person.
    pub user: String,
    /// Process that opened it.
    pub pid: u32,
    /// logind's name of the session, once known.
    pub session: Option<String>,
    /// Terminal.
    pub tty: Option<String>,
    /// Where from.
    pub rhost: Option<String>,
    /// Since when.
    pub opened_at: i64,
    /// The login was closed, and this goes on of it (tmux, mosh, a job): `service` is what the
    /// process calls itself, and `pid` the oldest of it.
    pub detached: Option<bool>,
}

/// Which events to read. All conditions set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct LogFilter {
    /// Of this grant.
    pub id: Option<String>,
    /// At this time or later.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// With a greater sequence number.
    pub after: Option<u64>,
    /// With one of these codes, as `TPA1000`.
    pub codes: Option<Vec<String>>,
    /// Form of [`Event::line`]: `kv`, as when not given, or `cee`.
    pub format: Option<String>,
    /// At most so many, the first ones; 1,000 when not given.
    pub limit: Option<u32>,
}

/// One record of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Event {
    /// Place in the chain, from 1.
    pub seq: u64,
    /// When.
    pub at: i64,
    /// `TPA1000`.
    pub code: String,
    /// `request-created`.
    pub event: String,
    /// SHA-256 over this record and the one before, in hexadecimal.
    pub hash: String,
    /// Everything else, as it stands in the log line.
    pub fields: HashMap<String, String>,
    /// The log line's text, whole.
    pub line: String,
}

/// A signed statement that brought an event about.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Evidence {
    /// The event's place in the chain.
    pub seq: u64,
    /// The SHA-256 of the statement's bytes that the event names, in hexadecimal.
    pub statement: String,
    /// Who the event says did it.
    pub by: String,
    /// The statement with its signature.
    pub text: String,
}

/// What a walk along a piece of the audit chain found.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Verification {
    /// Sequence number of the event before the piece: the one asked for, else the last that was
    /// pruned, 0 when none was.
    pub after: u64,
    /// Its hash.
    pub after_hash: String,
    /// The database's own name, which stands in its log lines.
    pub db: Option<String>,
    /// The hashes of the events of the piece that fit, without a gap.
    pub hashes: Vec<String>,
    /// Whether the walk came to the newest event, or to a break.
    pub done: bool,
    /// Sequence number of the first event that does not fit.
    pub first_break: Option<u64>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// Most recordings that one call lists. Later ones are asked for by the name of the last.
pub const RECORDINGS_MAX: usize = 100;

/// What sudo recorded of one command under a grant.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Recording {
    /// Its name within the grant's: `alice-00/00/01`, as sudo counts.
    pub name: String,
    /// The command, with its arguments.
    pub command: String,
    /// As whom it ran.
    pub target: String,
    /// The terminal it was started on.
    pub tty: Option<String>,
    /// When it began, in seconds since 1970.
    pub started_at: i64,
    /// Rows of that terminal.
    pub rows: Option<u32>,
    /// Its columns.
    pub columns: Option<u32>,
    /// Bytes that were written, as far as it has come.
    pub bytes: u64,
    /// Whether it is still being recorded.
    pub live: bool,
}

/// A piece of one file of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Piece {
    /// Its bytes; none at the end of what there is.
    pub data: Vec<u8>,
    /// Whether more may come.
    pub live: bool,
}

/// Recordings held against what the trail says that they were when they were closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct RecordingCheck {
    /// Sequence number of the last event that was looked at: to be asked for next.
    pub last: u64,
    /// How many recordings are what they were.
    pub whole: u64,
    /// How many were removed, because they had been kept for as long as the configuration says.
    pub gone: u64,
    /// Those that are missing or not what they were.
    pub bad: Vec<BadRecording>,
    /// Whether these were the last.
    pub done: bool,
}

/// A recording that is missing, or not what it was when it was closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct BadRecording {
    /// The event that says what it was.
    pub seq: u64,
    /// Its grant.
    pub grant: String,
    /// Its name.
    pub recording: String,
    /// What is wrong.
    pub problem: String,
}

/// What came of a test of one target of `notify.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct NoticeTest {
    /// The target's name.
    pub target: String,
    /// `mail`, `slack`, …
    pub kind: String,
    /// Whether it took the message.
    pub reached: bool,
    /// Why not.
    pub why: Option<String>,
}

/// Who is calling, as `tpad` sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Myself {
    /// Their login name.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// The SSH key that proved it, as `SHA256:…`; through the front door only.
    pub key: Option<String>,
}

/// Client side of `org.tpa1.Access`. Each method fails with a [`crate::error::Refusal`].
#[zbus::proxy(
    interface = "org.tpa1.Access",
    default_service = "org.tpa1",
    default_path = "/org/tpa1"
)]
pub trait Access {
    /// Files a request.
    fn create_request(&self, request: &NewRequest) -> zbus::Result<Request>;
    /// The requests that the caller may see, newest first.
    fn list_requests(&self, filter: &Filter) -> zbus::Result<Vec<Request>>;
    /// The approved command of a grant; for the program that sudo starts to run it.
    fn approved_command(&self, id: &str) -> zbus::Result<OneCommand>;
    /// Begins the one run of it: who is answered runs it, and nobody is answered twice.
    fn start_command(&self, id: &str) -> zbus::Result<OneCommand>;
    /// Tells how the run ended.
    fn end_command(&self, id: &str, exit_code: i32) -> zbus::Result<()>;
    /// One request, by id or the beginning of one.
    fn get_request(&self, id: &str) -> zbus::Result<Request>;
    /// Says yes to a request.
    fn approve(&self, id: &str, options: &ApproveOptions) -> zbus::Result<Request>;
    /// Says no to a request.
    fn deny(&self, id: &str, reason: &str) -> zbus::Result<Request>;
    /// Takes one's own request back.
    fn withdraw(&self, id: &str) -> zbus::Result<Request>;
    /// Asks for more time on a live grant; answers with the extension's own request.
    fn extend(&self, id: &str, seconds: u64, reason: &str) -> zbus::Result<Request>;
    /// Ends one's own access now; all of it when `id` is empty.
    fn end(&self, id: &str) -> zbus::Result<Vec<Request>>;
    /// Takes access away now.
    fn revoke(&self, what: &RevokeWhat, reason: &str) -> zbus::Result<Vec<Request>>;
    /// Closes the review that a break-glass grant waits for.
    fn review(&self, id: &str, comment: &str) -> zbus::Result<Request>;
    /// Hands over one signed statement; anybody may.
    fn submit(&self, text: &str) -> zbus::Result<Submission>;
    /// The roles that the caller may ask for.
    fn roles(&self) -> zbus::Result<Vec<Role>>;
    /// Who the caller is.
    fn who_am_i(&self) -> zbus::Result<Myself>;
    /// The live and scheduled grants of the caller, or of `user` when that is not empty.
    fn status(&self, user: &str) -> zbus::Result<Vec<Request>>;
    /// Open sessions of one grant, or of all that the caller may see when `id` is empty.
    fn sessions(&self, id: &str) -> zbus::Result<Vec<Session>>;
    /// Reads the audit trail; for root and the group `tpa-audit`.
    fn log(&self, filter: &LogFilter) -> zbus::Result<Vec<Event>>;
    /// Walks the next piece of the audit chain, behind the event `after` (0: from its beginning);
    /// for root and the group `tpa-audit`.
    fn verify(&self, after: u64) -> zbus::Result<Verification>;
    /// The signed statements that the trail keeps, the next few behind the event `after` (0: from its
    /// beginning); for root and the group `tpa-audit`.
    fn statements(&self, after: u64) -> zbus::Result<Vec<Evidence>>;
    /// Tells the log of these events once more, by their sequence numbers: what a log daemon
    /// missed; for root.
    fn resend_events(&self, events: &[u64]) -> zbus::Result<()>;
    /// What was recorded under a grant, by name, behind the name `after` (empty: from the first on);
    /// for approvers of its role, the group `tpa-audit` and root.
    fn recordings(&self, id: &str, after: &str) -> zbus::Result<Vec<Recording>>;
    /// Begins to read a recording, which is an event; the number that it is read by.
    fn open_recording(&self, id: &str, name: &str) -> zbus::Result<u64>;
    /// Reads one of its files (`timing`, `ttyout`, `stdout`, `stderr`) from an offset on. Where there
    /// is nothing more yet, the answer waits a while for it if `wait` is set.
    fn read_recording(
        &self,
        opened: u64,
        part: &str,
        offset: u64,
        wait: bool,
    ) -> zbus::Result<Piece>;
    /// Holds recordings against what the trail says of them, the next few behind the event `after`
    /// (0: from its beginning); for root and the group `tpa-audit`.
    fn check_recordings(&self, after: u64) -> zbus::Result<RecordingCheck>;
    /// What a grant left behind; for approvers of its role, the group `tpa-audit` and root.
    fn residue(&self, id: &str) -> zbus::Result<Residue>;
    /// Sends a message that says that it is a test to the targets of `notify.toml`, or to the one of
    /// that name when `target` is not empty, and says what came of it; for root.
    fn test_notices(&self, target: &str) -> zbus::Result<Vec<NoticeTest>>;
    /// Loads the configuration anew, whole or not at all; for root.
    fn reload(&self) -> zbus::Result<()>;

    /// Has the signals below sent to the caller's connection, of what they may see, until it is
    /// closed.
    fn subscribe(&self) -> zbus::Result<()>;

    /// A request came into being or changed its state. To those who subscribed and may see it.
    #[zbus(signal)]
    fn request_changed(&self, id: &str, state: &str) -> zbus::Result<()>;
    /// An event was recorded. To those who subscribed and may read it with `Log`.
    #[zbus(signal)]
    fn event_recorded(&self, seq: u64) -> zbus::Result<()>;
}
