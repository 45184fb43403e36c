//! `tpactl verify`: walks the audit chain, and compares it with the log; or checks a signed statement.

mod evidence;
mod recordings;
mod statement;
pub use evidence::Evidence;
pub use recordings::Recorded;
pub use statement::{SIGNERS, SIGNERS_MAX};

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tpa_bus::access::LogFilter;

use crate::bus::{Client, runtime};
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::WholeFormat;
use crate::logs::compare::{Chain, Comparison, Findings};
use crate::logs::line::Format;
use crate::logs::source::Source;
use crate::{json, say, trail};

const EXAMPLES: &str = "\
Examples:
  tpactl verify
  tpactl verify --log journal
  tpactl verify --resend; tpactl verify
  tpactl verify --log /srv/logs/web-01/auth.log
  tpactl verify --statement approval.txt
  tpactl verify --statement - --signers ./signers < approval.txt
  tpactl verify --json || echo \"the trail was touched\"";

/// Most events asked for again in one call.
const TELL_MOST: usize = 10_000;

/// How often a log that is behind the database is read once more: for five seconds.
const LOOKS: u32 = 25;

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Compare with this file and what it was rotated into, with the journal, or with none; the
    /// file that authpriv goes to when not given, or the journal where there is no file
    #[arg(long, value_name = "FILE|journal|none")]
    log: Option<String>,
    /// Have tpad send the log once more what it lacks; for root, where the log daemon was stopped
    /// or the power cut
    #[arg(long, alias = "tell-again")]
    resend: bool,
    /// Fail for lines that only look like TPA's too, and for those of another database: anybody who
    /// can write to the log can make them
    #[arg(long)]
    strict: bool,
    /// Check instead whether what is in this file (- for stdin) was signed by whom it names; only
    /// the signature counts: neither tpad nor this host is asked, and nothing is decided
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "resend", "strict"])]
    statement: Option<PathBuf>,
    /// Who signs as whom (ssh-keygen(1), ALLOWED SIGNERS), in place of /etc/tpa/signers, which has to
    /// be root's alone
    #[arg(long, value_name = "FILE", requires = "statement")]
    signers: Option<PathBuf>,
    #[command(flatten)]
    format: WholeFormat,
}

/// `Verification`
#[derive(Serialize)]
struct Verification<'a> {
    whole: bool,
    events: usize,
    pruned_through: Option<u64>,
    database: Option<&'a str>,
    head: Option<&'a str>,
    first_break: Option<u64>,
    problem: Option<&'a str>,
    statements: Option<&'a Evidence>,
    recordings: Option<&'a Recorded>,
    /// Those of the two above that say nothing, because nobody looked.
    not_looked_at: &'a [Missed],
    log: Option<Log<'a>>,
}

/// What nobody looked at.
#[derive(Debug, Serialize)]
pub struct Missed {
    /// `statements` or `recordings`.
    pub what: &'static str,
    /// Why not.
    pub why: String,
}

#[derive(Serialize)]
struct Log<'a> {
    source: &'a str,
    agrees: bool,
    clean: bool,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Has `tpad` walk the chain, reads the log, and names what does not fit.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fail> {
    if let Some(file) = &args.statement {
        let signers = args.signers.as_deref();
        return statement::run(file, signers, args.format.is_json(), context);
    }
    let client = context.client().await?;
    let (chain, broken) = walk(&client, 0).await?;
    let source = args
        .log
        .as_deref()
        .map_or_else(Source::of_host, Source::parse);
    let findings = match source {
        Source::None => None,
        _ => Some(compare(&chain, &source, &client).await?),
    };
    // What goes wrong here is told after what was found, a broken chain above all.
    let mut unseen = Unseen::default();
    let evidence = unseen.or("statements", evidence::examine(&client).await);
    let recorded = unseen.or("recordings", recordings::examine(&client).await);
    let name = source.name();
    if args.format.is_json() {
        let log = findings.as_ref().map(|findings| Log {
            source: &name,
            agrees: findings.agree(),
            clean: findings.is_clean(),
            findings,
        });
        let body = Verification {
            whole: broken.is_none(),
            events: chain.hashes.len(),
            pruned_through: Some(chain.after).filter(|after| *after > 0),
            database: chain.database.as_deref(),
            head: chain.hashes.last().map(String::as_str),
            first_break: broken.as_ref().map(|(seq, _)| *seq),
            problem: broken.as_ref().map(|(_, problem)| problem.as_str()),
            statements: evidence.as_ref(),
            recordings: recorded.as_ref(),
            not_looked_at: &unseen.missed,
            log,
        };
        context.screen.data(&json::kind("Verification", body))?;
    } else {
        if broken.is_none() {
            context.screen.data(&say::verify::whole(&chain))?;
        }
        if let Some(evidence) = evidence.as_ref().filter(|evidence| evidence.signed > 0) {
            context.lines(say::verify::signed(evidence))?;
        }
        if let Some(recorded) = &recorded {
            context.lines(say::verify::recorded(recorded))?;
        }
        context.lines(say::verify::not_looked_at(&unseen.missed))?;
        if let Some(findings) = &findings {
            context.lines(say::verify::log(&name, findings))?;
        }
    }
    does_not_hold(broken, evidence.as_ref(), recorded.as_ref())?;
    if let Some(findings) = findings.as_ref().filter(|_| args.resend) {
        resend_events(findings, &client).await?;
    }
    match findings {
        Some(findings) if !findings.agree() => {
            return Err(Fail::new(
                Exit::Unverified,
                format!("{name} does not say what the audit chain says"),
                say::verify::next(&findings),
            ));
        }
        Some(findings) if !findings.is_clean() => {
            let what = say::verify::others(&name, &findings);
            if args.strict {
                return Err(Fail::new(
                    Exit::Unverified,
                    what,
                    say::verify::next(&findings),
                ));
            }
            context.screen.note(&format!("warning: {what}"));
        }
        _ => {}
    }
    unseen.failed.map_or(Ok(Exit::Done), Err)
}

