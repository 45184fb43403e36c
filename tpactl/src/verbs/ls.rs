//! `tpactl ls`: lists requests and grants.

use tpa_bus::access::{Filter, Request};
use tpa_bus::state::State;

use crate::bus::Client;
use crate::changes::{News, Requests};
use crate::completion;
use crate::context::{Context, Stream};
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::say;
use crate::when::Past;

const EXAMPLES: &str = "\
Examples:
  tpactl ls --reviewable
  tpactl ls --state pending,active --role web-ops
  tpactl ls --user alice --since 7d --json
  tpactl ls --watch";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Asked by me or for me
    #[arg(long, conflicts_with = "reviewable")]
    mine: bool,
    /// Waiting for a decision or a review that I may make
    #[arg(long)]
    reviewable: bool,
    /// In these states, separated by commas
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = State::WORDS)]
    state: Vec<String>,
    /// For this user
    #[arg(long)]
    user: Option<String>,
    /// For this role
    #[arg(long, add = completion::roles())]
    role: Option<String>,
    /// Asked for since: 7d (ago), 2026-11-24, or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<Past>,
    /// Go on with every request that changes
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    format: Format,
}

/// Lists them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let form = args.format.form();
    let filter = Filter {
        mine: args.mine.then_some(true),
        reviewable: args.reviewable.then_some(true),
        states: (!args.state.is_empty()).then_some(args.state),
        user: args.user,
        role: args.role,
        since: args.since.map(|since| since.resolve(&context.clock)),
        ..Filter::default()
    };
    if args.watch {
        return watch(&filter, &client, context, form).await;
    }
    let requests = client.list(&filter).await?;
    let table = || match form {
        Form::Wide => say::request::wide(&requests, &context.clock),
        _ => say::request::table(&requests, &context.clock, context.screen.width),
    };
    context.show_list(&requests, form, table, "no requests")?;
    Ok(Exit::Done)
}

/// The list as it is, then each request of it again as it changes.
async fn watch(
    filter: &Filter,
    client: &Client,
    context: &Context,
    form: Form,
) -> Result<Exit, Fail> {
    let stream = context.stream(form)?;
    let mut changes = Requests::watch(client).await?;
    let mut shown = client.list(filter).await?;
    // The list has the newest first; a stream ends with it.
    for request in shown.iter().rev() {
        show_line(&stream, request, context)?;
    }
    let mut client = client.clone();
    loop {
        let news = changes.next().await?;
        if news == News::Back {
            client = client.again().await?;
        }
        match news {
            News::Stopped => context.screen.note(say::request::TPAD_STOPPED),
            News::Changed(_) | News::Back => {
                let now = client.list(filter).await?;
                for request in now
                    .iter()
                    .rev()
                    .filter(|request| !stands_in(&shown, request))
                {
                    show_line(&stream, request, context)?;
                }
                // One that left the list is shown once more, as it is now.
                for gone in shown
                    .iter()
                    .filter(|old| now.iter().all(|new| new.id != old.id))
                {
                    show_line(&stream, &client.get(&gone.id).await?, context)?;
                }
                shown = now;
            }
        }
    }
}

/// Whether the request was shown as it is now. Its remaining time is no change.
fn stands_in(shown: &[Request], request: &Request) -> bool {
    shown.iter().any(|old| {
        let still = Request {
            remaining_s: request.remaining_s,
            ..old.clone()
        };
        still == *request
    })
}

fn show_line(
    stream: &Stream<'_, Request>,
    request: &Request,
    context: &Context,
) -> Result<(), Fail> {
    stream.show(request, || {
        let line = say::request::outcome(request, &context.clock.again());
        let (user, role) = (say::clean(&request.user), say::clean(&request.role));
        format!("{user}, {role}: {line}")
    })
}
