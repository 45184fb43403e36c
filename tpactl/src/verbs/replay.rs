//! `tpactl replay`: what was recorded under a grant, as it was shown.

use std::path::PathBuf;
use std::time::Duration;

use tpa_bus::access::Recording;
use tpa_bus::span::Span;

use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::player::cast;
use crate::player::filter::Filter;
use crate::player::keys::Keys;
use crate::player::recording::{self, Source};
use crate::player::show::{self, Ended, Pace};
use crate::say;
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl replay 7H2KM4QX
  tpactl replay 7H2KM4QX --list
  tpactl replay 7H2KM4QX alice-00/00/02 --speed 4 --idle 2s --from 5m
  tpactl replay 7H2KM4QX alice-00/00/02 --export deploy.cast
Keys: q leaves. That you looked is recorded.";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The grant's id, or the beginning of it
    #[arg(add = completion::any())]
    id: String,
    /// Which of its recordings; all, one after the other, when not given
    #[arg(value_name = "RECORDING")]
    name: Option<String>,
    /// List them, and play none; so do -o and --json
    #[arg(long)]
    list: bool,
    /// So many times faster than it was
    #[arg(long, value_name = "N", value_parser = speed, default_value = "1")]
    speed: f64,
    /// Begin so far in: 5m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    from: Option<Span>,
    /// Cut pauses that are longer: 2s
    #[arg(long, value_name = "SPAN", value_parser = span)]
    idle: Option<Span>,
    /// Write it into a new file for a player (asciicast v2) instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "output", "json"])]
    export: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// A speed that is one.
fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok();
    speed
        .filter(|speed| (0.01..=10_000.0).contains(speed))
        .ok_or_else(|| "a number from 0.01 to 10000".to_owned())
}

/// Plays it, or lists what there is.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let id = client.full_id(&args.id).await?;
    let recordings = recording::list(&client, &id).await?;
    let form = args.format.form();
    if args.list || form != Form::Table {
        let table = || say::recording::table(&recordings, &context.clock, context.width(form));
        context.show_list(&recordings, form, table, "nothing was recorded")?;
        return Ok(Exit::Done);
    }
    let chosen = chosen(recordings, args.name.as_deref(), &id)?;
    let span = |span: Option<Span>| span.map(|span| Duration::from_secs(span.as_secs()));
    let pace = Pace {
        speed: args.speed,
        idle: span(args.idle),
        from: span(args.from).unwrap_or_default(),
    };
    if let Some(path) = &args.export {
        let [one] = chosen.as_slice() else {
            return Err(Fail::new(
                Exit::Usage,
                format!("{id} has {} recordings, and a file holds one", chosen.len()),
                format!("name one of those that tpactl replay {id} --list shows"),
            ));
        };
        let mut source = Source::open(&client, &id, &one.name, false).await?;
        cast::export(one, &mut source, pace, path).await?;
        return Ok(Exit::Done);
    }
    let screen = &context.screen;
    // Where nobody reads along there is nothing to wait for.
    let keys = screen.watched.then(Keys::of_terminal).flatten();
    let pace = screen.watched.then_some(pace);
    for one in &chosen {
        screen.note(&say::recording::heading(one, &context.clock));
        let mut source = Source::open(&client, &id, &one.name, false).await?;
        let mut filter = Filter::default();
        let ended = loop {
            let ended = show::play(&mut source, &mut filter, pace, keys.as_ref(), screen).await?;
            // What is over cannot be ended.
            if ended != Ended::Kill {
                break ended;
            }
        };
        if screen.watched {
            show::reset(screen)?;
        }
        if ended == Ended::Left {
            break;
        }
    }
    Ok(Exit::Done)
}

fn chosen(
    recordings: Vec<Recording>,
    name: Option<&str>,
    id: &str,
) -> Result<Vec<Recording>, Fail> {
    let Some(name) = name else {
        if recordings.is_empty() {
            let next = format!(
                "what was done stands in tpactl report {id}; roles with record = true are recorded"
            );
            return Err(Fail::new(
                Exit::Failure,
                format!("nothing was recorded under {id}"),
                next,
            ));
        }
        return Ok(recordings);
    };
    let mut found = recordings;
    found.retain(|one| one.name == name);
    if found.is_empty() {
        return Err(Fail::new(
            Exit::UnknownId,
            format!("{id} has no recording {name}"),
            format!("see what there is: tpactl replay {id} --list"),
        ));
    }
    Ok(found)
}
