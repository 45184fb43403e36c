//! The current state: a fold of events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use super::gave::{let_in, pass_on};
use super::tidy::share;
use super::{
    Closed, Digest, Envelope, Event, Looks, Named, Person, Removal, Request, SharedMap, Stage,
    WallClock, exact,
};

/// What the events so far amount to. Closed requests may be left out of it: they are in the
/// store, and are laid back in when a command names one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Requests by id.
    pub requests: SharedMap<Id, Request>,
    /// Open logins and sudo commands, by [`Session::key`].
    pub sessions: SharedMap<String, Session>,
    /// Time of the newest event, in seconds since 1970.
    pub newest: i64,
    /// Signed statements that took effect, by their digest, and when they expire. Older ones are in
    /// the store, and are laid back in when one comes again.
    pub statements: BTreeMap<String, i64>,
    /// How the wall clock was set.
    pub wall_clock: WallClock,
    /// The highest [`Request::closed_nth`].
    pub closings: u64,
}

/// A login or a sudo command under a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The grant.
    pub grant: Id,
    /// Whose.
    pub user: Person,
    /// PAM service.
    pub service: String,
    /// `login` or `sudo`.
    pub class: String,
    /// Process that PAM ran in.
    pub pid: u32,
    /// Start time of that process in clock ticks since boot (proc(5), stat field 22), so that a
    /// pid used again is not taken for it.
    pub started: u64,
    /// Terminal.
    pub tty: Option<String>,
    /// Where from.
    pub rhost: Option<String>,
    /// As whom a sudo command runs.
    pub target: Option<String>,
    /// The sudo command as it was typed ([`super::Shown`]).
    #[serde(default)]
    pub command: Option<String>,
    /// Of all of it, where a line of the log does not show all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_digest: Option<Digest>,
    /// No grant of theirs is certain to give that command: a rule of the host's own may have let it through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside_role: bool,
    /// Since when, in seconds since 1970.
    pub opened_at: i64,
}

impl Session {
    /// Names the session among all open ones.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}-{}", self.pid, self.started, self.service)
    }

    /// The process that PAM ran in.
    #[must_use]
    pub fn leader(&self) -> Named {
        Named {
            pid: self.pid,
            started: self.started,
        }
    }

    /// Whether it is a sudo command rather than a login.
    #[must_use]
    pub fn is_sudo(&self) -> bool {
        Class::from_name(&self.class) == Some(Class::Sudo)
    }
}

impl State {
    /// The state after one more event. An event about a request that is not here changes nothing.
    pub fn apply(&mut self, envelope: &Envelope) {
        self.newest = self.newest.max(envelope.at);
        if let Some(said) = envelope.said() {
            self.statements.insert(said.digest.clone(), said.expires);
        }
        match &envelope.event {
            Event::RequestCreated(request) => {
                self.requests.insert(request.id, request.as_ref().clone());
            }
            Event::SessionOpened(session) | Event::SessionMoved { session, .. } => {
                if !session.is_sudo() {
                    let_in(&mut self.requests, session.grant);
                }
                self.sessions.insert(session.key(), session.clone());
            }
            Event::SessionClosed(session) | Event::SessionKilled(session) => {
                self.sessions.remove(&session.key());
            }
            Event::ClockJump { set: Some(set), .. } => {
                self.newest = envelope.at;
                self.requests
                    .change_each(|_| true, |request| set.carry(request));
                self.wall_clock = WallClock {
                    anchor: Some(set.now.clone()),
                    set: Some(set.clone()),
                };
            }
            Event::DaemonStarted { now, .. } => {
                self.wall_clock.anchor = Some(now.clone());
                let active = |request: &Request| matches!(request.stage, Stage::Active { .. });
                self.requests.change_each(active, |request| {
                    if let Stage::Active { deadline, .. } = &mut request.stage {
                        *deadline = deadline.in_boot_of(now);
                    }
                });
            }
            Event::LoginAllowed { id, .. } => let_in(&mut self.requests, *id),
            event => {
                let Some(id) = event.request_id() else { return };
                if let Some(request) = self.requests.get_mut(&id) {
                    advance(request, envelope);
                    if let Event::Closed { .. } = event {
                        self.closings = self.closings.saturating_add(1);
                        request.closed_nth = self.closings;
                    }
                    pass_on(&mut self.requests, id);
                    if let Event::GrantActivated { .. } = event {
                        share(&mut self.requests, id);
                    }
                }
            }
        }
    }

