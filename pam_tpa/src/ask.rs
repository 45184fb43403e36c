//! The auth phase with the option `ask`: whoever is gated and holds no grant may ask for one here,
//! and wait for it. It decides nothing: the account phase, which follows, does. So whatever
//! happens in here, the line answers `PAM_IGNORE`; `PAM_SUCCESS` from a module that has not seen a
//! password would let people in where the line stands alone.

use std::time::Duration;

use ::pam::constants::PamResultCode;
use tpa_bus::access::NewRequest;
use tpa_bus::error::Refusal;
use tpa_bus::gate::FiledRequest;
use tpa_bus::id::Id;
use tpa_bus::offline::Class;
use tpa_bus::state::State;
use tpa_bus::text::one_line;

use crate::daemon::{NotFiled, Waited};
use crate::handle::Level;
use crate::phase::Phase;
use crate::questions::{self, TRIES};
use crate::subject::{Arrival, Moment, Subject, arrive};

/// `pam_sm_authenticate(3)`
pub fn authenticate(phase: &mut Phase<'_>) -> PamResultCode {
    if phase.args.ask
        && let Arrival::Concerned(subject) = arrive(phase, Moment::Account)
        && !subject.query.exempt
        && subject.is_interactive()
    {
        match phase.host.barred(subject.class, &subject.person) {
            // Whatever is granted to them, they do not get in.
            Some(why) => phase
                .pam
                .log(Level::Notice, &format!("nobody is asked: {why}")),
            None => with_seat(phase, &subject),
        }
    }
    PamResultCode::PAM_IGNORE
}

/// Serves somebody, unless enough others are being served who keep connections of sshd's open that
/// nobody is logged in on yet: beyond a number of those it turns others away (`MaxStartups` in
/// `sshd_config(5)`).
fn with_seat(phase: &mut Phase<'_>, subject: &Subject) {
    if subject.class != Class::Login || subject.query.rhost.is_none() {
        return serve(phase, subject);
    }
    match phase.host.seat(&subject.person) {
        // Held until they are served.
        Ok(Some(_seat)) => serve(phase, subject),
        Ok(None) => {
            let line = format!(
                "nobody is asked: enough are already; {}",
                subject.describe()
            );
            phase.pam.log(Level::Notice, &line);
        }
        Err(why) => phase
            .pam
            .log(Level::Error, &format!("nobody is asked: {why}")),
    }
}

/// Asks somebody whom the gate concerns, and waits with them.
fn serve(phase: &mut Phase<'_>, subject: &Subject) {
    let verdict = match phase.daemon.preview(&subject.query) {
        Ok(verdict) => verdict,
        // The account phase finds out for itself, and tells them.
        Err(why) => {
            let line = format!("tpad does not answer: {why}; nobody is asked");
            return phase.pam.log(Level::Error, &line);
        }
    };
    if verdict.allowed {
        return;
    }
    let earlier = verdict.pending.as_deref().and_then(|id| Id::parse(id).ok());
    let awaited = match earlier {
        Some(id) => {
            let told = format!("tpa: request {id} is waiting.");
            questions::wait_for_earlier(phase.pam, &told).map(|()| id)
        }
        None => file(phase, subject, verdict.held.as_deref())
            .and_then(|request| agree_to_wait(phase, subject, &request)),
    };
    if let Some(id) = awaited {
        wait(phase, subject, id);
    }
}

