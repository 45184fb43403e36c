//! Reads one role file: `roles.d/NAME.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use tpa_bus::offline::Who;
use tpa_bus::pattern::Pattern;
use tpa_bus::span::Span;
use tpa_bus::text;

use super::document::{Document, Section};
use super::exact;
use super::people::People;
use super::problem::Problem;
use super::sudo;
use super::who::{self, Everyone};
use crate::policy::exact::Exact;
use crate::policy::{Gives, ProofLevel, Role};

/// Seconds of access when neither a default nor a lower maximum is given.
const DEFAULT_S: u64 = 3_600;
/// Seconds after which an undecided request lapses, unless the role says otherwise.
const LAPSE_S: u64 = 3_600;
/// Most characters that a role can ask of a reason.
const MOST_REASON: u32 = 1_000;
/// Most approvers that a role can ask for.
const MOST_NEEDED: u32 = 100;

/// Reads a role file's text.
pub(super) fn read(
    name: &str,
    path: &Path,
    contents: &str,
    uid_min: u32,
    people: &dyn People,
) -> Result<Role, Vec<Problem>> {
    let document = Document::new(path, contents);
    let role = document.top().map(|top| role(name, top, uid_min, people));
    match (role, document.into_problems()) {
        (Some(role), problems) if problems.is_empty() => Ok(role),
        (_, problems) => Err(problems),
    }
}

fn role(name: &str, mut top: Section<'_, '_>, uid_min: u32, people: &dyn People) -> Role {
    let description = description(&mut top);
    let gives_section = top.section("gives");
    let gives_place = gives_section.place().clone();
    let (gives, exact) = gives(gives_section, uid_min, people);
    if !gives.login && gives.sudo.is_empty() && exact.is_none() {
        let document = top.document();
        let next = "set login = true, or add a [[gives.sudo]]";
        if document.problem_count() == 0 {
            document.report_next(&gives_place, "a role that gives nothing", next);
        }
    }
    let request = Request::read(top.section("request"), people);
    let approve_section = top.section("approve");
    let approve_place = approve_section.place().clone();
    let approve = Approve::read(approve_section, &request, &gives, people);
    if exact.is_some() && (!approve.auto.is_empty() || approve.use_within_s.is_some()) {
        let message =
            "a role of single commands has no auto and no use_within: somebody reads each";
        top.document().report(&approve_place, message);
    }
    Role {
        name: name.to_owned(),
        description,
        requesters: request.who,
        default_s: request.default_s,
        max_s: request.max_s,
        reason_min: request.reason_min,
        ticket_required: request.ticket_required,
        ticket_pattern: request.ticket_pattern,
        lapse_s: request.lapse_s,
        approvers: approve.who,
        needed: approve.needed,
        proof: approve.proof,
        auto: approve.auto,
        use_within_s: approve.use_within_s,
        gives,
        exact,
    }
}

fn description(top: &mut Section<'_, '_>) -> String {
    let Some(given) = top.string("description") else {
        return String::new();
    };
    if given.get_ref().contains(text::is_unsafe) {
        let message = "a description is one line without control characters";
        top.document().report(&given.span(), message);
    }
    given.into_inner()
}

/// `[request]`
struct Request {
    who: Vec<Who>,
    default_s: u64,
    max_s: u64,
    reason_min: u32,
    ticket_required: bool,
    ticket_pattern: Option<String>,
    lapse_s: u64,
}

impl Request {
    fn read(mut section: Section<'_, '_>, people: &dyn People) -> Self {
        let before = section.document().problem_count();
        let place = section.place_of("who");
        let who = who::list(&mut section, "who", Everyone::May, people).unwrap_or_default();
        if who.is_empty() && section.document().problem_count() == before {
            let next = "under [request], set who = [\"@group\", \"user\"]";
            let message = "a role that nobody can ask for";
            section.document().report_next(&place, message, next);
        }
        let (default_s, max_s) = lengths(&mut section);
        let reason_min = section.number("reason_min", MOST_REASON);
        let lapse_s = section.seconds("lapse");
        let mut ticket = section.section("ticket");
        let ticket_required = ticket.boolean("required");
        Self {
            who,
            default_s,
            max_s,
            reason_min: reason_min.map_or(1, Spanned::into_inner),
            ticket_required: ticket_required.is_some_and(Spanned::into_inner),
            ticket_pattern: ticket_pattern(&mut ticket),
            lapse_s: lapse_s.map_or(LAPSE_S, Spanned::into_inner),
        }
    }
}

/// The default length and the maximum, each standing in for the other.
fn lengths(section: &mut Section<'_, '_>) -> (u64, u64) {
    let default = section.seconds("default");
    let max = section.seconds("max");
    match (default, max) {
        (None, None) => (DEFAULT_S, DEFAULT_S),
        (None, Some(max)) => (DEFAULT_S.min(*max.get_ref()), max.into_inner()),
        (Some(default), None) => (*default.get_ref(), default.into_inner()),
        (Some(default), Some(max)) => {
            if default.get_ref() > max.get_ref() {
                let message = format!("default is over max ({})", Span::from_secs(*max.get_ref()));
                section.document().report(&default.span(), message);
            }
            (default.into_inner(), max.into_inner())
        }
    }
}

