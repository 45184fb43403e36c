//! One request, and the grant it became.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tpa_bus::id::Id;
use tpa_bus::state::State;
use tpa_bus::text::one_line;

use super::{Caller, Gave, Looks, OneCommand, PasswdEntry, Person};
use crate::clock::Now;
use crate::hex::hex;
use crate::policy::{Gives, ProofLevel};

/// A request from its filing to the proof of its end. It changes through events alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Names the request, the grant, the drop-in and the log lines.
    pub id: Id,
    /// For whom.
    pub user: Person,
    /// By which version of the host's accounts they were known; `None` where a version that did not
    /// record it filed the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<PasswdEntry>,
    /// Who asked.
    pub requested_by: Person,
    /// Whose login they asked from, where it was another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_login: Option<Person>,
    /// When, in seconds since 1970.
    pub requested_at: i64,
    /// What a decision says that it is about; see [`Request::digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The other hosts that it was asked for by the same signed statement.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub others: BTreeSet<String>,
    /// The role's name.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Reference to a ticket.
    pub ticket: Option<String>,
    /// Seconds of access asked for or, when an approver shortened it, to be granted.
    pub duration_s: u64,
    /// Do not start before this.
    pub at: Option<i64>,
    /// Do not go on after this.
    pub until: Option<i64>,
    /// Distinct approvers needed.
    pub needed: u32,
    /// When it lapses if nobody decides.
    pub lapses_at: i64,
    /// That it lapses soon has been told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminded: bool,
    /// The grant that it would extend.
    pub extends: Option<Id>,
    /// What the role gives: as asked for, then as approved.
    pub gives: Gives,
    /// The yeses so far, each a person's.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub stage: Stage,
    /// Who reviewed a break-glass grant, and what they said.
    pub reviewed: Option<Approval>,
    /// What it gave when it began; `None` before that, and for a grant that began under a version
    /// that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave: Option<Gave>,
    /// The one command that it is for, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<OneCommand>,
    /// The looks for what it leaves behind; `None` before it began, and where a version that did not
    /// look began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    /// Whether its end is proven. Only a grant that was active has anything to remove.
    pub removal: Removal,
    /// Tells what closed first of what closed within one second: the higher closed later. 0 before that,
    /// and where a version closed it that did not count.
    #[serde(default)]
    pub closed_nth: u64,
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// Whose login they said it from, where it was another's: that person has said it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Person>,
    /// When.
    pub at: i64,
    /// What they said about it.
    pub comment: Option<String>,
    /// How they proved who they are; nothing of a version that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofLevel>,
    /// The SSH key that proved it, where one did, as `SHA256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where a request stands. The arrows: `Pending` to `Closed`, `Waiting`, `Active` or, for an
/// extension, `Approved`; `Waiting` to `Active` or `Closed`; `Active` to `Closed`. No way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Undecided.
    Pending,
    /// An extension that was approved: its effect is on the grant that it extends.
    Approved,
    /// Approved; access starts at a time, or on first use.
    Waiting {
        /// Start.
        from: i64,
        /// Set when the clock starts on first use, which must come before this.
        use_by: Option<i64>,
    },
    /// Access is on.
    Active {
        /// Since when.
        since: i64,
        /// Until when.
        deadline: Deadline,
    },
    /// It is over.
    Closed {
        /// How it ended.
        how: Closed,
        /// When.
        at: i64,
        /// Who ended it; nobody when time did.
        by: Option<Person>,
        /// What they said about it.
        why: Option<String>,
        /// Since when access had been on, if it ever was.
        since: Option<i64>,
        /// Until when access would have been on, if it ever was.
        not_after: Option<i64>,
    },
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// An approver said no.
    Denied,
    /// The requester took it back.
    Withdrawn,
    /// Nobody decided in time, or nobody used it in time.
    Lapsed,
    /// Time is up.
    Expired,
    /// Taken away.
    Revoked,
    /// Given back by the person.
    Ended,
}

/// When a grant ends: whichever clock gets there first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Wall clock, in seconds since 1970.
    pub not_after: i64,
    /// `CLOCK_BOOTTIME` in milliseconds, in the boot that `boot_id` names.
    pub boottime_ms: u64,
    /// The boot in which `boottime_ms` counts. In any other, the wall clock alone is left.
    pub boot_id: String,
}