/// Asks what a request needs and files it; `None` when there is none in the end.
/// `held` is a grant of theirs that gives something else.
fn file(phase: &mut Phase<'_>, subject: &Subject, held: Option<&str>) -> Option<FiledRequest> {
    let roles = match phase.daemon.roles(&subject.query) {
        Ok(roles) => roles,
        Err(why) => {
            explain(phase, &why);
            return None;
        }
    };
    if roles.is_empty() {
        return None;
    }
    let user = one_line(&subject.person.name, 64);
    let intro = match held.and_then(|id| Id::parse(id).ok()) {
        Some(id) => format!(
            "tpa: grant {id} of {user} gives no {}. Ask for a role that does:",
            subject.class.as_str()
        ),
        None => format!("tpa: no active grant for {user}. Ask for one now:"),
    };
    let (role, told) = questions::role(phase.pam, &intro, &roles)?;
    let mut request = NewRequest {
        role: role.name.clone(),
        duration_s: Some(questions::length(phase.pam, &told, role)?),
        reason: questions::reason(phase.pam, role)?,
        ..NewRequest::default()
    };
    // Only tpad can tell a ticket from another text.
    let tries = if role.ticket_required { TRIES } else { 1 };
    for _ in 0..tries {
        if role.ticket_required {
            request.ticket = Some(questions::ticket(phase.pam, role)?);
        }
        match phase.daemon.file(&subject.query, &request) {
            Ok(filed) => return Some(filed),
            Err(why) => {
                explain(phase, &why);
                if !matches!(why, NotFiled::Refused(Refusal::Invalid(_))) {
                    return None;
                }
            }
        }
    }
    None
}

/// Says why no request was filed, in the words of `tpad` where it has any.
fn explain(phase: &mut Phase<'_>, why: &NotFiled) {
    match why {
        NotFiled::Refused(refusal) => {
            let text = refusal.to_string();
            let lines: Vec<_> = text.lines().map(|line| one_line(line, 400)).collect();
            phase
                .pam
                .say_error(&format!("tpa: {}", lines.join("\n     ")));
        }
        NotFiled::Unanswered(why) => {
            let line = format!("tpad does not answer: {why}; no request is filed");
            phase.pam.log(Level::Error, &line);
            phase
                .pam
                .say_error("tpa: tpad is not answering; no request was filed.");
        }
    }
}

/// Tells them the id of what they filed; the id again when there is something to wait for.
fn agree_to_wait(phase: &mut Phase<'_>, subject: &Subject, filed: &FiledRequest) -> Option<Id> {
    if filed.state != "pending" {
        tell(phase, subject, filed);
        return None;
    }
    let id = Id::parse(&filed.id).ok()?;
    let told = format!(
        "tpa: request {id} is waiting ({} of {} approvals); {} decides.",
        filed.approvals.len(),
        filed.needed,
        one_line(&filed.approvers.join(", "), 200)
    );
    questions::wait(phase.pam, &told).map(|()| id)
}

/// Waits for the decision, and says how that ended.
fn wait(phase: &mut Phase<'_>, subject: &Subject, id: Id) {
    let timeout = phase.args.wait;
    let waited = phase.daemon.await_decision(
        id.as_str(),
        subject.query.rhost.as_deref(),
        Duration::from_secs(timeout.as_secs()),
    );
    match waited {
        Waited::Decided(request) => tell(phase, subject, &request),
        Waited::Undecided => phase.pam.say_error(&format!(
            "tpa: nobody has decided within {timeout}; {id} stays pending."
        )),
        Waited::Left => phase
            .pam
            .say_error(&format!("tpa: you left; request {id} stays pending.")),
        Waited::Lost(why) => {
            let line = format!("cannot wait for {}: {why}", id.as_str());
            phase.pam.log(Level::Error, &line);
            phase.pam.say_error(&format!(
                "tpa: tpad went away; request {id} stays as it is."
            ));
        }
    }
}

/// Why the command for which a grant was asked at sudo may be refused all the same.
const SUDO_HAS_READ: &str =
    "sudo has read its rules before: if it refuses this command, run it again.";

