//! The fields of an event: its grant's whole context, so that a line can be read alone.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use tpa_bus::offline::Who;

use super::unusual::{self, Seen};
use crate::ledger::{
    BeginningNote, CameTo, Envelope, Event, Finding, LookedFor, OneCommand, Place, Proof, Repeated,
    Request, Residue, Session, Stage, Sure, Tidied,
};
use crate::policy::ProofLevel;

/// What the event itself does not know.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Name of this host.
    pub host: &'a str,
    /// Name of the database that the event goes to.
    pub database: &'a str,
    /// Revision of the configuration in force.
    pub policy: &'a str,
    /// The request that the event is about, as it is after the event.
    pub request: Option<&'a Request>,
    /// Who may decide it, by the role as it is now.
    pub approvers: &'a [Who],
    /// What is known of the person that the event is about.
    pub seen: Seen,
}

/// The fields, in the order in which they stand in the line. Values are whole, as typed: making
/// them fit for one line is the line's affair.
#[must_use]
pub fn of(envelope: &Envelope, context: &Context<'_>) -> Vec<(String, String)> {
    let mut fields = Fields::default();
    let (code, name) = envelope.event.code();
    fields.add("event", name);
    if let Some(request) = context.request {
        of_request(&mut fields, request, context.approvers);
    }
    of_event(&mut fields, &envelope.event);
    let command = context.request.and_then(|request| request.command.as_ref());
    if let Some(command) = command.filter(|_| is_of_command(&envelope.event)) {
        of_command(&mut fields, command);
    }
    if let Event::LoginDenied { .. } = &envelope.event {
        fields.add("refused", context.seen.refused.saturating_add(1));
    }
    fields.maybe("unusual", unusual::mark(&envelope.event, context.seen));
    if let Some(actor) = &envelope.actor {
        fields.add("actor", &actor.name);
        fields.add("actor_uid", actor.uid);
        fields.maybe(
            "actor_euid",
            envelope.actor_uid.filter(|uid| *uid != actor.uid),
        );
        let login = envelope.actor_login.as_ref();
        fields.maybe("actor_login", login.map(|person| &person.name));
        fields.maybe("actor_login_uid", login.map(|person| person.uid));
        of_proof(&mut fields, envelope.proof.as_ref());
    }
    fields.add("code", code);
    fields.add("outcome", outcome(&envelope.event));
    fields.add("time", time(envelope.at));
    fields.add("policy", context.policy);
    fields.add("host", context.host);
    fields.add("db", context.database);
    fields.0
}

/// A moment as it stands in lines and in JSON: RFC 3339 in UTC.
#[must_use]
pub fn time(at: i64) -> String {
    DateTime::<Utc>::from_timestamp(at, 0).map_or_else(
        || at.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field; a field that is there already keeps its value.
    fn add(&mut self, name: &str, value: impl fmt::Display) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), value.to_string()));
        }
    }

    fn maybe(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

/// How the actor proved who they are. Of a version that did not record it nothing is said.
fn of_proof(fields: &mut Fields, proof: Option<&Proof>) {
    let Some(proof) = proof else { return };
    let level = proof.level().map_or("none", ProofLevel::word);
    fields.add("proof", level);
    if let Some(key) = proof.key() {
        fields.add("key", &key.fingerprint);
        fields.add("touched", key.touched);
    }
    fields.maybe("statement", proof.said().map(|said| &said.digest));
}

fn outcome(event: &Event) -> &'static str {
    match event {
        Event::Repeated { what, .. } if what.why.is_empty() => "success",
        Event::Repeated { .. }
        | Event::LoginDenied { .. }
        | Event::DecisionRefused { .. }
        | Event::NoticeFailed { .. }
        | Event::StatementRefused { .. }
        | Event::RemovalFailed { .. }
        | Event::PolicyRejected { .. }
        | Event::ChainBroken { .. } => "failure",
        Event::CommandRun { exit_code, .. } if *exit_code != Some(0) => "failure",
        _ => "success",
    }
}

