//! What people and the host ask of the ledger.

use tpa_bus::id::Id;

use super::{Caller, Event, Identity, Proof, Refused, State, asking, deciding, ending};
use crate::clock::Now;
use crate::policy::Policy;

/// What someone wants. The caller's identity was established before; the ids of new requests
/// are drawn at random by whoever makes the command.
#[derive(Debug, Clone)]
pub enum Command {
    /// File a request under this id.
    Ask(Id, Asked),
    /// File a request for more time on a grant.
    Extend {
        /// Id of the new request.
        id: Id,
        /// The grant.
        grant: Id,
        /// Seconds more.
        seconds: u64,
        /// Why.
        reason: String,
    },
    /// Say yes.
    Approve {
        /// To this.
        id: Id,
        /// For no longer than so many seconds.
        duration_s: Option<u64>,
        /// A word on it.
        comment: Option<String>,
    },
    /// Say no.
    Deny {
        /// To this.
        id: Id,
        /// Why.
        reason: String,
    },
    /// Take one's own request back.
    Withdraw(Id),
    /// Give one's own access back.
    End(Id),
    /// Take access away.
    Revoke {
        /// This.
        id: Id,
        /// Why.
        reason: String,
    },
    /// Close the review of a break-glass grant.
    Review {
        /// This.
        id: Id,
        /// What was found.
        comment: String,
    },
}

/// What a new request says.
#[derive(Debug, Clone)]
pub struct Asked {
    /// For whom, as the host knows them now.
    pub user: Identity,
    /// Role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// Seconds of access.
    pub duration_s: Option<u64>,
    /// Until when, instead of a number of seconds.
    pub until: Option<i64>,
    /// From when.
    pub at: Option<i64>,
}

/// Decides. The events, in order, are what the command comes to; a refusal changes nothing.
///
/// # Errors
/// [`Refused`], with what the caller can do next.
pub fn decide(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    command: &Command,
    now: &Now,
) -> Result<Vec<Event>, Refused> {
    is_known(caller, command)?;
    match command {
        Command::Ask(id, asked) => asking::ask(state, policy, caller, *id, asked, now),
        Command::Extend {
            id,
            grant,
            seconds,
            reason,
        } => asking::extend(state, policy, caller, *id, (*grant, *seconds, reason), now),
        Command::Approve {
            id,
            duration_s,
            comment,
        } => deciding::approve(
            state,
            policy,
            caller,
            *id,
            (*duration_s, comment.as_deref()),
            now,
        ),
        Command::Deny { id, reason } => deciding::deny(state, policy, caller, *id, reason, now),
        Command::Review { id, comment } => {
            deciding::review(state, policy, caller, *id, comment, now)
        }
        Command::Withdraw(id) => ending::withdraw(state, caller, *id),
        Command::End(id) => ending::end(state, caller, *id),
        Command::Revoke { id, reason } => ending::revoke(state, policy, caller, *id, reason),
    }
}

/// Refuses what takes a person where the call may be another's: a decision always, and anything but
/// taking access away where root's uid says nothing of who it is.
fn is_known(caller: &Caller, command: &Command) -> Result<(), Refused> {
    if caller.proof != Proof::Unproven {
        return Ok(());
    }
    let allowed = match command {
        Command::Revoke { .. } => caller.is_root(),
        Command::Ask(..) | Command::Extend { .. } | Command::Withdraw(_) | Command::End(_) => {
            !caller.is_root()
        }
        Command::Approve { .. } | Command::Deny { .. } | Command::Review { .. } => false,
    };
    if allowed {
        return Ok(());
    }
    let refused = Refused::not_permitted("cannot tell whose login this call comes from");
    Err(refused.next(if caller.is_root() {
        "do it as yourself with tpactl, without sudo; as root, with tpactl from your own login"
    } else {
        "use tpactl as yourself, which shows tpad the process; or sudo tpactl from your own login"
    }))
}
