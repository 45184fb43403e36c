//! The page of one grant: who, why, who approved and how they proved it, what was done with it, what
//! was left of it.

use tpa_bus::access::{Approval, Event, Request};

use super::html::{Html, class, plain, table};
use super::parts::{
    alert, bounded, document, facts, footer, list, maybe_time, of, paragraph, proof, row, section,
    span, time,
};
use super::replay::Replay;
use super::story::{Close, Span, Story, field, tell};
use super::timeline;
use crate::clock::Clock;
use crate::say;
use crate::say::request::{lasted, review_due, state, warnings};
use crate::say::time::short;

/// Most rows of one table.
const ROWS: usize = 2_000;

/// The page. `replays` are `None` where they were not asked for, and `Err` where they cannot be read.
pub fn page(
    request: &Request,
    events: &[Event],
    replays: Option<Result<Vec<Replay>, String>>,
    host: &str,
    clock: &Clock,
) -> String {
    let story = tell(request, events, clock.now);
    let id = say::id(&request.id);
    let title = format!("Access {id} of {} on {host}", request.user);
    let body: Html = [
        plain("h1", Html::text(&title)),
        paragraph(&headline(request, clock)),
        marks(request, &story),
        section("Who and why", asked(request, clock)),
        section(
            "Who approved it, and how they proved it",
            approved(request, events, clock),
        ),
        section("When", when(request, &story, clock)),
        section("Logins", logins(&story, clock)),
        section("What ran", commands(&story, clock)),
        section("What stands out", alerts(&story, clock)),
        section(
            "How it ended, and what was left",
            ended(request, &story, clock),
        ),
        section("What was recorded", recorded(&id, replays, clock)),
        section("The trail", trail(events, clock)),
        footer(host, events.last(), clock),
    ]
    .into_iter()
    .collect();
    document(&title, body)
}

fn headline(request: &Request, clock: &Clock) -> String {
    let until = match (request.ended_at, request.remaining_s) {
        (None, Some(left)) => format!(", {} left", short(left)),
        _ => String::new(),
    };
    let lasted = lasted(request).map(|span| format!(", lasted {}", short(span)));
    format!(
        "Role {}, {}{until}{}; as of {}.",
        request.role,
        state(request),
        lasted.unwrap_or_default(),
        say::time::dated(clock.now, clock)
    )
}

/// What a reader has to know before anything else.
fn marks(request: &Request, story: &Story<'_>) -> Html {
    let review = review_due(request).then(|| "Break-glass: not reviewed yet.".to_owned());
    let glass = (request.break_glass && review.is_none())
        .then(|| "Break-glass: access began without approval.".to_owned());
    let rejected = request
        .rules_rejected
        .as_ref()
        .map(|why| format!("This host's sudo did not take the grant's rules: {why}"));
    let left = Some(leftover(request, story)).filter(|(fine, _)| !fine);
    let alerts = match story.alerts.len() {
        0 => None,
        number => Some(format!(
            "{} in the trail {} out.",
            say::count(number, "event"),
            if number == 1 { "stands" } else { "stand" }
        )),
    };
    let all = [review, glass, rejected, left.map(|(_, text)| text), alerts];
    all.into_iter().flatten().map(|text| alert(&text)).collect()
}

fn asked(request: &Request, clock: &Clock) -> Html {
    let text = |text: &Option<String>| text.as_deref().map(Html::text);
    let role = match request.role_gone {
        Some(true) => format!("{} (no longer configured)", request.role),
        _ => request.role.clone(),
    };
    let who = format!("{} (uid {})", request.user, request.uid);
    let by = format!("{}, ", request.requested_by);
    let command = request.command.as_ref();
    let warnings: Vec<String> = warnings(request.warnings.as_ref()).collect();
    let runs = command.map(|command| {
        let place = format!("as {} in {}", command.run_as, command.directory);
        let file = format!("program {}, SHA-256 {}", command.program, command.sha256);
        let outcome = match (command.started_at, command.exit_code) {
            (None, _) => "not run".to_owned(),
            (Some(_), Some(code)) => format!("run, exit code {code}"),
            (Some(_), None) => "run, exit code not known".to_owned(),
        };
        plain("code", Html::command(&command.line))
            .then(list(&[place, file, outcome]).unwrap_or_default())
    });
    facts([
        ("for", Some(Html::text(&who))),
        ("reason", Some(Html::text(&request.reason))),
        ("ticket", text(&request.ticket)),
        ("role", Some(Html::text(&role))),
        (
            "asked by",
            Some(Html::text(&by).then(time(request.requested_at, clock))),
        ),
        ("asked for", Some(Html::text(&short(request.duration_s)))),
        ("extends", text(&request.extends)),
        ("one command", runs),
        ("gives", list(&request.gives).filter(|_| command.is_none())),
        ("amounts to", list(&warnings)),
        ("may go on", text(&request.goes_on)),
        ("removed after", text(&request.tidies)),
    ])
}

