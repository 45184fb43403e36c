//! What is said: who, what, for which hosts, until when.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde::Deserialize;
use tpa_bus::id::Id;
use tpa_bus::span::Span;
use tpa_bus::text::one_line;

/// Longest statement, in bytes.
pub const BYTES_MAX: usize = 16 * 1024;

/// Most hosts that one statement names.
pub const HOSTS_MAX: usize = 1_000;

/// Longest time from `at` to `expires`, in seconds.
pub const LIFE_MAX_S: i64 = 86_400;

/// Longest name of a person, a host or a role, in bytes.
const NAME_MAX: usize = 255;

/// A statement as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Of the request or the grant. A new request's is drawn by whoever asks; `extend` and its
    /// decision name the grant, and the decision's `of` says which extension is meant.
    pub id: Id,
    /// Login name of the person who says it.
    pub by: String,
    /// The hosts it is for.
    pub hosts: BTreeSet<String>,
    /// When it was signed, in seconds since 1970.
    pub at: i64,
    /// From when on it says nothing any more, in seconds since 1970.
    pub expires: i64,
    /// What is said.
    pub says: Says,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// A role is asked for.
    Request(Request),
    /// More time is asked for.
    Extend {
        /// Seconds more.
        duration_s: u64,
        /// The reason, as it was typed.
        reason: String,
    },
    /// Yes to a request.
    Approve {
        /// The request's own bytes.
        of: Digest,
        /// For no longer than so many seconds.
        for_s: Option<u64>,
        /// A word on it.
        comment: Option<String>,
    },
    /// No to a request.
    Deny {
        /// The request's own bytes.
        of: Digest,
        /// The reason, as it was typed.
        reason: String,
    },
    /// A person takes their request back.
    Withdraw,
    /// A person gives their access back.
    End,
    /// Somebody's access is taken away.
    Revoke {
        /// The reason, as it was typed.
        reason: String,
    },
    /// The review of a break-glass grant.
    Review {
        /// What was found.
        comment: String,
    },
}

impl Says {
    /// The verb, as it stands in the statement and in tpactl(1).
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Extend { .. } => "extend",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Withdraw => "withdraw",
            Self::End => "end",
            Self::Revoke { .. } => "revoke",
            Self::Review { .. } => "review",
        }
    }

    /// The request statement that this decides, where it decides one.
    #[must_use]
    pub const fn of(&self) -> Option<&Digest> {
        match self {
            Self::Approve { of, .. } | Self::Deny { of, .. } => Some(of),
            _ => None,
        }
    }
}

/// A role that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The role.
    pub role: String,
    /// Seconds of access; when neither this nor `until` is said, the role's own default.
    pub duration_s: Option<u64>,
    /// Until when, in seconds since 1970.
    pub until: Option<i64>,
    /// From when, in seconds since 1970.
    pub start: Option<i64>,
    /// The reason, as it was typed.
    pub reason: String,
    /// Ticket.
    pub ticket: Option<String>,
}

/// The SHA-256 of a statement's bytes, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in ssh_key::HashAlg::Sha256.digest(bytes) {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what is written so, and in no other way.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }
}

/// Why bytes are no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`BYTES_MAX`].
    #[error("a statement has at most {BYTES_MAX} bytes, this has {0}")]
    TooLong(usize),
    /// No JSON object with the keys of a statement, each once.
    #[error("it cannot be read: {0}")]
    Json(String),
    /// Another version of this format.
    #[error("it is of version {0}; this host reads version 1")]
    Version(u64),
    /// A value that this key cannot have.
    #[error("{key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A key that goes with another verb.
    #[error("{key} does not go with \"{verb}\"")]
    OtherVerb {
        /// The key.
        key: &'static str,
        /// The verb.
        verb: String,
    },
}

/// The object as it stands. Unknown keys and keys that stand twice are refused: two readers must
/// not see two things.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: u64,
    verb: String,
    id: String,
    by: String,
    hosts: Vec<String>,
    at: String,
    expires: String,
    of: Option<String>,
    role: Option<String>,
    duration: Option<String>,
    until: Option<String>,
    start: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    #[serde(rename = "for")]
    shorter: Option<String>,
    comment: Option<String>,
}