impl Deadline {
    /// `seconds` from now on both clocks.
    #[must_use]
    pub fn after(now: &Now, seconds: u64) -> Self {
        Self {
            not_after: now.wall_s.saturating_add_unsigned(seconds),
            boottime_ms: now
                .boottime_ms
                .saturating_add(seconds.saturating_mul(1_000)),
            boot_id: now.boot_id.clone(),
        }
    }

    /// Milliseconds left; 0 when it has passed.
    #[must_use]
    pub fn remaining_ms(&self, now: &Now) -> u64 {
        let by_wall = u64::try_from(self.not_after.saturating_sub(now.wall_s)).unwrap_or(0);
        let by_wall = by_wall.saturating_mul(1_000);
        if self.boot_id == now.boot_id {
            by_wall.min(self.boottime_ms.saturating_sub(now.boottime_ms))
        } else {
            by_wall
        }
    }

    /// Seconds left by `CLOCK_BOOTTIME`, which nobody sets; by the wall clock in another boot.
    #[must_use]
    pub(super) fn boottime_left_s(&self, now: &Now) -> u64 {
        if self.boot_id == now.boot_id {
            self.boottime_ms.saturating_sub(now.boottime_ms) / 1_000
        } else {
            self.remaining_ms(now) / 1_000
        }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_over(&self, now: &Now) -> bool {
        self.remaining_ms(now) == 0
    }

    /// The same end in the boot that `now` is in: after a reboot the wall clock says how much is
    /// left, and from there the boot's own clock holds it to that.
    #[must_use]
    pub fn in_boot_of(&self, now: &Now) -> Self {
        if self.boot_id == now.boot_id {
            return self.clone();
        }
        Self {
            not_after: self.not_after,
            boottime_ms: now.boottime_ms.saturating_add(self.remaining_ms(now)),
            boot_id: now.boot_id.clone(),
        }
    }

    /// So many seconds later on both clocks.
    #[must_use]
    pub fn extended(&self, seconds: u64) -> Self {
        Self {
            not_after: self.not_after.saturating_add_unsigned(seconds),
            boottime_ms: self
                .boottime_ms
                .saturating_add(seconds.saturating_mul(1_000)),
            boot_id: self.boot_id.clone(),
        }
    }
}

/// Whether what a grant gave is gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Nothing to remove: never active, or active still.
    #[default]
    None,
    /// Access is over; its removal is not proven yet.
    Due,
    /// Tried, and something survived. It is tried again.
    Failed,
    /// Proven.
    Confirmed,
}

