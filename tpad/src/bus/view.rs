//! The ledger's records as they cross the bus.

use std::collections::HashMap;
use std::fmt::Write as _;

use tpa_bus::access as wire;
use tpa_bus::id::Id;

use crate::audit::line;
use crate::clock::Now;
use crate::core::Core;
use crate::engine::{Checked, TidiedAt};
use crate::host::detached::Detached;
use crate::ledger::{
    Amount, Appeared, Approval, Caller, CameTo, Closed, Envelope, Finding, OneCommand, Person,
    Request, Residue, ResidueFound, Session, Stage, Tidied,
};
use crate::policy::{AuditFormat, Gives, Policy, Role, danger};
use crate::store::Record;

pub(super) fn request(core: &Core, caller: &Caller, request: &Request, now: &Now) -> wire::Request {
    let policy = core.policy();
    let found = match &request.command {
        Some(command) => command.amounts.iter().map(amount).collect(),
        None => warnings(&policy, &request.role, gives_now(&policy, request)),
    };
    wire::Request {
        warnings: Some(found),
        ..row(core, caller, request, now)
    }
}

/// What a request gives: while it is undecided what its role gives now, which may have changed
/// since it was asked for.
fn gives_now<'a>(policy: &'a Policy, request: &'a Request) -> &'a Gives {
    match policy.roles.get(&request.role) {
        Some(role) if request.is_pending() && request.command.is_none() => &role.gives,
        _ => &request.gives,
    }
}

/// A request without what its rules amount to, which takes longer to say than all the rest.
fn row(core: &Core, caller: &Caller, request: &Request, now: &Now) -> wire::Request {
    let policy = core.policy();
    let role = policy.roles.get(&request.role);
    let gives = gives_now(&policy, request);
    let mut out = wire::Request {
        id: request.id.as_str().to_owned(),
        state: request.state().word().to_owned(),
        user: request.user.name.clone(),
        uid: request.user.uid,
        role: request.role.clone(),
        role_gone: role.is_none().then_some(true),
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
        requested_by: request.requested_by.name.clone(),
        requested_at: request.requested_at,
        duration_s: request.duration_s,
        needed: request.needed,
        approvals: request.approvals.iter().map(approval).collect(),
        approvers: role.map(approvers).unwrap_or_default(),
        extends: request.extends.map(|id| id.as_str().to_owned()),
        break_glass: request.gives.break_glass,
        reviewed_by: request
            .reviewed
            .as_ref()
            .map(|review| review.by.name.clone()),
        sessions: core
            .sessions(caller, Some(request.id))
            .iter()
            .map(session)
            .collect(),
        gives: match request.command {
            Some(_) => request.describe(),
            None => gives.describe(),
        },
        goes_on: gives.goes_on(),
        tidies: gives.tidies(),
        command: request.command.as_ref().map(one_command),
        rules_rejected: core.rules_rejected(request.id),
        review_due: Some(request.awaits_review()),
        reviewable: Some(core.is_reviewable(caller, request, now)),
        proof: role.map(|role| role.proof.word().to_owned()),
        digest: Some(request.digest()),
        residue: request
            .looks
            .as_ref()
            .and_then(|looks| looks.found)
            .map(count),
        ..wire::Request::default()
    };
    stage(&mut out, request, now);
    out
}

fn count(found: ResidueFound) -> wire::ResidueCount {
    wire::ResidueCount {
        certain: found.certain,
        doubtful: found.doubtful,
        complete: found.complete,
    }
}

/// What a grant left behind.
pub(super) fn residue(id: Id, residue: Residue, tidied: Option<TidiedAt>) -> wire::Residue {
    let is_about = !residue.appeared.is_empty();
    let tidied_at = tidied.as_ref().map(|(at, _)| *at);
    let list: Vec<_> = match tidied {
        Some((_, all)) => all.into_iter().map(become_of).collect(),
        None => residue.appeared.into_iter().map(due).collect(),
    };
    let finding = |one: Finding| wire::ResidueFinding {
        kind: one.kind,
        what: one.what,
        change: one.change.word().to_owned(),
        by: one.by,
        sure: one.sure.word().to_owned(),
    };
    wire::Residue {
        id: id.as_str().to_owned(),
        depth: residue.depth.word().to_owned(),
        looked: residue.looked,
        not_looked: residue.not_looked,
        complete: residue.complete,
        noted_at: residue.noted_at,
        looked_at: residue.looked_at,
        findings: residue.findings.into_iter().map(finding).collect(),
        more: residue.more,
        tidied: is_about.then_some(list),
        tidied_at,
    }
}

