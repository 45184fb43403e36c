//! Reads what a role allows of single commands: `exact`, `as` and `programs` under `[gives]`.

use toml::Spanned;

use super::document::Section;
use super::people::{People, is_sudoers_name};
use super::who;
use crate::policy::exact::{Exact, unfit_programs};

/// `exact = true` with what belongs to it; without it there is no `as` and no `programs`.
pub(super) fn read(section: &mut Section<'_, '_>, people: &dyn People) -> Option<Exact> {
    if !section.boolean("exact").is_some_and(Spanned::into_inner) {
        return None;
    }
    let document = section.document();
    let before = document.problem_count();
    let place = section.place().clone();
    let mut run_as = Vec::new();
    for given in section.strings("as").unwrap_or_default() {
        let name = given.get_ref().clone();
        if is_sudoers_name(&name) {
            who::user(document, &given, &name, people);
            run_as.push(name);
        } else {
            document.report(&given.span(), "names accounts, not numbers");
        }
    }
    let mut programs = Vec::new();
    for given in section.strings("programs").unwrap_or_default() {
        match unfit_programs(given.get_ref()) {
            Some(why) => {
                document.report(&given.span(), format!("cannot be given ({why})"));
            }
            None => programs.push(given.into_inner()),
        }
    }
    // What is left out must never mean root, or everything.
    if document.problem_count() == before && (run_as.is_empty() || programs.is_empty()) {
        let next = "add as = [\"user\"] and programs = [\"/usr/bin/*\"]";
        document.report_next(&place, "exact = true without as or programs", next);
    }
    Some(Exact { run_as, programs })
}
