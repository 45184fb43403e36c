//! A request in one sentence, and many in a table.

use tpa_bus::access::{Request, Warning};
use tpa_bus::state::State;
use tpa_bus::text::{one_line, quoted};

use super::table::Table;
use super::time::{absolute, dated, distance, left, relative, short};
use super::{clean, id, names, style};
use crate::clock::Clock;

/// Said while waiting.
pub const TPAD_STOPPED: &str = "tpad has stopped; this goes on as soon as it is back";

/// What starts a grant that waits for its first use.
const FIRST_USE: &str = "the first login or sudo command that needs it";

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
    let rest = match request.standing() {
        Some(State::Pending) => format!(" and waits for {}", decision(request, clock)),
        Some(State::Unused) => {
            format!("{}; {}", by(&request.decided_by), first_use(request, clock))
        }
        Some(State::Extended) => {
            let grant = request.extends.as_deref().map(id).unwrap_or_default();
            let more = short(request.duration_s);
            format!(
                "{}: {grant} was extended by {more}",
                by(&request.decided_by)
            )
        }
        Some(State::Scheduled) => {
            let start = request.not_before.map(|start| relative(start, clock));
            let length = short(request.duration_s);
            format!(": starts {}, for {length}", start.unwrap_or_default())
        }
        Some(State::Active) => match (request.remaining_s, request.not_after) {
            (Some(remaining), Some(end)) => format!(": {}", left(remaining, end, clock)),
            _ => String::new(),
        },
        Some(State::Denied | State::Withdrawn) => {
            format!(
                "{}{}",
                by(&request.decided_by),
                words(&request.decision_reason)
            )
        }
        Some(State::Lapsed) => {
            let why = request.decision_reason.as_deref().map(clean);
            format!(
                ": {}",
                why.unwrap_or_else(|| "nobody decided in time".to_owned())
            )
        }
        Some(State::Expired | State::Revoked | State::Ended) => ended(request, clock),
        None => String::new(),
    };
    let verb = match request.standing() {
        Some(State::Expired | State::Lapsed) => "",
        Some(State::Denied | State::Withdrawn | State::Revoked | State::Ended) => "was ",
        _ => "is ",
    };
    let rejected = request.rules_rejected.as_ref().map(|why| {
        let why = format!("its sudo rules are not in force: {}", clean(why));
        format!("; {}", style::warning(&why))
    });
    format!(
        "{name} {verb}{state}{rest}{}{}",
        rejected.unwrap_or_default(),
        review(request)
    )
}

/// What starts a grant that waits for its first use, and until when it has to:
/// `starts at first use, within 12h (until 02:31 CET, 01:31Z): the first … begins its 1h`
fn first_use(request: &Request, clock: &Clock) -> String {
    let length = short(request.duration_s);
    let begins = format!("{FIRST_USE} begins its {length}");
    let from = request.not_before.filter(|from| *from > clock.now);
    let from = from.map(|from| format!(", from {} on", absolute(from, clock)));
    let from = from.unwrap_or_default();
    match request.use_by {
        Some(use_by) => {
            let within = short(use_by.saturating_sub(clock.now).max(0).unsigned_abs());
            let until = absolute(use_by, clock);
            format!("starts at first use{from}, within {within} (until {until}): {begins}")
        }
        None => format!("starts at first use{from}: {begins}"),
    }
}