fn ticket_pattern(ticket: &mut Section<'_, '_>) -> Option<String> {
    let pattern = ticket.string("pattern")?;
    if pattern.get_ref().contains(text::is_unsafe) {
        // It is shown to those who ask.
        let message = "a pattern has no control or invisible characters";
        ticket.document().report(&pattern.span(), message);
    } else if let Err(why) = Pattern::parse(pattern.get_ref()) {
        let message = format!("not a regular expression ({why})");
        ticket.document().report(&pattern.span(), message);
    }
    Some(pattern.into_inner())
}

impl Role {
    /// Whether a ticket matches the role's pattern as a whole. A pattern that does not compile,
    /// which loading does not let through, matches nothing.
    #[must_use]
    pub fn accepts_ticket(&self, ticket: &str) -> bool {
        match &self.ticket_pattern {
            None => true,
            Some(pattern) => Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(ticket)),
        }
    }
}

/// `[approve]`
struct Approve {
    who: Vec<Who>,
    needed: u32,
    proof: ProofLevel,
    auto: Vec<Who>,
    use_within_s: Option<u64>,
}

impl Approve {
    fn read(
        mut section: Section<'_, '_>,
        request: &Request,
        gives: &Gives,
        people: &dyn People,
    ) -> Self {
        const ANYONE: Everyone = Everyone::MayNot("everyone cannot decide for everyone");
        let document = section.document();
        let before = document.problem_count();
        let who_place = section.place_of("who");
        let who = who::list(&mut section, "who", ANYONE, people).unwrap_or_default();
        let auto = who::list(&mut section, "auto", ANYONE, people).unwrap_or_default();
        let needed_place = section.place_of("needed");
        let needed = section.number("needed", MOST_NEEDED);
        let approve = Self {
            who,
            needed: needed.map_or(u32::from(!gives.break_glass), Spanned::into_inner),
            proof: section.one_of("proof", ProofLevel::ALL.map(|level| (level.word(), level))),
            auto,
            use_within_s: section.seconds("use_within").map(Spanned::into_inner),
        };
        if document.problem_count() == before {
            if let Some(message) = approve.needed_is_wrong(gives) {
                document.report(&needed_place, message);
            } else if let Some(message) = approve.nobody_can(request, gives) {
                let next = "under [approve], name more people in who";
                document.report_next(&who_place, message, next);
            }
        }
        approve
    }

    fn needed_is_wrong(&self, gives: &Gives) -> Option<String> {
        let wrong = |message: &str| Some(message.to_owned());
        match (gives.break_glass, self.needed) {
            (true, 1..) => wrong("break_glass needs no approval: leave needed out"),
            (true, 0) => None,
            (false, 0) => wrong("needed = 0 means no approval: that is break_glass = true or auto"),
            (false, needed) => {
                let count = self.named().map(|names| names.len());
                let short = count.filter(|count| (1..self.needed()).contains(count))?;
                Some(format!("{needed} must approve, but only {short} can"))
            }
        }
    }

    /// Why the role, or somebody's request for it, can never be approved.
    fn nobody_can(&self, request: &Request, gives: &Gives) -> Option<String> {
        if gives.break_glass || !self.auto.is_empty() {
            return None;
        }
        if self.who.is_empty() {
            return Some("a role that nobody can approve".to_owned());
        }
        let names = self.named()?;
        // Nobody decides for themselves.
        request.who.iter().find_map(|who| {
            let Who::User(name) = who else { return None };
            let others = names.len() - usize::from(names.contains(name.as_str()));
            (others < self.needed()).then(|| format!("nobody can approve what {name} asks for"))
        })
    }

    fn needed(&self) -> usize {
        usize::try_from(self.needed).unwrap_or(usize::MAX)
    }

    /// The approvers, when all are named one by one. Groups cannot be counted: who is in them
    /// changes.
    fn named<'s>(&'s self) -> Option<BTreeSet<&'s str>> {
        let name = |who: &'s Who| match who {
            Who::User(name) => Some(name.as_str()),
            Who::Group(_) | Who::Everyone => None,
        };
        self.who.iter().map(name).collect()
    }
}

/// `[gives]`
fn gives(
    mut section: Section<'_, '_>,
    uid_min: u32,
    people: &dyn People,
) -> (Gives, Option<Exact>) {
    let exact = exact::read(&mut section, people);
    let mut flag = |key, otherwise| section.boolean(key).map_or(otherwise, Spanned::into_inner);
    let (login, record) = (flag("login", exact.is_none()), flag("record", false));
    let break_glass = flag("break_glass", false);
    let on_end = sudo::on_end(&mut section);
    let place = section.place().clone();
    let document = section.document();
    let rules: Vec<_> = section
        .sections("sudo")
        .into_iter()
        .map(|rule| sudo::rule(rule, uid_min, people))
        .collect();
    if exact.is_some() && (login || break_glass || !rules.is_empty()) {
        let message = "exact = true gives single commands and nothing else";
        let next = "leave login, break_glass and [[gives.sudo]] to a role of their own";
        document.report_next(&place, message, next);
    }
    let gives = Gives {
        login,
        record,
        break_glass,
        on_end,
        sudo: rules,
    };
    (gives, exact)
}
