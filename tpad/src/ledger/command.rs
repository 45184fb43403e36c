//! What people and the host ask of the ledger.

use tpa_bus::id::Id;

use super::sight::as_seen;
use super::{Caller, Event, Identity, Proof, Refused, State, Typed, asking, deciding, ending};
use crate::clock::Now;
use crate::policy::{Policy, lacking, lacking_gives};

/// What someone wants. The caller's identity was established before; the ids of new requests
/// are drawn at random by whoever makes the command.
#[derive(Debug, Clone)]
pub enum Command {
    /// File a request under this id.
    Ask(Id, Box<Asked>),
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

impl Command {
    /// The request that there is after it.
    #[must_use]
    pub fn about(&self) -> Id {
        match self {
            Self::Ask(id, _)
            | Self::Extend { id, .. }
            | Self::Approve { id, .. }
            | Self::Deny { id, .. }
            | Self::Withdraw(id)
            | Self::End(id)
            | Self::Revoke { id, .. }
            | Self::Review { id, .. } => *id,
        }
    }

    /// The request that it needs to be there before.
    #[must_use]
    pub fn concerns(&self) -> Option<Id> {
        match self {
            Self::Ask(..) => None,
            Self::Extend { grant, .. } => Some(*grant),
            _ => Some(self.about()),
        }
    }
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
    /// The one command that it is for, where the role is of that kind.
    pub command: Option<Box<Typed>>,
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
    let decided = decided(state, policy, caller, command, now);
    decided.map_err(|refused| as_seen((state, policy), caller, command.concerns(), refused))
}

fn decided(
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

/// Refuses a role whose rules the installed sudo would not take, or would take for something else:
/// better no access than access without what it gives, or without its record. `is_rust` tells whether
/// it is sudo-rs, and is asked only where that matters.
///
/// # Errors
/// A refusal that says what an administrator can do.
pub fn fits_sudo(
    state: &State,
    policy: &Policy,
    command: &Command,
    is_rust: impl FnOnce() -> bool,
) -> Result<(), Refused> {
    let (name, asked) = match command {
        Command::Ask(_, asked) => (&asked.role, None),
        Command::Approve { id, .. } => match state.requests.get(id) {
            Some(request) => (&request.role, Some(&request.gives)),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    let lacks = match policy.roles.get(name) {
        Some(role) => lacking(role),
        None => asked.and_then(lacking_gives),
    };
    let Some((what, next)) = lacks else {
        return Ok(());
    };
    if !is_rust() {
        return Ok(());
    }
    let why = format!("{name} {what}, which this host's sudo-rs cannot do");
    Err(Refused::invalid(why).next(format!(
        "ask for another role; an administrator can {next} in /etc/tpa/roles.d/{name}.toml"
    )))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::properties::{person, policy, request};
    use crate::policy::exact::Exact;

    /// A policy whose role "one" has to be recorded, which sudo-rs cannot do.
    fn recorded() -> Policy {
        let mut policy = policy();
        for role in policy.roles.values_mut().filter(|role| role.name == "one") {
            role.gives.record = true;
        }
        policy
    }

    /// The same of a role for single commands, which has no rule before somebody asks.
    fn recorded_once() -> Policy {
        let mut policy = recorded();
        for role in policy.roles.values_mut().filter(|role| role.gives.record) {
            role.gives.sudo.clear();
            role.exact = Some(Exact {
                run_as: vec!["root".to_owned()],
                programs: vec!["/usr/bin/*".to_owned()],
            });
        }
        policy
    }

    fn state() -> State {
        let pending = request(1, "alice");
        State {
            requests: [(pending.id, pending)].into(),
            ..State::default()
        }
    }

    fn ask(role: &str) -> Command {
        let asked = Asked {
            user: Identity::of(person(0), Vec::new()),
            role: role.to_owned(),
            reason: "because".to_owned(),
            ticket: None,
            duration_s: None,
            until: None,
            at: None,
            command: None,
        };
        Command::Ask(request(2, "alice").id, Box::new(asked))
    }

    fn approve() -> Command {
        Command::Approve {
            id: request(1, "alice").id,
            duration_s: None,
            comment: None,
        }
    }

    #[test]
    fn what_sudo_rs_cannot_do_is_neither_asked_for_nor_approved_on_a_host_that_has_it() {
        for policy in [recorded(), recorded_once()] {
            for command in [ask("one"), approve()] {
                let refused = fits_sudo(&state(), &policy, &command, || true).unwrap_err();
                assert!(
                    refused.why.starts_with("one has to be recorded"),
                    "{refused}"
                );
                assert!(fits_sudo(&state(), &policy, &command, || false).is_ok());
            }
        }
    }

    #[test]
    fn a_role_that_is_gone_is_judged_by_what_the_request_would_give() {
        let nothing = Policy {
            roles: [].into(),
            ..policy()
        };
        let mut state = state();
        assert!(fits_sudo(&state, &nothing, &approve(), || true).is_ok());
        state
            .requests
            .change_each(|_| true, |request| request.gives.record = true);
        assert!(fits_sudo(&state, &nothing, &approve(), || true).is_err());
    }

    #[test]
    fn the_host_is_not_looked_at_for_what_any_sudo_can_do_or_for_what_gives_nothing() {
        let unasked = || panic!("asked");
        let withdraw = Command::Withdraw(request(1, "alice").id);
        for command in [ask("two"), ask("nonsense"), withdraw] {
            assert!(fits_sudo(&state(), &recorded(), &command, unasked).is_ok());
        }
    }
}
