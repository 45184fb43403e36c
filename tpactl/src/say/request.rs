//! A request in one sentence, and many in a table.

use tpa_bus::access::{Request, Warning};

use super::table::Table;
use super::time::{absolute, dated, distance, left, relative, short};
use super::{clean, id, names, style};
use crate::clock::Clock;

/// Said while waiting.
pub const TPAD_STOPPED: &str = "tpad has stopped; this goes on as soon as it is back";

/// How a request stands, in one sentence.
pub fn outcome(request: &Request, clock: &Clock) -> String {
    let name = id(&request.id);
    let state = style::state(&request.state, &clean(&request.state));
    let by = |who: &Option<String>| {
        let who = who.as_ref();
        who.map(|who| format!(" by {}", clean(who)))
            .unwrap_or_default()
    };
    let words = |words: &Option<String>| {
        let words = words.as_ref();
        words
            .map(|words| format!(": {}", clean(words)))
            .unwrap_or_default()
    };
    let rest = match request.state.as_str() {
        "pending" => format!(" and waits for {}", decision(request, clock)),
        "approved" => {
            let grant = request.extends.as_deref().map(id).unwrap_or_default();
            let more = short(request.duration_s);
            format!("{}: {grant} lasts {more} longer", by(&request.decided_by))
        }
        "scheduled" => match request.not_before {
            Some(start) => format!(": starts {}", relative(start, clock)),
            None => format!(": {} from its first use", short(request.duration_s)),
        },
        "active" => match (request.remaining_s, request.not_after) {
            (Some(remaining), Some(end)) => format!(": {}", left(remaining, end, clock)),
            _ => String::new(),
        },
        "denied" | "withdrawn" => {
            format!(
                "{}{}",
                by(&request.decided_by),
                words(&request.decision_reason)
            )
        }
        "lapsed" => ": nobody decided in time".to_owned(),
        _ => ended(request, clock),
    };
    let verb = match request.state.as_str() {
        "expired" | "lapsed" => "",
        "denied" | "withdrawn" | "revoked" | "ended" => "was ",
        _ => "is ",
    };
    let rejected = request.rules_rejected.as_ref().map(|why| {
        let why = format!("its sudo rules are not in force: {}", clean(why));
        format!("; {}", style::warning(&why))
    });
    format!("{name} {verb}{state}{rest}{}", rejected.unwrap_or_default())
}

/// ` by dave 5m ago (14:26 CET, 13:26Z): the incident is over`, as far as it is known. Who ended a
/// grant stands in its end's reason; who decided on it is somebody else.
fn ended(request: &Request, clock: &Clock) -> String {
    let reason = request.end_reason.as_deref().unwrap_or_default();
    let reason = reason.strip_prefix(&request.state).unwrap_or_default();
    let (by, why) = match reason.split_once(": ") {
        Some((by, why)) => (clean(by), format!(": {}", clean(why))),
        None => (clean(reason), String::new()),
    };
    let when = request
        .ended_at
        .map(|at| format!(" {}", relative(at, clock)));
    format!("{by}{}{why}", when.unwrap_or_default())
}

/// Said while waiting: what for.
pub fn waiting(request: &Request, clock: &Clock) -> String {
    let name = id(&request.id);
    match (
        request.state.as_str(),
        request.not_before,
        request.not_after,
    ) {
        ("pending", ..) => {
            let decision = decision(request, clock);
            format!("{name} waits for {decision}. Ctrl-C leaves it pending.")
        }
        ("scheduled", Some(start), _) => {
            format!("{name} is approved and starts {}", relative(start, clock))
        }
        ("active", _, Some(end)) => format!("{name} is active until {}", absolute(end, clock)),
        (state, ..) => format!("{name} is {}", clean(state)),
    }
}

/// `approval (1 of 2) by @oncall, carol; lapses in 50m (15:21 CET, 14:21Z)`
fn decision(request: &Request, clock: &Clock) -> String {
    let given = request.approvals.len();
    let approvers = names(&request.approvers);
    let lapse = request
        .lapses_at
        .map(|at| format!("; lapses {}", relative(at, clock)));
    format!(
        "approval ({given} of {}) by {approvers}{}",
        request.needed,
        lapse.unwrap_or_default()
    )
}

/// The state, and whether a review is due.
pub fn state(request: &Request) -> String {
    let state = clean(&request.state);
    if request.rules_rejected.is_some() {
        return format!("{state}, no sudo rules");
    }
    if review_due(request) {
        format!("{state}, review")
    } else {
        state
    }
}