fn approved(request: &Request, events: &[Event], clock: &Clock) -> Html {
    let approvals = request.approvals.iter().map(|approval| {
        vec![
            Html::text(&approval.by),
            time(approval.at, clock),
            Html::text(&proven(approval, events)),
            Html::text(approval.comment.as_deref().unwrap_or("-")),
        ]
    });
    let heading = ["Who", "When", "How they proved it", "What they said"];
    let table = table("Approvals", &heading, approvals);
    let none = match (request.break_glass, request.decided_by.as_deref()) {
        (true, _) => "Nobody: access began without approval (break-glass).",
        (false, Some("auto")) => "The role approves requests of this person by itself.",
        (false, _) => "Nobody has approved it.",
    };
    let decided = match (&request.decision_reason, &request.decided_by) {
        (Some(why), Some(by)) if request.ended_at.is_none() => {
            Some(format!("Decided by {by}: {why}"))
        }
        (None, Some(by)) if request.not_before.is_none() && request.ended_at.is_none() => {
            Some(format!("Decided by {by}: {}", request.state))
        }
        _ => None,
    };
    let may = format!(
        "{} of {} needed; may decide: {}.",
        request.approvals.len(),
        request.needed,
        say::names(&request.approvers)
    );
    let review = match &request.reviewed_by {
        Some(by) => Some(format!("Reviewed by {by}.")),
        None => review_due(request).then(|| "! Not reviewed yet.".to_owned()),
    };
    table
        .unwrap_or_else(|| paragraph(none))
        .then(decided.map(|text| paragraph(&text)).unwrap_or_default())
        .then(review.map(|text| paragraph(&text)).unwrap_or_default())
        .then(class("p", "note", Html::text(&may)))
}

/// How, with the touch that the trail knows of where a plain key says nothing of it.
fn proven(approval: &Approval, events: &[Event]) -> String {
    let told = events.iter().find(|event| {
        event.event == "approval-recorded"
            && event.at == approval.at
            && field(event, "actor") == Some(&approval.by)
    });
    let touched = told.and_then(|event| field(event, "touched"));
    let touched = match (approval.proof.as_deref(), touched) {
        (Some("key"), Some("true")) => " (touched)",
        (Some("key"), Some("false")) => " (no touch)",
        _ => "",
    };
    format!("{}{touched}", proof(approval))
}

fn when(request: &Request, story: &Story<'_>, clock: &Clock) -> Html {
    let Some(window) = story.window else {
        return paragraph("Access never began.");
    };
    let until = window.until.unwrap_or(window.planned);
    let label = if window.until.is_some() {
        "ended"
    } else {
        "until"
    };
    let length = match lasted(request) {
        Some(lasted) => {
            let planned = span(window.from, window.planned);
            format!("{}, of {planned}", short(lasted))
        }
        None => span(window.from, until),
    };
    facts([
        ("from", Some(time(window.from, clock))),
        (label, Some(time(until, clock))),
        ("length", Some(Html::text(&length))),
    ])
    .then(timeline::draw(story, window, clock))
}

/// Number, beginning, end, length and how it ended, of what was open.
fn opened(number: usize, span: &Span<'_>, clock: &Clock) -> [Html; 3] {
    let length = span.until.map(|until| self::span(span.event.at, until));
    let how = match &span.close {
        Close::Over => "closed".to_owned(),
        Close::Killed => "ended with the access".to_owned(),
        Close::Exit(Some(code)) => format!("exit code {code}"),
        Close::Exit(None) => "exit code not known".to_owned(),
        Close::Open => "no end on record".to_owned(),
    };
    let how = match length {
        Some(length) => format!("{length}, {how}"),
        None => how,
    };
    [
        Html::text(&number.to_string()),
        time(span.event.at, clock).then(Html::own(" ")),
        maybe_time(span.until, clock)
            .then(Html::own(" "))
            .then(Html::text(&format!("({how})"))),
    ]
}

fn logins(story: &Story<'_>, clock: &Clock) -> Html {
    let rows = (1..).zip(&story.logins).map(|(number, span)| {
        let event = span.event;
        let more = [of(event, "service"), of(event, "tty"), of(event, "rhost")];
        opened(number, span, clock)
            .into_iter()
            .chain(more)
            .collect()
    });
    let heading = ["#", "Opened", "Closed", "By", "Terminal", "From"];
    bounded(
        "Logins",
        &heading,
        (rows, story.logins.len()),
        ROWS,
        "tpactl log",
    )
}

fn commands(story: &Story<'_>, clock: &Clock) -> Html {
    let rows = (1..).zip(&story.commands).map(|(number, span)| {
        let event = span.event;
        let command = field(event, "command").or(field(event, "argv"));
        let command = plain("code", Html::command(command.unwrap_or("-")));
        let more = [of(event, "target"), command];
        opened(number, span, clock)
            .into_iter()
            .chain(more)
            .collect()
    });
    let heading = ["#", "Began", "Ended", "As", "Command"];
    bounded(
        "What ran under sudo",
        &heading,
        (rows, story.commands.len()),
        ROWS,
        "tpactl log",
    )
}

