//! `tpad check`: what is wrong with the configuration, or what it means in plain words.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use nix::unistd::geteuid;
use tpa_bus::offline::{Class, Concern, Who};
use tpa_bus::span::Span;
use tpa_bus::text::one_line;
use tpa_statement::login::PIN;
use tpa_statement::signers::{Signer, Signers, fingerprint, is_security_key};

use super::explain_json;
use super::load::{Source, left_out, load, load_file};
use super::people::{People, Person};
use super::problem::Problem;
use super::standing::{self, Rules};
use super::usable;
use crate::policy::danger::{self, Finding};
use crate::policy::lacking;
use crate::policy::{OnEnd, Policy, ProofLevel, Role};

/// Most keys that are told one by one; JSON has all.
const SIGNERS_SHOWN: usize = 50;

/// A person of whom to tell what the configuration means to them.
pub(super) struct Subject<'p> {
    pub(super) name: &'p str,
    pub(super) person: Person,
    /// What sudo lets them do without an end.
    pub(super) rules: Rules,
}

/// What to check, and how to answer.
#[derive(Debug, Default)]
pub struct Check<'a> {
    /// A folder with `tpad.toml` and `roles.d`, or one file of such; `/etc/tpa` when not given.
    pub place: Option<&'a Path>,
    /// Of whom to tell what it means to them.
    pub user: Option<&'a str>,
    /// Answer in JSON.
    pub json: bool,
    /// Warnings fail too.
    pub strict: bool,
    /// Say nothing of what is good.
    pub quiet: bool,
}

/// Loads a configuration and prints what is wrong with it, or what it means; with `user`, what it
/// means to one person. Fails (1) when something is wrong, when there is no such user and, with
/// `strict`, when there are warnings.
#[must_use]
pub fn check_command(check: &Check<'_>, people: &dyn People) -> ExitCode {
    let subject = match check
        .user
        .map(|name| subject(name, people, standing::rules_of))
        .transpose()
    {
        Ok(subject) => subject,
        Err(problem) => {
            // Nothing is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let (place, result) = read(check.place, people);
    let text = answer(check, &place, &result, subject.as_ref());
    // A closed pipe ends the command quietly; the exit code says the rest.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match result {
        Ok(policy) if !check.strict || all_warnings(&policy).is_empty() => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}

/// The configuration at a place, and which place that is.
fn read(place: Option<&Path>, people: &dyn People) -> (PathBuf, Result<Policy, Vec<Problem>>) {
    let (place, loaded) = match place {
        Some(file) if file.is_file() => (file.to_owned(), load_file(file, people)),
        Some(folder) => {
            let source = Source::in_folder(folder, geteuid().as_raw());
            (source.folder(), load(&source, people))
        }
        None => {
            let source = Source::installed();
            (source.folder(), load(&source, people))
        }
    };
    let usable = loaded.and_then(|policy| {
        let mut problems = not_for_this_sudo(&place, &policy);
        problems.extend(left_out(&place, &policy));
        if problems.is_empty() {
            Ok(policy)
        } else {
            Err(problems)
        }
    });
    (place, usable)
}

/// Roles that this host's sudo would give something else for, or nothing.
fn not_for_this_sudo(place: &Path, policy: &Policy) -> Vec<Problem> {
    let roles = policy.roles.values().filter(|_| policy.seen.sudo_rs);
    roles
        .filter_map(|role| {
            let (what, next) = lacking(role)?;
            let file = if place.is_dir() {
                place.join("roles.d").join(format!("{}.toml", role.name))
            } else {
                place.to_owned()
            };
            let message = format!("{what}, which this host's sudo-rs cannot do");
            Some(Problem::of_file(&file, message).next(next))
        })
        .collect()
}

fn answer(
    check: &Check<'_>,
    place: &Path,
    result: &Result<Policy, Vec<Problem>>,
    subject: Option<&Subject<'_>>,
) -> String {
    match (result, check.json) {
        (Ok(policy), true) => explain_json::good(policy, subject),
        (Err(problems), true) => explain_json::bad(problems),
        (Ok(policy), false) if check.quiet => in_words(&all_warnings(policy)),
        (Ok(policy), false) => summary(place, policy, subject),
        (Err(problems), false) => complaint(problems),
    }
}

fn subject<'p>(
    name: &'p str,
    people: &dyn People,
    rules_of: impl Fn(&str) -> Rules,
) -> Result<Subject<'p>, String> {
    let shown = tpa_bus::text::one_line(name, 64);
    match people.person(name) {
        Ok(Some(person)) => Ok(Subject {
            name,
            person,
            rules: rules_of(name),
        }),
        Ok(None) => Err(format!(
            "no such user on this host: {shown}\n  next: see getent passwd"
        )),
        Err(why) => Err(format!(
            "cannot look up the user {shown}: {why}\n  next: see that the sources in \
             /etc/nsswitch.conf answer"
        )),
    }
}