/// Whether a break-glass grant waits for its review.
pub fn review_due(request: &Request) -> bool {
    request.break_glass && request.reviewed_by.is_none()
}

/// The requests, one a row.
pub fn table(requests: &[Request], clock: &Clock, width: Option<usize>) -> Vec<String> {
    let mut table = Table::new(["ID", "STATE", "USER", "ROLE", "TIME", "REASON"]);
    for request in requests {
        let ticket = request
            .ticket
            .as_ref()
            .map(|ticket| format!("{} ", clean(ticket)));
        table.row([
            id(&request.id),
            state(request),
            clean(&request.user),
            clean(&request.role),
            time(request, clock),
            ticket.unwrap_or_default() + &clean(&request.reason),
        ]);
    }
    table.lines(width)
}

/// The requests, one a row, with absolute times and nothing cut.
pub fn wide(requests: &[Request], clock: &Clock) -> Vec<String> {
    let mut table = Table::new([
        "ID",
        "STATE",
        "USER",
        "ROLE",
        "ASKED",
        "FROM",
        "UNTIL",
        "ENDED",
        "APPROVED BY",
        "TICKET",
        "REASON",
    ]);
    let at = |moment: Option<i64>| moment.map_or_else(|| "-".to_owned(), |at| dated(at, clock));
    for request in requests {
        let approvers: Vec<String> = request.approvals.iter().map(|one| clean(&one.by)).collect();
        let approvers = match approvers.as_slice() {
            [] => "-".to_owned(),
            approvers => approvers.join(", "),
        };
        let ticket = request.ticket.as_deref().map_or_else(|| "-".into(), clean);
        table.row([
            id(&request.id),
            state(request),
            clean(&request.user),
            clean(&request.role),
            at(Some(request.requested_at)),
            at(request.not_before),
            at(request.not_after),
            at(request.ended_at),
            approvers,
            ticket,
            clean(&request.reason),
        ]);
    }
    table.lines(None)
}

/// The time that matters most in its state.
fn time(request: &Request, clock: &Clock) -> String {
    let remaining = request
        .remaining_s
        .map(|seconds| format!("{} left", short(seconds)));
    let to_come = match request.state.as_str() {
        "pending" => request
            .lapses_at
            .map(|at| format!("lapses {}", distance(at, clock))),
        "scheduled" => request.not_before.map_or_else(
            || Some("on first use".into()),
            |at| Some(distance(at, clock)),
        ),
        _ => remaining,
    };
    let gone = request.ended_at.unwrap_or(request.requested_at);
    to_come.unwrap_or_else(|| distance(gone, clock))
}

/// What a role gives beyond what it seems to, one sentence each.
pub fn warnings(found: Option<&Vec<Warning>>) -> impl Iterator<Item = String> {
    found.into_iter().flatten().map(|one| {
        let rule = match one.rule.as_str() {
            "" => String::new(),
            rule => format!(": \"{}\"", clean(rule)),
        };
        style::warning(&format!("{}{rule}", clean(&one.message)))
    })
}

