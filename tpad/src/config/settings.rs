//! Reads `tpad.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use tpa_bus::offline::{
    Class, GateFile, IGNORED_SERVICES, LOGIN_SERVICES, NOBODY, SUDO_SERVICES, Who,
};
use tpa_bus::text;

use super::document::{Document, Place, Section};
use super::people::People;
use super::problem::Problem;
use super::who::{self, Everyone};
use crate::policy::danger::Seen;
use crate::policy::notify::{PROGRAM, Target, Way};
use crate::policy::unfit_path;
use crate::policy::{AuditFormat, Policy, Role};

/// Undecided requests one person may have, unless the configuration says otherwise.
const PENDING_PER_USER: u32 = 5;
/// Seconds before the end at which people are warned, unless the configuration says otherwise.
const WARN_BEFORE: [u64; 3] = [900, 300, 60];
/// Shortest time for which events are kept, in seconds.
const LEAST_KEEP: u64 = 30 * 86_400;
/// Shortest time for which recordings are kept, in seconds.
const LEAST_KEEP_RECORDINGS: u64 = 86_400;
/// Seconds for which a program that fails is run again for the same event.
const PROGRAM_RETRY_FOR: u64 = 600;
/// Longest help, in characters: it ends one line.
const MOST_HELP: usize = 200;

/// `tpad.toml`, checked.
pub(super) struct Settings {
    pub(super) gate: GateFile,
    pub(super) pending_per_user: u32,
    pub(super) warn_before: Vec<u64>,
    pub(super) audit_format: AuditFormat,
    pub(super) audit_keep_s: Option<u64>,
    pub(super) audit_keep_recordings_s: Option<u64>,
    /// The program that is told of events, as a target.
    pub(super) program: Option<Target>,
}

impl Settings {
    /// A configuration of these and of roles; nothing of the host was looked at yet.
    pub(super) fn into_policy(
        self,
        revision: String,
        roles: BTreeMap<String, Role>,
        targets: Vec<Target>,
    ) -> Policy {
        Policy {
            revision,
            gate: self.gate,
            pending_per_user: self.pending_per_user,
            warn_before: self.warn_before,
            audit_format: self.audit_format,
            audit_keep_s: self.audit_keep_s,
            audit_keep_recordings_s: self.audit_keep_recordings_s,
            notify: self.program.into_iter().chain(targets).collect(),
            roles,
            signers: None,
            seen: Seen::default(),
        }
    }
}

/// Reads the file's text. An empty one is that of a host without a configuration: it gates nobody.
pub(super) fn read(
    path: &Path,
    contents: &str,
    uid_min: u32,
    people: &dyn People,
) -> Result<Settings, Vec<Problem>> {
    let document = Document::new(path, contents);
    let settings = document.top().map(|top| settings(top, uid_min, people));
    match (settings, document.into_problems()) {
        (Some(settings), problems) if problems.is_empty() => Ok(settings),
        (_, problems) => Err(problems),
    }
}

fn settings(mut top: Section<'_, '_>, uid_min: u32, people: &dyn People) -> Settings {
    let gate = gate(top.section("gate"), uid_min, people);
    let pending = top.section("limits").number("pending_per_user", 1_000);
    let warn_before = top.section("warn").seconds_list("before");
    let (audit_format, audit_keep_s, audit_keep_recordings_s) = audit(top.section("audit"));
    Settings {
        gate,
        pending_per_user: pending.map_or(PENDING_PER_USER, Spanned::into_inner),
        warn_before: longest_first(warn_before.unwrap_or_else(|| WARN_BEFORE.to_vec())),
        audit_format,
        audit_keep_s,
        audit_keep_recordings_s,
        program: program(&mut top.section("notify")),
    }
}

fn longest_first(mut spans: Vec<u64>) -> Vec<u64> {
    spans.sort_unstable_by(|a, b| b.cmp(a));
    spans.dedup();
    spans
}

fn gate(mut section: Section<'_, '_>, uid_min: u32, people: &dyn People) -> GateFile {
    const NO_GATE: Everyone = Everyone::MayNot("with everyone exempt there is no gate");
    let (login_place, sudo_place) = (section.place_of("login"), section.place_of("sudo"));
    let login = who::list(&mut section, "login", Everyone::May, people).unwrap_or_default();
    let sudo = who::list(&mut section, "sudo", Everyone::May, people);
    let exempt = who::list(&mut section, "exempt", NO_GATE, people).unwrap_or_default();
    refuse_system_users(&section, &login_place, &login, uid_min, people);
    if let Some(sudo) = &sudo {
        refuse_system_users(&section, &sudo_place, sudo, uid_min, people);
    }
    let sudo = sudo.unwrap_or_else(|| login.clone());
    let (services, ignored) = services(section.section("services"), &login, &sudo);
    GateFile {
        uid_min,
        exempt,
        services,
        ignored,
        help: help(&mut section),
        login,
        sudo,
    }
}

