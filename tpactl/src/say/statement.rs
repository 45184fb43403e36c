//! What a signed statement says, and what its signature proves.

use tpa_bus::access::Submission;
use tpa_statement::accept::{AHEAD_MAX_S, Accepted, Proof};
use tpa_statement::sshsig::Presence;
use tpa_statement::statement::{Says, Statement};

use super::page::field;
use super::time::{dated, distance, short};
use super::{clean, count};
use crate::clock::Clock;

/// Most hosts that are named; JSON has all.
const HOSTS_SHOWN: usize = 20;

/// What is said once, behind all of them.
pub const ONLY_THE_SIGNATURE: &str =
    "only signatures were checked, by the time that each statement gives; nothing is decided by it";

/// All of it, in lines. `host` is the name of this host.
pub fn lines(accepted: &Accepted, host: &str, clock: &Clock) -> Vec<String> {
    let statement = &accepted.statement;
    let (by, verb) = (clean(&statement.by), statement.says.verb());
    let mut lines = vec![
        format!("good signature: {by} says {verb} {}", statement.id),
        String::new(),
    ];
    let mut say = |label: &str, value: String| lines.extend(field(label, [value]));
    say("verb", verb.to_owned());
    say("id", statement.id.to_string());
    say("by", by);
    say("hosts", hosts(statement));
    say("signed", dated(statement.at, clock));
    say("expires", dated(statement.expires, clock));
    for (label, value) in words(&statement.says, clock) {
        say(label, value);
    }
    let Proof {
        fingerprint, kind, ..
    } = &accepted.proof;
    say("key", format!("{} ({})", clean(fingerprint), clean(kind)));
    say("presence", presence(&accepted.proof).to_owned());
    say("digest", accepted.digest.as_str().to_owned());
    say("this host", this_host(statement, host));
    say("now", now(statement, clock));
    lines
}

/// The request that somebody is to decide on, from its own bytes.
pub fn to_decide(statement: &Statement, key: &str, clock: &Clock) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |label: &str, value: String| lines.extend(field(label, [value]));
    say("id", statement.id.to_string());
    say("verb", statement.says.verb().to_owned());
    say("by", clean(&statement.by));
    say("hosts", all_hosts(statement));
    for (label, value) in words(&statement.says, clock) {
        say(label, value);
    }
    say("signed", dated(statement.at, clock));
    say("expires", dated(statement.expires, clock));
    say("key", format!("{}, which each host checks", clean(key)));
    lines
}

/// Lines for people, above the blocks of a text.
pub fn headline(statement: &Statement, clock: &Clock) -> Vec<String> {
    let (by, verb) = (clean(&statement.by), statement.says.verb());
    let what = match &statement.says {
        Says::Request(request) => format!(" for {}", clean(&request.role)),
        _ => String::new(),
    };
    vec![
        format!("TPA statement: {by} says {verb} {}{what}", statement.id),
        format!("for {}", hosts(statement)),
        format!("until {}", dated(statement.expires, clock)),
        "to hand it over: tpactl submit FILE".to_owned(),
    ]
}

/// What came of one that was submitted.
pub fn taken(submission: &Submission, clock: &Clock) -> String {
    let until = submission
        .not_after
        .map(|at| format!(" until {}", dated(at, clock)));
    format!(
        "{} said {}: {} is {}{}",
        clean(&submission.by),
        clean(&submission.verb),
        super::id(&submission.id),
        clean(&submission.state),
        until.unwrap_or_default()
    )
}

/// Whoever decides reads every name: what is signed is for all of them.
fn all_hosts(statement: &Statement) -> String {
    let names: Vec<_> = statement.hosts.iter().map(|name| clean(name)).collect();
    names.join(", ")
}

fn hosts(statement: &Statement) -> String {
    let shown = statement.hosts.iter().take(HOSTS_SHOWN);
    let mut names: Vec<_> = shown.map(|name| clean(name)).collect();
    let more = statement.hosts.len().saturating_sub(names.len());
    if more > 0 {
        names.push(format!("and {}", count(more, "more host")));
    }
    names.join(", ")
}

