//! Whether someone whom the gate concerns comes in.

use tpa_bus::gate::Verdict;
use tpa_bus::id::Id;
use tpa_bus::span::Span;
use tpa_bus::text::one_line;

use crate::daemon::Unanswered;

/// A grant found in the state file that `tpad` left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// Its id.
    pub id: Id,
    /// Its role.
    pub role: String,
    /// Seconds until it ends, rounded up; more than 0.
    pub remaining_s: u64,
}

/// The grant somebody comes in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: Id,
    /// Seconds until it ends; more than 0.
    pub remaining_s: u64,
}

/// How it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// `tpad` said so.
    Asked,
    /// `tpad` did not answer, for this reason; its state file said so.
    Offline(String),
}

/// Whether the person gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// They get in.
    Allow {
        /// On this grant. `None` when `tpad` says that they need none.
        grant: Option<Grant>,
        /// What to tell them.
        text: String,
        /// How it was decided.
        basis: Basis,
    },
    /// They are refused, and told this.
    Deny(String),
}

/// Decides on the answer of `tpad`, or without one on the grant that `offline` finds: whether
/// `tpad` is gone or hangs, it has revoked nothing meanwhile.
pub fn decide(
    answer: Result<Verdict, Unanswered>,
    help: &str,
    offline: impl FnOnce() -> Option<Offline>,
) -> Decision {
    match answer {
        Ok(verdict) => by_verdict(&verdict),
        Err(unanswered) => match offline() {
            Some(found) => by_state(&found, unanswered.to_string()),
            None => Decision::Deny(not_answering(help)),
        },
    }
}

fn by_verdict(verdict: &Verdict) -> Decision {
    let lines: Vec<_> = verdict
        .text
        .iter()
        .map(|line| one_line(line, 400))
        .collect();
    let text = lines.join("\n");
    if !verdict.allowed {
        return Decision::Deny(if text.is_empty() {
            "tpa: access denied.".to_owned()
        } else {
            text
        });
    }
    let grant = match (verdict.grant.as_deref().map(Id::parse), verdict.remaining_s) {
        (None, _) => None,
        (Some(Ok(id)), Some(remaining_s)) if remaining_s > 0 => Some(Grant { id, remaining_s }),
        // Sudden as it may be, an end that has come is an end; and 0 means "no limit" elsewhere.
        _ => return Decision::Deny("tpa: the grant has ended; access denied.".to_owned()),
    };
    Decision::Allow {
        grant,
        text,
        basis: Basis::Asked,
    }
}

fn by_state(found: &Offline, why: String) -> Decision {
    let Offline {
        id,
        role,
        remaining_s,
    } = found;
    let role = one_line(role, 64);
    let left = Span::from_secs(*remaining_s);
    Decision::Allow {
        grant: Some(Grant {
            id: *id,
            remaining_s: *remaining_s,
        }),
        text: format!(
            "tpa: grant {id} ({role}): {left} left. tpad is not answering. This login is audited."
        ),
        basis: Basis::Offline(why),
    }
}

fn not_answering(help: &str) -> String {
    format!("tpa: tpad is not answering; access denied. {help}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7H2KM4QX";

    fn allowed(remaining_s: Option<u64>) -> Verdict {
        Verdict {
            allowed: true,
            text: vec!["tpa: grant".into()],
            grant: Some(ID.into()),
            remaining_s,
            ..Verdict::default()
        }
    }

    fn found() -> Offline {
        Offline {
            id: Id::parse(ID).unwrap(),
            role: "web-ops".into(),
            remaining_s: 90,
        }
    }

    fn never() -> Option<Offline> {
        panic!("the state file was looked at although tpad answered");
    }

    #[test]
    fn what_tpad_says_holds_and_no_file_is_looked_at() {
        assert!(matches!(
            decide(Ok(allowed(Some(60))), "", never),
            Decision::Allow {
                grant: Some(Grant {
                    remaining_s: 60,
                    ..
                }),
                ..
            }
        ));
        let refused = Verdict {
            text: vec!["tpa: no".into(), "     next".into()],
            ..Verdict::default()
        };
        assert_eq!(
            decide(Ok(refused), "", never),
            Decision::Deny("tpa: no\n     next".into())
        );
    }

    #[test]
    fn a_grant_without_a_time_left_lets_nobody_in() {
        for remaining in [None, Some(0)] {
            assert!(matches!(
                decide(Ok(allowed(remaining)), "", never),
                Decision::Deny(_)
            ));
        }
    }

    #[test]
    fn a_grant_whose_id_is_none_lets_nobody_in() {
        let verdict = Verdict {
            grant: Some("../../etc".into()),
            ..allowed(Some(60))
        };
        assert!(matches!(decide(Ok(verdict), "", never), Decision::Deny(_)));
    }

    #[test]
    fn with_tpad_gone_or_hung_a_live_grant_in_the_state_file_lets_in() {
        for unanswered in [Unanswered::Gone("x".into()), Unanswered::Hung] {
            let why = unanswered.to_string();
            let decision = decide(Err(unanswered), "", || Some(found()));
            let Decision::Allow { grant, text, basis } = decision else {
                panic!("refused");
            };
            assert_eq!(grant.map(|grant| grant.remaining_s), Some(90));
            assert_eq!(basis, Basis::Offline(why));
            assert!(text.starts_with("tpa: grant 7H2KM4QX (web-ops): 1m30s left."));
        }
    }

    #[test]
    fn with_tpad_gone_or_hung_and_no_grant_the_refusal_says_whom_to_call() {
        for unanswered in [Unanswered::Gone("x".into()), Unanswered::Hung] {
            assert_eq!(
                decide(Err(unanswered), "Ask in #oncall", || None),
                Decision::Deny("tpa: tpad is not answering; access denied. Ask in #oncall".into())
            );
        }
    }

    #[test]
    fn nothing_that_tpad_passes_on_moves_the_cursor() {
        let verdict = Verdict {
            text: vec!["a\x1b[2J\nb".into()],
            ..Verdict::default()
        };
        assert_eq!(
            decide(Ok(verdict), "", never),
            Decision::Deny("a\\u{1b}[2J\\nb".into())
        );
    }
}