/// The gate never concerns root and system users (those below `UID_MIN`, and nobody): one who is
/// named would seem to be gated.
fn refuse_system_users(
    section: &Section<'_, '_>,
    place: &Place,
    list: &[Who],
    uid_min: u32,
    people: &dyn People,
) {
    for who in list {
        let Who::User(name) = who else { continue };
        // Who cannot be told was told of where the name was read.
        let Ok(Some(person)) = people.person(name) else {
            continue;
        };
        if person.uid < uid_min || person.uid == NOBODY {
            let uid = person.uid;
            let message = format!(
                "{name} has uid {uid}, and the gate never concerns root and system users (below \
                 {uid_min}, UID_MIN of /etc/login.defs)"
            );
            let next = "give the person a uid from UID_MIN on, or lower UID_MIN";
            section.document().report_next(place, message, next);
        }
    }
}

fn help(section: &mut Section<'_, '_>) -> String {
    let Some(help) = section.string("help") else {
        return String::new();
    };
    let text = help.get_ref();
    if text.contains(text::is_unsafe) || text.chars().count() > MOST_HELP {
        let message = format!("must be one line of at most {MOST_HELP} characters");
        section.document().report(&help.span(), message);
    }
    help.into_inner()
}

/// The services at which the gate stands, each with its class, and those that it ignores.
fn services(
    mut section: Section<'_, '_>,
    login: &[Who],
    sudo: &[Who],
) -> (Vec<(Class, String)>, Vec<String>) {
    let mut services: Vec<(Class, String)> = Vec::new();
    let mut given = Vec::new();
    for (class, key, gated, otherwise) in [
        (Class::Login, "login", login, LOGIN_SERVICES.as_slice()),
        (Class::Sudo, "sudo", sudo, SUDO_SERVICES.as_slice()),
    ] {
        let place = section.place_of(key);
        match section.strings(key) {
            None => services.extend(otherwise.iter().map(|name| (class, (*name).to_owned()))),
            Some(names) if names.is_empty() && !gated.is_empty() => {
                let message = "a gate that stands nowhere: people are gated, but no service is";
                section.document().report(&place, message);
            }
            Some(names) => given.extend(names.into_iter().map(|name| (class, name))),
        }
    }
    for (class, name) in given {
        let known = |name: &str| services.iter().any(|(_, known)| known == name);
        if let Some(name) = service(section.document(), &name, known) {
            services.push((class, name));
        }
    }
    let Some(given) = section.strings("ignore") else {
        let listed = |name: &str| services.iter().any(|(_, known)| known == name);
        let usual = IGNORED_SERVICES.into_iter().filter(|name| !listed(name));
        let usual = usual.map(str::to_owned).collect();
        return (services, usual);
    };
    let mut ignored: Vec<String> = Vec::new();
    for name in given {
        let known = |name: &str| {
            let mut listed = services.iter().map(|(_, known)| known).chain(&ignored);
            listed.any(|known| known == name)
        };
        ignored.extend(service(section.document(), &name, known));
    }
    (services, ignored)
}

/// A PAM service is a file's name in `/etc/pam.d` (pam.conf(5)).
fn service(
    document: &Document<'_>,
    name: &Spanned<String>,
    known: impl Fn(&str) -> bool,
) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let text = name.get_ref();
    if text.is_empty() || text.starts_with('.') || !text.chars().all(fits) {
        document.report(&name.span(), "not the name of a PAM service");
        None
    } else if known(text) {
        document.report(&name.span(), "a service stands in one list, once");
        None
    } else {
        Some(text.clone())
    }
}

fn audit(mut section: Section<'_, '_>) -> (AuditFormat, Option<u64>, Option<u64>) {
    let mut keep = |key, least, at_least| {
        let keep = section.seconds(key)?;
        if *keep.get_ref() < least {
            section.document().report(&keep.span(), at_least);
        }
        Some(keep.into_inner())
    };
    let events = keep("keep", LEAST_KEEP, "at least \"30d\"");
    let recordings = keep("keep_recordings", LEAST_KEEP_RECORDINGS, "at least \"1d\"");
    (audit_format(&mut section), events, recordings)
}

fn audit_format(section: &mut Section<'_, '_>) -> AuditFormat {
    section.one_of(
        "format",
        [("kv", AuditFormat::Kv), ("cee", AuditFormat::Cee)],
    )
}

/// The program that is told: a target of its own kind, told of each event by itself.
fn program(section: &mut Section<'_, '_>) -> Option<Target> {
    let run = section.string("run")?;
    let path = run.get_ref();
    let unfit = match unfit_path(path) {
        None if path.contains(|c: char| text::is_unsafe(c) || c.is_whitespace()) => {
            Some("a path without spaces, and no arguments")
        }
        unfit => unfit,
    };
    if let Some(why) = unfit {
        let message = format!("not the path of a program ({why})");
        section.document().report(&run.span(), message);
    } else if let Err(problem) = super::program::look(Path::new(path)) {
        // One that is missing harms nothing, so it is no reason not to load the rest.
        let message = format!("not root's alone to change ({problem})");
        section.document().report(&run.span(), message);
    }
    Some(Target {
        name: PROGRAM.to_owned(),
        way: Way::Program(run.into_inner()),
        events: None,
        roles: Vec::new(),
        unusual: false,
        per_minute: u32::MAX,
        retry_for_s: PROGRAM_RETRY_FOR,
    })
}