/// What became of something that was to be removed.
fn become_of(one: Tidied) -> wire::ResidueTidied {
    let came_to = one.came_to.word().to_owned();
    wire::ResidueTidied {
        account: one.account.name,
        kind: one.kind,
        what: one.what,
        came_to,
        why: match one.came_to {
            CameTo::Stays(why) => Some(why),
            CameTo::Removed | CameTo::Gone => None,
        },
    }
}

/// Something that is to be removed yet, or stays.
fn due(one: Appeared) -> wire::ResidueTidied {
    let came_to = if one.stays.is_some() { "stays" } else { "due" };
    wire::ResidueTidied {
        account: one.account.name,
        kind: one.kind,
        what: one.what,
        came_to: came_to.to_owned(),
        why: one.stays,
    }
}

/// What a command comes to.
fn amount(amount: &Amount) -> wire::Warning {
    wire::Warning {
        rule: String::new(),
        kind: amount.kind.clone(),
        message: amount.message.clone(),
        next: String::new(),
    }
}

/// The command of a request.
pub(super) fn one_command(command: &OneCommand) -> wire::OneCommand {
    let run = command.run.as_ref();
    wire::OneCommand {
        argv: command.argv.clone(),
        line: command.line(),
        run_as: command.run_as.name.clone(),
        directory: command.directory.clone(),
        program: command.program.clone(),
        sha256: command.sha256.clone(),
        started_at: run.map(|run| run.at),
        exit_code: run.and_then(|run| run.exit_code),
    }
}

fn warnings(policy: &Policy, role: &str, gives: &Gives) -> Vec<wire::Warning> {
    let found = danger::of_gives(role, gives, &policy.seen);
    found
        .into_iter()
        .map(|finding| wire::Warning {
            rule: finding.rule,
            kind: finding.kind.to_owned(),
            message: finding.message,
            next: finding.instead.to_owned(),
        })
        .collect()
}

fn stage(out: &mut wire::Request, request: &Request, now: &Now) {
    let last_yes = || match request.approvals.last() {
        Some(approval) => Some(approval.by.name.clone()),
        None if request.gives.break_glass => None,
        None => Some("auto".to_owned()),
    };
    let last_yes_at = || {
        let last = request.approvals.last();
        Some(last.map_or(request.requested_at, |approval| approval.at))
    };
    match &request.stage {
        Stage::Pending => {
            out.not_before = request.at;
            out.not_after = request.until;
            out.lapses_at = Some(request.lapses_at);
        }
        Stage::Approved => {
            out.decided_by = last_yes();
            out.decided_at = last_yes_at();
        }
        Stage::Waiting { from, use_by } => {
            out.not_before = Some(*from);
            out.not_after = use_by
                .is_none()
                .then(|| from.saturating_add_unsigned(request.duration_s));
            out.lapses_at = *use_by;
            out.use_by = *use_by;
            out.decided_by = last_yes();
            out.decided_at = last_yes_at();
        }
        Stage::Active { since, deadline } => {
            out.not_before = Some(*since);
            out.not_after = Some(deadline.not_after);
            out.remaining_s = Some(deadline.remaining_ms(now).div_ceil(1_000));
            out.decided_by = last_yes();
            out.decided_at = last_yes_at();
        }
        Stage::Closed {
            how,
            at,
            by,
            why,
            since,
            not_after,
        } => {
            out.not_before = *since;
            // Access that was taken away has no end in the future.
            out.not_after = not_after.map(|planned| planned.min(*at));
            let by = by.as_ref().map(|person| person.name.clone());
            if matches!(how, Closed::Denied | Closed::Withdrawn | Closed::Lapsed) {
                out.decided_by = by;
                out.decided_at = Some(*at);
                out.decision_reason.clone_from(why);
                return;
            }
            out.decided_by = last_yes();
            out.decided_at = last_yes_at();
            out.ended_at = Some(*at);
            let mut reason = request.state().word().to_owned();
            if let Some(by) = by {
                let _ = write!(reason, " by {by}");
            }
            if let Some(why) = why {
                let _ = write!(reason, ": {why}");
                out.decision_reason = Some(why.clone());
            }
            out.end_reason = Some(reason);
        }
    }
}

/// Recordings held against the trail.
pub fn recording_check(checked: Checked) -> wire::RecordingCheck {
    let bad = checked.bad.into_iter().map(|bad| wire::BadRecording {
        seq: bad.seq,
        grant: bad.id.as_str().to_owned(),
        recording: bad.recording,
        problem: bad.problem,
    });
    wire::RecordingCheck {
        last: checked.last,
        whole: checked.whole,
        gone: checked.gone,
        bad: bad.collect(),
        done: checked.done,
    }
}

