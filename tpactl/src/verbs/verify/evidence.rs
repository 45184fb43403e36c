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

#[cfg(test)]
mod tests {
    use tpa_statement::NAMESPACE;

    use super::*;
    use crate::tests::Desk;

    const SAYS: &str = r#"{"v":1,"verb":"end","id":"7H2KM4QX","by":"carol","hosts":["web-01"],"at":"2026-11-24T13:01:00Z","expires":"2026-11-24T14:01:00Z"}"#;

    fn kept(paper: &Paper) -> access::Evidence {
        access::Evidence {
            seq: 7,
            statement: Digest::of(&paper.statement).as_str().to_owned(),
            by: "carol".to_owned(),
            text: paper.to_text(&[]).unwrap(),
        }
    }

    #[test]
    fn what_the_trail_keeps_holds_by_its_signature_whatever_became_of_the_key() {
        let desk = Desk::new();
        let key = desk.key("carol", &["ed25519"]);
        let one = kept(&desk.sign("carol", NAMESPACE, SAYS));
        let by = |signers: &str| holds(&one, Some(&Signers::parse(signers)));
        assert_eq!(by(&format!("carol {key}")), Holds::Vouched);
        let since = format!("carol valid-before=\"202611241302Z\" {key}");
        assert_eq!(by(&since), Holds::Vouched, "it was good then");
        assert_eq!(by(""), Holds::Unlisted);
        assert_eq!(by(&format!("erin {key}")), Holds::Unlisted);
        assert_eq!(holds(&one, None), Holds::Unlisted);
    }

    #[test]
    fn what_somebody_wrote_into_the_trail_that_was_not_signed_does_not_hold() {
        let desk = Desk::new();
        let signers = Signers::parse(&format!("carol {}", desk.key("carol", &["ed25519"])));
        let paper = desk.sign("carol", NAMESPACE, SAYS);
        let good = kept(&paper);
        let other = Paper {
            statement: SAYS.replace("7H2KM4QX", "7H2KM4QY").into(),
            ..paper.clone()
        };
        let another_namespace = desk.sign("carol", "git", SAYS);
        let with = |change: &dyn Fn(&mut access::Evidence)| {
            let mut one = good.clone();
            change(&mut one);
            one
        };
        for (one, why) in [
            (kept(&other), "they were changed"),
            (kept(&another_namespace), "made for \"git\""),
            (with(&|one| one.by = "erin".to_owned()), "another person"),
            (
                with(&|one| one.statement = "0".repeat(64)),
                "another statement",
            ),
            (with(&|one| one.text = one.text.repeat(2)), "more than one"),
            (with(&|one| one.text.truncate(80)), "cut off or damaged"),
            (with(&|one| one.text.clear()), "no signed statement"),
        ] {
            match holds(&one, Some(&signers)) {
                Holds::Not(problem) => assert!(problem.contains(why), "{why}: {problem}"),
                other => panic!("{why}: {other:?}"),
            }
        }
    }
}
