//! What asking, deciding and ending check alike.

use tpa_bus::span::Span;

use super::Refused;
use super::request::{Request, Stage};
use crate::policy::Role;

/// Longest reason, comment or explanation, in characters.
pub(super) const TEXT_MAX: usize = 1_000;

/// A text that people typed: something, not too long, on one line.
pub(super) fn check_text(what: &str, text: &str, least: usize, most: usize) -> Result<(), Refused> {
    let length = text.trim().chars().count();
    if length < least {
        return Err(Refused::invalid(format!(
            "the {what} has {length} characters, at least {least} are needed"
        ))
        .next("say in a sentence what it is for: --reason \"…\""));
    }
    if text.chars().count() > most {
        return Err(
            Refused::invalid(format!("the {what} is longer than {most} characters"))
                .next("say it shorter, or name a ticket"),
        );
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        let shown = c.escape_default();
        return Err(
            Refused::invalid(format!("the {what} holds the control character {shown}"))
                .next("write it on one line, in plain text"),
        );
    }
    Ok(())
}

/// No grant is longer than its role's maximum, however often it is extended.
pub(super) fn check_extension(role: &Role, target: &Request, more_s: u64) -> Result<(), Refused> {
    let Stage::Active { since, deadline } = &target.stage else {
        return Err(Refused::no_change(format!(
            "{} is {}",
            target.id,
            target.state().word()
        )));
    };
    let so_far = deadline
        .not_after
        .saturating_sub(*since)
        .max(0)
        .unsigned_abs();
    if so_far.saturating_add(more_s) <= role.max_s {
        return Ok(());
    }
    let left = Span::from_secs(role.max_s.saturating_sub(so_far));
    let most = Span::from_secs(role.max_s);
    Err(Refused::invalid(format!(
        "{} more would make {} longer than the {most} that {} allows",
        Span::from_secs(more_s),
        target.id,
        role.name
    ))
    .next(if left.as_secs() == 0 {
        format!("ask again: tpactl request {} --reason …", role.name)
    } else {
        format!("ask for at most {left} more")
    }))
}

/// The role's approvers in words.
pub(super) fn listed(role: &Role) -> String {
    role.approvers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
