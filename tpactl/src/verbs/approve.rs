//! `tpactl approve`: says yes to requests.

use std::collections::BTreeSet;
use std::path::Path;

use tpa_bus::access::{ApproveOptions, Request};
use tpa_bus::id::Id;
use tpa_bus::span::Span;
use tpa_statement::sshsig::Presence;
use tpa_statement::statement::{Digest, Says, Statement};

use super::submit::submit;
use super::{Each, confirm};
use crate::bus::Client;
use crate::cli::Change;
use crate::completion;
use crate::context::Context;
use crate::export::{Export, Key};
use crate::fail::{Exit, Fail};
use crate::picker;
use crate::say;
use crate::signing::{Choice, own_name, sign, signers_here};
use crate::when::span;

const EXAMPLES: &str = "\
Examples:
  tpactl approve                      (choose from what waits)
  tpactl approve 7H2KM4QX
  tpactl approve 7H2KM4QX --for 30m --comment \"half an hour is enough\"
  tpactl approve 7H2K 9QXT --yes --json
  tpactl approve 7H2KM4QX --key ~/.ssh/id_ed25519_sk
  tpactl approve request.txt --export approved.txt     (on a machine without tpad)";

/// For how long a yes that is signed and handed over at once may be taken, in seconds.
const SIGNED_S: i64 = 300;

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The requests' ids, or the beginnings of them; on a terminal, choose when not given. With
    /// --export the file of a signed request, - for stdin
    #[arg(value_name = "ID", add = completion::reviewable())]
    ids: Vec<String>,
    /// Grant a shorter time than was asked for
    #[arg(long = "for", value_name = "SPAN", value_parser = span, requires = "ids")]
    shorter: Option<Span>,
    /// A word on it, for the record
    #[arg(long, value_name = "TEXT", requires = "ids", alias = "reason")]
    comment: Option<String>,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    export: Export,
    #[command(flatten)]
    change: Change,
}

/// Shows each request, asks, approves.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if args.export.file.is_some() {
        return export(&args, context);
    }
    if args.ids.is_empty() {
        return picker::run("approve", &args.key, args.change.form(), context).await;
    }
    context
        .screen
        .consent_possible(args.change.yes, "approve")?;
    let client = context.client().await?;
    let options = ApproveOptions {
        duration_s: args.shorter.map(Span::as_secs),
        comment: args.comment,
    };
    let mut each = Each::default();
    for id in &args.ids {
        let yes = args.change.yes;
        match one(id, &options, yes, &args.key, &client, context).await {
            Ok(request) => each.done.push(request),
            Err(fail) => each.refused(context, &fail),
        }
    }
    each.show(context, args.ids.len(), args.change.form())
}

/// Signs a yes to the request in a text.
fn export(args: &Args, context: &Context) -> Result<Exit, Fail> {
    let Some(order) = args.export.order(&args.key)? else {
        return Ok(Exit::Done);
    };
    let [file] = args.ids.as_slice() else {
        return Err(Fail::new(
            Exit::Usage,
            "with --export one request is approved at a time",
            "name its file: tpactl approve FILE --export FILE",
        ));
    };
    context
        .screen
        .consent_possible(args.change.yes, "approve")?;
    let for_s = args.shorter.map(Span::as_secs);
    let comment = args.comment.clone();
    let says = |of| Says::Approve { of, for_s, comment };
    let consent = |asked: &Statement| {
        let question = format!("Sign a yes to {}?", say::id(asked.id.as_str()));
        confirm(context, args.change.yes, &question)
    };
    order.decide(Path::new(file), says, consent, context)
}

async fn one(
    id: &str,
    options: &ApproveOptions,
    yes: bool,
    key: &Key,
    client: &Client,
    context: &Context,
) -> Result<Request, Fail> {
    let request = match client.get(id).await {
        Ok(request) => request,
        // Who may not see it may not approve it either; that they tried is for the daemon to record.
        Err(fail) if yes && fail.exit() == Exit::UnknownId => {
            let id = client.full_id(id).await?;
            return client.ask(client.access.approve(&id, options)).await;
        }
        Err(fail) => return Err(fail),
    };
    if !yes {
        consented(&request, options, context)?;
    }
    say_yes(&request, options, key, client, context).await
}

/// Says yes to a request: with a signature where the role asks for one, or a key is named.
pub async fn say_yes(
    request: &Request,
    options: &ApproveOptions,
    key: &Key,
    client: &Client,
    context: &Context,
) -> Result<Request, Fail> {
    match presence(request, key, context) {
        Some(presence) => signed(request, options, presence, key, client, context).await,
        None => {
            client
                .ask(client.access.approve(&request.id, options))
                .await
        }
    }
}

/// What a signature has to prove, where there is to be one. Whoever is elsewhere has no key here, and
/// what was decided already is not signed.
pub fn presence(request: &Request, key: &Key, context: &Context) -> Option<Presence> {
    if context.outside || request.state != "pending" {
        return None;
    }
    match request.proof.as_deref() {
        Some("pin") => Some(Presence::Verified),
        Some("touch") => Some(Presence::Touched),
        Some("key") => Some(Presence::Key),
        _ => key.key.as_ref().map(|_| Presence::Key),
    }
}

/// Says yes by a signature: for this host, and for as long as it takes to hand it over.
async fn signed(
    request: &Request,
    options: &ApproveOptions,
    presence: Presence,
    key: &Key,
    client: &Client,
    context: &Context,
) -> Result<Request, Fail> {
    let old = || {
        Fail::new(
            Exit::Failure,
            "this tpad does not tell what a signature would be about",
            "install the same version of tpad and tpactl",
        )
    };
    let of = request.digest.as_deref().and_then(Digest::parse);
    let id = Id::parse(&request.id).map_err(|_| old())?;
    // The person may have taken a while to answer.
    let at = context.clock.again().now;
    let statement = Statement {
        id,
        by: own_name()?,
        hosts: BTreeSet::from([context.host.clone()]),
        at,
        expires: at.saturating_add(SIGNED_S),
        says: Says::Approve {
            of: of.ok_or_else(old)?,
            for_s: options.duration_s,
            comment: options.comment.clone(),
        },
    };
    let signers = signers_here();
    let choice = Choice {
        file: key.key.as_deref(),
        presence,
        signers: signers.as_ref(),
    };
    let paper = sign(&statement, choice, context)?;
    submit(&paper, client).await?;
    client.get(&request.id).await
}

/// Shows a request, and asks. What was decided already is not asked about: the daemon says so.
fn consented(request: &Request, options: &ApproveOptions, context: &Context) -> Result<(), Fail> {
    if request.state != "pending" {
        return Ok(());
    }
    for line in say::request::to_approve(request, options.duration_s, &context.clock) {
        context.screen.note(&line);
    }
    let question = format!("Approve {}?", say::id(&request.id));
    confirm(context, false, &question)
}
