//! Who is told of what, in plain words, and what keeps them from it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Component, Path};

use tpa_bus::span::Span;

use super::super::files::{Folder, Program};
use super::super::notify::{SECRETS, shown};
use super::super::program;
use super::line;
use crate::policy::Policy;
use crate::policy::danger::Finding;
use crate::policy::notify::{Target, Way};

/// Adds who is told.
pub(super) fn explain(out: &mut String, policy: &Policy) {
    if policy.notify.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nnotify");
    for target in &policy.notify {
        line(out, &target.name, &sentence(target));
    }
}

fn sentence(target: &Target) -> String {
    if let Way::Program(run) = &target.way {
        return format!("{run}, unprivileged, for each event");
    }
    let whom = match &target.way {
        Way::Mail { to, .. } if to.is_empty() => " to whom it concerns".to_owned(),
        Way::Mail { to, .. } => format!(" to {}", shown(&to.join(", "))),
        Way::Program(_) | Way::Service(_) => String::new(),
    };
    let mut text = format!("{}{whom}: ", target.kind());
    match &target.events {
        Some(events) => text.push_str(&events.join(", ")),
        None if target.unusual => text.push_str("every event"),
        None => text.push_str("what waits for people, what became of it, and what they must know"),
    }
    if target.unusual {
        text.push_str(", only what is marked unusual");
    }
    if !target.roles.is_empty() {
        let _ = write!(text, ", of {}", shown(&target.roles.join(", ")));
    }
    let _ = write!(
        text,
        "; at most {} messages a minute, tried for {}",
        target.per_minute,
        Span::from_secs(target.retry_for_s)
    );
    text
}

/// Why somebody would not be told.
pub(super) fn warnings(policy: &Policy) -> Vec<Finding> {
    let each = policy.notify.iter();
    each.flat_map(|target| {
        let mut found = Vec::new();
        if let Way::Program(run) = &target.way {
            found.extend(of_program(run));
        }
        found.extend(
            target
                .secret_files()
                .filter_map(|(_, path)| of_secret(target, path)),
        );
        found.extend(
            target
                .roles
                .iter()
                .filter_map(|role| of_role(policy, target, role)),
        );
        found
    })
    .collect()
}

/// Nobody is told when there is nothing to run.
fn of_program(run: &str) -> Option<Finding> {
    let (what, instead) = match program::look(Path::new(run)).ok()? {
        Program::Good => return None,
        Program::Missing => (
            "is not there",
            "put the program there, or leave notify.run out",
        ),
        Program::NotForAll => (
            "cannot be run by everyone, as whom it runs",
            "chmod 0755, and keep what it must not show elsewhere",
        ),
    };
    Some(Finding::of_host(
        format!("nobody is told of events: {run} {what}"),
        instead,
    ))
}

fn of_role(policy: &Policy, target: &Target, role: &str) -> Option<Finding> {
    // A file that is looked at by itself has no roles beside it.
    if policy.roles.is_empty() || policy.roles.contains_key(role) {
        return None;
    }
    Some(Finding::of_host(
        format!("target {}: there is no role {}", target.name, shown(role)),
        "correct the name, or take it out of roles",
    ))
}

/// A secret that is not there, or that others can read. Who may not look there says nothing.
fn of_secret(target: &Target, path: &str) -> Option<Finding> {
    let of = |what: String, instead| {
        Some(Finding::of_host(
            format!("target {}: {what}", target.name),
            instead,
        ))
    };
    match secret(path) {
        Secret::Good | Secret::NotSeen => None,
        Secret::Missing => of(
            format!("{path} is not there: it cannot be told"),
            "put the secret there, as one line of root's with mode 0600",
        ),
        Secret::Open(why) => of(
            why,
            "make it root's alone, and replace the secret by another",
        ),
    }
}

enum Secret {
    Good,
    NotSeen,
    Missing,
    Open(String),
}

fn secret(path: &str) -> Secret {
    let Ok(mut folder) = Folder::anchor(Path::new("/"), &[0]) else {
        return Secret::NotSeen;
    };
    for part in Path::new(SECRETS).components() {
        let Component::Normal(name) = part else {
            continue;
        };
        match folder.folder(name) {
            Ok(Some(next)) => folder = next,
            Ok(None) => return Secret::Missing,
            Err(_) if !nix::unistd::geteuid().is_root() => return Secret::NotSeen,
            Err(problem) => return Secret::Open(problem.to_string()),
        }
    }
    let name = Path::new(path).file_name().unwrap_or(OsStr::new(""));
    match folder.is_private(name) {
        Ok(true) => Secret::Good,
        Ok(false) => Secret::Missing,
        Err(_) if !nix::unistd::geteuid().is_root() => Secret::NotSeen,
        Err(problem) => Secret::Open(problem.to_string()),
    }
}
