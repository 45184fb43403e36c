//! Who may ask, who decides, what a role gives: `tpad.toml` and `roles.d`, as written.
//!
//! These are the values after reading and checking; [`crate::config`] makes them. Names stand here as
//! written: who is in a group is asked at the time of a decision. Nothing here reads a file, a clock
//! or the name service.

mod command;
pub mod danger;
pub mod exact;
pub mod notify;
mod proof;
mod sudo_rs;
mod tidy;

pub(crate) use command::{unfit_command, unfit_file, unfit_path, unfit_program};
pub use proof::ProofLevel;
pub(crate) use sudo_rs::{lacking, lacking_gives, lacking_rules};
pub use tidy::untidy;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tpa_bus::offline::{GateFile, NOBODY, Who};
use tpa_statement::signers::Signers;

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Names this configuration in the audit trail: the first 12 hexadecimal digits of the
    /// SHA-256 over all files read, in the order of their names.
    pub revision: String,
    /// Whom the gate concerns.
    pub gate: GateFile,
    /// Most undecided requests one person may have.
    pub pending_per_user: u32,
    /// Seconds before the end at which people are warned, longest first.
    pub warn_before: Vec<u64>,
    /// Form of the log lines.
    pub audit_format: AuditFormat,
    /// Seconds for which events are kept at least; for ever when not set.
    pub audit_keep_s: Option<u64>,
    /// Seconds for which recordings are kept after the end of their grant; for ever when not set.
    pub audit_keep_recordings_s: Option<u64>,
    /// Who is told of events.
    pub notify: Vec<notify::Target>,
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// Who signs as whom; `None` where nobody does, because there is no such file.
    pub signers: Option<Signers>,
    /// What was seen of the host when this was loaded: rules are judged by it.
    pub seen: danger::Seen,
}

impl Policy {
    /// Whether a list means a person. `*` means nobody below `UID_MIN`: a role that everyone may
    /// ask for is not one for root and system users.
    #[must_use]
    pub fn means(&self, list: &[Who], user: &str, uid: u32, groups: &[String]) -> bool {
        let is_system = uid < self.gate.uid_min || uid == NOBODY;
        list.iter().any(|who| match who {
            Who::Everyone => !is_system,
            Who::User(_) | Who::Group(_) => who.includes(user, groups),
        })
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditFormat {
    /// `name=value`, quoted where needed.
    #[default]
    Kv,
    /// JSON with ECS names after `@cee:`.
    Cee,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The file's name without `.toml`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who may ask.
    pub requesters: Vec<Who>,
    /// Seconds of access when none are asked for.
    pub default_s: u64,
    /// Most seconds of access.
    pub max_s: u64,
    /// Least number of characters in a reason.
    pub reason_min: u32,
    /// Whether a ticket must be named.
    pub ticket_required: bool,
    /// Regular expression that a ticket must match as a whole.
    pub ticket_pattern: Option<String>,
    /// Seconds after which an undecided request lapses.
    pub lapse_s: u64,
    /// Who decides.
    pub approvers: Vec<Who>,
    /// How many distinct people must say yes; at least 1 unless `gives.break_glass`.
    pub needed: u32,
    /// How surely an approver proves who they are.
    pub proof: ProofLevel,
    /// Whose own requests are approved at once.
    pub auto: Vec<Who>,
    /// The clock starts on first use, which must come within so many seconds of the approval.
    pub use_within_s: Option<u64>,
    /// What a grant of it gives.
    pub gives: Gives,
    /// It is asked for with one command, to be run once: what it allows of that.
    pub exact: Option<exact::Exact>,
}

impl Role {
    /// Whether a grant of it gives any use of sudo, which one of a single command always does.
    #[must_use]
    pub fn uses_sudo(&self) -> bool {
        self.exact.is_some() || self.gives.uses_sudo()
    }

    /// What it gives, one line a rule, as people read it.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = self.gives.describe();
        lines.extend(self.exact.as_ref().map(exact::Exact::describe));
        lines
    }
}

/// What a grant gives: copied into the ledger when it is approved, so that a later change of the
/// role does not change what was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gives {
    /// May log in.
    pub login: bool,
    /// sudo records what runs under it.
    pub record: bool,
    /// Active without approval, to be reviewed.
    pub break_glass: bool,
    /// What its end does.
    pub on_end: OnEnd,
    /// Rules for sudo.
    pub sudo: Vec<SudoRule>,
}

/// What the end of a grant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnEnd {
    /// Ends what the grant started, logins included.
    #[default]
    Kill,
    /// Ends the sudo commands, leaves the login.
    Keep,
}

/// One `[[gives.sudo]]` table: commands and files, as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SudoRule {
    /// User to run as.
    pub run_as: String,
    /// Group to run as.
    pub run_as_group: Option<String>,
    /// Commands in sudoers(5) form: an absolute path, then arguments; none means any.
    pub run: Vec<String>,
    /// Files that sudoedit may edit.
    pub edit: Vec<String>,
    /// sudo asks for the person's password.
    pub password: bool,
    /// What appeared of the run-as account's crontab, at jobs and authorized keys is removed after the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tidy: bool,
}

impl Gives {
    /// Whether it gives any use of sudo.
    #[must_use]
    pub fn uses_sudo(&self) -> bool {
        !self.sudo.is_empty()
    }

    /// Whether it lets its holder act as somebody, by a name of theirs: it runs commands as them, or
    /// a command or file of it names them (`crontab -u carol -`, `/home/carol/.ssh/authorized_keys`).
    /// Whoever is given all of root can act as anybody, which this does not tell: `check` does.
    #[must_use]
    pub fn acts_as(&self, name: &str) -> bool {
        let names_them = |text: &String| {
            let mut words = text.split([' ', '=', '/', ',', ':', '"', '\'']);
            words.any(|word| word == name || word.strip_prefix("-u") == Some(name))
        };
        self.sudo
            .iter()
            .any(|rule| rule.run_as == name || rule.run.iter().chain(&rule.edit).any(names_them))
    }

    /// The names of the accounts that its rules run commands as, each once and in order.
    #[must_use]
    pub fn accounts(&self) -> BTreeSet<&str> {
        self.sudo.iter().map(|rule| rule.run_as.as_str()).collect()
    }

    /// What its commands may start that the end of a grant neither finds nor ends; see
    /// [`started_elsewhere`].
    #[must_use]
    pub fn goes_on(&self) -> Option<String> {
        started_elsewhere(self.accounts())
    }

    /// What it gives, one line a rule, as people read it.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.login {
            lines.push("login".to_owned());
        }
        for rule in &self.sudo {
            let group = rule.run_as_group.as_ref().map(|group| format!(":{group}"));
            let whom = format!("{}{}", rule.run_as, group.unwrap_or_default());
            let line = |what: &str| format!("sudo as {whom}: {what}");
            lines.extend(rule.run.iter().map(|command| line(command)));
            lines.extend(
                rule.edit
                    .iter()
                    .map(|file| line(&format!("sudoedit {file}"))),
            );
        }
        lines
    }
}

/// What commands as these accounts may have others start: nothing ties that to a grant. `None` where
/// there are no such accounts.
#[must_use]
pub fn started_elsewhere<'a>(accounts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (root, others): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|name| *name == "root");
    let others = (!others.is_empty()).then(|| {
        format!(
            "processes that {} starts through a server, cron, at, ssh or a container",
            others.join(" or ")
        )
    });
    let root =
        (!root.is_empty()).then(|| "processes that root starts through other services".to_owned());
    let said: Vec<String> = others.into_iter().chain(root).collect();
    (!said.is_empty()).then(|| said.join("; "))
}