impl Request {
    /// The state as people, scripts and the bus know it.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.stage {
            Stage::Pending => State::Pending,
            Stage::Approved => State::Extended,
            Stage::Waiting {
                use_by: Some(_), ..
            } => State::Unused,
            Stage::Waiting { use_by: None, .. } => State::Scheduled,
            Stage::Active { .. } => State::Active,
            Stage::Closed { how, .. } => match how {
                Closed::Denied => State::Denied,
                Closed::Withdrawn => State::Withdrawn,
                Closed::Lapsed => State::Lapsed,
                Closed::Expired => State::Expired,
                Closed::Revoked => State::Revoked,
                Closed::Ended => State::Ended,
            },
        }
    }

    /// Who denied it or took it away, and why, for its person to read: `revoked by carol: the sale
    /// begins`. None of what was not somebody's no.
    #[must_use]
    pub fn no_of_others(&self) -> Option<String> {
        let Stage::Closed {
            how: Closed::Denied | Closed::Revoked,
            by,
            why,
            ..
        } = &self.stage
        else {
            return None;
        };
        let by = by
            .as_ref()
            .map(|by| format!(" by {}", one_line(&by.name, 64)));
        let why = why.as_ref().map(|why| format!(": {}", one_line(why, 200)));
        let (by, why) = (by.unwrap_or_default(), why.unwrap_or_default());
        Some(format!("{}{by}{why}", self.state().word()))
    }

    /// When it closed: the greater, the later.
    #[must_use]
    pub(super) fn closed_at(&self) -> Option<(i64, u64)> {
        match self.stage {
            Stage::Closed { at, .. } => Some((at, self.closed_nth)),
            _ => None,
        }
    }

    /// Whether nobody has decided yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Pending)
    }

    /// Whether it is approved and has not begun.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. })
    }

    /// The deadline, while access is on.
    #[must_use]
    pub fn deadline(&self) -> Option<&Deadline> {
        match &self.stage {
            Stage::Active { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    /// Whether access is on at this moment: active, and neither clock has passed the end.
    #[must_use]
    pub fn is_live(&self, now: &Now) -> bool {
        self.deadline()
            .is_some_and(|deadline| !deadline.is_over(now))
    }

    /// Whether anything can still happen to it: undecided, waiting, active, not proven gone, or
    /// not yet reviewed, or not yet tidied up after.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let decided = matches!(self.stage, Stage::Closed { .. } | Stage::Approved);
        !decided || self.is_ending() || self.awaits_review() || self.is_to_be_tidied()
    }

    /// Whether something that appeared under it is to be removed, or told of as what stays.
    fn is_to_be_tidied(&self) -> bool {
        let looks = self.looks.as_ref();
        looks.is_some_and(|looks| !looks.appeared.is_empty())
    }

    /// Whether access on it is over, and not proven to be gone.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(self.removal, Removal::Due | Removal::Failed)
    }

    /// Whether a break-glass grant waits for its review.
    #[must_use]
    pub fn awaits_review(&self) -> bool {
        self.gives.break_glass
            && self.extends.is_none()
            && self.reviewed.is_none()
            && self.was_active()
    }

    /// Whether access was ever on.
    #[must_use]
    pub fn was_active(&self) -> bool {
        matches!(
            self.stage,
            Stage::Active { .. } | Stage::Closed { since: Some(_), .. }
        )
    }

    /// Names what was asked for: the SHA-256, in lower-case hexadecimal, of the statement that asked,
    /// or of what was asked on this host. A signed decision names it too, so that it cannot be moved
    /// to another request of the same id.
    #[must_use]
    pub fn digest(&self) -> String {
        match &self.digest {
            Some(digest) => digest.clone(),
            None => self.own_digest(),
        }
    }

    /// The digest of what was asked on this host.
    pub(super) fn own_digest(&self) -> String {
        let asked = (
            (self.id, &self.user, &self.requested_by, self.requested_at),
            (&self.role, &self.reason, &self.ticket),
            (self.duration_s, self.at, self.until, self.extends),
        );
        // What is made of texts and numbers is always written.
        let mut text = serde_json::to_string(&asked).unwrap_or_default();
        text.extend(self.command.as_ref().map(OneCommand::digest));
        hex(&Sha256::digest(text))
    }

    /// What it gives, one line a rule, as people read it.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        match &self.command {
            Some(command) => vec![command.describe()],
            None => self.gives.describe(),
        }
    }

    /// Whether it lets its holder act as somebody, by a name of theirs; see [`Gives::acts_as`].
    #[must_use]
    pub fn acts_as(&self, name: &str) -> bool {
        let words = self.command.iter().flat_map(|command| &command.argv);
        let mut words = words.flat_map(|word| word.split([' ', '=', '/', ',', ':', '"', '\'']));
        self.gives.acts_as(name)
            || words.any(|word| word == name || word.strip_prefix("-u") == Some(name))
    }

    /// Whether anybody who may be behind the call has said yes already.
    #[must_use]
    pub fn has_yes_of(&self, caller: &Caller) -> bool {
        let mut yeses = self.approvals.iter();
        yeses.any(|yes| {
            [Some(&yes.by), yes.login.as_ref()]
                .into_iter()
                .flatten()
                .any(|p| caller.may_be(p.uid))
        })
    }

    /// Whether everybody behind the call has said yes.
    #[must_use]
    pub fn has_yes_by_all(&self, caller: &Caller) -> bool {
        let said = |uid| self.approvals.iter().any(|yes| yes.by.uid == uid);
        caller.identities().all(|who| said(who.person.uid))
    }

    /// Whether the person asked for it, or it is for them.
    #[must_use]
    pub fn is_of(&self, uid: u32) -> bool {
        self.user.uid == uid || self.requested_by.uid == uid
    }
}
