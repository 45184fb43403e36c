//! The front door, `ssh tpa@HOST`: what sshd starts for whoever comes in by their key, and nothing
//! else. It is this program under the name `door`, which is also the account's shell.
//!
//! Nothing here says who has come: `tpad` knows by the process of sshd's that this one comes from.
//! What they want comes in one variable of sshd's; no argument, and no other variable of theirs, is
//! looked at for it.

mod command;
mod left;
mod line;
mod offered;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use tpa_bus::access::{Filter, Request};
use tpa_bus::names::DOOR_ACCOUNT;
use tpa_bus::text::one_line;

use crate::context::Context;
use crate::export::Key;
use crate::fail::{Exit, Fail};
use crate::{form::Form, picker, say};
use line::Unreadable;
use offered::Wanted;

/// What sshd hands on of what was typed.
const TYPED: &str = "SSH_ORIGINAL_COMMAND";

/// Whether this process was started as the front door: `door`, or `-door` as a login shell.
pub fn is_called() -> bool {
    let name = std::env::args_os().next();
    let name = name.as_deref().map(Path::new).and_then(Path::file_name);
    name.is_some_and(|name| name == "door" || name == "-door")
}

/// Serves whoever has come.
pub fn main() -> ExitCode {
    left::end_with_them();
    let context = Context {
        outside: true,
        ..Context::of_process()
    };
    let typed = std::env::var_os(TYPED);
    let ended = zruntime::block_on(serve(typed, &context));
    let exit = ended.unwrap_or_else(|fail| {
        context.note_refusal(&fail);
        fail.exit()
    });
    exit.into()
}

async fn serve(typed: Option<OsString>, context: &Context) -> Result<Exit, Fail> {
    let unreadable =
        |why: Unreadable| Fail::new(Exit::Usage, why.why(), "tpactl help lists what can be done");
    let line = match typed {
        Some(bytes) => bytes
            .into_string()
            .map_err(|_| unreadable(Unreadable::Character))?,
        None => String::new(),
    };
    let words = line::read(&line).map_err(unreadable)?;
    if words.is_empty() {
        return greet(context).await;
    }
    match offered::wanted(&words)? {
        Wanted::Verb(verb) => crate::run(*verb, context).await,
        Wanted::Help(text) => {
            context.screen.data(&from_outside(&text, &context.host))?;
            Ok(Exit::Done)
        }
    }
}

/// Who they are, what they hold, and what waits for them; on a terminal to be decided on.
async fn greet(context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let me = client.ask(client.access.who_am_i()).await?;
    let key = me
        .key
        .map(|key| format!(", by the key {}", one_line(&key, 80)));
    let user = one_line(&me.user, 64);
    let host = &context.host;
    let who = format!("You are {user} on {host}{}.", key.unwrap_or_default());
    context.screen.data(&who)?;
    let held = client.ask(client.access.status("")).await?;
    show(context, "You hold", &held)?;
    let mine = Filter {
        mine: Some(true),
        states: Some(vec!["pending".to_owned()]),
        ..Filter::default()
    };
    show(context, "You wait for", &client.list(&mine).await?)?;
    let reviewable = Filter {
        reviewable: Some(true),
        ..Filter::default()
    };
    let waiting = client.list(&reviewable).await?;
    show(context, "For you to decide", &waiting)?;
    let more = from_outside("tpactl help lists what can be done here.", host);
    context.screen.data(&more)?;
    if context.screen.can_ask && !waiting.is_empty() {
        return picker::run("approve", &Key::default(), Form::Table, context).await;
    }
    Ok(Exit::Done)
}

fn show(context: &Context, head: &str, requests: &[Request]) -> Result<(), Fail> {
    if requests.is_empty() {
        return context.screen.data(&format!("{head}: nothing"));
    }
    context.screen.data(&format!("{head}:"))?;
    for request in requests {
        let line = say::request::outcome(request, &context.clock);
        let (user, role) = (say::clean(&request.user), say::clean(&request.role));
        context.screen.data(&format!("  {user}, {role}: {line}"))?;
    }
    Ok(())
}

/// A command of this host's as it is given from outside.
pub fn from_outside(text: &str, host: &str) -> String {
    text.replace("tpactl ", &format!("ssh {DOOR_ACCOUNT}@{host} "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;
    use crate::screen::fake::screen;

    #[test]
    fn the_next_step_is_told_as_it_is_taken_from_there() {
        let fail = Fail::new(
            Exit::UnknownId,
            "tpactl is not an id",
            "tpactl ls lists them",
        );
        for (outside, next) in [
            (
                true,
                "error: tpactl is not an id\n  next: ssh tpa@web-01 ls lists them\n",
            ),
            (
                false,
                "error: tpactl is not an id\n  next: tpactl ls lists them\n",
            ),
        ] {
            let (screen, _, err) = screen(None);
            let context = Context {
                screen,
                clock: fixed(),
                connected: None,
                host: "web-01".into(),
                outside,
            };
            context.note_refusal(&fail);
            assert_eq!(err.text(), next);
        }
    }

    #[test]
    fn a_command_is_named_as_it_is_given_from_outside() {
        assert_eq!(
            from_outside("  next: tpactl ls --mine, or tpactl show ID", "web-01"),
            "  next: ssh tpa@web-01 ls --mine, or ssh tpa@web-01 show ID"
        );
    }
}
