//! What tpad hands over, and what it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What to tell a target.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What kind of target it is.
    pub kind: Kind,
    /// Address, where it is no secret.
    #[serde(default)]
    pub url: Option<String>,
    /// Headers of the administrator's own.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether an address without TLS is taken that is not on this host.
    #[serde(default)]
    pub plain_http: bool,
    /// Whom mail goes to: users, `@groups` and addresses; whom it concerns when there are none.
    #[serde(default)]
    pub to: Vec<String>,
    /// Of the recipients of mail, those who have it already.
    #[serde(default)]
    pub told: BTreeSet<String>,
    /// Those at whom it was tried last, and who come after the others.
    #[serde(default)]
    pub tried: BTreeSet<String>,
    /// Address that mail comes from; the host's own rule when not set.
    #[serde(default)]
    pub from: Option<String>,
    /// This host's name.
    pub host: String,
    /// Whether people reach this host by `ssh tpa@HOST`.
    #[serde(default)]
    pub door: bool,
    /// When this is sent, in seconds since 1970.
    pub sent_at: i64,
    /// Names the message: the same at each try.
    pub id: String,
    /// A message of `tpactl notify --test`.
    #[serde(default)]
    pub test: bool,
    /// The events, each as `tpactl log --json` prints it.
    #[serde(default)]
    pub events: Vec<Event>,
    /// How many more there were, by name, which came too fast to be told one by one.
    #[serde(default)]
    pub more: BTreeMap<String, u64>,
}

/// Kinds of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By the host's own sendmail.
    Mail,
    /// Slack, incoming webhook.
    Slack,
    /// Microsoft Teams, workflow webhook.
    Teams,
    /// Mattermost, incoming webhook.
    Mattermost,
    /// Discord, webhook.
    Discord,
    /// `PagerDuty`, Events API v2.
    Pagerduty,
    /// Opsgenie, Alert API.
    Opsgenie,
    /// JSON to any address.
    Webhook,
}

/// One event: the JSON object as it came.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Event(pub Value);

impl Event {
    /// Its name, such as `request-created`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get("event").and_then(Value::as_str).unwrap_or("")
    }

    /// A field of its line; empty when it has none of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        let fields = self.0.get("fields");
        let value = fields.and_then(|fields| fields.get(name));
        value.and_then(Value::as_str).unwrap_or("")
    }

    /// Whether the request waited for a decision when this was handed over.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.0.get("state_now").and_then(Value::as_str) == Some("pending")
    }
}

/// What came of it: one line of JSON on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The target took it.
    Told,
    /// It did not, and may another time.
    Failed {
        /// Why: words of this program's alone, and never the address or an answer's text.
        why: String,
        /// Seconds to wait at least, as the target says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// It did not, and never will take this.
    Refused {
        /// Why.
        why: String,
    },
}

/// How far mail has come: one line of JSON on standard output each, before the outcome. Whatever ends
/// the program then, nobody who has it is told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It is being handed over for this recipient.
    Trying(String),
    /// The host's sendmail has it for this recipient.
    Told(String),
}

impl Outcome {
    /// It may work another time.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            retry_after_s: None,
        }
    }

    /// It will not work another time.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}
