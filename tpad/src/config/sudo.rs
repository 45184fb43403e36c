//! Reads what a role gives under sudo: `[[gives.sudo]]`, and what the end does to it.

use toml::Spanned;

use super::document::{Document, Section};
use super::people::{Lookup, People, is_sudoers_name};
use super::who;
use crate::policy::{OnEnd, SudoRule, untidy};
use crate::policy::{unfit_command, unfit_file};

/// One `[[gives.sudo]]`.
pub(super) fn rule(mut section: Section<'_, '_>, uid_min: u32, people: &dyn People) -> SudoRule {
    let document = section.document();
    let before = document.problem_count();
    let (run_as, run_as_group) = run_as(&mut section, people);
    let tidy = tidy(&mut section, &run_as, uid_min, people);
    let rule = SudoRule {
        run_as,
        run_as_group,
        run: fit(&mut section, "run", unfit_command),
        edit: fit(&mut section, "edit", unfit_file),
        password: section.boolean("password").is_none_or(Spanned::into_inner),
        tidy,
    };
    if rule.run.is_empty() && rule.edit.is_empty() && document.problem_count() == before {
        let next = "name commands under run, or files under edit";
        document.report_next(section.place(), "a rule that gives nothing", next);
    }
    rule
}

/// `tidy`; no unless it says otherwise, and never of an account whose jobs and keys are somebody's.
fn tidy(section: &mut Section<'_, '_>, run_as: &str, uid_min: u32, people: &dyn People) -> bool {
    let Some(given) = section.boolean("tidy") else {
        return false;
    };
    let tidy = *given.get_ref();
    // An account that is not named, or that there is not, is reported as such.
    let exists = people.user_exists(run_as) == Lookup::Found;
    if !tidy || !exists {
        return tidy;
    }
    let why = match people.person(run_as) {
        Ok(Some(account)) => untidy(account.uid, uid_min).map(str::to_owned),
        Ok(None) => Some("there is no such account".to_owned()),
        Err(why) => Some(format!("whose account it is cannot be told: {why}")),
    };
    if let Some(why) = why {
        let message = format!("nothing of {run_as} can be removed after the end: {why}");
        let next = "leave tidy out, or name the account of a service (useradd --system) under as";
        section.document().report_next(&given.span(), message, next);
    }
    tidy
}

/// `on_end`; `kill` unless it says otherwise.
pub(super) fn on_end(section: &mut Section<'_, '_>) -> OnEnd {
    section.one_of("on_end", [("kill", OnEnd::Kill), ("keep", OnEnd::Keep)])
}

/// `as`, which has no default: what is left out must never mean root.
fn run_as(section: &mut Section<'_, '_>, people: &dyn People) -> (String, Option<String>) {
    let document = section.document();
    let place = section.place_of("as");
    let Some(given) = section.string("as") else {
        if place == *section.place() {
            let next = "add as = \"user\" or as = \"user:group\"";
            document.report_next(section.place(), "a rule without as", next);
        }
        return (String::new(), None);
    };
    let (user, group) = match given.get_ref().split_once(':') {
        Some((user, group)) => (user.to_owned(), Some(group.to_owned())),
        None => (given.get_ref().clone(), None),
    };
    if named(document, &given, &user) {
        who::user(document, &given, &user, people);
    }
    if let Some(group) = &group
        && named(document, &given, group)
    {
        who::group(document, &given, group, people);
    }
    (user, group)
}

fn named(document: &Document<'_>, given: &Spanned<String>, name: &str) -> bool {
    let fit = is_sudoers_name(name);
    if !fit {
        let message = "must be \"user\" or \"user:group\", in names, not numbers";
        document.report(&given.span(), message);
    }
    fit
}

/// A list of texts, each of which must be fit.
fn fit(
    section: &mut Section<'_, '_>,
    key: &'static str,
    unfit: fn(&str) -> Option<&'static str>,
) -> Vec<String> {
    let mut good = Vec::new();
    for text in section.strings(key).unwrap_or_default() {
        match unfit(text.get_ref()) {
            Some(why) => section
                .document()
                .report(&text.span(), format!("cannot be given ({why})")),
            None => good.push(text.into_inner()),
        }
    }
    good
}