/// What an approver is asked to say yes to.
pub fn to_approve(request: &Request, shorter: Option<u64>, clock: &Clock) -> Vec<String> {
    let length = short(shorter.unwrap_or(request.duration_s));
    let asked = match shorter {
        Some(_) => format!(" (asked for: {})", short(request.duration_s)),
        None => String::new(),
    };
    let start = request
        .not_before
        .map(|at| format!(", from {}", absolute(at, clock)));
    let ticket = request
        .ticket
        .as_ref()
        .map(|ticket| format!(" ({})", clean(ticket)));
    let user = clean(&request.user);
    let what = match &request.extends {
        Some(grant) => format!("{user} asks for {length}{asked} more on {}", id(grant)),
        None => format!(
            "{user} asks for {length}{asked} of {}",
            clean(&request.role)
        ),
    };
    let behalf = if request.requested_by == request.user {
        String::new()
    } else {
        format!(", asked by {}", clean(&request.requested_by))
    };
    let mut lines = vec![
        format!(
            "{}: {what}{}{behalf}",
            style::bold(&id(&request.id)),
            start.unwrap_or_default()
        ),
        format!(
            "  reason  {}{}",
            clean(&request.reason),
            ticket.unwrap_or_default()
        ),
    ];
    lines.extend(
        request
            .gives
            .iter()
            .map(|rule| format!("  gives   {}", clean(rule))),
    );
    lines.extend(warnings(request.warnings.as_ref()).map(|one| format!("  warning {one}")));
    lines
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::clock::fixed;
    use crate::sample;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn every_state_is_one_sentence() {
        let clock = fixed();
        let said = |request: &Request| plain(&outcome(request, &clock));
        assert_eq!(
            said(&sample::pending()),
            "K000-0001 is pending and waits for approval (0 of 2) by @oncall, carol; \
             lapses in 50m (15:21 CET, 14:21Z)"
        );
        assert_eq!(
            said(&sample::active()),
            "7H2K-M4QX is active: 1h59m left (until 16:30 CET, 15:30Z)"
        );
        let denied = Request {
            state: "denied".into(),
            decided_by: Some("carol".into()),
            decision_reason: Some("not\x1b[2J today".into()),
            ..sample::pending()
        };
        assert_eq!(
            said(&denied),
            "K000-0001 was denied by carol: not\\u{1b}[2J today"
        );
        let mut over = sample::ended("expired");
        over.ended_at = Some(clock.now - 60);
        assert_eq!(said(&over), "7H2K-M4QX expired 1m ago (14:30 CET, 13:30Z)");
        let revoked = Request {
            state: "revoked".into(),
            end_reason: Some("revoked by dave: the sale begins".into()),
            ..over
        };
        assert_eq!(
            said(&revoked),
            "7H2K-M4QX was revoked by dave 1m ago (14:30 CET, 13:30Z): the sale begins",
            "and not by carol, who approved it"
        );
        let first_use = Request {
            state: "scheduled".into(),
            ..sample::pending()
        };
        assert_eq!(
            said(&first_use),
            "K000-0001 is scheduled: 1h from its first use"
        );
    }

    #[test]
    fn waiting_says_who_may_decide_and_what_ctrl_c_does() {
        assert_eq!(
            waiting(&sample::pending(), &fixed()),
            "K000-0001 waits for approval (0 of 2) by @oncall, carol; lapses in 50m \
             (15:21 CET, 14:21Z). Ctrl-C leaves it pending."
        );
    }

    #[test]
    fn one_request_is_one_row_of_80_columns() {
        let mut hostile = sample::pending();
        hostile.reason = "two\nlines \x1b[31m ".repeat(30);
        hostile.user = "a-user-name-of-thirty-two-chars!".into();
        let requests = [sample::active(), hostile, sample::ended("expired")];
        let lines: Vec<String> = table(&requests, &fixed(), Some(80))
            .iter()
            .map(|line| plain(line))
            .collect();
        assert_eq!(lines.len(), 4);
        for line in &lines {
            assert!(line.width() <= 80 && !line.contains('\n'), "{line}");
        }
        assert!(
            lines[1].starts_with("7H2K-M4QX  active   alice"),
            "{}",
            lines[1]
        );
        assert!(lines[1].contains("1h59m left     OPS-4821"), "{}", lines[1]);
    }

    #[test]
    fn an_unreviewed_break_glass_grant_says_so() {
        let mut request = sample::active();
        request.break_glass = true;
        assert_eq!(state(&request), "active, review");
        request.reviewed_by = Some("carol".into());
        assert_eq!(state(&request), "active");
    }

    #[test]
    fn an_approver_reads_what_amounts_to_more_than_it_seems_to() {
        let mut request = sample::pending();
        request.warnings = Some(vec![Warning {
            rule: "/usr/bin/vim /etc/motd".into(),
            kind: "editor".into(),
            message: "an editor starts shells\u{1b}[2J".into(),
            next: "name the files under edit".into(),
        }]);
        let lines = plain(&to_approve(&request, None, &fixed()).join("\n"));
        let warning = "  warning an editor starts shells\\u{1b}[2J: \"/usr/bin/vim /etc/motd\"";
        assert!(lines.contains(warning), "{lines}");
    }

    #[test]
    fn a_grant_whose_rules_were_not_taken_is_not_shown_as_if_it_gave_them() {
        let mut request = sample::active();
        request.rules_rejected = Some("visudo refuses it".into());
        assert_eq!(state(&request), "active, no sudo rules");
        let said = plain(&outcome(&request, &fixed()));
        assert!(
            said.ends_with("its sudo rules are not in force: visudo refuses it"),
            "{said}"
        );
    }

    #[test]
    fn an_approver_sees_who_asks_why_and_what_it_gives() {
        let lines = to_approve(&sample::active(), Some(1_800), &fixed()).join("\n");
        for part in [
            "alice asks for 30m (asked for: 2h) of web-ops",
            "Restart nginx after the certificate change (OPS-4821)",
            "sudo as root: /usr/bin/systemctl restart nginx",
        ] {
            assert!(lines.contains(part), "{part} in {lines}");
        }
    }
}