/// Whether a break-glass grant was reviewed, where it has to be.
fn review(request: &Request) -> String {
    match &request.reviewed_by {
        Some(by) => format!("; reviewed by {}", clean(by)),
        None if review_due(request) => format!("; {}", style::warning("its review is due")),
        None => String::new(),
    }
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
    match (request.standing(), request.not_before, request.not_after) {
        (Some(State::Pending), ..) => {
            let decision = decision(request, clock);
            format!("{name} waits for {decision}. Ctrl-C leaves it pending.")
        }
        (Some(State::Unused), ..) => {
            format!("{name} is approved; {}", first_use(request, clock))
        }
        (Some(State::Scheduled), Some(start), _) => {
            format!("{name} is approved and starts {}", relative(start, clock))
        }
        (Some(State::Active), _, Some(end)) => {
            format!("{name} is active until {}", absolute(end, clock))
        }
        _ => format!("{name} is {}", clean(&request.state)),
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

/// Seconds that access was on, once it is over; nothing where it never began.
pub fn lasted(request: &Request) -> Option<u64> {
    let (from, ended) = (request.not_before?, request.ended_at?);
    Some(u64::try_from(ended.saturating_sub(from)).unwrap_or(0))
}

/// Whether a break-glass grant waits for its review.
pub fn review_due(request: &Request) -> bool {
    request.review_due == Some(true)
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
        "LASTED",
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
            lasted(request).map_or_else(|| "-".to_owned(), short),
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
    let to_come = match request.standing() {
        Some(State::Pending) => request
            .lapses_at
            .map(|at| format!("lapses {}", distance(at, clock))),
        Some(State::Scheduled) => request.not_before.map(|at| distance(at, clock)),
        Some(State::Unused) => request
            .use_by
            .map(|at| format!("use {}", distance(at, clock).replacen("in ", "within ", 1))),
        _ => remaining,
    };
    let gone = request.ended_at.or(request.decided_at);
    let gone = gone.unwrap_or(request.requested_at);
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

/// The one command that a request is for, whole: whoever reads it approves it.
pub fn one_command(request: &Request) -> Vec<String> {
    let Some(command) = &request.command else {
        return Vec::new();
    };
    let whole = |text: &str| one_line(text, usize::MAX);
    let folder = whole(&quoted(&[&command.directory]));
    let program = (whole(&command.program), whole(&command.sha256));
    let words = match command.argv.len() {
        1 => "no arguments".to_owned(),
        2 => "1 argument".to_owned(),
        more => format!("{} arguments", more.saturating_sub(1)),
    };
    vec![
        format!("  runs    {}", style::bold(&whole(&command.line))),
        format!(
            "  as      {}, in {folder}, once, with {words}",
            clean(&command.run_as)
        ),
        format!("  program {}, SHA-256 {}", program.0, program.1),
    ]
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
    let gives = request.gives.iter();
    let gives = gives.map(|rule| format!("  gives   {}", clean(rule)));
    match request.command {
        Some(_) => lines.extend(one_command(request)),
        None => lines.extend(gives),
    }
    lines.extend(warnings(request.warnings.as_ref()).map(|one| format!("  warning {one}")));
    let goes_on = request.goes_on.iter();
    lines.extend(goes_on.map(|what| format!("  goes on after the end: {}", clean(what))));
    let tidies = request.tidies.iter();
    lines.extend(tidies.map(|what| format!("  removed after the end: {}", clean(what))));
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
            "K0000001 is pending and waits for approval (0 of 2) by @oncall, carol; \
             lapses in 50m (15:21 CET, 14:21Z)"
        );
        assert_eq!(
            said(&sample::active()),
            "7H2KM4QX is active: 1h59m left (until 16:30 CET, 15:30Z)"
        );
        let denied = Request {
            state: "denied".into(),
            decided_by: Some("carol".into()),
            decision_reason: Some("not\x1b[2J today".into()),
            ..sample::pending()
        };
        assert_eq!(
            said(&denied),
            "K0000001 was denied by carol: not\\u{1b}[2J today"
        );
        let mut over = sample::ended("expired");
        over.ended_at = Some(clock.now - 60);
        assert_eq!(said(&over), "7H2KM4QX expired 1m ago (14:30 CET, 13:30Z)");
        let revoked = Request {
            state: "revoked".into(),
            end_reason: Some("revoked by dave: the sale begins".into()),
            ..over
        };
        assert_eq!(
            said(&revoked),
            "7H2KM4QX was revoked by dave 1m ago (14:30 CET, 13:30Z): the sale begins",
            "and not by carol, who approved it"
        );
        let scheduled = Request {
            state: "scheduled".into(),
            not_before: Some(clock.now + 3_600),
            ..sample::pending()
        };
        assert_eq!(
            said(&scheduled),
            "K0000001 is scheduled: starts in 1h (15:31 CET, 14:31Z), for 1h"
        );
        let extension = Request {
            state: "approved".into(),
            decided_by: Some("carol".into()),
            extends: Some("7H2KM4QX".into()),
            ..sample::pending()
        };
        assert_eq!(
            said(&extension),
            "K0000001 is approved by carol: 7H2KM4QX was extended by 1h"
        );
    }

    #[test]
    fn a_grant_that_nobody_has_used_yet_says_what_starts_it_and_until_when() {
        let clock = fixed();
        let unused = sample::unused();
        let sentence = "starts at first use, within 1h59m (until 16:30 CET, 15:30Z): the first \
                        login or sudo command that needs it begins its 1h";
        assert_eq!(
            plain(&outcome(&unused, &clock)),
            format!("K0000001 is approved by carol; {sentence}")
        );
        assert_eq!(
            waiting(&unused, &clock),
            format!("K0000001 is approved; {sentence}")
        );
        let row = table(&[unused], &clock, Some(80)).remove(1);
        assert!(
            plain(&row).contains("approved  bob   db-admin  use within 1h59m"),
            "{row}"
        );
    }

    #[test]
    fn what_lapsed_says_what_nobody_did_in_time() {
        let lapsed = |why: Option<&str>| Request {
            state: "lapsed".into(),
            decision_reason: why.map(str::to_owned),
            ..sample::pending()
        };
        let said = |request| plain(&outcome(&request, &fixed()));
        assert_eq!(
            said(lapsed(None)),
            "K0000001 lapsed: nobody decided in time"
        );
        assert_eq!(
            said(lapsed(Some("nobody used it in time"))),
            "K0000001 lapsed: nobody used it in time"
        );
    }

    #[test]
    fn waiting_says_who_may_decide_and_what_ctrl_c_does() {
        assert_eq!(
            waiting(&sample::pending(), &fixed()),
            "K0000001 waits for approval (0 of 2) by @oncall, carol; lapses in 50m \
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
            lines[1].starts_with("7H2KM4QX  active   alice"),
            "{}",
            lines[1]
        );
        assert!(lines[1].contains("1h59m left     OPS-4821"), "{}", lines[1]);
    }

    #[test]
    fn an_unreviewed_break_glass_grant_says_so_and_a_reviewed_one_by_whom() {
        let mut request = sample::active();
        request.break_glass = true;
        request.review_due = Some(true);
        assert_eq!(state(&request), "active, review");
        let said = |request: &Request| plain(&outcome(request, &fixed()));
        assert!(said(&request).ends_with("; its review is due"));
        request.review_due = Some(false);
        request.reviewed_by = Some("carol".into());
        assert_eq!(state(&request), "active");
        assert!(said(&request).ends_with("; reviewed by carol"));
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
