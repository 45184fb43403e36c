//! The JSON forms, which scripts rely on: fields are only ever added, and what does not apply is
//! null. Times are RFC 3339 in UTC, spans whole seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use tpa_bus::access;
use tpa_bus::text::is_unsafe;

use crate::say::request::lasted;
use crate::say::time::rfc3339;

const API_VERSION: &str = "tpa/v1";

/// A moment, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

/// One object, with its kind.
#[derive(Serialize)]
struct Object<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    body: T,
}

/// The body of a list.
#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
}

/// What can stand alone or in a list.
pub trait View {
    /// `Request`; the list is a `RequestList`.
    const KIND: &'static str;
    /// The JSON form.
    type Form<'a>: Serialize
    where
        Self: 'a;
    /// Its JSON form.
    fn form(&self) -> Self::Form<'_>;
}

/// One object, over several lines.
pub fn object<V: View>(value: &V) -> String {
    kind(V::KIND, value.form())
}

/// One object of a stream: one line.
pub fn line<V: View>(value: &V) -> String {
    let object = Object {
        api_version: API_VERSION,
        kind: V::KIND,
        body: value.form(),
    };
    visible(&serde_json::to_string(&object).unwrap_or_default())
}

/// A list, over several lines.
pub fn list<V: View>(values: &[V]) -> String {
    let items = values.iter().map(View::form).collect();
    kind(&format!("{}List", V::KIND), Items { items })
}

/// An object of a kind that stands for nothing on the bus.
pub fn kind(kind: &str, body: impl Serialize) -> String {
    let object = Object {
        api_version: API_VERSION,
        kind,
        body,
    };
    // Maps here have string keys and nothing fails to serialise, so the default is never taken.
    visible(&serde_json::to_string_pretty(&object).unwrap_or_default())
}

/// JSON lets bidirectional marks and the like stand as they are; a terminal should not.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // The line ends between the fields are ours: within strings they are escaped already.
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// `Request`.
#[derive(Serialize)]
pub struct Request<'a> {
    id: &'a str,
    state: &'a str,
    user: &'a str,
    uid: u32,
    role: &'a str,
    reason: &'a str,
    ticket: Option<&'a str>,
    requested_by: &'a str,
    requested_at: Time,
    duration_s: u64,
    not_before: Option<Time>,
    not_after: Option<Time>,
    needed: u32,
    approvals: Vec<Approval<'a>>,
    decided_by: Option<&'a str>,
    decision_reason: Option<&'a str>,
    extends: Option<&'a str>,
    break_glass: bool,
    reviewed_by: Option<&'a str>,
    ended_at: Option<Time>,
    end_reason: Option<&'a str>,
    sessions: Vec<Session<'a>>,
    remaining_s: Option<u64>,
    approvers: &'a [String],
    lapses_at: Option<Time>,
    use_by: Option<Time>,
    decided_at: Option<Time>,
    review_due: bool,
    gives: &'a [String],
    warnings: Vec<Warning<'a>>,
    goes_on: Option<&'a str>,
    tidies: Option<&'a str>,
    rules_rejected: Option<&'a str>,
    role_gone: bool,
    reviewable: Option<bool>,
    proof: Option<&'a str>,
    command: Option<OneCommand<'a>>,
    lasted_s: Option<u64>,
    residue: Option<ResidueCount>,
}

/// What it left behind, in numbers.
#[derive(Serialize)]
struct ResidueCount {
    certain: u64,
    doubtful: u64,
    complete: bool,
}

fn residue_count(found: &access::ResidueCount) -> ResidueCount {
    ResidueCount {
        certain: found.certain,
        doubtful: found.doubtful,
        complete: found.complete,
    }
}

/// One command, asked for as it was typed.
#[derive(Serialize)]
struct OneCommand<'a> {
    argv: &'a [String],
    line: &'a str,
    run_as: &'a str,
    directory: &'a str,
    program: &'a str,
    sha256: &'a str,
    started_at: Option<Time>,
    exit_code: Option<i32>,
}

fn one_command(command: &access::OneCommand) -> OneCommand<'_> {
    OneCommand {
        argv: &command.argv,
        line: &command.line,
        run_as: &command.run_as,
        directory: &command.directory,
        program: &command.program,
        sha256: &command.sha256,
        started_at: command.started_at.map(Time),
        exit_code: command.exit_code,
    }
}

#[derive(Serialize)]
struct Approval<'a> {
    by: &'a str,
    uid: u32,
    at: Time,
    comment: Option<&'a str>,
    proof: Option<&'a str>,
    key: Option<&'a str>,
}

/// What a role gives beyond what it seems to.
#[derive(Serialize)]
struct Warning<'a> {
    rule: &'a str,
    kind: &'a str,
    message: &'a str,
    next: &'a str,
}

fn warnings(found: Option<&Vec<access::Warning>>) -> Vec<Warning<'_>> {
    let found = found.into_iter().flatten();
    found
        .map(|one| Warning {
            rule: &one.rule,
            kind: &one.kind,
            message: &one.message,
            next: &one.next,
        })
        .collect()
}