/// Says what was decided. At a login nothing needs saying of a yes: the grant line follows.
fn tell(phase: &mut Phase<'_>, subject: &Subject, request: &FiledRequest) {
    let Ok(id) = Id::parse(&request.id) else {
        return;
    };
    match (request.standing(), subject.class) {
        (Some(State::Active | State::Unused), Class::Login) => {}
        (Some(State::Active), Class::Sudo) => phase
            .pam
            .say_error(&format!("tpa: grant {id} is active. {SUDO_HAS_READ}")),
        (Some(State::Unused), Class::Sudo) => phase.pam.say_error(&format!(
            "tpa: grant {id} is approved and starts with its first command. {SUDO_HAS_READ}"
        )),
        (Some(State::Scheduled), _) => phase.pam.say_error(&format!(
            "tpa: request {id} is approved and starts later: tpactl show {id}"
        )),
        (Some(State::Denied), _) => {
            let word = |text: &Option<String>| one_line(text.as_deref().unwrap_or("?"), 200);
            phase.pam.say_error(&format!(
                "tpa: request {id} was denied by {}: {}",
                word(&request.decided_by),
                word(&request.decision_reason)
            ));
        }
        (Some(State::Lapsed), _) => phase
            .pam
            .say_error(&format!("tpa: request {id} has lapsed.")),
        (Some(State::Withdrawn | State::Revoked | State::Ended), _) => {
            let state = one_line(&request.state, 20);
            phase
                .pam
                .say_error(&format!("tpa: request {id} was {state}."));
        }
        _ => {
            let state = one_line(&request.state, 20);
            phase
                .pam
                .say_error(&format!("tpa: request {id} is {state}."));
        }
    }
}

#[cfg(test)]
mod tests {
    use PamResultCode::PAM_IGNORE;

    use tpa_bus::gate::OfferedRole;

    use super::*;
    use crate::daemon::Unanswered;
    use crate::fakes::{
        Desk, Event, FakeDaemon, FakeHost, FakePam, ID, allowed, gone, refused, run,
    };

    const REASON: &str = "nginx hangs, OPS-4821";

    fn role(ticket_required: bool) -> OfferedRole {
        OfferedRole {
            name: "web-ops".into(),
            default_s: 3_600,
            max_s: 14_400,
            reason_min: 10,
            approvers: vec!["@oncall".into()],
            needed: 1,
            ticket_required,
            ..OfferedRole::default()
        }
    }

    fn wanted(ticket: Option<&str>) -> NewRequest {
        NewRequest {
            role: "web-ops".into(),
            reason: REASON.into(),
            duration_s: Some(7_200),
            ticket: ticket.map(str::to_owned),
            ..NewRequest::default()
        }
    }

    fn filing(ticket: Option<&str>, answer: Result<FiledRequest, NotFiled>) -> Desk {
        Desk::File(Box::new(wanted(ticket)), Box::new(answer))
    }

    fn request(state: &str) -> FiledRequest {
        FiledRequest {
            id: ID.into(),
            state: state.into(),
            needed: 1,
            approvers: vec!["@oncall".into()],
            decided_by: Some("carol".into()),
            decision_reason: Some("not now".into()),
            ..FiledRequest::default()
        }
    }

    fn at(service: &'static str, events: Vec<Event>, desk: Vec<Desk>) {
        let pam = FakePam::new(service, "alice", events);
        let daemon = FakeDaemon::at_desk(desk);
        let code = run(
            authenticate,
            pam,
            daemon,
            &FakeHost::default(),
            "ask wait=4m",
        );
        assert_eq!(code, PAM_IGNORE);
    }

    fn typing() -> Vec<Event> {
        vec![
            Event::Prompt(
                "tpa: no active grant for alice. Ask for one now:\nweb-ops:  (needs 1 approval from @oncall)\n\
                 How long, at most 4h [1h]: ",
                Some("2h"),
            ),
            Event::Prompt("Reason, at least 10 characters: ", Some(REASON)),
        ]
    }

    fn desk(waited: Waited) -> Vec<Desk> {
        vec![
            Desk::Preview(refused()),
            Desk::Roles(Ok(vec![role(false)])),
            filing(None, Ok(request("pending"))),
            Desk::AwaitDecision(ID, waited),
        ]
    }

    fn waiting() -> Vec<Event> {
        let told = "tpa: request 7H2KM4QX is waiting (0 of 1 approvals); @oncall decides.\n";
        let mut events = typing();
        events.push(Event::Prompt(told, Some("")));
        events
    }

