//! `Submit`: takes a signed statement from whoever brings it. What is believed is the signature; who
//! carries it is told in the trail and decides nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tpa_bus::access as wire;
use tpa_bus::error::Refusal;
use tpa_bus::text::one_line;
use tpa_statement::accept::{self, Accepted, accept};
use tpa_statement::paper::{self, Paper};
use tpa_statement::sshsig::Presence;
use tpa_statement::statement::Digest;
use zruntime::lock::Semaphore;

use super::access::Access;
use super::caller::by_key;
use super::rate::Rates;
use crate::aside::aside;
use crate::core::{Core, Error};
use crate::ledger::{Caller, Event, Key, Proof, Refused, Request, Said, bounded_name, seen_before};
use crate::own_names::known_as;

/// Longest text of one statement with its signature, in bytes: both armoured, and some lines for
/// people. A call that is longer than 64 KiB is not read at all (`socket.rs`).
const TEXT_MAX: usize = 48 * 1024;

/// hosts(5)
const HOSTS: &str = "/etc/hosts";

/// Most verifications at once; others wait.
const AT_ONCE: usize = 2;

/// What all who bring statements share.
#[derive(Debug)]
pub struct Statements {
    rates: Mutex<Rates>,
    permits: Arc<Semaphore>,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            rates: Mutex::default(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// A statement that is taken as what its signer said.
struct Taken {
    accepted: Accepted,
    /// The hosts that it is for beside this one.
    others: BTreeSet<String>,
    paper: Paper,
}

/// A statement that is not taken: why in a word, and what is known of it.
struct NotTaken {
    word: &'static str,
    digest: String,
    by: Option<String>,
    refused: Box<Refused>,
}

impl Access {
    /// Checks a statement, in the order of the contract, and does what it says.
    pub(super) async fn submit_text(
        &self,
        carrier: &Caller,
        text: &str,
    ) -> Result<wire::Submission, Refusal> {
        self.may_bring_one(carrier)?;
        let taken = match self.accepted(text).await {
            Ok(taken) => taken,
            Err(not_taken) => return Err(self.refuse(carrier, not_taken)),
        };
        let signer = match self.signer(&taken).await {
            Ok(signer) => signer,
            Err(not_taken) => return Err(self.refuse(carrier, not_taken)),
        };
        let accepted = taken.accepted;
        let request = self
            .engine
            .with(|core| core.say(&signer, &accepted.statement))?;
        let request = self.followed(request.id).await?;
        Ok(submission(&accepted, &request))
    }

    /// Size and rate come before anything of it is read. What is over them is told to the caller
    /// alone: a record of each would be what the limit keeps away.
    fn may_bring_one(&self, carrier: &Caller) -> Result<(), Refusal> {
        let now = self.engine.with(Core::now).map_err(Error::from)?;
        let mut rates = self
            .statements
            .rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if rates.admit(carrier.uid, now.boottime_ms) {
            return Ok(());
        }
        Err(Refusal::Failed(
            "you bring more statements than are looked at\nnext: wait a second, then go on"
                .to_owned(),
        ))
    }

    /// Its shape, its signature, whose key it is, that it is for this host and now.
    async fn accepted(&self, text: &str) -> Result<Taken, NotTaken> {
        let paper = one_paper(text)?;
        let policy = self.engine.policy();
        let host = self.engine.with(|core| core.host());
        let now = self
            .engine
            .with(Core::now)
            .map_err(|error| cannot_tell(&paper, &error))?;
        let permit = self.statements.permits.acquire_arc().await;
        let verifying = {
            let paper = paper.clone();
            aside(move || {
                let _permit = permit;
                match &policy.signers {
                    Some(signers) => {
                        // Where it cannot be read the host has its own name alone.
                        let hosts = std::fs::read_to_string(HOSTS).unwrap_or_default();
                        let names = known_as(&host, &hosts);
                        let names: Vec<_> = names.iter().map(String::as_str).collect();
                        let accepted = accept(&paper, signers, &names, now.wall_s);
                        Some(accepted.map(|it| (it.statement.others(&names), it)))
                    }
                    None => None,
                }
            })
        };
        match verifying.await {
            Ok(Some(Ok((others, accepted)))) => Ok(Taken {
                accepted,
                others,
                paper,
            }),
            Ok(Some(Err(refused))) => Err(not_accepted(&paper, &refused)),
            Ok(None) => Err(no_signers(&paper)),
            Err(error) => Err(cannot_tell(&paper, &error)),
        }
    }

    /// The person who signed, where it was not taken before and they have an account here.
    async fn signer(&self, taken: &Taken) -> Result<Caller, NotTaken> {
        let accepted = &taken.accepted;
        let by = &accepted.statement.by;
        let not = |word, refused| NotTaken {
            word,
            digest: accepted.digest.as_str().to_owned(),
            by: Some(by.clone()),
            refused: Box::new(refused),
        };
        match self
            .engine
            .with(|core| core.was_said(accepted.digest.as_str()))
        {
            Ok(false) => {}
            Ok(true) => return Err(not("replayed", seen_before())),
            Err(error) => {
                let why = format!("cannot tell whether it was taken before: {error}");
                return Err(not(
                    "unclear",
                    Refused::statement(why, "see what tpad says: journalctl -u tpad"),
                ));
            }
        }
        let shown = one_line(by, 60);
        let account = self.account(by).await.map_err(|_| {
            let why = format!("{shown} has no account on this host, or it cannot be looked up");
            not(
                "no-account",
                Refused::statement(why, "see who is known here: getent passwd"),
            )
        })?;
        if account.person.name != *by {
            let why = format!("no account on this host is named {shown}");
            return Err(not(
                "no-account",
                Refused::statement(why, "sign with the login name"),
            ));
        }
        if account.person.uid == 0 {
            // Root's uid is shared, so no key of it tells who it was.
            let why = "root signs no statements: a person does".to_owned();
            return Err(not(
                "root",
                Refused::statement(why, "sign with your own key, as yourself"),
            ));
        }
        let proof = Proof::Statement(Box::new(said(taken)));
        Ok(by_key(&self.engine, account, proof))
    }

    /// Records the refusal and words it for whoever brought the statement.
    fn refuse(&self, carrier: &Caller, not_taken: NotTaken) -> Refusal {
        let NotTaken {
            word,
            digest,
            by,
            refused,
        } = not_taken;
        let event = Event::StatementRefused {
            statement: digest,
            by: by.map(bounded_name),
            why: word.to_owned(),
            problem: refused.why.clone(),
        };
        if let Err(error) = self
            .engine
            .with(|core| core.statement_refused(carrier, event))
        {
            tracing::error!("a refused statement is not recorded: {error}");
        }
        Error::Refused(*refused).into()
    }
}

/// The one statement in a text. What is too long is not even digested.
fn one_paper(text: &str) -> Result<Paper, NotTaken> {
    let not = |digest: String, why: String| NotTaken {
        word: "malformed",
        digest,
        by: None,
        refused: Box::new(Refused::no_statement(
            why,
            "hand over the text as it was signed: tpactl submit FILE",
        )),
    };
    if text.len() > TEXT_MAX {
        let why = format!("a statement with its signature has at most {TEXT_MAX} bytes");
        return Err(not(String::new(), why));
    }
    let digest = || Digest::of(text.as_bytes()).as_str().to_owned();
    let papers = paper::read(text).map_err(|error| not(digest(), error.to_string()))?;
    <[Paper; 1]>::try_from(papers)
        .map(|[paper]| paper)
        .map_err(|papers| {
            let why = format!(
                "these are {} statements; one at a time is taken",
                papers.len()
            );
            not(digest(), why)
        })
}

fn of(paper: &Paper, word: &'static str, refused: Refused) -> NotTaken {
    NotTaken {
        word,
        digest: Digest::of(&paper.statement).as_str().to_owned(),
        by: None,
        refused: Box::new(refused),
    }
}

fn no_signers(paper: &Paper) -> NotTaken {
    let why = "this host takes no statements: there is no /etc/tpa/signers".to_owned();
    let next = "an administrator can say there whose a key is: ssh-keygen(1), ALLOWED SIGNERS";
    of(paper, "no-signers", Refused::statement(why, next))
}

fn cannot_tell(paper: &Paper, error: &anyhow::Error) -> NotTaken {
    let next = "see what tpad says: journalctl -u tpad";
    of(
        paper,
        "unclear",
        Refused::statement(format!("it cannot be checked: {error:#}"), next),
    )
}

fn not_accepted(paper: &Paper, refused: &accept::Refused) -> NotTaken {
    let (word, next) = match refused {
        accept::Refused::Malformed(_) => ("malformed", "have it signed again"),
        accept::Refused::Signature(_) => ("signature", "have it signed again"),
        accept::Refused::UnknownKey(_) => (
            "unknown-key",
            "an administrator can add the key to /etc/tpa/signers",
        ),
        accept::Refused::NotTheirs { .. } => (
            "not-theirs",
            "sign with a key that /etc/tpa/signers names for you at that time",
        ),
        accept::Refused::OtherHost { .. } => ("other-host", "hand it to the host that it names"),
        accept::Refused::Future(_) => ("future", "set the clocks, then sign again"),
        accept::Refused::Expired(_) => ("expired", "sign again"),
    };
    let told = match refused {
        accept::Refused::Malformed(_) => Refused::no_statement(refused.to_string(), next),
        _ => Refused::statement(refused.to_string(), next),
    };
    of(paper, word, told)
}

/// What the statement proves, and the text that proves it.
fn said(taken: &Taken) -> Said {
    let accepted = &taken.accepted;
    let presence = accepted.proof.presence;
    Said {
        key: Key {
            fingerprint: accepted.proof.fingerprint.clone(),
            touched: presence >= Presence::Touched,
            verified: presence == Presence::Verified,
        },
        digest: accepted.digest.as_str().to_owned(),
        at: accepted.statement.at,
        expires: accepted.statement.expires,
        others: taken.others.clone(),
        paper: taken.paper.to_text(&[]).ok(),
    }
}

fn submission(accepted: &Accepted, request: &Request) -> wire::Submission {
    wire::Submission {
        id: request.id.as_str().to_owned(),
        state: request.state().word().to_owned(),
        verb: accepted.statement.says.verb().to_owned(),
        by: accepted.statement.by.clone(),
        statement: accepted.digest.as_str().to_owned(),
        not_after: request.deadline().map(|deadline| deadline.not_after),
    }
}
