//! `tpactl notify --test`: can those who are told of events be told?

use serde::Serialize;
use tpa_bus::access::NoticeTest;

use crate::context::Context;
use crate::csv::Row;
use crate::fail::{Exit, Fail};
use crate::form::Format;
use crate::json::View;
use crate::say;

const EXAMPLES: &str = "\
Examples:
  sudo tpactl notify --test
  sudo tpactl notify --test oncall --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Send a message that says that it is a test, to this target or to all
    #[arg(long, value_name = "TARGET", num_args = 0..=1, default_missing_value = "", required = true)]
    test: String,
    #[command(flatten)]
    format: Format,
}

/// Sends them, and fails when one of them did not get there.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let client = context.client().await?;
    let tests = client.ask(client.access.test_notices(&args.test)).await?;
    let lines = || tests.iter().map(line).collect();
    let nothing = "nobody is told of events: there is no target in /etc/tpa/notify.toml";
    context.show_list(&tests, args.format.form(), lines, nothing)?;
    Ok(if tests.iter().all(|test| test.reached) {
        Exit::Done
    } else {
        Exit::Failure
    })
}

fn line(test: &NoticeTest) -> String {
    let came = match &test.why {
        None => "told".to_owned(),
        Some(why) => format!("not told: {}", say::clean(why)),
    };
    format!(
        "{} ({}): {came}",
        say::clean(&test.target),
        say::clean(&test.kind)
    )
}

/// `NoticeTest`
#[derive(Serialize)]
pub struct Form<'a> {
    target: &'a str,
    kind: &'a str,
    reached: bool,
    why: Option<&'a str>,
}

impl View for NoticeTest {
    const KIND: &'static str = "NoticeTest";
    type Form<'a> = Form<'a>;

    fn form(&self) -> Form<'_> {
        Form {
            target: &self.target,
            kind: &self.kind,
            reached: self.reached,
            why: self.why.as_deref(),
        }
    }
}

impl Row for NoticeTest {
    const COLUMNS: &'static [&'static str] = &["target", "kind", "reached", "why"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.target.clone(),
            self.kind.clone(),
            self.reached.to_string(),
            self.why.clone().unwrap_or_default(),
        ]
    }
}
