//! What a signed statement comes to: the same command as a call on the bus. Whose it is, and that it
//! was made for this host and now, was checked before.

use tpa_bus::id::Id;
use tpa_bus::text::one_line;
use tpa_statement::statement::{self, Digest, Says, Statement};

use super::sight::as_seen;
use super::{Asked, Caller, Command, Event, Refused, Request, State};
use crate::policy::Policy;

/// The command. `fresh` names the request that an extension comes to: the statement names the grant.
///
/// # Errors
/// When it was taken before, or is about something else than there is here.
pub fn command_of(
    state: &State,
    policy: &Policy,
    caller: &Caller,
    statement: &Statement,
    fresh: Id,
) -> Result<Command, Refused> {
    let is_new = matches!(statement.says, Says::Request(_));
    let id = (!is_new).then_some(statement.id);
    let command = command(state, caller, statement, fresh);
    command.map_err(|refused| as_seen((state, policy), caller, id, refused))
}

fn command(
    state: &State,
    caller: &Caller,
    statement: &Statement,
    fresh: Id,
) -> Result<Command, Refused> {
    let id = statement.id;
    if let Some(said) = caller.proof.said()
        && state.statements.contains_key(&said.digest)
    {
        return Err(seen_before());
    }
    Ok(match statement.says.clone() {
        Says::Request(request) => {
            if state.requests.contains_key(&id) {
                let why = format!("there is a request {id} already");
                return Err(Refused::invalid(why).next("ask again: it gets another id"));
            }
            Command::Ask(id, Box::new(asked(caller, request)))
        }
        Says::Extend {
            duration_s: seconds,
            reason,
        } => Command::Extend {
            id: fresh,
            grant: id,
            seconds,
            reason,
        },
        Says::Approve { of, for_s, comment } => Command::Approve {
            id: decided(state, caller, id, &of)?,
            duration_s: for_s,
            comment,
        },
        Says::Deny { of, reason } => Command::Deny {
            id: decided(state, caller, id, &of)?,
            reason,
        },
        Says::Withdraw => Command::Withdraw(id),
        Says::End => Command::End(id),
        Says::Revoke { reason } => Command::Revoke { id, reason },
        Says::Review { comment } => Command::Review { id, comment },
    })
}

/// Nothing is done twice because it was carried here twice.
#[must_use]
pub fn seen_before() -> Refused {
    Refused::no_change("this statement was taken before, and is taken once")
        .next("sign another one to say it again")
}

/// What the trail tells of a statement that the ledger refused, where the refusal itself tells
/// nothing.
#[must_use]
pub fn refused(caller: &Caller, refused: &Refused) -> Option<Event> {
    let said = caller.proof.said()?;
    Some(Event::StatementRefused {
        statement: said.digest.clone(),
        by: Some(caller.person().name.clone()),
        why: "ledger".to_owned(),
        problem: refused.why.clone(),
    })
}

fn asked(caller: &Caller, request: statement::Request) -> Asked {
    Asked {
        user: caller.identity.clone(),
        role: request.role,
        reason: request.reason,
        ticket: request.ticket,
        duration_s: request.duration_s,
        until: request.until,
        at: request.start,
        command: None,
    }
}

/// The request that a decision is about: of that id, or for more time on the grant of that id, and
/// with the very bytes that whoever decided had before them. It is for no other hosts than those bytes
/// are.
fn decided(state: &State, caller: &Caller, id: Id, of: &Digest) -> Result<Id, Refused> {
    let named =
        |request: &&Request| request.id == id || request.extends.is_some_and(|grant| grant == id);
    let mut found = state.requests.values().filter(named).peekable();
    if found.peek().is_none() {
        return Err(Refused::unknown_id(id.as_str()));
    }
    let request = found
        .find(|request| request.digest() == of.as_str())
        .ok_or_else(|| {
            Refused::invalid(format!(
                "it decides on another request than the {id} of this host"
            ))
            .next("decide on what was asked for here")
        })?;
    match host_beyond(caller, request) {
        None => Ok(request.id),
        Some(host) => Err(Refused::invalid(format!(
            "it is for {} too, which the request is not for",
            one_line(host, 80)
        ))
        .next("sign again, for the hosts of the request or fewer")),
    }
}

/// A host that a decision names and its request does not. What was asked on this host is of this one
/// alone.
fn host_beyond<'a>(caller: &'a Caller, request: &Request) -> Option<&'a str> {
    let said = caller.proof.said()?;
    let mut others = said.others.iter().map(String::as_str);
    others.find(|host| {
        let mut asked = request.others.iter();
        !asked.any(|named| named.eq_ignore_ascii_case(host))
    })
}
