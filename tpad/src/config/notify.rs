//! Reads `notify.toml`: who is told of what, and how.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use tpa_bus::text;

use super::document::{Document, Section};
use super::people::{People, unfit_group};
use super::problem::Problem;
use super::who;
use crate::policy::notify::{EVENTS, PROGRAM, SERVICES, Service, Target, Way};

/// The file's name.
pub(super) const FILE: &str = "notify.toml";

/// Where secrets lie: tpad and what it starts cannot look there, only PID 1 reads them, for the one
/// unit that tells the target.
pub(super) const SECRETS: &str = "/etc/tpa/secrets";

/// Most targets.
const MOST: usize = 16;

/// Most messages a minute, unless said.
const PER_MINUTE: u32 = 10;

/// Seconds for which telling is tried again, unless said.
const RETRY_FOR: u64 = 3_600;

/// At least and at most so many seconds.
const RETRY_LEAST: u64 = 60;
const RETRY_MOST: u64 = 7 * 86_400;

/// Headers that are not the administrator's to set.
const OWN: [&str; 6] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "authorization",
];

/// Reads the file.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn read(
    path: &Path,
    contents: &str,
    people: &dyn People,
) -> Result<Vec<Target>, Vec<Problem>> {
    let document = Document::new(path, contents);
    let targets = document.top().map(|mut top| targets(&mut top, people));
    match (targets, document.into_problems()) {
        (Some(targets), problems) if problems.is_empty() => Ok(targets),
        (_, problems) => Err(problems),
    }
}

fn targets(top: &mut Section<'_, '_>, people: &dyn People) -> Vec<Target> {
    let document = top.document();
    let mut targets: Vec<Target> = Vec::new();
    for section in top.sections("target") {
        let place = section.place().clone();
        if targets.len() == MOST {
            document.report(&place, format!("more than {MOST} targets"));
        }
        let Some(target) = target(section, people) else {
            continue;
        };
        if targets.iter().any(|known| known.name == target.name) {
            document.report(&place, "two targets have this name");
        }
        targets.push(target);
    }
    targets
}

fn target(mut section: Section<'_, '_>, people: &dyn People) -> Option<Target> {
    let name = name(&mut section);
    let way = way(&mut section, people);
    let events = events(&mut section);
    let roles = section.strings("roles").unwrap_or_default();
    let unusual = section.boolean("unusual").is_some_and(Spanned::into_inner);
    let per_minute = section.number("per_minute", 60);
    if let Some(zero) = per_minute.as_ref().filter(|given| *given.get_ref() == 0) {
        section
            .document()
            .report(&zero.span(), "at least 1, or take the target out");
    }
    let retry_for_s = retry_for(&mut section);
    Some(Target {
        name: name?,
        way: way?,
        events,
        roles: roles.into_iter().map(Spanned::into_inner).collect(),
        unusual,
        per_minute: per_minute.map_or(PER_MINUTE, Spanned::into_inner),
        retry_for_s,
    })
}

fn retry_for(section: &mut Section<'_, '_>) -> u64 {
    let Some(given) = section.seconds("retry_for") else {
        return RETRY_FOR;
    };
    if !(RETRY_LEAST..=RETRY_MOST).contains(given.get_ref()) {
        section
            .document()
            .report(&given.span(), "from \"1m\" to \"7d\"");
    }
    given.into_inner()
}

fn name(section: &mut Section<'_, '_>) -> Option<String> {
    let Some(name) = section.string("name") else {
        section
            .document()
            .report(section.place(), "a target needs a name");
        return None;
    };
    let text = name.get_ref();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text == PROGRAM {
        let message = "this is the name of the program in tpad.toml";
        section.document().report(&name.span(), message);
    } else if !(1..=32).contains(&text.len()) || text.starts_with('-') || !text.chars().all(fits) {
        let message = "a name has up to 32 of a-z, 0-9 and -, and does not begin with -";
        section.document().report(&name.span(), message);
    }
    Some(name.into_inner())
}

fn events(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let given = section.strings("events")?;
    for event in &given {
        if !EVENTS.contains(&event.get_ref().as_str()) {
            let next = "tpa-events(7) has all of them";
            section
                .document()
                .report_next(&event.span(), "there is no such event", next);
        }
    }
    if given.is_empty() {
        let place = section.place_of("events");
        section
            .document()
            .report(&place, "no event at all: leave it out for the usual ones");
    }
    Some(given.into_iter().map(Spanned::into_inner).collect())
}

/// How it is told, by its kind. A key that the kind does not have is an unknown one.
fn way(section: &mut Section<'_, '_>, people: &dyn People) -> Option<Way> {
    let Some(kind) = section.string("kind") else {
        section
            .document()
            .report(section.place(), "a target needs a kind");
        return None;
    };
    if kind.get_ref() == "mail" {
        return Some(mail(section, people));
    }
    let Some(known) = SERVICES.into_iter().find(|one| *one == kind.get_ref()) else {
        let next = format!("one of mail, {}", SERVICES.join(", "));
        section
            .document()
            .report_next(&kind.span(), "there is no such kind", next);
        return None;
    };
    Some(Way::Service(service(section, known)))
}