fn complaint(problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        let _ = writeln!(out, "{problem}");
        if let Some(next) = &problem.next {
            let _ = writeln!(out, "  next: {next}");
        }
    }
    let count = problems.len();
    let things = if count == 1 { "problem" } else { "problems" };
    let _ = writeln!(
        out,
        "{count} {things}: this configuration would not be loaded"
    );
    out
}

fn summary(folder: &Path, policy: &Policy, subject: Option<&Subject<'_>>) -> String {
    let folder = tpa_bus::text::one_line(&folder.to_string_lossy(), 4096);
    let mut out = format!("{folder}: good, revision {}\n", policy.revision);
    match subject {
        Some(subject) => explain_person(&mut out, policy, subject),
        None => explain_all(&mut out, policy),
    }
    out
}

fn explain_all(out: &mut String, policy: &Policy) {
    let gate = &policy.gate;
    let gated = |list: &[Who]| match list {
        [] => "nobody needs a grant".to_owned(),
        [_] => format!("{} needs a grant", names(list)),
        list => format!("{} need a grant", names(list)),
    };
    let _ = writeln!(out, "\ngate");
    line(out, "login", &gated(&gate.login));
    line(out, "sudo", &gated(&gate.sudo));
    match gate.exempt.as_slice() {
        [] => line(out, "exempt", "nobody"),
        list => line(
            out,
            "exempt",
            &format!("{}, every use logged loudly", names(list)),
        ),
    }
    told::explain(out, policy);
    explain_signers(out, policy.signers.as_ref());
    for role in policy.roles.values() {
        explain_role(out, role);
    }
    for warning in all_warnings(policy) {
        let _ = write!(out, "\n{}", in_words(&[warning]));
    }
}

/// Who signs as whom.
fn explain_signers(out: &mut String, signers: Option<&Signers>) {
    let Some(signers) = signers else { return };
    let _ = writeln!(out, "\nsigners");
    let mut lines = signers.iter().map(describe);
    for text in lines.by_ref().take(SIGNERS_SHOWN) {
        line(out, "key", &text);
    }
    match lines.count() {
        0 => {}
        more => line(out, "", &format!("and {more} more: tpactl check --json")),
    }
}

fn describe(signer: &Signer) -> String {
    let what = if signer.authority {
        "certificates of "
    } else {
        ""
    };
    format!(
        "{what}{} signs as {}{}{}",
        fingerprint(&signer.key),
        one_line(&signer.principals.join(", "), 200),
        when(signer),
        at_door(signer)
    )
}

/// What is said of a key that is listed for its PIN.
fn at_door(signer: &Signer) -> &'static str {
    let may_have_one = is_security_key(&signer.key) || signer.authority;
    match (signer.is_named(PIN), may_have_one) {
        (false, _) => "",
        (true, true) => ", by PIN or finger at the front door",
        (true, false) => ", and has no PIN: it is no security key",
    }
}