    #[test]
    fn without_the_option_nobody_is_asked_and_tpad_is_not_either() {
        let pam = FakePam::new("sshd", "alice", []);
        let code = run(
            authenticate,
            pam,
            FakeDaemon::silent(),
            &FakeHost::default(),
            "",
        );
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn whom_the_gate_does_not_concern_is_not_asked_nor_exempt_people_nor_jobs() {
        for (service, user) in [
            ("sshd", "bob"),
            ("sshd", "root"),
            ("sshd", "eve"),
            ("cron", "alice"),
        ] {
            let pam = FakePam::new(service, user, []);
            let daemon = FakeDaemon::silent();
            let code = run(authenticate, pam, daemon, &FakeHost::default(), "ask");
            assert_eq!(code, PAM_IGNORE, "{service} {user}");
        }
    }

    #[test]
    fn who_holds_a_grant_is_not_asked() {
        at("sshd", vec![], vec![Desk::Preview(allowed(60))]);
    }

    #[test]
    fn with_tpad_gone_or_hung_nobody_is_asked() {
        for unanswered in [gone(), Err(Unanswered::Hung)] {
            let events = vec![Event::Log(Level::Error, "nobody is asked")];
            at("sshd", events, vec![Desk::Preview(unanswered)]);
        }
    }

    #[test]
    fn who_holds_a_grant_that_gives_something_else_is_told_what_is_missing() {
        let mut verdict = refused().unwrap();
        verdict.held = Some(ID.into());
        let events = vec![Event::Prompt(
            "tpa: grant 7H2KM4QX of alice gives no sudo. Ask for a role that does:\nweb-ops: ",
            Some("q"),
        )];
        let desk = vec![
            Desk::Preview(Ok(verdict)),
            Desk::Roles(Ok(vec![role(false)])),
        ];
        at("sudo", events, desk);
    }

    #[test]
    fn whoever_does_not_get_in_anyway_is_not_asked() {
        let host = FakeHost {
            barred: Some("the account has expired"),
            ..FakeHost::default()
        };
        let events = [Event::Log(
            Level::Notice,
            "nobody is asked: the account has expired",
        )];
        let pam = FakePam::new("sshd", "alice", events);
        let code = run(authenticate, pam, FakeDaemon::silent(), &host, "ask");
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn where_enough_hold_connections_of_sshd_s_nobody_else_is_asked_there() {
        let host = FakeHost {
            seats: false,
            ..FakeHost::default()
        };
        let events = [Event::Log(
            Level::Notice,
            "enough are already; user=\"alice\"",
        )];
        let pam = FakePam::new("sshd", "alice", events);
        let code = run(authenticate, pam, FakeDaemon::silent(), &host, "ask");
        assert_eq!(code, PAM_IGNORE);
        let pam = FakePam::new("sudo", "alice", []);
        let daemon = FakeDaemon::at_desk([Desk::Preview(allowed(60))]);
        let code = run(authenticate, pam, daemon, &host, "ask");
        assert_eq!(code, PAM_IGNORE, "sudo holds no connection");
    }

    #[test]
    fn who_may_ask_for_nothing_is_not_asked() {
        at(
            "sshd",
            vec![],
            vec![Desk::Preview(refused()), Desk::Roles(Ok(vec![]))],
        );
    }

    #[test]
    fn approved_while_waiting_the_login_goes_on_without_a_word_and_sudo_says_to_run_it_again() {
        let decided = || Waited::Decided(Box::new(request("active")));
        at("sshd", waiting(), desk(decided()));
        let mut events = waiting();
        events.push(Event::Error(
            "tpa: grant 7H2KM4QX is active. sudo has read its rules",
        ));
        at("sudo", events, desk(decided()));
    }

    #[test]
    fn a_grant_for_first_use_starts_with_this_login_and_is_not_said_to_be_active_before() {
        let decided = || Waited::Decided(Box::new(request("approved")));
        at("sshd", waiting(), desk(decided()));
        let mut events = waiting();
        events.push(Event::Error(
            "tpa: grant 7H2KM4QX is approved and starts with its first command. sudo has read",
        ));
        at("sudo", events, desk(decided()));
    }

    #[test]
    fn each_other_end_of_the_wait_is_said() {
        let decided = |state| Waited::Decided(Box::new(request(state)));
        for (waited, said) in [
            (
                decided("denied"),
                "tpa: request 7H2KM4QX was denied by carol: not now",
            ),
            (decided("lapsed"), "tpa: request 7H2KM4QX has lapsed."),
            (decided("withdrawn"), "tpa: request 7H2KM4QX was withdrawn."),
            (
                decided("scheduled"),
                "tpa: request 7H2KM4QX is approved and starts later: tpactl show 7H2KM4QX",
            ),
            (
                Waited::Undecided,
                "tpa: nobody has decided within 4m; 7H2KM4QX stays pending.",
            ),
            (
                Waited::Left,
                "tpa: you left; request 7H2KM4QX stays pending.",
            ),
        ] {
            let mut events = waiting();
            events.push(Event::Error(said));
            at("sshd", events, desk(waited));
        }
        let mut events = waiting();
        events.push(Event::Log(
            Level::Error,
            "cannot wait for 7H2KM4QX: hung up",
        ));
        events.push(Event::Error(
            "tpa: tpad went away; request 7H2KM4QX stays as it is.",
        ));
        at("sshd", events, desk(Waited::Lost("hung up".into())));
    }

    #[test]
    fn who_leaves_the_request_pending_does_not_wait() {
        let mut events = typing();
        events.push(Event::Prompt(
            "Wait here for the decision? [Y/n] ",
            Some("q"),
        ));
        let mut desk = desk(Waited::Left);
        desk.pop();
        at("sshd", events, desk);
    }

    #[test]
    fn a_program_that_answers_with_nothing_files_nothing_and_waits_for_nothing() {
        let events = vec![
            Event::Prompt("How long", Some("")),
            Event::Prompt("Reason", Some("")),
            Event::Prompt("Reason", Some("")),
            Event::Prompt("Reason", Some("")),
            Event::Error("tpa: no request was filed."),
        ];
        let desk = vec![Desk::Preview(refused()), Desk::Roles(Ok(vec![role(false)]))];
        at("sshd", events, desk);

        let mut verdict = refused().unwrap();
        verdict.pending = Some(ID.into());
        let events = vec![Event::Prompt("tpa: request 7H2KM4QX is waiting.", Some(""))];
        at("sshd", events, vec![Desk::Preview(Ok(verdict))]);
    }

    #[test]
    fn a_request_of_earlier_is_waited_for_instead_of_filing_another() {
        let mut verdict = refused().unwrap();
        verdict.pending = Some(ID.into());
        let events = vec![Event::Prompt(
            "Wait here for the decision? [y/N] ",
            Some("y"),
        )];
        let decided = Waited::Decided(Box::new(request("active")));
        at(
            "sshd",
            events,
            vec![Desk::Preview(Ok(verdict)), Desk::AwaitDecision(ID, decided)],
        );
    }

    #[test]
    fn a_role_that_says_yes_by_itself_is_not_waited_for() {
        let desk = vec![
            Desk::Preview(refused()),
            Desk::Roles(Ok(vec![role(false)])),
            filing(None, Ok(request("active"))),
        ];
        at("sshd", typing(), desk);
    }

    #[test]
    fn a_bad_ticket_is_asked_for_again_twice_at_most_and_tpad_s_words_say_why() {
        let bad = || {
            let why = "the ticket does not match\nnext: OPS-[0-9]+".to_owned();
            Err(NotFiled::Refused(Refusal::Invalid(why)))
        };
        let mut events = typing();
        let mut desk = vec![Desk::Preview(refused()), Desk::Roles(Ok(vec![role(true)]))];
        for _ in 0..TRIES {
            events.push(Event::Prompt("Ticket: ", Some("4821")));
            events.push(Event::Error(
                "tpa: the ticket does not match\n     next: OPS-[0-9]+",
            ));
            desk.push(filing(Some("4821"), bad()));
        }
        at("sshd", events, desk);
    }

    #[test]
    fn a_refusal_of_another_kind_ends_it_at_once() {
        let why = NotFiled::Refused(Refusal::NotPermitted("5 requests are pending".into()));
        let mut events = typing();
        events.push(Event::Error("tpa: 5 requests are pending"));
        let desk = vec![
            Desk::Preview(refused()),
            Desk::Roles(Ok(vec![role(false)])),
            filing(None, Err(why)),
        ];
        at("sshd", events, desk);
    }
}