impl Statement {
    /// Reads the bytes that were signed.
    ///
    /// # Errors
    /// [`Malformed`], in words for the person who submits it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > BYTES_MAX {
            return Err(Malformed::TooLong(bytes.len()));
        }
        let mut document: Document = serde_json::from_slice(bytes)
            .map_err(|error| Malformed::Json(one_line(&error.to_string(), 200)))?;
        if document.v != 1 {
            return Err(Malformed::Version(document.v));
        }
        let id = id("id", &document.id)?;
        let by = name("by", std::mem::take(&mut document.by))?;
        let hosts = hosts(std::mem::take(&mut document.hosts))?;
        let at = moment("at", &document.at)?;
        let expires = moment("expires", &document.expires)?;
        let life = expires.saturating_sub(at);
        if !(1..=LIFE_MAX_S).contains(&life) {
            let why = "has to be after \"at\", by at most 24h".to_owned();
            return Err(Malformed::Value {
                key: "expires",
                why,
            });
        }
        let says = says(document)?;
        Ok(Self {
            id,
            by,
            hosts,
            at,
            expires,
            says,
        })
    }

    /// Whether it is for a host that goes by any of these names, in upper or lower case.
    #[must_use]
    pub fn is_for(&self, host: &[&str]) -> bool {
        let mut named = self.hosts.iter();
        named.any(|named| host.iter().any(|name| name.eq_ignore_ascii_case(named)))
    }

    /// The hosts that it names beside the one that goes by these names.
    #[must_use]
    pub fn others(&self, host: &[&str]) -> BTreeSet<String> {
        let is_own = |named: &String| host.iter().any(|name| name.eq_ignore_ascii_case(named));
        let others = self.hosts.iter().filter(|named| !is_own(named));
        others.cloned().collect()
    }

    /// Whether its time is over at `now`, in seconds since 1970.
    #[must_use]
    pub const fn has_expired(&self, now: i64) -> bool {
        self.expires <= now
    }
}

/// Takes the keys that the verb has; any that is left over is refused.
fn says(mut rest: Document) -> Result<Says, Malformed> {
    let verb = std::mem::take(&mut rest.verb);
    let says = match verb.as_str() {
        "request" => Says::Request(request(&mut rest)?),
        "extend" => Says::Extend {
            duration_s: span("duration", &needed("duration", rest.duration.take())?)?,
            reason: needed("reason", rest.reason.take())?,
        },
        "approve" => Says::Approve {
            of: digest(rest.of.take())?,
            for_s: rest
                .shorter
                .take()
                .map(|text| span("for", &text))
                .transpose()?,
            comment: rest.comment.take(),
        },
        "deny" => Says::Deny {
            of: digest(rest.of.take())?,
            reason: needed("reason", rest.reason.take())?,
        },
        "withdraw" => Says::Withdraw,
        "end" => Says::End,
        "revoke" => Says::Revoke {
            reason: needed("reason", rest.reason.take())?,
        },
        "review" => Says::Review {
            comment: needed("comment", rest.comment.take())?,
        },
        _ => {
            let why = format!("\"{}\" is no verb of a statement", one_line(&verb, 40));
            return Err(Malformed::Value { key: "verb", why });
        }
    };
    match rest.left_over() {
        Some(key) => Err(Malformed::OtherVerb { key, verb }),
        None => Ok(says),
    }
}

fn request(rest: &mut Document) -> Result<Request, Malformed> {
    let request = Request {
        role: name("role", needed("role", rest.role.take())?)?,
        duration_s: rest
            .duration
            .take()
            .map(|text| span("duration", &text))
            .transpose()?,
        until: rest
            .until
            .take()
            .map(|text| moment("until", &text))
            .transpose()?,
        start: rest
            .start
            .take()
            .map(|text| moment("start", &text))
            .transpose()?,
        reason: needed("reason", rest.reason.take())?,
        ticket: rest.ticket.take(),
    };
    if request.duration_s.is_some() && request.until.is_some() {
        let why = "stands beside \"duration\"; say one of the two".to_owned();
        return Err(Malformed::Value { key: "until", why });
    }
    Ok(request)
}

impl Document {
    /// A key that no part of the statement took.
    fn left_over(&self) -> Option<&'static str> {
        let keys = [
            ("of", &self.of),
            ("role", &self.role),
            ("duration", &self.duration),
            ("until", &self.until),
            ("start", &self.start),
            ("reason", &self.reason),
            ("ticket", &self.ticket),
            ("for", &self.shorter),
            ("comment", &self.comment),
        ];
        let left = keys.into_iter().find(|(_, value)| value.is_some());
        left.map(|(key, _)| key)
    }
}

