//! `tpactl request`: asks for access.

use tpa_bus::access::{NewRequest, Request};
use tpa_bus::span::{ParseSpanError, Span};

use crate::bus::Client;
use crate::cli::Change;
use crate::clock::Clock;
use crate::completion;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::goal::Goal;
use crate::waiting::Wait;
use crate::when::{Moment, span};

const EXAMPLES: &str = "\
Examples:
  tpactl request web-ops --for 2h --reason \"Restart nginx\" --ticket OPS-4821
  tpactl request web-ops --until 17:30 --reason \"Restart nginx\" --wait=10m
  tpactl request db-admin --at 22:00 --for 1h --reason \"Migration\" --no-wait
  tpactl request web-ops --for 1h --reason \"On call tonight\" --user bob --json";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The role to ask for; tpactl roles lists them
    #[arg(add = completion::roles())]
    role: String,
    /// For how long, such as 2h; the role's default when not given
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "until")]
    length: Option<Span>,
    /// Until when: 17:30 (the next one), or RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Why
    #[arg(long, value_name = "TEXT", alias = "comment")]
    reason: String,
    /// The ticket that it belongs to
    #[arg(long)]
    ticket: Option<String>,
    /// From when: 22:00 (the next one), or RFC 3339; at once when not given
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// On behalf of this user; allowed to the role's approvers
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    change: Change,
}

/// Whether to wait for the decision.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// Wait for the decision, at most so long; the default on a terminal
    #[arg(
        long,
        value_name = "SPAN",
        value_parser = wait_limit,
        num_args = 0..=1,
        default_missing_value = "",
        require_equals = true,
        conflicts_with = "no_wait"
    )]
    wait: Option<WaitLimit>,
    /// Do not wait for the decision; the default elsewhere
    #[arg(long)]
    no_wait: bool,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitLimit {
    /// Until it is decided or lapses.
    UntilDecided,
    /// At most so long.
    AtMost(Span),
}

/// Reads `--wait` and `--wait=10m`.
fn wait_limit(text: &str) -> Result<WaitLimit, ParseSpanError> {
    match text {
        "" => Ok(WaitLimit::UntilDecided),
        _ => span(text).map(WaitLimit::AtMost),
    }
}

impl WaitLimit {
    /// The limit, where there is one.
    pub fn limit(self) -> Option<Span> {
        match self {
            Self::UntilDecided => None,
            Self::AtMost(span) => Some(span),
        }
    }
}

impl Waiting {
    /// How long to wait; `None` when it is not to wait.
    pub fn wait_limit(&self, watched: bool) -> Option<WaitLimit> {
        if self.no_wait {
            return None;
        }
        self.wait.or(watched.then_some(WaitLimit::UntilDecided))
    }
}

/// Files the request and, where wanted, waits for its decision.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    let form = args.change.form();
    let wait_limit = args.waiting.wait_limit(context.screen.watched);
    let new = new_request(args, &context.clock)?;
    let client = context.client().await?;
    let Some(wait_limit) = wait_limit else {
        let request = file(&new, &client).await?;
        context.show_outcome(&request, form)?;
        return Ok(Exit::Done);
    };
    // Listen first: the decision may come faster than the answer is read.
    let wait = Wait::begin(&client, wait_limit.limit()).await?;
    let request = file(&new, &client).await?;
    wait.until(Goal::Approved, request, &client, context, form)
        .await
}

/// Files it. A role that is not there may be one that was misspelt.
async fn file(new: &NewRequest, client: &Client) -> Result<Request, Fail> {
    let filed = client.ask(client.access.create_request(new)).await;
    match filed {
        Err(refused) if refused.exit() == Exit::Usage => {
            let roles = client.ask(client.access.roles()).await.unwrap_or_default();
            let names = roles.iter().map(|role| role.name.as_str());
            Err(match nearest(&new.role, names) {
                Some(name) => refused.with_next(format!("did you mean {name}? See: tpactl roles")),
                None => refused,
            })
        }
        filed => filed,
    }
}

/// The name that was probably meant; `None` where the word is one of them, or like none of them: at
/// most two letters are wrong, and no more than one in three.
fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names.map(|name| (strsim::damerau_levenshtein(word, name), name));
    let (distance, name) = scored.min()?;
    let near = (1..=2).contains(&distance) && distance * 3 <= word.chars().count();
    near.then_some(name)
}

fn new_request(args: Args, clock: &Clock) -> Result<NewRequest, Fail> {
    let at = args.at.map(|at| at.resolve(clock.now, clock)).transpose()?;
    let start = at.unwrap_or(clock.now);
    let until = args
        .until
        .map(|until| until.resolve(start, clock))
        .transpose()?;
    Ok(NewRequest {
        role: args.role,
        reason: args.reason,
        duration_s: args.length.map(Span::as_secs),
        until,
        at,
        ticket: args.ticket,
        user: args.user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_on_a_terminal_and_not_otherwise_unless_told() {
        let long = Some(WaitLimit::UntilDecided);
        let short = Some(WaitLimit::AtMost(Span::from_secs(600)));
        for (wait, no_wait, watched, expected) in [
            (None, false, true, long),
            (None, false, false, None),
            (None, true, true, None),
            (long, false, false, long),
            (short, false, false, short),
        ] {
            assert_eq!(Waiting { wait, no_wait }.wait_limit(watched), expected);
        }
    }

    #[test]
    fn a_misspelt_role_is_guessed_and_anything_else_is_not() {
        let roles = ["db-admin", "web-ops"];
        for (word, meant) in [
            ("web-opz", Some("web-ops")),
            ("wbe-ops", Some("web-ops")),
            ("dbadmin", Some("db-admin")),
            ("web-ops", None),
            ("root", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, roles.into_iter()), meant, "{word}");
        }
        assert_eq!(nearest("web-ops", std::iter::empty()), None);
        // Of short names any two are two letters apart.
        for (word, meant) in [("ci", None), ("dbs", Some("db")), ("xyz", None)] {
            assert_eq!(nearest(word, ["db"].into_iter()), meant, "{word}");
        }
    }

    #[test]
    fn a_wait_has_a_limit_only_where_one_is_given() {
        let limit = |text| wait_limit(text).map(WaitLimit::limit);
        assert_eq!(limit(""), Ok(None));
        assert_eq!(limit("10m"), Ok(Some(Span::from_secs(600))));
        assert!(limit("10").is_err());
    }
}
