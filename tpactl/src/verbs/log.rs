//! `tpactl log`: the audit trail.

use tpa_bus::access::LogFilter;
use tpa_bus::span::Span;

use crate::changes::{Events, News};
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::when::Past;
use crate::{json, say, trail};

const EXAMPLES: &str = "\
Examples:
  tpactl log 7H2KM4QX
  tpactl log --since 1h
  tpactl log --follow --json";

/// How far back `--follow` begins when nothing else is said.
const LOOK_BACK: Span = Span::from_secs(600);

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Of this grant: its id, or the beginning of it; all when not given
    #[arg(add = completion::any())]
    id: Option<String>,
    /// Since: 7d (ago), 2026-11-24, or RFC 3339; with --follow the last 10m when not given
    #[arg(long, value_name = "TIME")]
    since: Option<Past>,
    /// Go on with every event as it is recorded
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    format: Format,
}

/// Reads it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = match &args.id {
        Some(id) => Some(client.full_id(id).await?),
        None => None,
    };
    let whole_story = id.is_some() || !args.follow;
    let begin = (!whole_story).then_some(Past::Ago(LOOK_BACK));
    let mut filter = LogFilter {
        id,
        since: args
            .since
            .or(begin)
            .map(|since| since.resolve(&context.clock)),
        ..LogFilter::default()
    };
    if !args.follow && args.format.form() == Form::Json {
        let events = trail::all(&client, &filter).await?;
        context.screen.data(&json::list(&events))?;
        return Ok(Exit::Done);
    }
    let stream = context.stream(args.format.form())?;
    let show = |event| stream.show(&event, || say::event::line(&event));
    if !args.follow {
        trail::read(&client, &filter, show).await?;
        return Ok(Exit::Done);
    }
    // Listen first, so that nothing falls between the reading and the listening.
    let mut events = Events::watch(&client).await?;
    filter.after = trail::read(&client, &filter, show).await?;
    let mut client = client;
    loop {
        let news = events.next().await?;
        if news == News::Back {
            client = client.again().await?;
        }
        match news {
            News::Changed(seq) if filter.after.is_some_and(|last| seq <= last) => {}
            News::Changed(_) | News::Back => {
                filter.after = trail::read(&client, &filter, show).await?;
            }
            News::Stopped => context.screen.note(say::request::TPAD_STOPPED),
        }
    }
}