    /// Forgets the requests that nothing can happen to any more, but for those of the last hour,
    /// which count as filed, and those that somebody decided on, or that ended, since `since`: of
    /// these the gate tells.
    pub fn forget(&mut self, since: i64, now: i64) {
        let hour_ago = now.saturating_sub(HOUR_S);
        self.statements.retain(|_, expires| *expires > now);
        self.requests.retain(|_, request| {
            let told = matches!(request.stage, Stage::Closed { at, how, .. }
                if at >= since && how != Closed::Withdrawn);
            request.is_open() || told || request.requested_at > hour_ago
        });
    }

    /// Open sessions under a grant.
    pub fn sessions_of(&self, id: Id) -> impl Iterator<Item = &Session> {
        self.sessions
            .values()
            .filter(move |session| session.grant == id)
    }
}

/// The time within which a person may file only so many requests, in seconds.
pub(super) const HOUR_S: i64 = 3_600;

/// What an event does to the request that it is about.
fn advance(request: &mut Request, envelope: &Envelope) {
    match &envelope.event {
        Event::ApprovalRecorded {
            approval,
            duration_s,
            needed,
            next,
            gives,
            ..
        } => {
            request.approvals.extend(approval.clone());
            request.duration_s = *duration_s;
            request.needed = *needed;
            if let Some(gives) = gives {
                request.gives = gives.clone();
            }
            if let Some(next) = next {
                request.stage = next.clone();
            }
        }
        Event::GrantActivated { deadline, gave, .. } => {
            request.gave.clone_from(gave);
            request.looks = Some(Looks::default());
            request.stage = Stage::Active {
                since: envelope.at,
                deadline: deadline.clone(),
            };
        }
        Event::GrantExtended { deadline, .. } => {
            if let Stage::Active {
                deadline: current, ..
            } = &mut request.stage
            {
                *current = deadline.clone();
            }
            // Whoever reviewed a break-glass grant has seen a shorter one.
            request.reviewed = None;
        }
        Event::Closed { how, why, .. } => {
            let (since, not_after) = match &request.stage {
                Stage::Active { since, deadline } => (Some(*since), Some(deadline.not_after)),
                _ => (None, None),
            };
            if since.is_some() {
                request.removal = Removal::Due;
            }
            request.stage = Stage::Closed {
                how: *how,
                at: envelope.at,
                by: envelope.actor.clone(),
                why: why.clone(),
                since,
                not_after,
            };
        }
        Event::RequestReminder { .. } => request.reminded = true,
        Event::BeginningNoted { note, .. } => {
            request.looks.get_or_insert_default().note = Some(note.clone());
        }
        Event::Residue { residue, .. } => {
            let looks = request.looks.get_or_insert_default();
            looks.found = Some(residue.found());
            looks.appeared.clone_from(&residue.appeared);
            // What it was for is told by now: nobody marks this grant again.
            looks.shared.clear();
        }
        Event::ResidueTidied { .. } => {
            request.looks.get_or_insert_default().appeared.clear();
        }
        Event::RemovalFailed { .. } => request.removal = Removal::Failed,
        Event::RemovalConfirmed { .. } => request.removal = Removal::Confirmed,
        Event::BreakGlassReviewed { review, .. } => request.reviewed = Some(review.clone()),
        Event::CommandStarted { .. } | Event::CommandRun { .. } => {
            if let Some(command) = &mut request.command {
                exact::advance(command, &envelope.event);
            }
        }
        _ => {}
    }
}
