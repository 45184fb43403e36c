//! The signed statements that the trail keeps, each checked again.

use serde::Serialize;
use tpa_bus::access;
use tpa_statement::accept::{Refused, authenticate};
use tpa_statement::paper::{self, Paper};
use tpa_statement::signers::Signers;
use tpa_statement::sshsig::Envelope;
use tpa_statement::statement::{Digest, Statement};

use crate::bus::Client;
use crate::fail::Fail;
use crate::signing::signers_here;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// How many statements there are.
    pub signed: usize,
    /// How many of them hold by a key that the signers file still names for their signer then.
    pub vouched: usize,
    /// How many hold, by a key that it does not name, or that nobody could look up here.
    pub unlisted: usize,
    /// Those that do not hold.
    pub bad: Vec<Bad>,
}

/// One that does not hold.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// Its event.
    pub seq: u64,
    /// What is wrong.
    pub problem: String,
}

/// How a statement stands.
#[derive(Debug, PartialEq, Eq)]
enum Holds {
    Vouched,
    Unlisted,
    Not(String),
}

/// Checks all that the trail keeps; `None` where this tpad does not know how to tell.
pub async fn examine(client: &Client) -> Result<Option<Evidence>, Fail> {
    let first = client.ask_if_known(client.access.statements(0));
    let Some(mut some) = first.await? else {
        return Ok(None);
    };
    let signers = signers_here();
    let mut evidence = Evidence::default();
    while let Some(last) = some.last() {
        let after = last.seq;
        for one in &some {
            evidence.signed = evidence.signed.saturating_add(1);
            match holds(one, signers.as_ref()) {
                Holds::Vouched => evidence.vouched = evidence.vouched.saturating_add(1),
                Holds::Unlisted => evidence.unlisted = evidence.unlisted.saturating_add(1),
                Holds::Not(problem) => evidence.bad.push(Bad {
                    seq: one.seq,
                    problem,
                }),
            }
        }
        some = client.ask(client.access.statements(after)).await?;
    }
    Ok(Some(evidence))
}

/// Whether a statement is the one that its event names, said by whom it says, and signed. That its key
/// is listed no more takes nothing from what was signed when it was.
fn holds(one: &access::Evidence, signers: Option<&Signers>) -> Holds {
    let not = |problem: &dyn std::fmt::Display| Holds::Not(problem.to_string());
    let papers = match paper::read(&one.text) {
        Ok(papers) => papers,
        Err(error) => return not(&error),
    };
    let Ok([paper]) = <[Paper; 1]>::try_from(papers) else {
        return not(&"there is more than one statement");
    };
    if Digest::of(&paper.statement).as_str() != one.statement {
        return not(&"it is another statement than the event names");
    }
    match Statement::parse(&paper.statement) {
        Ok(statement) if statement.by == one.by => {}
        Ok(_) => return not(&"the event names another person than the statement"),
        Err(error) => return not(&error),
    }
    let signed =
        Envelope::parse(&paper.signature).and_then(|envelope| envelope.verify(&paper.statement));
    if let Err(error) = signed {
        return not(&error);
    }
    match signers.map(|signers| authenticate(&paper, signers)) {
        Some(Ok(_)) => Holds::Vouched,
        None | Some(Err(Refused::UnknownKey(_) | Refused::NotTheirs { .. })) => Holds::Unlisted,
        Some(Err(refused)) => not(&refused),
    }
}
