//! Lists of people in the configuration: users, `@groups` and `*`, each checked to exist.

use toml::Spanned;
use tpa_bus::offline::Who;

use super::document::{Document, Section};
use super::people::{Lookup, People, unfit_group, unfit_name};

/// Whether `*` makes sense in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Everyone {
    /// It means everyone but root and system users.
    May,
    /// It would be a mistake, for the reason given.
    MayNot(&'static str),
}

/// Reads a list of people; `None` when the key is not there.
pub(super) fn list(
    section: &mut Section<'_, '_>,
    key: &'static str,
    everyone: Everyone,
    people: &dyn People,
) -> Option<Vec<Who>> {
    let document = section.document();
    let entries = section.strings(key)?;
    let checked = entries
        .iter()
        .filter_map(|entry| one(document, entry, everyone, people));
    Some(checked.collect())
}

fn one(
    document: &Document<'_>,
    entry: &Spanned<String>,
    everyone: Everyone,
    people: &dyn People,
) -> Option<Who> {
    let text = entry.get_ref().as_str();
    if text == "*" {
        if let Everyone::MayNot(why) = everyone {
            document.report_next(&entry.span(), why, "name users and @groups");
        }
        return Some(Who::Everyone);
    }
    let (name, who) = match text.strip_prefix('@') {
        Some(group) => (group, Who::Group(group.to_owned())),
        None => (text, Who::User(text.to_owned())),
    };
    let unfit = match who {
        Who::Group(_) => unfit_group(name),
        Who::User(_) | Who::Everyone => unfit_name(name),
    };
    if let Some(why) = unfit {
        let message = format!("not a user or @group ({why})");
        document.report(&entry.span(), message);
        return None;
    }
    let found = match who {
        Who::Group(_) => group(document, entry, name, people),
        _ => user(document, entry, name, people),
    };
    found.then_some(who)
}

/// Whether there is such a user; reports it when there is not.
pub(super) fn user(
    document: &Document<'_>,
    entry: &Spanned<String>,
    name: &str,
    people: &dyn People,
) -> bool {
    let next = "correct the name, or create the user first; a group is written \"@name\"";
    exists(document, entry, people.user_exists(name), "user", next)
}

/// Whether there is such a group; reports it when there is not.
pub(super) fn group(
    document: &Document<'_>,
    entry: &Spanned<String>,
    name: &str,
    people: &dyn People,
) -> bool {
    let next = "correct the name, or create the group first (groupadd)";
    exists(document, entry, people.group_exists(name), "group", next)
}

fn exists(
    document: &Document<'_>,
    entry: &Spanned<String>,
    answer: Lookup,
    kind: &str,
    next: &str,
) -> bool {
    match answer {
        Lookup::Found => return true,
        Lookup::Missing => {
            document.report_next(&entry.span(), format!("no such {kind} on this host"), next);
        }
        Lookup::Failed(why) => document.report_next(
            &entry.span(),
            format!("cannot tell whether there is such a {kind} ({why})"),
            "see that the sources in /etc/nsswitch.conf answer, then try again",
        ),
    }
    false
}