/// What nobody looked at, and the first thing that went wrong.
#[derive(Default)]
struct Unseen {
    missed: Vec<Missed>,
    failed: Option<Fail>,
}

impl Unseen {
    /// What was found; where nothing was looked at, that is kept. An older tpad fails nothing by that.
    fn or<T>(&mut self, what: &'static str, examined: Result<Option<T>, Fail>) -> Option<T> {
        let why = match examined {
            Ok(Some(found)) => return Some(found),
            Ok(None) => "this tpad is older than tpactl and does not know how to".to_owned(),
            Err(fail) => {
                let why = fail.error().to_owned();
                self.failed.get_or_insert(fail);
                why
            }
        };
        self.missed.push(Missed { what, why });
        None
    }
}

/// The first thing that is not what the trail says, the chain itself first.
fn does_not_hold(
    broken: Option<(u64, String)>,
    evidence: Option<&evidence::Evidence>,
    recorded: Option<&recordings::Recorded>,
) -> Result<(), Fail> {
    if let Some((seq, problem)) = broken {
        return Err(Fail::new(
            Exit::Unverified,
            format!("the audit chain is broken at event {seq}: {problem}"),
            "keep /var/lib/tpa as it is and compare with the log that left this host",
        ));
    }
    if let Some(bad) = evidence.and_then(|evidence| evidence.bad.first()) {
        return Err(Fail::new(
            Exit::Unverified,
            format!(
                "a signature in the trail does not hold, at event {}: {}",
                bad.seq, bad.problem
            ),
            "keep /var/lib/tpa as it is: see what the event says with tpactl log",
        ));
    }
    if let Some(bad) = recorded.and_then(|recorded| recorded.bad.first()) {
        return Err(Fail::new(
            Exit::Unverified,
            format!(
                "a recording is not what the trail says, at event {}: {} of {}: {}",
                bad.seq,
                say::clean(&bad.recording),
                say::id(&bad.grant),
                say::clean(&bad.problem)
            ),
            "keep /var/log/sudo-io as it is: believe nothing that this recording shows",
        ));
    }
    Ok(())
}

/// The chain behind this event, and its first break.
async fn walk(client: &Client, after: u64) -> Result<(Chain, Option<(u64, String)>), Fail> {
    let mut chain = Chain {
        after,
        ..Chain::default()
    };
    loop {
        let piece = client.ask(client.access.verify(chain.last())).await?;
        chain.database = piece.db;
        // The beginning, and what was pruned while the walk went on.
        if piece.after != chain.last() {
            chain.after = piece.after;
            chain.hashes.clear();
        }
        chain.hashes.extend(piece.hashes);
        if let Some(seq) = piece.first_break {
            let problem = piece
                .problem
                .unwrap_or_else(|| "it does not fit".to_owned());
            return Ok((chain, Some((seq, problem))));
        }
        if piece.done {
            return Ok((chain, None));
        }
    }
}

/// Has what is missing told once more. What was found before stays the answer.
async fn resend_events(findings: &Findings, client: &Client) -> Result<(), Fail> {
    let ranges = findings.missing.iter();
    let missing: Vec<u64> = ranges.flat_map(|(first, last)| *first..=*last).collect();
    for some in missing.chunks(TELL_MOST) {
        client.ask(client.access.resend_events(some)).await?;
    }
    Ok(())
}

/// Reads the log, and waits a little for the newest lines: neither a file nor the journal tells
/// when a log daemon has written all that it was given.
async fn caught_up<'a>(chain: &'a Chain, source: &Source) -> Result<Comparison<'a>, Fail> {
    let runtime = runtime()?;
    let mut looks = 0..LOOKS;
    loop {
        let mut comparison = Comparison::new(chain);
        source.read(&mut comparison)?;
        if !comparison.lacks_the_newest() || looks.next().is_none() {
            return Ok(comparison);
        }
        runtime.sleep(PAUSE).await;
    }
}

async fn compare(chain: &Chain, source: &Source, client: &Client) -> Result<Findings, Fail> {
    let mut comparison = caught_up(chain, source).await?;
    if comparison.is_ahead() {
        let (went_on, _) = walk(client, chain.last()).await?;
        comparison.went_on(&went_on);
    }
    for format in [Format::Kv, Format::Cee] {
        let Some(first) = comparison.first_in(format) else {
            continue;
        };
        let filter = LogFilter {
            after: Some(first.saturating_sub(1)),
            format: Some(format.name().to_owned()),
            ..LogFilter::default()
        };
        trail::read(client, &filter, |event| {
            comparison.should_be(event.seq, format, &event.line);
            Ok(())
        })
        .await?;
    }
    Ok(comparison.finish())
}