fn approval(approval: &Approval) -> wire::Approval {
    wire::Approval {
        by: approval.by.name.clone(),
        uid: approval.by.uid,
        at: approval.at,
        comment: approval.comment.clone(),
        proof: approval.proof.map(|proof| proof.word().to_owned()),
        key: approval.key.clone(),
    }
}

fn approvers(role: &Role) -> Vec<String> {
    role.approvers.iter().map(ToString::to_string).collect()
}

pub(super) fn session(session: &Session) -> wire::Session {
    wire::Session {
        grant: session.grant.as_str().to_owned(),
        service: session.service.clone(),
        user: session.user.name.clone(),
        pid: session.pid,
        session: logind_session(session.pid),
        tty: session.tty.clone(),
        rhost: session.rhost.clone(),
        opened_at: session.opened_at,
        detached: None,
    }
}

/// What goes on of a login that was closed.
pub(super) fn detached(person: &Person, grant: Id, found: &Detached, now: &Now) -> wire::Session {
    let ago_ms = now.boottime_ms.saturating_sub(found.process.began_ms());
    wire::Session {
        grant: grant.as_str().to_owned(),
        service: found.process.comm.clone(),
        user: person.name.clone(),
        pid: found.process.pid.unsigned_abs(),
        session: found.session.clone(),
        tty: None,
        rhost: None,
        opened_at: now.wall_s.saturating_sub_unsigned(ago_ms / 1_000),
        detached: Some(true),
    }
}

/// logind's name of the session that a process is in: its cgroup's (`sd_pid_get_session(3)`).
fn logind_session(pid: u32) -> Option<String> {
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.split('/')
        .find_map(|part| part.strip_prefix("session-")?.strip_suffix(".scope"))
        .map(str::to_owned)
}

pub(super) fn role(policy: &Policy, caller: &Caller, role: &Role) -> wire::Role {
    wire::Role {
        name: role.name.clone(),
        description: role.description.clone(),
        default_s: role.default_s,
        max_s: role.max_s,
        lapse_s: role.lapse_s,
        reason_min: role.reason_min,
        ticket_required: role.ticket_required,
        ticket_pattern: role.ticket_pattern.clone(),
        approvers: approvers(role),
        needed: role.needed,
        auto: caller.identity.is_meant(policy, &role.auto),
        break_glass: role.gives.break_glass,
        login: role.gives.login,
        record: role.gives.record,
        use_within_s: role.use_within_s,
        gives: role.describe(),
        exact: role.exact.is_some().then_some(true),
        goes_on: role.gives.goes_on(),
        tidies: role.gives.tidies(),
        warnings: Some(warnings(policy, &role.name, &role.gives)),
    }
}

pub(super) fn event(record: &Record, format: AuditFormat) -> wire::Event {
    let mut fields: HashMap<String, String> = record.fields().iter().cloned().collect();
    if record.event().is_none() {
        // Not of the line, which is as the version that knows it wrote it.
        fields.insert("unusual".to_owned(), "unknown-event".to_owned());
    }
    wire::Event {
        seq: record.seq,
        at: record.at,
        code: record.code.clone(),
        event: record.name().to_owned(),
        hash: record.hash.clone(),
        fields,
        line: line::render(record, format),
    }
}

/// A signed statement that the trail keeps.
pub(super) fn evidence((seq, envelope): (u64, Envelope)) -> wire::Evidence {
    let said = envelope.said();
    wire::Evidence {
        seq,
        statement: said.map(|said| said.digest.clone()).unwrap_or_default(),
        text: said.and_then(|said| said.paper.clone()).unwrap_or_default(),
        by: envelope.actor.map(|actor| actor.name).unwrap_or_default(),
    }
}

/// A span as people read it: the two largest units that matter.
pub(super) fn say_span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, seconds) = (seconds % 3_600 / 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

/// For the reply to a listing, which may be long.
pub(super) fn requests(
    core: &Core,
    caller: &Caller,
    found: &[Request],
    now: &Now,
) -> Vec<wire::Request> {
    // Of what is over nobody decides any more, and a list may be long.
    let shown = |each: &Request| {
        if each.is_open() {
            request(core, caller, each, now)
        } else {
            row(core, caller, each, now)
        }
    };
    found.iter().map(shown).collect()
}
