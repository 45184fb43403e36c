//! A statement that is about to be signed.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tpa_bus::id::Id;
use tpa_bus::span::Span;

use crate::statement::{Digest, Malformed, Says, Statement};

/// The object as it is written.
#[derive(Serialize)]
struct Document<'a> {
    v: u64,
    verb: &'a str,
    id: &'a str,
    by: &'a str,
    hosts: &'a BTreeSet<String>,
    at: String,
    expires: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "for")]
    shorter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
}

impl Statement {
    /// The bytes to be signed, which read as this statement and no other.
    ///
    /// # Errors
    /// [`Malformed`], when no host would take it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Malformed> {
        let unwritten = |why: String| Malformed::Json(why);
        let bytes = serde_json::to_vec(&self.document()?).map_err(|e| unwritten(e.to_string()))?;
        let read = Self::parse(&bytes)?;
        if read == *self {
            Ok(bytes)
        } else {
            Err(unwritten("it would not read as what was meant".to_owned()))
        }
    }

    fn document(&self) -> Result<Document<'_>, Malformed> {
        let id: &Id = &self.id;
        let mut document = Document {
            v: 1,
            verb: self.says.verb(),
            id: id.as_str(),
            by: &self.by,
            hosts: &self.hosts,
            at: time("at", self.at)?,
            expires: time("expires", self.expires)?,
            of: self.says.of().map(Digest::as_str),
            role: None,
            duration: None,
            until: None,
            start: None,
            reason: None,
            ticket: None,
            shorter: None,
            comment: None,
        };
        match &self.says {
            Says::Request(request) => {
                document.role = Some(&request.role);
                document.duration = request.duration_s.map(span);
                document.until = request.until.map(|at| time("until", at)).transpose()?;
                document.start = request.start.map(|at| time("start", at)).transpose()?;
                document.reason = Some(&request.reason);
                document.ticket = request.ticket.as_deref();
            }
            Says::Extend { duration_s, reason } => {
                document.duration = Some(span(*duration_s));
                document.reason = Some(reason);
            }
            Says::Approve { for_s, comment, .. } => {
                document.shorter = for_s.map(span);
                document.comment = comment.as_deref();
            }
            Says::Deny { reason, .. } | Says::Revoke { reason } => document.reason = Some(reason),
            Says::Review { comment } => document.comment = Some(comment),
            Says::Withdraw | Says::End => {}
        }
        Ok(document)
    }
}

fn span(seconds: u64) -> String {
    Span::from_secs(seconds).to_string()
}

fn time(key: &'static str, at: i64) -> Result<String, Malformed> {
    DateTime::<Utc>::from_timestamp(at, 0)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
        .ok_or_else(|| Malformed::Value {
            key,
            why: "is no time that can be written".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statement::Request;

    fn statement(says: Says) -> Statement {
        Statement {
            id: Id::from_random([1, 2, 3, 4, 5]),
            by: "alice".to_owned(),
            hosts: BTreeSet::from(["web-01".to_owned(), "web-02".to_owned()]),
            at: 1_764_090_000,
            expires: 1_764_093_600,
            says,
        }
    }

    #[test]
    fn what_no_host_would_take_is_not_signed() {
        let mut long = statement(Says::End);
        long.expires = long.at + 100_000;
        assert!(long.to_bytes().is_err());
        let mut nowhere = statement(Says::End);
        nowhere.hosts.clear();
        assert!(nowhere.to_bytes().is_err());
        assert!(
            statement(Says::Revoke {
                reason: "x".repeat(20_000)
            })
            .to_bytes()
            .is_err()
        );
    }

    fn text() -> impl Strategy<Value = String> {
        any::<String>()
    }

    fn says() -> impl Strategy<Value = Says> {
        let of = || any::<Vec<u8>>().prop_map(|bytes| Digest::of(&bytes));
        let span = || 1..10_000_000_u64;
        let at = || 0..4_000_000_000_i64;
        let request = (
            "[a-z-]{1,20}",
            proptest::option::of(span()),
            proptest::option::of(at()),
            text(),
            proptest::option::of(text()),
        );
        prop_oneof![
            request.prop_map(|(role, duration_s, start, reason, ticket)| {
                Says::Request(Request {
                    role,
                    duration_s,
                    until: None,
                    start,
                    reason,
                    ticket,
                })
            }),
            (span(), text()).prop_map(|(duration_s, reason)| Says::Extend { duration_s, reason }),
            (
                of(),
                proptest::option::of(span()),
                proptest::option::of(text())
            )
                .prop_map(|(of, for_s, comment)| Says::Approve { of, for_s, comment }),
            (of(), text()).prop_map(|(of, reason)| Says::Deny { of, reason }),
            Just(Says::Withdraw),
            Just(Says::End),
            text().prop_map(|reason| Says::Revoke { reason }),
            text().prop_map(|comment| Says::Review { comment }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_signed_reads_as_what_was_meant(says in says()) {
            let meant = statement(says);
            let bytes = meant.to_bytes().unwrap();
            prop_assert_eq!(Statement::parse(&bytes).unwrap(), meant);
        }
    }
}
