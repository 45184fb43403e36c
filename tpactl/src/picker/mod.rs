//! The picker: what waits for me, on the whole terminal, decided by keys. It is what `approve` and
//! `review` do without an id.

mod draw;
mod keys;
mod state;
mod terminal;

use tpa_bus::access::{ApproveOptions, Filter, Request};

use crate::bus::Client;
use crate::context::Context;
use crate::export;
use crate::fail::{Exit, Fail};
use crate::form::Form;
use crate::say;
use crate::verbs::approve::{presence, say_yes};
use keys::Key;
use state::{State, Step};
use terminal::{Raw, Terminal};

/// Lets the person decide until they leave, or nothing waits any more. What was decided is then
/// shown on stdout. `key` signs where a role asks for it.
pub async fn run(
    verb: &str,
    key: &export::Key,
    form: Form,
    context: &Context,
) -> Result<Exit, Fail> {
    if !context.screen.can_ask {
        return Err(Fail::new(
            Exit::Usage,
            format!("tpactl {verb} without an id lets you choose, and this is not a terminal"),
            format!("list what waits with tpactl ls --reviewable, then: tpactl {verb} ID"),
        ));
    }
    let client = context.client().await?;
    let waiting = waiting(&client).await?;
    if waiting.is_empty() {
        context.screen.note("nothing waits for you");
        return Ok(Exit::Done);
    }
    let decided = {
        let mut terminal = Raw::enter()?;
        decide(waiting, &mut terminal, key, &client, context).await?
    };
    if !decided.is_empty() {
        context.show_outcomes(&decided, 0, form)?;
    }
    Ok(Exit::Done)
}

async fn waiting(client: &Client) -> Result<Vec<Request>, Fail> {
    let filter = Filter {
        reviewable: Some(true),
        ..Filter::default()
    };
    client.list(&filter).await
}

/// Draws, reads keys and does what they say. Answers with what was decided, as it is then.
async fn decide(
    waiting_now: Vec<Request>,
    terminal: &mut impl Terminal,
    key: &export::Key,
    client: &Client,
    context: &Context,
) -> Result<Vec<Request>, Fail> {
    let mut state = State::of(waiting_now);
    let mut decided = Vec::new();
    loop {
        let (width, height) = terminal.size();
        terminal.draw(&draw::frame(&state, &context.clock.again(), width, height))?;
        for pressed in state.unpasted(terminal.keys()?) {
            let outcome = match state.press(pressed) {
                Step::Stay => continue,
                Step::Leave => return Ok(decided),
                Step::Refresh => None,
                Step::Approve(request) => {
                    Some(approve(&request, terminal, key, client, context).await)
                }
                Step::Deny(id, reason) => Some(client.ask(client.access.deny(&id, &reason)).await),
                Step::Review(id, comment) => {
                    Some(client.ask(client.access.review(&id, &comment)).await)
                }
            };
            match outcome {
                None => {}
                Some(Ok(request)) => {
                    state.say(say::request::outcome(&request, &context.clock.again()));
                    decided.push(request);
                }
                Some(Err(fail)) => state.say(fail.lines().into_iter().next().unwrap_or_default()),
            }
            state.renew(waiting(client).await?);
            if state.is_empty() {
                return Ok(decided);
            }
            // What came with the key was meant for what the screen showed before.
            break;
        }
    }
}

/// Says yes. What signs it asks for a touch, a passphrase or a PIN on the terminal as it was.
async fn approve(
    request: &Request,
    terminal: &mut impl Terminal,
    key: &export::Key,
    client: &Client,
    context: &Context,
) -> Result<Request, Fail> {
    let options = ApproveOptions::default();
    if presence(request, key, context).is_none() {
        return say_yes(request, &options, key, client, context).await;
    }
    terminal.lend()?;
    let said = say_yes(request, &options, key, client, context).await;
    terminal.take_back()?;
    said
}

#[cfg(test)]
mod tests;