impl View for access::Request {
    const KIND: &'static str = "Request";
    type Form<'a> = Request<'a>;

    fn form(&self) -> Request<'_> {
        let approvals = self.approvals.iter().map(|approval| Approval {
            by: &approval.by,
            uid: approval.uid,
            at: Time(approval.at),
            comment: approval.comment.as_deref(),
            proof: approval.proof.as_deref(),
            key: approval.key.as_deref(),
        });
        Request {
            id: &self.id,
            state: &self.state,
            user: &self.user,
            uid: self.uid,
            role: &self.role,
            reason: &self.reason,
            ticket: self.ticket.as_deref(),
            requested_by: &self.requested_by,
            requested_at: Time(self.requested_at),
            duration_s: self.duration_s,
            not_before: self.not_before.map(Time),
            not_after: self.not_after.map(Time),
            needed: self.needed,
            approvals: approvals.collect(),
            decided_by: self.decided_by.as_deref(),
            decision_reason: self.decision_reason.as_deref(),
            extends: self.extends.as_deref(),
            break_glass: self.break_glass,
            reviewed_by: self.reviewed_by.as_deref(),
            ended_at: self.ended_at.map(Time),
            end_reason: self.end_reason.as_deref(),
            sessions: self.sessions.iter().map(View::form).collect(),
            remaining_s: self.remaining_s,
            approvers: &self.approvers,
            lapses_at: self.lapses_at.map(Time),
            use_by: self.use_by.map(Time),
            decided_at: self.decided_at.map(Time),
            review_due: self.review_due.unwrap_or(false),
            gives: &self.gives,
            warnings: warnings(self.warnings.as_ref()),
            goes_on: self.goes_on.as_deref(),
            tidies: self.tidies.as_deref(),
            rules_rejected: self.rules_rejected.as_deref(),
            role_gone: self.role_gone.unwrap_or(false),
            reviewable: self.reviewable,
            proof: self.proof.as_deref(),
            command: self.command.as_ref().map(one_command),
            lasted_s: lasted(self),
            residue: self.residue.as_ref().map(residue_count),
        }
    }
}

/// `Session`.
#[allow(clippy::struct_field_names, reason = "they are the contract's")]
#[derive(Serialize)]
pub struct Session<'a> {
    grant: &'a str,
    service: &'a str,
    user: &'a str,
    pid: u32,
    session: Option<&'a str>,
    tty: Option<&'a str>,
    rhost: Option<&'a str>,
    opened_at: Time,
    detached: bool,
}

impl View for access::Session {
    const KIND: &'static str = "Session";
    type Form<'a> = Session<'a>;

    fn form(&self) -> Session<'_> {
        Session {
            grant: &self.grant,
            service: &self.service,
            user: &self.user,
            pid: self.pid,
            session: self.session.as_deref(),
            tty: self.tty.as_deref(),
            rhost: self.rhost.as_deref(),
            opened_at: Time(self.opened_at),
            detached: self.detached == Some(true),
        }
    }
}

/// `Recording`.
#[derive(Serialize)]
pub struct Recording<'a> {
    name: &'a str,
    command: &'a str,
    target: &'a str,
    tty: Option<&'a str>,
    started_at: Time,
    rows: Option<u32>,
    columns: Option<u32>,
    bytes: u64,
    live: bool,
}

impl View for access::Recording {
    const KIND: &'static str = "Recording";
    type Form<'a> = Recording<'a>;

    fn form(&self) -> Recording<'_> {
        Recording {
            name: &self.name,
            command: &self.command,
            target: &self.target,
            tty: self.tty.as_deref(),
            started_at: Time(self.started_at),
            rows: self.rows,
            columns: self.columns,
            bytes: self.bytes,
            live: self.live,
        }
    }
}

/// `Residue`.
#[derive(Serialize)]
pub struct Residue<'a> {
    id: &'a str,
    depth: &'a str,
    complete: bool,
    noted_at: Option<Time>,
    looked_at: Time,
    looked: &'a [String],
    not_looked: &'a [String],
    findings: Vec<ResidueFinding<'a>>,
    more: u64,
    tidied: Option<Vec<ResidueTidied<'a>>>,
    tidied_at: Option<Time>,
}

/// Something that appeared of a run-as account whose role has it removed.
#[derive(Serialize)]
struct ResidueTidied<'a> {
    account: &'a str,
    kind: &'a str,
    what: &'a str,
    came_to: &'a str,
    why: Option<&'a str>,
}

/// One thing that is other than it was.
#[derive(Serialize)]
struct ResidueFinding<'a> {
    kind: &'a str,
    what: &'a str,
    change: &'a str,
    by: Option<&'a str>,
    sure: &'a str,
}

