//! `tpactl report`: the story of a grant, or the table of a time.

use std::path::PathBuf;

use serde::Serialize;
use tpa_bus::access::{Event, Filter, LogFilter, Request};

use crate::bus::Client;
use crate::completion;
use crate::context::Context;
use crate::csv;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::json::{self, Time, View};
use crate::page;
use crate::recordings::Recordings;
use crate::when::Past;
use crate::{say, trail};

const EXAMPLES: &str = "\
Examples:
  tpactl report 7H2KM4QX
  tpactl report 7H2KM4QX --html 7H2KM4QX.html
  tpactl report --since 30d
  tpactl report --since 2026-11-01 --until 2026-12-01 --csv > november.csv
  tpactl report --since 2026-11-01 --until 2026-12-01 --html november.html
A page with the text of recordings tells the trail that they were looked at.";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["id", "since"])))]
pub struct Args {
    /// On this grant: its id, or the beginning of it
    #[arg(add = completion::any(), conflicts_with = "until")]
    id: Option<String>,
    /// On all since: 30d (ago), 2026-11-01, or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<Past>,
    /// And before this time
    #[arg(long, value_name = "TIME", requires = "since")]
    until: Option<Past>,
    #[command(flatten)]
    format: Format,
    /// Print CSV; the same as -o csv
    #[arg(long, conflicts_with_all = ["output", "json"])]
    csv: bool,
    /// Write one page for a browser into this new file (- for stdout): it needs nothing else, can be
    /// mailed and printed, and holds the text of what was recorded
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["output", "json", "csv"])]
    html: Option<PathBuf>,
    /// Write it over a file that is there
    #[arg(long, requires = "html")]
    force: bool,
    /// Leave out the text of what was recorded
    #[arg(long, requires = "html", conflicts_with = "since")]
    no_replay: bool,
}

impl Args {
    fn form(&self) -> Form {
        if self.csv {
            Form::Csv
        } else {
            self.format.form()
        }
    }

    fn time(&self, since: Option<Past>, context: &Context) -> (i64, Option<i64>) {
        let since = since.map_or(0, |since| since.resolve(&context.clock));
        let until = self.until.map(|until| until.resolve(&context.clock));
        (since, until)
    }
}

/// Reports.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let page = args.html.as_deref();
    let page = page.map(|file| page::Target::new(file, args.force));
    let page = page.transpose()?;
    let client = context.client().await?;
    match (&args.id, args.since, page) {
        (Some(id), _, Some(page)) => {
            page_of_grant(id, &page, args.no_replay, &client, context).await?;
        }
        (None, since, Some(page)) => {
            let (since, until) = args.time(since, context);
            let (requests, exceptions) = read(since, until, &client).await?;
            let (clock, host) = (&context.clock, &context.host);
            let html = page::month(&requests, &exceptions, (since, until), host, clock);
            page.write(&html, context)?;
        }
        (Some(id), _, None) => on_grant(id, args.form(), &client, context).await?,
        (None, since, None) => {
            let (since, until) = args.time(since, context);
            on_time(since, until, &args, &client, context).await?;
        }
    }
    Ok(Exit::Done)
}

/// `Report`
#[derive(Serialize)]
struct Report<'a> {
    host: &'a str,
    made_at: Time,
    request: <Request as View>::Form<'a>,
    events: Vec<<Event as View>::Form<'a>>,
    recordings: &'a Recordings,
}

/// A request, and all its events.
async fn grant(id: &str, client: &Client) -> Result<(Request, Vec<Event>), Fail> {
    let request = client.get(id).await?;
    let filter = LogFilter {
        id: Some(request.id.clone()),
        ..LogFilter::default()
    };
    let events = trail::all(client, &filter).await?;
    Ok((request, events))
}

async fn page_of_grant(
    id: &str,
    page: &page::Target,
    no_replay: bool,
    client: &Client,
    context: &Context,
) -> Result<(), Fail> {
    let (request, events) = grant(id, client).await?;
    let replays = if no_replay {
        None
    } else {
        Some(page::replays(client, &request.id).await)
    };
    let replays = replays.map(|read| read.map_err(|fail| fail.lines().join("; ")));
    let html = page::grant(&request, &events, replays, &context.host, &context.clock);
    page.write(&html, context)
}

async fn on_grant(id: &str, form: Form, client: &Client, context: &Context) -> Result<(), Fail> {
    let (request, events) = grant(id, client).await?;
    let recordings = Recordings::of(&request.id);
    if form == Form::Csv {
        return context.lines(csv::lines(&events, &context.host));
    }
    if form == Form::Json {
        let report = Report {
            host: &context.host,
            made_at: Time(context.clock.now),
            request: request.form(),
            events: events.iter().map(View::form).collect(),
            recordings: &recordings,
        };
        return context.screen.data(&json::kind("Report", report));
    }
    let (clock, host) = (&context.clock, &context.host);
    context.lines(say::report::page(
        &request,
        &events,
        &recordings,
        host,
        clock,
    ))
}

/// `ReportList`
#[derive(Serialize)]
struct ReportList<'a> {
    host: &'a str,
    made_at: Time,
    since: String,
    until: Option<String>,
    items: Vec<<Request as View>::Form<'a>>,
    exceptions: Vec<<Event as View>::Form<'a>>,
}

async fn on_time(
    since: i64,
    until: Option<i64>,
    args: &Args,
    client: &Client,
    context: &Context,
) -> Result<(), Fail> {
    let (requests, exceptions) = read(since, until, client).await?;
    if args.form() == Form::Json {
        let report = ReportList {
            host: &context.host,
            made_at: Time(context.clock.now),
            since: say::time::rfc3339(since),
            until: until.map(say::time::rfc3339),
            items: requests.iter().map(View::form).collect(),
            exceptions: exceptions.iter().map(View::form).collect(),
        };
        return context.screen.data(&json::kind("ReportList", report));
    }
    if args.form() == Form::Csv {
        return context.lines(csv::lines(&requests, &context.host));
    }
    let (clock, host) = (&context.clock, &context.host);
    context.lines(say::report::heading(host, since, until, clock))?;
    context.lines(say::report::exceptions(&requests, &exceptions, clock))?;
    context.screen.data("")?;
    context.lines(say::request::wide(&requests, clock))
}

/// The requests asked for in a time, and the events of it that stand out.
async fn read(
    since: i64,
    until: Option<i64>,
    client: &Client,
) -> Result<(Vec<Request>, Vec<Event>), Fail> {
    let filter = Filter {
        since: Some(since),
        until,
        ..Filter::default()
    };
    let requests = client.list(&filter).await?;
    let filter = LogFilter {
        since: Some(since),
        until,
        codes: Some(say::report::EXCEPTIONS.map(str::to_owned).to_vec()),
        ..LogFilter::default()
    };
    Ok((requests, trail::all(client, &filter).await?))
}