fn of_request(fields: &mut Fields, request: &Request, approvers: &[Who]) {
    fields.add("grant", request.id.as_str());
    fields.add("user", &request.user.name);
    fields.add("uid", request.user.uid);
    fields.add("role", &request.role);
    fields.add("state", request.state().word());
    fields.add("reason", &request.reason);
    fields.maybe("ticket", request.ticket.as_ref());
    fields.add("requested_by", &request.requested_by.name);
    fields.add("duration_s", request.duration_s);
    let (not_before, not_after) = match &request.stage {
        Stage::Active { since, deadline } => (Some(*since), Some(deadline.not_after)),
        Stage::Closed {
            since, not_after, ..
        } => (*since, *not_after),
        Stage::Waiting { from, .. } => (Some(*from), None),
        Stage::Pending | Stage::Approved => (request.at, request.until),
    };
    fields.maybe("not_before", not_before.map(time));
    fields.maybe("not_after", not_after.map(time));
    fields.add("needed", request.needed);
    if !request.approvals.is_empty() {
        let names: Vec<_> = request
            .approvals
            .iter()
            .map(|a| a.by.name.as_str())
            .collect();
        fields.add("approved_by", names.join(","));
    }
    let listed: Vec<_> = approvers.iter().map(ToString::to_string).collect();
    fields.add("approvers", listed.join(","));
    fields.maybe("extends", request.extends.map(|id| id.as_str().to_owned()));
}

/// Whether it is about the command itself.
fn is_of_command(event: &Event) -> bool {
    matches!(
        event,
        Event::RequestCreated(_)
            | Event::CommandApproved { .. }
            | Event::CommandStarted { .. }
            | Event::CommandRun { .. }
    )
}

/// The command as it was typed; `argv_sha256` names it with all that was approved of it.
fn of_command(fields: &mut Fields, command: &OneCommand) {
    fields.add("argv", command.line());
    fields.add("argv_sha256", command.digest());
    fields.add("target", &command.run_as.name);
    fields.add("directory", &command.directory);
    fields.add("program", &command.program);
    fields.add("program_sha256", &command.sha256);
}

fn of_refused_statement(fields: &mut Fields, event: &Event) {
    let Event::StatementRefused {
        statement,
        by,
        why,
        problem,
    } = event
    else {
        return;
    };
    fields.add("statement", statement);
    fields.maybe("signer", by.as_ref());
    fields.add("why", why);
    fields.add("problem", problem);
}

fn of_event(fields: &mut Fields, event: &Event) {
    match event {
        Event::RequestCreated(request) => {
            fields.add("gives", request.describe().join("; "));
        }
        Event::CommandRun {
            exit_code,
            duration_ms,
            ..
        } => {
            fields.maybe("exit_code", exit_code.as_ref());
            fields.add("duration_ms", duration_ms);
        }
        Event::ApprovalRecorded { approval, .. } => {
            fields.add(
                "approval",
                if approval.is_some() { "person" } else { "auto" },
            );
            fields.maybe(
                "comment",
                approval.as_ref().and_then(|a| a.comment.as_ref()),
            );
        }
        Event::Closed { why, .. } => fields.maybe("why", why.as_ref()),
        Event::DecisionRefused { decision, why, .. } => {
            fields.add("decision", decision);
            fields.add("why", why);
        }
        Event::StatementRefused { .. } => of_refused_statement(fields, event),
        Event::GrantExtended { by_request, .. } => fields.add("by_request", by_request.as_str()),
        Event::RemovalFailed {
            killed,
            survivors,
            looked_for,
            ..
        } => of_removal(fields, *killed, Some(survivors), looked_for),
        Event::RemovalConfirmed {
            killed, looked_for, ..
        } => of_removal(fields, *killed, None, looked_for),
        Event::BeginningNoted { note, .. } => of_note(fields, note),
        Event::Residue { residue, .. } => of_residue(fields, residue),
        Event::ResidueTidied { tidied, .. } => of_tidied(fields, tidied),
        Event::LoginAllowed { place, .. } => of_place(fields, place),
        Event::LoginDenied { user, place, why } => {
            fields.add("user", &user.name);
            fields.add("uid", user.uid);
            fields.add("why", why);
            of_place(fields, place);
        }
        Event::ExemptLogin { user, place } => {
            fields.add("user", &user.name);
            fields.add("uid", user.uid);
            of_place(fields, place);
        }
        Event::Repeated {
            what,
            count,
            since,
            until,
        } => of_repeated(fields, what, *count, (*since, *until)),
        Event::SessionOpened(session)
        | Event::SessionClosed(session)
        | Event::SessionKilled(session) => of_session(fields, session),
        Event::SessionMoved { session, from } => {
            of_session(fields, session);
            fields.add("from", from.as_str());
        }
        Event::RecordingOpened { .. } | Event::RecordingClosed { .. } => {
            of_recording(fields, event);
        }
        Event::BreakGlassReviewed { review, .. } => {
            fields.maybe("comment", review.comment.as_ref());
        }
        Event::DaemonStarted { version, .. } => fields.add("version", version),
        Event::PolicyLoaded { revision } => fields.add("policy", revision),
        Event::PolicyRejected { problems } => fields.add("problems", problems.join("; ")),
        Event::ClockJump {
            clock, taken_for, ..
        } => {
            fields.add("clock", time(*clock));
            fields.add("taken_for", time(*taken_for));
        }
        Event::ChainBroken { seq, problem } => {
            fields.add("broken_seq", seq);
            fields.add("problem", problem);
        }
        Event::HostDrift { what, .. } => fields.add("what", what),
        Event::LogPruned { .. } => of_pruned(fields, event),
        Event::NoticeFailed { .. } => of_notice(fields, event),
        Event::RequestReminder { .. }
        | Event::GrantActivated { .. }
        | Event::CommandApproved { .. }
        | Event::CommandStarted { .. }
        | Event::BreakGlassUsed { .. }
        | Event::RecordingsRemoved { .. }
        | Event::DaemonStopped => {}
    }
}

