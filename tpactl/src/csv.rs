//! The CSV forms (RFC 4180): what leaves the terminal carries absolute times in UTC and the host's
//! name. Columns are only ever added.

use tpa_bus::access::{Event, Recording, Request, ResidueFinding, Role, Session};

use crate::doctor::{Finding, Sight};
use crate::say::clean;
use crate::say::request::lasted;
use crate::say::time::rfc3339;

/// What can be a row.
pub trait Row {
    /// The names of its columns, without the host's.
    const COLUMNS: &'static [&'static str];
    /// Its cells, as many as there are columns.
    fn cells(&self) -> Vec<String>;
}

/// The line with the names of the columns.
pub fn heading<R: Row>() -> String {
    format!("{},host", R::COLUMNS.join(","))
}

/// One line for a row.
pub fn line<R: Row>(row: &R, host: &str) -> String {
    let cells: Vec<String> = row.cells().iter().map(|cell| quoted(cell)).collect();
    format!("{},{}", cells.join(","), quoted(host))
}

/// The heading, and a line for each row.
pub fn lines<R: Row>(rows: &[R], host: &str) -> Vec<String> {
    let rows = rows.iter().map(|row| line(row, host));
    std::iter::once(heading::<R>()).chain(rows).collect()
}

/// A clean cell. A spreadsheet takes what begins with one of `=+-@` for a formula, which a reason
/// must never be: an apostrophe before it makes it text.
fn quoted(text: &str) -> String {
    let text = clean(text);
    let text = if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    };
    if text.contains([',', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn time(at: Option<i64>) -> String {
    at.map(rfc3339).unwrap_or_default()
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

impl Row for Request {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "state",
        "user",
        "role",
        "ticket",
        "requested_by",
        "requested_at",
        "duration_s",
        "approved_by",
        "not_before",
        "not_after",
        "ended_at",
        "end_reason",
        "break_glass",
        "reviewed_by",
        "reason",
        "decided_by",
        "decision_reason",
        "decided_at",
        "lasted_s",
        "proofs",
    ];

    fn cells(&self) -> Vec<String> {
        let approvers: Vec<&str> = self.approvals.iter().map(|one| one.by.as_str()).collect();
        let proofs: Vec<&str> = self
            .approvals
            .iter()
            .map(|one| one.proof.as_deref().unwrap_or("-"))
            .collect();
        vec![
            self.id.clone(),
            self.state.clone(),
            self.user.clone(),
            self.role.clone(),
            text(self.ticket.as_ref()),
            self.requested_by.clone(),
            rfc3339(self.requested_at),
            self.duration_s.to_string(),
            approvers.join(" "),
            time(self.not_before),
            time(self.not_after),
            time(self.ended_at),
            text(self.end_reason.as_ref()),
            self.break_glass.to_string(),
            text(self.reviewed_by.as_ref()),
            self.reason.clone(),
            text(self.decided_by.as_ref()),
            text(self.decision_reason.as_ref()),
            time(self.decided_at),
            number(lasted(self)),
            proofs.join(" "),
        ]
    }
}

impl Row for Session {
    const COLUMNS: &'static [&'static str] = &[
        "grant",
        "user",
        "service",
        "tty",
        "pid",
        "session",
        "rhost",
        "opened_at",
        "detached",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.grant.clone(),
            self.user.clone(),
            self.service.clone(),
            text(self.tty.as_ref()),
            self.pid.to_string(),
            text(self.session.as_ref()),
            text(self.rhost.as_ref()),
            rfc3339(self.opened_at),
            (self.detached == Some(true)).to_string(),
        ]
    }
}

impl Row for ResidueFinding {
    const COLUMNS: &'static [&'static str] = &["sure", "kind", "change", "what", "by"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.sure.clone(),
            self.kind.clone(),
            self.change.clone(),
            self.what.clone(),
            text(self.by.as_ref()),
        ]
    }
}

impl Row for Recording {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "started_at",
        "target",
        "command",
        "tty",
        "bytes",
        "live",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            rfc3339(self.started_at),
            self.target.clone(),
            self.command.clone(),
            text(self.tty.as_ref()),
            self.bytes.to_string(),
            self.live.to_string(),
        ]
    }
}

impl Row for Role {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "description",
        "default_s",
        "max_s",
        "lapse_s",
        "use_within_s",
        "reason_min",
        "ticket_required",
        "ticket_pattern",
        "needed",
        "approvers",
        "auto",
        "break_glass",
        "login",
        "record",
        "gives",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.description.clone(),
            self.default_s.to_string(),
            self.max_s.to_string(),
            self.lapse_s.to_string(),
            number(self.use_within_s),
            self.reason_min.to_string(),
            self.ticket_required.to_string(),
            text(self.ticket_pattern.as_ref()),
            self.needed.to_string(),
            self.approvers.join(" "),
            self.auto.to_string(),
            self.break_glass.to_string(),
            self.login.to_string(),
            self.record.to_string(),
            self.gives.join("; "),
        ]
    }
}

impl Row for Event {
    const COLUMNS: &'static [&'static str] = &["seq", "at", "code", "event", "line", "hash"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.seq.to_string(),
            rfc3339(self.at),
            self.code.clone(),
            self.event.clone(),
            self.line.clone(),
            self.hash.clone(),
        ]
    }
}

impl Row for Finding {
    const COLUMNS: &'static [&'static str] = &["area", "problem", "fix", "severity", "looked_at"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.area.to_owned(),
            self.problem.clone(),
            self.fix.clone(),
            self.severity.word().to_owned(),
            (self.sight == Sight::LookedAt).to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use crate::sample;

    #[test]
    fn csv_has_a_row_a_request_with_its_host_and_no_formula() {
        let mut request = sample::active();
        request.reason = "=cmd|' /C calc'!A0, \"x\"\n".into();
        let lines = lines(&[request], "web-01");
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("id,state,user,") && lines[0].ends_with(",host"));
        assert!(lines[1].starts_with(
            "7H2KM4QX,active,alice,web-ops,OPS-4821,alice,2026-11-24T13:29:00Z,7200,carol,"
        ));
        assert!(
            lines[1].contains(r#","'=cmd|' /C calc'!A0, ""x""\n","#),
            "{}",
            lines[1]
        );
        assert!(lines[1].ends_with(",web-01"), "{}", lines[1]);
    }

    fn fits<R: Row>(row: &R) {
        assert_eq!(row.cells().len(), R::COLUMNS.len(), "{:?}", R::COLUMNS);
    }

    #[test]
    fn every_row_has_a_cell_for_each_column() {
        fits(&sample::active());
        fits(&Session::default());
        fits(&Role::default());
        fits(&Event::default());
        fits(&Finding::of(Severity::Info, "pam", "a problem", "a fix"));
    }
}