/// When a key counts, and that it does not sign statements where the line says so.
fn when(signer: &Signer) -> String {
    let mut text = String::new();
    if !signer.in_namespace() {
        text.push_str(", not statements: it is for other namespaces");
    }
    let from = signer.valid_after().map(|at| format!(" from {}", time(at)));
    let until = signer
        .valid_before()
        .map(|at| format!(" until {}", time(at)));
    text.extend(from.into_iter().chain(until));
    text
}

fn explain_role(out: &mut String, role: &Role) {
    let colon = if role.description.is_empty() {
        ""
    } else {
        ": "
    };
    let _ = writeln!(out, "\nrole {}{colon}{}", role.name, role.description);
    let _ = writeln!(out, "  may ask  {}", names(&role.requesters));
    line(out, "for", &lengths(role));
    line(out, "with", &reason(role));
    line(out, "needs", &needs(role));
    if let Some(proof) = proof(role) {
        line(out, "", proof);
    }
    for (index, gives) in role.describe().iter().enumerate() {
        line(out, if index == 0 { "gives" } else { "" }, gives);
    }
    if role.gives.record {
        line(out, "", "recorded: what runs under sudo");
    }
    for rule in role.gives.sudo.iter().filter(|rule| !rule.password) {
        line(out, "", &format!("no password: sudo as {}", rule.run_as));
    }
    line(
        out,
        "the end",
        match role.gives.on_end {
            OnEnd::Kill => "kills what the grant started, logins included",
            OnEnd::Keep => "kills the sudo commands and leaves the login",
        },
    );
    if let Some(goes_on) = role.gives.goes_on() {
        line(out, "", &format!("but not {goes_on}"));
    }
    if let Some(tidies) = role.gives.tidies() {
        line(out, "", &format!("then removes {tidies}"));
    }
}