fn residue_tidied(one: &access::ResidueTidied) -> ResidueTidied<'_> {
    ResidueTidied {
        account: &one.account,
        kind: &one.kind,
        what: &one.what,
        came_to: &one.came_to,
        why: one.why.as_deref(),
    }
}

impl View for access::Residue {
    const KIND: &'static str = "Residue";
    type Form<'a> = Residue<'a>;

    fn form(&self) -> Residue<'_> {
        let findings = self.findings.iter().map(|one| ResidueFinding {
            kind: &one.kind,
            what: &one.what,
            change: &one.change,
            by: one.by.as_deref(),
            sure: &one.sure,
        });
        let tidied = self
            .tidied
            .as_ref()
            .map(|all| all.iter().map(residue_tidied));
        Residue {
            id: &self.id,
            depth: &self.depth,
            complete: self.complete,
            noted_at: self.noted_at.map(Time),
            looked_at: Time(self.looked_at),
            looked: &self.looked,
            not_looked: &self.not_looked,
            findings: findings.collect(),
            more: self.more,
            tidied: tidied.map(Iterator::collect),
            tidied_at: self.tidied_at.map(Time),
        }
    }
}

/// `Role`.
#[derive(Serialize)]
pub struct Role<'a> {
    name: &'a str,
    description: &'a str,
    default_s: u64,
    max_s: u64,
    lapse_s: u64,
    reason_min: u32,
    ticket_required: bool,
    ticket_pattern: Option<&'a str>,
    approvers: &'a [String],
    needed: u32,
    auto: bool,
    break_glass: bool,
    login: bool,
    record: bool,
    use_within_s: Option<u64>,
    gives: &'a [String],
    warnings: Vec<Warning<'a>>,
    goes_on: Option<&'a str>,
    tidies: Option<&'a str>,
}

impl View for access::Role {
    const KIND: &'static str = "Role";
    type Form<'a> = Role<'a>;

    fn form(&self) -> Role<'_> {
        Role {
            name: &self.name,
            description: &self.description,
            default_s: self.default_s,
            max_s: self.max_s,
            lapse_s: self.lapse_s,
            reason_min: self.reason_min,
            ticket_required: self.ticket_required,
            ticket_pattern: self.ticket_pattern.as_deref(),
            approvers: &self.approvers,
            needed: self.needed,
            auto: self.auto,
            break_glass: self.break_glass,
            login: self.login,
            record: self.record,
            use_within_s: self.use_within_s,
            gives: &self.gives,
            warnings: warnings(self.warnings.as_ref()),
            goes_on: self.goes_on.as_deref(),
            tidies: self.tidies.as_deref(),
        }
    }
}

/// `Event`.
#[allow(clippy::struct_field_names, reason = "they are the contract's")]
#[derive(Serialize)]
pub struct Event<'a> {
    seq: u64,
    at: Time,
    code: &'a str,
    event: &'a str,
    hash: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
    line: &'a str,
}

impl View for access::Event {
    const KIND: &'static str = "Event";
    type Form<'a> = Event<'a>;

    fn form(&self) -> Event<'_> {
        let fields = self.fields.iter();
        Event {
            seq: self.seq,
            at: Time(self.at),
            code: &self.code,
            event: &self.event,
            hash: &self.hash,
            fields: fields
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
            line: &self.line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_schema_of_a_request_holds_still() {
        assert_eq!(
            object(&sample::active()),
            include_str!("json/request.json").trim_end()
        );
    }

    #[test]
    fn what_does_not_apply_is_null_and_stands_there() {
        let pending: serde_json::Value = serde_json::from_str(&object(&sample::pending())).unwrap();
        for key in [
            "ticket",
            "not_before",
            "not_after",
            "ended_at",
            "remaining_s",
            "extends",
        ] {
            assert_eq!(pending.get(key), Some(&serde_json::Value::Null), "{key}");
        }
        assert_eq!(pending["lapses_at"], "2026-11-24T14:21:00Z");
    }

    #[test]
    fn a_list_has_its_kind_and_its_items() {
        let json: serde_json::Value = serde_json::from_str(&list(&[sample::pending()])).unwrap();
        assert_eq!(json["apiVersion"], "tpa/v1");
        assert_eq!(json["kind"], "RequestList");
        assert_eq!(json["items"][0]["id"], "K0000001");
        let empty: serde_json::Value = serde_json::from_str(&list::<access::Role>(&[])).unwrap();
        assert_eq!(empty["items"], serde_json::json!([]));
    }

    #[test]
    fn a_stream_has_one_object_a_line() {
        let mut request = sample::pending();
        request.reason = "two\nlines".into();
        assert!(!line(&request).contains('\n'));
    }

    #[test]
    fn what_people_typed_cannot_move_the_cursor_and_reads_back_whole() {
        let mut request = sample::pending();
        request.reason = "a\x1b[2J\u{202e}b\u{9b}\u{e0041}\n".into();
        let json = object(&request);
        assert!(!json.chars().any(|c| c != '\n' && is_unsafe(c)), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["reason"], request.reason);
    }
}