/// What was killed at an end, what survived where something did, and what was looked for.
fn of_removal(
    fields: &mut Fields,
    killed: u32,
    survivors: Option<&Vec<String>>,
    looked_for: &LookedFor,
) {
    fields.add("killed", killed);
    fields.add("survivors", survivors.map_or(0, Vec::len));
    fields.maybe("survived", survivors.map(|names| names.join(", ")));
    of_looked_for(fields, looked_for);
}

/// Which recording was opened, or what one was when it was over.
fn of_recording(fields: &mut Fields, event: &Event) {
    match event {
        Event::RecordingOpened { recording, .. } => fields.add("recording", recording),
        Event::RecordingClosed {
            recording,
            sha256,
            bytes,
            ..
        } => {
            fields.add("recording", recording);
            fields.add("recording_sha256", sha256);
            fields.add("recording_bytes", bytes);
        }
        _ => {}
    }
}

/// What was noted at a beginning.
fn of_note(fields: &mut Fields, note: &BeginningNote) {
    fields.maybe("note_sha256", note.sha256.as_ref());
    fields.add("noted_at", time(note.at));
    if !note.not_noted.is_empty() {
        fields.add("not_noted", note.not_noted.join("; "));
    }
}

/// What was looked for and found: the certain first, since the line shows the beginning of a value.
fn of_residue(fields: &mut Fields, residue: &Residue) {
    let found = residue.found();
    fields.add("depth", residue.depth.word());
    fields.add("certain", found.certain);
    fields.add("doubtful", found.doubtful);
    fields.add("complete", residue.complete);
    if !residue.findings.is_empty() {
        let all: Vec<_> = residue.findings.iter().map(finding).collect();
        fields.add("found", all.join("; "));
    }
    fields.add("looked_for", residue.looked.join(", "));
    if !residue.not_looked.is_empty() {
        fields.add("not_looked_for", residue.not_looked.join("; "));
    }
    fields.maybe("noted_at", residue.noted_at.map(time));
}

/// What was removed, what was gone already, and what stays with why.
fn of_tidied(fields: &mut Fields, tidied: &[Tidied]) {
    let of = |came_to: &str| {
        let all = tidied.iter().filter(|one| one.came_to.word() == came_to);
        all.map(|one| {
            let why = match &one.came_to {
                CameTo::Stays(why) => format!(": {why}"),
                CameTo::Removed | CameTo::Gone => String::new(),
            };
            format!("{} {} of {}{why}", one.kind, one.what, one.account.name)
        })
        .collect::<Vec<_>>()
    };
    for came_to in ["removed", "gone", "stays"] {
        let all = of(came_to);
        fields.add(came_to, all.len());
        if !all.is_empty() {
            fields.add(&format!("{came_to}_what"), all.join("; "));
        }
    }
}

/// `cron /var/spool/cron/crontabs/postgres new (postgres)`
fn finding(one: &Finding) -> String {
    let doubt = match one.sure {
        Sure::Certain => "",
        Sure::Doubtful => "doubtful: ",
    };
    let by = one.by.as_ref().map(|by| format!(" ({by})"));
    let (kind, what, change) = (&one.kind, &one.what, one.change.word());
    format!("{doubt}{kind} {what} {change}{}", by.unwrap_or_default())
}

/// What a target was not told.
fn of_notice(fields: &mut Fields, event: &Event) {
    if let Event::NoticeFailed {
        target,
        count,
        first,
        last,
        why,
    } = event
    {
        fields.add("notify_target", target);
        fields.add("count", count);
        fields.add("first", first);
        fields.add("last", last);
        fields.add("why", why);
    }
}