/// What the verb has of its own, under the names that the statement gives it.
fn words(says: &Says, clock: &Clock) -> Vec<(&'static str, String)> {
    let mut words = Vec::new();
    match says {
        Says::Request(request) => {
            words.push(("role", clean(&request.role)));
            words.extend(request.duration_s.map(|span| ("duration", short(span))));
            words.extend(request.start.map(|at| ("start", dated(at, clock))));
            words.extend(request.until.map(|at| ("until", dated(at, clock))));
            words.push(("reason", clean(&request.reason)));
            words.extend(request.ticket.iter().map(|text| ("ticket", clean(text))));
        }
        Says::Extend { duration_s, reason } => {
            words.push(("duration", short(*duration_s)));
            words.push(("reason", clean(reason)));
        }
        Says::Approve { of, for_s, comment } => {
            words.push(("of", of.as_str().to_owned()));
            words.extend(for_s.map(|span| ("for", short(span))));
            words.extend(comment.iter().map(|text| ("comment", clean(text))));
        }
        Says::Deny { of, reason } => {
            words.push(("of", of.as_str().to_owned()));
            words.push(("reason", clean(reason)));
        }
        Says::Revoke { reason } => words.push(("reason", clean(reason))),
        Says::Review { comment } => words.push(("comment", clean(comment))),
        Says::Withdraw | Says::End => {}
    }
    words
}

/// A key in a file tells nothing about who was there.
fn presence(proof: &Proof) -> &'static str {
    match proof.presence {
        Presence::Verified => "touched, and verified by PIN or finger",
        Presence::Touched => "touched, not verified",
        Presence::Key if proof.is_security_key() => "not touched",
        Presence::Key => "not told: the key is not a security key",
    }
}

fn this_host(statement: &Statement, host: &str) -> String {
    let host = clean(host);
    if statement.is_for(&[&host]) {
        format!("{host} is among the hosts")
    } else {
        format!("{host} is not among the hosts")
    }
}

fn now(statement: &Statement, clock: &Clock) -> String {
    if statement.at.saturating_sub(clock.now) > AHEAD_MAX_S {
        format!("signed {}, by this clock", distance(statement.at, clock))
    } else if statement.has_expired(clock.now) {
        format!("expired {}", distance(statement.expires, clock))
    } else {
        format!("expires {}", distance(statement.expires, clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fixed;

    fn proof(kind: &str, presence: Presence) -> Proof {
        Proof {
            fingerprint: "SHA256:x".into(),
            kind: kind.into(),
            presence,
        }
    }

    fn statement(rest: &str) -> Statement {
        let json = format!(
            r#"{{"v":1,"id":"7H2KM4QX","by":"carol","hosts":["web-01"],"at":"2026-11-24T13:00:00Z","expires":"2026-11-24T14:00:00Z",{rest}}}"#
        );
        Statement::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn only_a_security_key_tells_whether_it_was_touched() {
        let sk = "sk-ssh-ed25519@openssh.com";
        assert_eq!(presence(&proof(sk, Presence::Key)), "not touched");
        let touched = presence(&proof(sk, Presence::Touched));
        assert_eq!(touched, "touched, not verified");
        assert!(presence(&proof(sk, Presence::Verified)).contains("PIN or finger"));
        let plain = presence(&proof("ssh-ed25519", Presence::Key));
        assert!(plain.contains("not a security key"));
    }

    #[test]
    fn nothing_that_was_signed_moves_the_cursor() {
        let evil = statement(r#""verb":"revoke","reason":"\u001b[2J\u202e a  b""#);
        let said = words(&evil.says, &fixed());
        assert_eq!(
            said,
            [("reason", "\\u{1b}[2J\\u{202e} a \\u{20}b".to_owned())]
        );
    }

    #[test]
    fn a_request_and_a_decision_are_told_with_all_they_have() {
        let asked = statement(
            r#""verb":"request","role":"web-ops","until":"2026-11-24T16:00:00Z","start":"2026-11-24T15:00:00Z","reason":"disk","ticket":"OPS-1""#,
        );
        let labels: Vec<_> = words(&asked.says, &fixed())
            .into_iter()
            .map(|(label, _)| label)
            .collect();
        assert_eq!(labels, ["role", "start", "until", "reason", "ticket"]);
        let of = "0".repeat(64);
        let yes = statement(&format!(
            r#""verb":"approve","of":"{of}","for":"30m","comment":"go""#
        ));
        let said = words(&yes.says, &fixed());
        assert_eq!(
            said,
            [
                ("of", of),
                ("for", "30m".to_owned()),
                ("comment", "go".to_owned())
            ]
        );
    }

    #[test]
    fn what_the_clock_says_is_told_and_decides_nothing() {
        let clock = fixed();
        let said = |later| {
            let then = Clock {
                now: clock.now + later,
                ..clock
            };
            now(&statement(r#""verb":"end""#), &then)
        };
        assert_eq!(said(0), "expires in 29m");
        assert_eq!(said(29 * 60), "expired now");
        assert_eq!(said(3_600), "expired 31m ago");
        assert_eq!(said(-3_600), "signed in 29m, by this clock");
    }
}
