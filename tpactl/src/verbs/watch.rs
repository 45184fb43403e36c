//! `tpactl watch`: what runs under a grant now, as it is shown.

use tpa_bus::access::{Recording, RevokeWhat};

use crate::bus::Client;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::player::filter::Filter;
use crate::player::keys::Keys;
use crate::player::recording::{self, Source};
use crate::player::show::{self, Ended};
use crate::say;
use crate::screen::Consent;

const EXAMPLES: &str = "\
Examples:
  tpactl watch 7H2KM4QX
  tpactl watch 7H2KM4QX alice-00/00/02
  tpactl watch 7H2KM4QX --json     # what could be watched
Keys: q leaves, k ends the access (it asks first). That you watched is recorded.";

/// What stands in the trail, and what the person reads, when a watch ends access.
const REASON: &str = "ended by somebody who watched";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it
    #[arg(add = completion::active())]
    id: String,
    /// Which of the recordings that go on; not needed where there is one
    #[arg(value_name = "RECORDING")]
    name: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Watches it, or lists what could be watched.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let mut live = recording::list(&client, &id).await?;
    live.retain(|one| one.live);
    let form = args.format.form();
    if form != Form::Table {
        let table = || say::recording::table(&live, &context.clock, context.width(form));
        context.show_list(&live, form, table, "nothing is being recorded")?;
        return Ok(Exit::Done);
    }
    let one = chosen(&live, args.name.as_deref(), &id, context)?;
    let screen = &context.screen;
    screen.note(&say::recording::heading(one, &context.clock));
    let mut source = Source::open(&client, &id, &one.name, true).await?;
    let mut filter = Filter::default();
    let mut keys = screen.watched.then(Keys::of_terminal).flatten();
    if keys.is_some() {
        screen.note("q leaves, k ends the access");
    }
    loop {
        let ended = show::play(&mut source, &mut filter, None, keys.as_ref(), screen).await?;
        if ended != Ended::Kill {
            if screen.watched {
                show::reset(screen)?;
            }
            if ended == Ended::Over {
                screen.note("it is over");
            }
            return Ok(Exit::Done);
        }
        // The question is answered with Enter, on a terminal as it was.
        drop(keys.take());
        show::reset(screen)?;
        if screen.ask(&format!("Revoke {} now?", say::id(&id)))? == Consent::Yes {
            return end(&client, &id, context).await;
        }
        keys = Keys::of_terminal();
        screen.note("it goes on; q leaves, k ends the access");
    }
}

async fn end(client: &Client, id: &str, context: &Context) -> Result<Exit, Fail> {
    let what = RevokeWhat {
        ids: Some(vec![id.to_owned()]),
        ..RevokeWhat::default()
    };
    let revoked = client.ask(client.access.revoke(&what, REASON)).await?;
    context.show_outcomes(&revoked, 1, Form::Table)?;
    Ok(Exit::Done)
}

fn chosen<'r>(
    live: &'r [Recording],
    name: Option<&str>,
    id: &str,
    context: &Context,
) -> Result<&'r Recording, Fail> {
    let named = |one: &&Recording| name.is_none_or(|name| one.name == name);
    let fitting: Vec<_> = live.iter().filter(named).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => Err(Fail::new(
            Exit::Failure,
            match name {
                Some(name) => format!("{id} has no recording {name} that goes on"),
                None => format!("nothing that is recorded runs under {id} now"),
            },
            format!("see what was recorded: tpactl replay {id} --list"),
        )),
        several => {
            for line in say::recording::table(live, &context.clock, context.screen.width) {
                context.screen.note(&line);
            }
            Err(Fail::new(
                Exit::Usage,
                format!("{} recordings of {id} go on", several.len()),
                format!("name one: tpactl watch {id} RECORDING"),
            ))
        }
    }
}
