//! `tpactl request`: asks for access.

pub mod draft;

use tpa_bus::access::{NewRequest, Request, Role};
use tpa_bus::span::{ParseSpanError, Span};
use tpa_statement::statement::{self, Says};

use crate::bus::Client;
use crate::cli::Change;
use crate::clock::Clock;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::form::Form;
use crate::goal::Goal;
use crate::questions;
use crate::say::command_line::command_line;
use crate::screen::Screen;
use crate::waiting::Wait;
use crate::when::{Moment, span};
use draft::Draft;

const EXAMPLES: &str = "\
Examples:
  tpactl request                      (asks for each on a terminal)
  tpactl request web-ops --for 2h --reason \"Restart nginx\" --ticket OPS-4821
  tpactl request web-ops --until 17:30 --reason \"Restart nginx\" --wait=10m
  tpactl request db-admin --at 22:00 --for 1h --reason \"Migration\" --no-wait
  tpactl request web-ops --for 1h --reason \"On call tonight\" --user bob --json
  tpactl request web-ops --for 1h --reason \"Restart nginx\" --on web-01 --export request.txt";

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    draft: Draft,
    /// From when: 22:00 (the next one), or RFC 3339; at once when not given
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// On behalf of this user; allowed to the role's approvers
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
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

    /// The option that says it.
    fn word(&self) -> Option<String> {
        match (self.no_wait, self.wait) {
            (true, _) => Some("--no-wait".to_owned()),
            (false, Some(WaitLimit::UntilDecided)) => Some("--wait".to_owned()),
            (false, Some(WaitLimit::AtMost(limit))) => Some(format!("--wait={limit}")),
            (false, None) => None,
        }
    }
}

impl Args {
    /// Whether something may be missing that a person can be asked for. Scripts say `--yes` or read
    /// JSON or CSV. The roles that could be listed are the caller's, not another user's.
    fn may_ask(&self, screen: &Screen) -> bool {
        let for_people = matches!(self.change.form(), Form::Table | Form::Wide);
        self.draft.has_gaps()
            && screen.can_ask
            && for_people
            && !self.change.yes
            && self.user.is_none()
    }

    /// The command line that says all of it.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["tpactl".to_owned(), "request".to_owned()];
        words.extend(self.draft.words());
        words.extend(
            self.at
                .iter()
                .flat_map(|at| ["--at".to_owned(), at.to_string()]),
        );
        words.extend(self.waiting.word());
        if self.change.form() == Form::Wide {
            words.extend(["-o", "wide"].map(str::to_owned));
        }
        words
    }
}

/// Asks for what is missing, and shows how to say it all at once.
async fn ask_for_the_rest(args: Args, client: &Client, context: &Context) -> Result<Args, Fail> {
    let mut roles = client.ask(client.access.roles()).await?;
    // These are asked for with a command: tpactl run.
    roles.retain(|role| role.exact != Some(true) || Some(&role.name) == args.draft.role.as_ref());
    if args.draft.is_complete(&roles) {
        return Ok(args);
    }
    let screen = &context.screen;
    let draft = questions::fill_in(args.draft, &roles, screen)?;
    let args = Args { draft, ..args };
    screen.note(&format!("In one line: {}", command_line(&args.words())));
    Ok(args)
}

/// Files the request and, where wanted, waits for its decision.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if args.export.order(&args.key)?.is_some() {
        return export(args, context);
    }
    let form = args.change.form();
    let wait_limit = args.waiting.wait_limit(context.screen.watched);
    let (client, new) = if args.may_ask(&context.screen) {
        let client = context.client().await?;
        let args = ask_for_the_rest(args, &client, context).await?;
        (client, new_request(args, &context.clock)?)
    } else {
        // What makes no sense is refused before anything is called.
        let new = new_request(args, &context.clock)?;
        (context.client().await?, new)
    };
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

/// Signs the request. What the role says of it, the host says.
fn export(mut args: Args, context: &Context) -> Result<Exit, Fail> {
    let (key, export) = (
        std::mem::take(&mut args.key),
        std::mem::take(&mut args.export),
    );
    let new = new_request(args, &context.clock)?;
    if new.user.is_some() {
        return Err(Fail::new(
            Exit::Usage,
            "a signed request is for whoever signs it",
            "leave --user out, and have them sign it",
        ));
    }
    let says = Says::Request(statement::Request {
        role: new.role,
        duration_s: new.duration_s,
        until: new.until,
        start: new.at,
        reason: new.reason,
        ticket: new.ticket,
    });
    match export.order(&key)? {
        Some(order) => order.request(says, context),
        None => Ok(Exit::Done),
    }
}

/// Files it. A role that is not there may be one that was misspelt.
pub(super) async fn file(new: &NewRequest, client: &Client) -> Result<Request, Fail> {
    let filed = client.ask(client.access.create_request(new)).await;
    match filed {
        Err(refused) if refused.exit() == Exit::Usage => {
            let roles = client.ask(client.access.roles()).await.unwrap_or_default();
            Err(meant(refused, &new.role, &roles))
        }
        filed => filed,
    }
}

/// The failure, with the role that was probably meant, where one is near.
pub fn meant(fail: Fail, word: &str, roles: &[Role]) -> Fail {
    match nearest(word, roles.iter().map(|role| role.name.as_str())) {
        Some(name) => fail.with_next(format!("did you mean {name}? See: tpactl roles")),
        None => fail,
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
    let Draft {
        length,
        until,
        ticket,
        ..
    } = args.draft;
    let (role, reason) = match (args.draft.role, args.draft.reason) {
        (Some(role), Some(reason)) => (role, reason),
        (Some(_), None) => return Err(missing("--reason TEXT")),
        (None, Some(_)) => return Err(missing("ROLE")),
        (None, None) => return Err(missing("ROLE and --reason TEXT")),
    };
    let at = args.at.map(|at| at.resolve(clock.now, clock)).transpose()?;
    let start = at.unwrap_or(clock.now);
    let until = until.map(|until| until.resolve(start, clock)).transpose()?;
    Ok(NewRequest {
        role,
        reason,
        duration_s: length.map(Span::as_secs),
        until,
        at,
        ticket,
        user: args.user,
        command: None,
    })
}

fn missing(what: &str) -> Fail {
    Fail::new(
        Exit::Usage,
        format!("tpactl request needs {what}"),
        "add it: tpactl request ROLE --for SPAN --reason TEXT; it is asked for only on a terminal, \
         without --user, --yes, --json and -o csv",
    )
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
