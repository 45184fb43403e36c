//! `tpactl report`: the story of a grant, or the table of a time.

use serde::Serialize;
use tpa_bus::access::{Event, Filter, LogFilter, Request};

use crate::bus::Client;
use crate::completion;
use crate::context::Context;
use crate::csv;
use crate::fail::{Exit, Fail};
use crate::form::{Form, Format};
use crate::json::{self, View};
use crate::recordings::Recordings;
use crate::when::Past;
use crate::{say, trail};

const EXAMPLES: &str = "\
Examples:
  tpactl report 7H2KM4QX
  tpactl report --since 30d
  tpactl report --since 2026-11-01 --until 2026-12-01 --csv > november.csv";

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
}

impl Args {
    fn form(&self) -> Form {
        if self.csv {
            Form::Csv
        } else {
            self.format.form()
        }
    }
}

/// Reports.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    match (&args.id, args.since) {
        (Some(id), _) => on_grant(id, args.form(), &client, context).await?,
        (None, since) => {
            let since = since.map_or(0, |since| since.resolve(&context.clock));
            let until = args.until.map(|until| until.resolve(&context.clock));
            on_time(since, until, &args, &client, context).await?;
        }
    }
    Ok(Exit::Done)
}

/// `Report`
#[derive(Serialize)]
struct Report<'a> {
    request: <Request as View>::Form<'a>,
    events: Vec<<Event as View>::Form<'a>>,
    recordings: &'a Recordings,
}

async fn on_grant(id: &str, form: Form, client: &Client, context: &Context) -> Result<(), Fail> {
    let request = client.get(id).await?;
    let filter = LogFilter {
        id: Some(request.id.clone()),
        ..LogFilter::default()
    };
    let events = trail::all(client, &filter).await?;
    let recordings = Recordings::of(&request.id);
    if form == Form::Csv {
        return context.lines(csv::lines(&events, &context.host));
    }
    if form == Form::Json {
        let report = Report {
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