fn alerts(story: &Story<'_>, clock: &Clock) -> Html {
    let rows = story.alerts.iter().map(|event| row(event, clock));
    let heading = ["When", "Event", "What it says"];
    if story.alerts.is_empty() {
        return paragraph("Nothing.");
    }
    bounded(
        "What stands out",
        &heading,
        (rows, story.alerts.len()),
        ROWS,
        "tpactl log",
    )
}

/// What was left of it, and whether that is nothing.
fn leftover(request: &Request, story: &Story<'_>) -> (bool, String) {
    let proven = story
        .ends
        .iter()
        .rev()
        .find(|event| event.event.starts_with("removal-"));
    if request.ended_at.is_none() || story.window.is_none() {
        return (
            true,
            "Nothing is to be left yet: access has not ended.".to_owned(),
        );
    }
    let Some(event) = proven else {
        return (
            false,
            "That nothing is left has not been confirmed.".to_owned(),
        );
    };
    let value = |name| field(event, name);
    let killed = value("killed").unwrap_or("0");
    let looked = match value("looked_at") {
        Some(at) => format!(" Looked at: {at}."),
        None => String::new(),
    };
    let not = value("not_looked_at").map(|at| format!(" Not looked at: {at}."));
    let not = not.unwrap_or_default();
    if event.event == "removal-failed" {
        let number = value("survivors").unwrap_or("some");
        let which = value("survived").unwrap_or("not named");
        let text = format!("Processes left: {number} ({which}); {killed} killed.{looked}{not}");
        return (false, text);
    }
    match value("left") {
        Some(left) => (
            false,
            format!("Found and left: {left}. {killed} processes killed.{looked}{not}"),
        ),
        None => (
            true,
            format!("No process is left; {killed} killed.{looked}{not}"),
        ),
    }
}

fn ended(request: &Request, story: &Story<'_>, clock: &Clock) -> Html {
    let (fine, left) = leftover(request, story);
    let why = request
        .end_reason
        .as_deref()
        .or(request.decision_reason.as_deref());
    let end = request.ended_at.map(|at| {
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        plain("p", time(at, clock).then(Html::text(&why)))
    });
    let left = if fine {
        paragraph(&left)
    } else {
        paragraph(&format!("! {left}"))
    };
    let rows = story.ends.iter().map(|event| row(event, clock));
    let heading = ["When", "Event", "What it says"];
    let table = table("The end", &heading, rows);
    end.unwrap_or_default()
        .then(left)
        .then(table.unwrap_or_default())
}

fn recorded(id: &str, replays: Option<Result<Vec<Replay>, String>>, clock: &Clock) -> Html {
    let replays = match replays {
        None => {
            let text = format!("Left out of this page: tpactl replay {id} --list");
            return paragraph(&text);
        }
        Some(Err(why)) => return paragraph(&format!("! It cannot be read here: {why}")),
        Some(Ok(replays)) if replays.is_empty() => return paragraph("Nothing."),
        Some(Ok(replays)) => replays,
    };
    let note = "What programs wrote, as text: search it with this page's own search. ⌫ stands where the \
                cursor went back, and what was written over has a line of its own.";
    let replays = replays
        .into_iter()
        .map(|replay| one_recording(id, &replay, clock));
    class("p", "note", Html::text(note)).then(replays.collect())
}

fn one_recording(id: &str, replay: &Replay, clock: &Clock) -> Html {
    let one = &replay.recording;
    let length = short(replay.length.as_secs());
    let text = format!(
        "{} as {}, {length}, {} bytes, ",
        one.name, one.target, one.bytes
    );
    let summary = plain("code", Html::command(&one.command))
        .then(Html::own(" "))
        .then(Html::text(&text))
        .then(time(one.started_at, clock));
    let how = format!("tpactl replay {id} {}", one.name);
    let inside = match &replay.text {
        Err(why) => paragraph(&format!("! Not here: {why}. On the host: {how}")),
        Ok(lines) => {
            let label = format!("Text of {}", one.name);
            let attributes = [
                ("tabindex", "0"),
                ("role", "region"),
                ("aria-label", &*label),
            ];
            let text = Html::element("pre", &attributes, Html::lines(lines));
            let more = match (replay.cut, one.live) {
                (true, _) => Some("There is more of it"),
                (false, true) => Some("It goes on"),
                (false, false) => None,
            };
            let more = more.map(|more| paragraph(&format!("{more}: {how}")));
            text.then(more.unwrap_or_default())
        }
    };
    plain("details", plain("summary", summary).then(inside)).then(Html::own("\n"))
}

fn trail(events: &[Event], clock: &Clock) -> Html {
    let rows = events.iter().map(|event| {
        let mut cells = vec![Html::text(&event.seq.to_string())];
        cells.extend(row(event, clock));
        cells.push(plain("code", Html::text(&event.hash)));
        cells
    });
    let heading = ["Number", "When", "Event", "What it says", "Hash"];
    let table = bounded(
        "The trail",
        &heading,
        (rows, events.len()),
        ROWS,
        "tpactl log",
    );
    let summary = format!("All of its events in the audit chain ({})", events.len());
    plain(
        "details",
        plain("summary", Html::text(&summary)).then(table),
    )
}

#[cfg(test)]
mod tests;