fn needed(key: &'static str, value: Option<String>) -> Result<String, Malformed> {
    value.ok_or_else(|| Malformed::Value {
        key,
        why: "is missing".to_owned(),
    })
}

fn id(key: &'static str, text: &str) -> Result<Id, Malformed> {
    Id::parse(text).map_err(|error| Malformed::Value {
        key,
        why: error.to_string(),
    })
}

fn span(key: &'static str, text: &str) -> Result<u64, Malformed> {
    let invalid = |why| Malformed::Value { key, why };
    match Span::parse(text) {
        Ok(span) if span.as_secs() == 0 => Err(invalid("is no time at all".to_owned())),
        Ok(span) => Ok(span.as_secs()),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// RFC 3339, in UTC: `2026-11-25T16:30:00Z`. Another offset would be a second way to write the
/// same moment.
fn moment(key: &'static str, text: &str) -> Result<i64, Malformed> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .filter(|_| text.ends_with('Z'))
        .map(|moment| moment.timestamp())
        .ok_or_else(|| Malformed::Value {
            key,
            why: format!(
                "\"{}\" is no time like 2026-11-25T16:30:00Z",
                one_line(text, 40)
            ),
        })
}

fn digest(text: Option<String>) -> Result<Digest, Malformed> {
    let text = needed("of", text)?;
    Digest::parse(&text).ok_or_else(|| Malformed::Value {
        key: "of",
        why: "is no SHA-256 in lower-case hexadecimal".to_owned(),
    })
}

/// A name that something here could have: neither empty nor longer than any, all of it visible.
fn name(key: &'static str, text: String) -> Result<String, Malformed> {
    let hidden = |c: char| c.is_whitespace() || tpa_bus::text::is_unsafe(c);
    if text.is_empty() || text.len() > NAME_MAX || text.contains(hidden) {
        let why = format!("\"{}\" is no name", one_line(&text, 40));
        return Err(Malformed::Value { key, why });
    }
    Ok(text)
}

fn hosts(names: Vec<String>) -> Result<BTreeSet<String>, Malformed> {
    if names.is_empty() || names.len() > HOSTS_MAX {
        let why = format!("names 1 to {HOSTS_MAX} hosts, not {}", names.len());
        return Err(Malformed::Value { key: "hosts", why });
    }
    names.into_iter().map(|host| name("hosts", host)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OF: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// All that a statement may have, as [`Document`] reads it.
    const KEYS: [&str; 16] = [
        "v", "verb", "id", "by", "hosts", "at", "expires", "of", "role", "duration", "until",
        "start", "reason", "ticket", "for", "comment",
    ];

    fn with(verb: &str, more: &str) -> String {
        format!(
            r#"{{"v":1,"verb":"{verb}","id":"7H2KM4QX","by":"alice","hosts":["web-01"],
            "at":"2026-11-25T16:00:00Z","expires":"2026-11-25T17:00:00Z"{more}}}"#
        )
    }

    fn parse(verb: &str, more: &str) -> Result<Statement, Malformed> {
        Statement::parse(with(verb, more).as_bytes())
    }

    fn says(verb: &str, more: &str) -> Says {
        parse(verb, more).unwrap().says
    }

    fn refused(text: &str) -> String {
        Statement::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_verb_is_read_with_the_keys_it_has() {
        let request = says(
            "request",
            r#","role":"web-ops","duration":"1h30m","reason":"nginx hangs","ticket":"OPS-1""#,
        );
        let expected = Request {
            role: "web-ops".into(),
            duration_s: Some(5_400),
            until: None,
            start: None,
            reason: "nginx hangs".into(),
            ticket: Some("OPS-1".into()),
        };
        assert_eq!(request, Says::Request(expected));
        let of = format!(r#","of":"{OF}""#);
        let shorter = says("approve", &format!(r#"{of},"for":"30m""#));
        assert!(matches!(
            shorter,
            Says::Approve {
                for_s: Some(1_800),
                ..
            }
        ));
        assert_eq!(shorter.of(), Some(&Digest::of(b"")));
        assert_eq!(
            says("deny", &format!(r#"{of},"reason":"no""#)).verb(),
            "deny"
        );
        let extend = says("extend", r#","duration":"30m","reason":"more""#);
        assert!(matches!(
            extend,
            Says::Extend {
                duration_s: 1_800,
                ..
            }
        ));
        assert_eq!(says("withdraw", ""), Says::Withdraw);
        assert_eq!(says("end", ""), Says::End);
        assert_eq!(says("revoke", r#","reason":"r""#).verb(), "revoke");
        assert_eq!(says("review", r#","comment":"c""#).verb(), "review");
    }

    #[test]
    fn the_manual_names_every_key_and_its_example_is_a_statement() {
        const PAGE: &str = include_str!("../../packaging/man/tpa-statement.5");
        let example = PAGE.split_once(".nf\n").unwrap().1;
        let example = example.split_once(".fi").unwrap().0.replace("\\-", "-");
        assert!(matches!(
            Statement::parse(example.as_bytes()).unwrap().says,
            Says::Request(_)
        ));
        for key in KEYS {
            let named = |line: &str| {
                let words = line.strip_prefix(".B ").or(line.strip_prefix(".BR "));
                words.is_some_and(|words| words.split(' ').any(|word| word == key))
            };
            assert!(PAGE.lines().any(named), "{key}");
        }
        // serde names them all, where one is unknown.
        let unknown = serde_json::from_str::<Document>(&with("end", r#","x":1"#));
        let known = unknown.map(|_| ()).unwrap_err().to_string();
        assert!(KEYS.iter().all(|key| known.contains(&format!("`{key}`"))));
        assert_eq!(known.matches('`').count(), 2 * (KEYS.len() + 1), "{known}");
    }

    #[test]
    fn a_key_that_stands_twice_or_that_nobody_knows_is_refused() {
        // However it is written.
        for twice in [r#","by":"carol""#, r#","b\u0079":"carol""#] {
            let twice = refused(&with("end", twice));
            assert!(twice.contains("duplicate field `by`"), "{twice}");
        }
        let twice = with("end", r#","by":"carol""#);
        assert!(
            refused(&twice).contains("duplicate field `by`"),
            "{}",
            refused(&twice)
        );
        let unknown = with("end", r#","admin":true"#);
        assert!(refused(&unknown).contains("unknown field `admin`"));
        assert!(refused("{}").contains("missing field"));
        assert!(refused("[]").contains("it cannot be read"));
        let behind = with("end", "") + "{}";
        assert!(refused(&behind).contains("trailing characters"));
    }

    #[test]
    fn a_key_of_another_verb_is_refused() {
        let expected = Malformed::OtherVerb {
            key: "for",
            verb: "end".into(),
        };
        assert_eq!(parse("end", r#","for":"1h""#), Err(expected));
        assert!(
            parse("approve", "")
                .unwrap_err()
                .to_string()
                .contains("of: is missing")
        );
        assert!(parse("grant", "").is_err());
    }

    #[test]
    fn times_hosts_and_names_have_one_form() {
        let replaced = |from: &str, to: &str| refused(&with("end", "").replace(from, to));
        assert!(replaced("17:00:00Z", "16:00:00Z").contains("expires"));
        assert!(replaced("2026-11-25T17", "2026-11-27T17").contains("24h"));
        assert!(replaced("17:00:00Z", "18:00:00+01:00").contains("no time like"));
        assert!(replaced("[\"web-01\"]", "[]").contains("1 to 1000 hosts"));
        assert!(replaced("web-01", "web\\n01").contains("web\\n01"));
        assert!(replaced("\"alice\"", "\"\"").contains("by: \"\" is no name"));
        assert!(replaced("alice", "al\\u3164ice").contains("is no name"));
        assert!(replaced("\"v\":1", "\"v\":2").contains("version 2"));
        assert!(replaced("7H2KM4QX", "7H2K").contains("id: "));
        let long = with(
            "revoke",
            &format!(r#","reason":"{}""#, "r".repeat(BYTES_MAX)),
        );
        assert!(refused(&long).contains("at most 16384 bytes"));
        let nothing = with("request", r#","role":"r","reason":"why","duration":"0s""#);
        assert!(refused(&nothing).contains("no time at all"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Statement::parse(&bytes);
        }

        #[test]
        fn whatever_stands_in_a_text_is_taken_as_it_stands(reason in any::<String>()) {
            let quoted = serde_json::to_string(&reason).unwrap();
            let statement = parse("revoke", &format!(r#","reason":{quoted}"#));
            prop_assert_eq!(statement.unwrap().says, Says::Revoke { reason });
        }
    }
}