fn mail(section: &mut Section<'_, '_>, people: &dyn People) -> Way {
    let to = section.strings("to").unwrap_or_default();
    for who in &to {
        recipient(section, who, people);
    }
    let from = section.string("from");
    if let Some(from) = from.as_ref().filter(|from| !is_address(from.get_ref())) {
        section
            .document()
            .report(&from.span(), "not a plain mail address");
    }
    Way::Mail {
        to: to.into_iter().map(Spanned::into_inner).collect(),
        from: from.map(Spanned::into_inner),
    }
}

fn recipient(section: &Section<'_, '_>, who: &Spanned<String>, people: &dyn People) {
    let document = section.document();
    if let Some(group) = who.get_ref().strip_prefix('@') {
        match unfit_group(group) {
            Some(why) => document.report(&who.span(), format!("not an @group ({why})")),
            None => drop(who::group(document, who, group, people)),
        }
    } else if !is_address(who.get_ref()) {
        document.report(&who.span(), "not a user, an @group or a plain mail address");
    }
}

/// A name or an address of letters that mean nothing to a mail server.
fn is_address(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let (local, domain) = text.split_once('@').unwrap_or((text, "host"));
    text.len() <= 254
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && domain.starts_with(|c: char| c.is_ascii_alphanumeric())
        && local.chars().all(fits)
        && domain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

fn service(section: &mut Section<'_, '_>, kind: &'static str) -> Service {
    let place = section.place().clone();
    let plain_http = section
        .boolean("plain_http")
        .is_some_and(Spanned::into_inner);
    let url = section.string("url");
    if let Some(url) = &url {
        address(section.document(), url, plain_http);
    }
    let mut files = BTreeMap::new();
    let mut file = |section: &mut Section<'_, '_>, what: &'static str, key: &'static str| {
        files.extend(secret(section, key).map(|path| (what, path)));
    };
    file(section, "url", "url_file");
    if matches!(kind, "pagerduty" | "opsgenie" | "webhook") {
        file(section, "secret", "secret_file");
    }
    let mut own = BTreeMap::new();
    if kind == "webhook" {
        file(section, "token", "token_file");
        own = headers(section);
    }
    let has = |what| files.contains_key(what);
    let document = section.document();
    if url.is_some() && has("url") {
        document.report(&place, "give url or url_file, not both");
    }
    let own_key = matches!(kind, "pagerduty" | "opsgenie");
    if own_key && !has("secret") {
        document.report_next(
            &place,
            format!("{kind} needs a key"),
            "secret_file = \"/etc/tpa/secrets/NAME\"",
        );
    }
    if !own_key && url.is_none() && !has("url") {
        document.report_next(
            &place,
            format!("{kind} needs an address"),
            "url_file = \"/etc/tpa/secrets/NAME\"",
        );
    }
    Service {
        kind,
        url: url.map(Spanned::into_inner),
        headers: own,
        plain_http,
        files,
    }
}

/// An address that stands in the file: of the form that `tpa_notify` takes.
fn address(document: &Document<'_>, url: &Spanned<String>, plain_http: bool) {
    let text = url.get_ref();
    let rest = text.strip_prefix("http://");
    let host = rest
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .unwrap_or("");
    let loopback = |host: &str| {
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        let address: Result<std::net::IpAddr, _> = bare.parse();
        bare == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let message = if text.chars().any(|c| !c.is_ascii_graphic()) || text.contains('@') {
        "an address has no spaces and no password in it"
    } else if text.starts_with("https://") || (rest.is_some() && (plain_http || loopback(host))) {
        return;
    } else if rest.is_some() {
        "without TLS only to this host itself: use https, or say plain_http = true"
    } else {
        "an address begins with https://"
    };
    document.report(&url.span(), message);
}

/// The path of a file with a secret. Whether it is there is not looked at here: tpad cannot see it.
fn secret(section: &mut Section<'_, '_>, key: &'static str) -> Option<String> {
    let path = section.string(key)?;
    let name = path
        .get_ref()
        .strip_prefix(SECRETS)
        .and_then(|rest| rest.strip_prefix('/'));
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(fits);
    if !name.is_some_and(is_name) {
        let message = format!("secrets lie in {SECRETS}, where only PID 1 reads them");
        section.document().report_next(
            &path.span(),
            message,
            format!("{key} = \"{SECRETS}/NAME\""),
        );
    }
    Some(path.into_inner())
}

/// `["Name: value"]`, each of letters that begin no other header.
fn headers(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for line in section.strings("headers").unwrap_or_default() {
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let found = line.get_ref().split_once(": ").filter(|(name, value)| {
            !name.is_empty()
                && name.chars().all(token)
                && !value.is_empty()
                && value.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        });
        let document = section.document();
        match found {
            None => document.report(&line.span(), "not a header, as in \"X-Team: web\""),
            Some((name, _)) if is_own(name) => {
                let next = "a secret goes into token_file";
                document.report_next(&line.span(), "this header is not yours to set", next);
            }
            Some((name, value)) => drop(headers.insert(name.to_owned(), value.to_owned())),
        }
    }
    headers
}

fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OWN.contains(&name.as_str()) || name.starts_with("x-tpa-")
}

/// How a target's text may be shown.
pub(super) fn shown(text: &str) -> String {
    text::one_line(text, 200)
}

#[cfg(test)]
mod tests;
