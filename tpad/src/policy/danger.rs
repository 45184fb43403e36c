//! PURE: rules that give more than they seem to, and the narrower way.
//!
//! A grant of unrestricted root cannot be contained, so what amounts to it is told before it is
//! given: by `check`, to who approves, and in reports. What programs, files, services and groups
//! come to stands in tables beside this file. This is advice: it knows common programs, not all of
//! them, and judges by what was looked at and handed in.

mod account;
mod arguments;
mod command;
mod files;
mod glob;
mod host_rules;
mod kind;
mod place;
mod sed;
mod seen;
mod table;

use serde::Serialize;

#[cfg(test)]
use super::SudoRule;
use super::{Gives, Policy, Role};
pub use account::names_in;
pub use host_rules::{Whom, standing};
pub use kind::Kind;
pub use seen::{Account, Seen, SeenFile};

/// Something that gives more than it seems to, or less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The role; empty when the configuration as a whole is meant.
    pub role: String,
    /// The command or file, or empty when the role as a whole is meant.
    pub rule: String,
    /// In which way, as a word that stays: `shell`, `pager`, `writes`.
    pub kind: &'static str,
    /// What it really gives.
    pub message: String,
    /// The narrower way.
    #[serde(rename = "next")]
    pub instead: &'static str,
}

impl Finding {
    /// One about the configuration as a whole.
    pub(crate) fn of_host(message: impl Into<String>, instead: &'static str) -> Self {
        Self {
            role: String::new(),
            rule: String::new(),
            kind: Kind::Host.as_str(),
            message: message.into(),
            instead,
        }
    }

    /// One about a role as a whole.
    pub(crate) fn of_role(role: &str, message: impl Into<String>, instead: &'static str) -> Self {
        Self {
            role: role.to_owned(),
            kind: Kind::Role.as_str(),
            ..Self::of_host(message, instead)
        }
    }

    /// The message, with the rule it is about.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.rule.as_str() {
            "" => self.message.clone(),
            rule => format!("{}: \"{rule}\"", self.message),
        }
    }
}

/// What a rule comes to.
struct Danger {
    kind: Kind,
    message: String,
    instead: &'static str,
}

/// How the gate could lock everybody out.
#[must_use]
pub fn of_gate(policy: &Policy) -> Option<Finding> {
    let gate = &policy.gate;
    let gated = !(gate.login.is_empty() && gate.sudo.is_empty());
    (gated && gate.exempt.is_empty()).then(|| {
        Finding::of_host(
            "nobody is exempt: when tpad is broken, only root and those not gated get in",
            "name an emergency group under [gate] exempt, and put somebody into it",
        )
    })
}

/// What a role gives beyond what it seems to.
#[must_use]
pub fn of_role(role: &Role, seen: &Seen) -> Vec<Finding> {
    let unreviewed = role.gives.break_glass && role.approvers.is_empty();
    let mut found = Vec::new();
    found.extend(unreviewed.then(|| {
        Finding::of_role(
            &role.name,
            "break-glass access that nobody can review",
            "name who reviews it under [approve] who",
        )
    }));
    found.extend(of_gives(&role.name, &role.gives, seen));
    found
}

/// What a grant of these gives beyond what it seems to.
#[must_use]
pub fn of_gives(role: &str, gives: &Gives, seen: &Seen) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in &gives.sudo {
        let mut add = |text: &str, dangers: Vec<Danger>| {
            found.extend(dangers.into_iter().map(|danger| Finding {
                role: role.to_owned(),
                rule: text.to_owned(),
                kind: danger.kind.as_str(),
                message: danger.message,
                instead: danger.instead,
            }));
        };
        add("", account::of_account(rule, seen));
        for run in &rule.run {
            add(run, command::of_rule(run, &rule.run_as, &gives.sudo, seen));
            add(run, account::as_approver(run, seen).into_iter().collect());
        }
        for file in &rule.edit {
            add(file, files::of_edit(file, rule, &gives.sudo, seen));
        }
    }
    found
}

/// In which ways a command as root gives no more than it seems to, so far as being root goes.
const LESS_THAN_ROOT: [Kind; 4] = [Kind::Reads, Kind::Listens, Kind::Role, Kind::Host];

/// Whether these amount to being root: whoever holds them can leave anything anywhere.
#[must_use]
pub fn amounts_to_root(gives: &Gives, seen: &Seen) -> bool {
    let as_root = gives.sudo.iter().filter(|rule| rule.run_as == "root");
    let mut each = as_root.flat_map(|rule| {
        let alone = Gives {
            sudo: vec![rule.clone()],
            ..gives.clone()
        };
        of_gives("", &alone, seen)
    });
    each.any(|found| {
        !LESS_THAN_ROOT
            .iter()
            .any(|kind| kind.as_str() == found.kind)
    })
}

/// What one command with these very arguments gives to who runs it as `whom`; `argv[0]` is the
/// program's path.
#[must_use]
pub fn of_argv(argv: &[String], whom: &str, seen: &Seen) -> Vec<Finding> {
    let dangers = command::of_argv(argv, whom, seen).into_iter();
    dangers
        .map(|danger| Finding {
            role: String::new(),
            rule: argv.join(" "),
            kind: danger.kind.as_str(),
            message: danger.message,
            instead: danger.instead,
        })
        .collect()
}

#[cfg(test)]
mod tests;