/// A moment, in UTC.
pub(super) fn time(at: i64) -> String {
    DateTime::<Utc>::from_timestamp(at, 0).map_or_else(
        || at.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

fn line(out: &mut String, head: &str, text: &str) {
    let _ = writeln!(out, "  {head:<8} {text}");
}

fn lengths(role: &Role) -> String {
    let span = |seconds| Span::from_secs(seconds).to_string();
    let mut text = format!(
        "up to {}, default {}",
        span(role.max_s),
        span(role.default_s)
    );
    if let Some(within) = role.use_within_s {
        let _ = write!(text, ", from first use within {}", span(within));
    }
    text
}

fn reason(role: &Role) -> String {
    let mut text = match role.reason_min {
        0 => "any reason or none".to_owned(),
        1 => "a reason".to_owned(),
        least => format!("a reason of {least} characters or more"),
    };
    match (&role.ticket_pattern, role.ticket_required) {
        (Some(pattern), true) => drop(write!(text, " and a ticket like {pattern}")),
        (Some(pattern), false) => drop(write!(text, "; a ticket, if any, like {pattern}")),
        (None, true) => text.push_str(" and a ticket"),
        (None, false) => {}
    }
    text
}

fn needs(role: &Role) -> String {
    if role.gives.break_glass {
        return match role.approvers.as_slice() {
            [] => "no approval: active at once, and nobody can review it".to_owned(),
            list => format!(
                "no approval: active at once; reviewed by one of {}",
                names(list)
            ),
        };
    }
    let approvers = match role.approvers.as_slice() {
        [] => "an approval, which nobody may give".to_owned(),
        list => match role.needed {
            1 => format!("1 approval from {}", names(list)),
            needed => format!("{needed} approvals from {}", names(list)),
        },
    };
    let lapse = Span::from_secs(role.lapse_s);
    let auto = match role.auto.as_slice() {
        [] => String::new(),
        list => format!("; approved at once when asked by {}", names(list)),
    };
    format!("{approvers} within {lapse}, never for themselves{auto}")
}

/// How approvers prove who they are, where a login is not enough.
fn proof(role: &Role) -> Option<&'static str> {
    match role.proof {
        _ if role.gives.break_glass => None,
        ProofLevel::Session => None,
        ProofLevel::Key => Some("each signed with the approver's SSH key"),
        ProofLevel::Touch => Some("each signed with a security key that the approver touches"),
        ProofLevel::Pin => {
            Some("each signed with a security key that asks for the approver's PIN or finger")
        }
    }
}

fn explain_person(out: &mut String, policy: &Policy, subject: &Subject<'_>) {
    let Person { uid, groups, .. } = &subject.person;
    let _ = writeln!(
        out,
        "\n{} (uid {uid}; groups {})",
        subject.name,
        groups.join(", ")
    );
    line(out, "login", concern(policy, Class::Login, subject).1);
    line(out, "sudo", concern(policy, Class::Sudo, subject).1);
    explain_standing(out, policy, subject);
    for role in policy.roles.values() {
        if subject.is_among(policy, &role.requesters) {
            line(out, "may ask", &format!("{}: {}", role.name, lengths(role)));
        }
        if subject.is_among(policy, &role.auto) {
            line(out, "", &format!("{} is approved at once", role.name));
        }
    }
    for role in policy.roles.values() {
        if subject.is_among(policy, &role.approvers) {
            line(out, "decides", &format!("{}, for others", role.name));
        }
    }
    for signer in policy.signers.iter().flat_map(Signers::iter) {
        if signer.principals.iter().any(|name| name == subject.name) {
            line(out, "key", &describe(signer));
        }
    }
}

/// What somebody has beside grants.
fn explain_standing(out: &mut String, policy: &Policy, subject: &Subject<'_>) {
    let comes_to = match concern(policy, Class::Sudo, subject).0 {
        "gated" => "a rule of the host's own, without an end: works while they hold any sudo grant",
        _ => "a rule of the host's own, without an end: works without a grant",
    };
    match &subject.rules {
        Rules::Are(rules) => {
            for rule in rules {
                line(out, "standing", &format!("{rule}, {comes_to}"));
            }
        }
        Rules::NotLookedAt(why) => {
            let text = format!("sudo's rules for them were not looked at: {why}");
            line(out, "standing", &text);
        }
    }
}

/// What the gate is to a person, as a word and as a sentence.
pub(super) fn concern(
    policy: &Policy,
    class: Class,
    subject: &Subject<'_>,
) -> (&'static str, &'static str) {
    let Person { uid, groups, .. } = &subject.person;
    match policy.gate.concern(class, subject.name, *uid, groups) {
        Concern::None => ("free", "passes without a grant"),
        Concern::Gated => ("gated", "needs a grant"),
        Concern::Exempt => ("exempt", "let in without a grant, logged loudly"),
    }
}

impl Subject<'_> {
    /// Whether a list means this person.
    pub(super) fn is_among(&self, policy: &Policy, list: &[Who]) -> bool {
        policy.means(list, self.name, self.person.uid, &self.person.groups)
    }
}

/// The warnings of the gate, of the program that is told, and of all roles.
pub(super) fn all_warnings(policy: &Policy) -> Vec<Finding> {
    let roles = policy
        .roles
        .values()
        .flat_map(|role| danger::of_role(role, &policy.seen));
    let gate = danger::of_gate(policy).into_iter();
    gate.chain(told::warnings(policy))
        .chain(usable::warnings(policy))
        .chain(roles)
        .collect()
}

fn in_words(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let (what, next) = (sentence(finding), finding.instead);
        format!("warning: {what}\n  next: {next}\n")
    });
    lines.collect()
}

fn sentence(finding: &Finding) -> String {
    match finding.role.as_str() {
        "" => finding.sentence(),
        role => format!("role {role}: {}", finding.sentence()),
    }
}

fn names(list: &[Who]) -> String {
    let names: Vec<String> = list.iter().map(ToString::to_string).collect();
    names.join(", ")
}

mod told;

#[cfg(test)]
mod keys;
#[cfg(test)]
mod tests;