/// What the log lets go.
fn of_pruned(fields: &mut Fields, event: &Event) {
    if let Event::LogPruned {
        through,
        hash,
        at,
        events,
    } = event
    {
        fields.add("events", events);
        fields.add("through", through);
        fields.add("through_hash", hash);
        fields.add("through_time", time(*at));
    }
}

/// What `survivors` speaks of. Nothing for an event of a version that did not record it.
fn of_looked_for(fields: &mut Fields, looked_for: &LookedFor) {
    if looked_for.at.is_empty() {
        return;
    }
    fields.add("looked_at", &looked_for.at);
    if !looked_for.left.is_empty() {
        fields.add("left", looked_for.left.join("; "));
    }
    fields.maybe("not_looked_at", looked_for.not_at.as_ref());
}

fn of_repeated(fields: &mut Fields, what: &Repeated, count: u64, (since, until): (i64, i64)) {
    fields.add("of", &what.of);
    fields.add("count", count);
    fields.add("user", &what.user.name);
    fields.add("uid", what.user.uid);
    if what.of == "decision-refused" {
        fields.add("decision", &what.at);
    } else {
        fields.add("service", &what.at);
    }
    fields.maybe("why", Some(&what.why).filter(|why| !why.is_empty()));
    fields.add("since", time(since));
    fields.add("until", time(until));
}

fn of_place(fields: &mut Fields, place: &Place) {
    fields.add("service", &place.service);
    fields.maybe("tty", place.tty.as_ref());
    fields.maybe("rhost", place.rhost.as_ref());
    fields.add("pid", place.pid);
}

fn of_session(fields: &mut Fields, session: &Session) {
    fields.add("service", &session.service);
    fields.maybe("target", session.target.as_ref());
    fields.maybe("command", session.command.as_ref());
    let digest = session.command_digest.as_ref();
    fields.maybe("command_bytes", digest.map(|digest| digest.bytes));
    fields.maybe("command_sha256", digest.map(|digest| &digest.sha256));
    fields.maybe("tty", session.tty.as_ref());
    fields.maybe("rhost", session.rhost.as_ref());
    fields.add("pid", session.pid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::request;
    use crate::ledger::{Person, State};

    #[test]
    fn a_line_about_a_grant_tells_its_whole_story() {
        let envelope = Envelope {
            at: 1_700_000_000,
            actor: Some(Person {
                uid: 1003,
                name: "carol".into(),
            }),
            actor_uid: Some(0),
            actor_login: None,
            proof: None,
            event: Event::RequestCreated(Box::new(request(1, "alice"))),
        };
        let mut state = State::default();
        state.apply(&envelope);
        let context = Context {
            host: "web-01",
            database: "0123",
            policy: "abc",
            request: state.requests.values().next(),
            approvers: &[Who::Group("oncall".into())],
            seen: Seen::default(),
        };
        let fields = of(&envelope, &context);
        let value = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        for (name, expected) in [
            ("code", "TPA1000"),
            ("event", "request-created"),
            ("outcome", "success"),
            ("time", "2023-11-14T22:13:20Z"),
            ("grant", "00000001"),
            ("user", "alice"),
            ("uid", "1001"),
            ("role", "one"),
            ("reason", "because"),
            ("actor", "carol"),
            ("actor_uid", "1003"),
            ("actor_euid", "0"),
            ("approvers", "@oncall"),
            ("gives", "login; sudo as root: /usr/bin/id"),
            ("policy", "abc"),
            ("host", "web-01"),
            ("db", "0123"),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn an_end_says_what_nothing_survived_of_and_an_old_one_says_no_more_than_it_knew() {
        let said = |looked_for: LookedFor| {
            let mut fields = Fields::default();
            let id = request(1, "alice").id;
            let event = Event::RemovalConfirmed {
                id,
                killed: 7,
                looked_for,
            };
            of_event(&mut fields, &event);
            let fields: Vec<_> = fields.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
            fields.join(" ")
        };
        assert_eq!(said(LookedFor::default()), "killed=7 survivors=0");
        let looked_for = LookedFor {
            at: "its commands".into(),
            left: vec!["1 a".into(), "2 b".into()],
            not_at: Some("the rest".into()),
        };
        assert_eq!(
            said(looked_for),
            "killed=7 survivors=0 looked_at=its commands left=1 a; 2 b not_looked_at=the rest"
        );
    }
}
