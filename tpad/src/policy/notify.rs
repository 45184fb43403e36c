//! Who is told of what happens: the targets of `notify.toml`, and the program of `tpad.toml`.

use std::collections::BTreeMap;

/// Name of the target that `notify.run` of `tpad.toml` is. Targets of `notify.toml` have no such name.
pub const PROGRAM: &str = "run";

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people call it.
    pub name: String,
    /// How it is told.
    pub way: Way,
    /// Which events; those that people wait for, or must know, where nothing was said.
    pub events: Option<Vec<String>>,
    /// Of which roles; of all, and of what is about none, when empty.
    pub roles: Vec<String>,
    /// Only what is marked unusual.
    pub unusual: bool,
    /// Most messages a minute.
    pub per_minute: u32,
    /// Seconds for which telling is tried again.
    pub retry_for_s: u64,
}

/// How a target is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A program of the administrator's, at this path, once for each event.
    Program(String),
    /// Mail.
    Mail {
        /// Users, `@groups` and addresses; whom it concerns when empty.
        to: Vec<String>,
        /// Address that it comes from.
        from: Option<String>,
    },
    /// A service on the network.
    Service(Service),
}

/// A service on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `slack`, `teams`, …: one of [`SERVICES`].
    pub kind: &'static str,
    /// Its address, where that is no secret.
    pub url: Option<String>,
    /// Headers of the administrator's own.
    pub headers: BTreeMap<String, String>,
    /// An address without TLS is taken, too.
    pub plain_http: bool,
    /// Files of secrets, by what they hold: `url`, `secret`, `token`.
    pub files: BTreeMap<&'static str, String>,
}

/// Kinds of services, and what each takes beside its address.
pub const SERVICES: [&str; 7] = [
    "slack",
    "teams",
    "mattermost",
    "discord",
    "pagerduty",
    "opsgenie",
    "webhook",
];

/// What a target is told of where nothing was said: what waits for people, what became of it, and
/// what they must know.
const USUAL: [&str; 17] = [
    "request-created",
    "request-reminder",
    "approval-recorded",
    "request-denied",
    "request-lapsed",
    "grant-extended",
    "grant-revoked",
    "removal-failed",
    "break-glass-used",
    "break-glass-reviewed",
    "exempt-login",
    "decision-refused",
    "policy-rejected",
    "clock-jump",
    "chain-broken",
    "host-drift",
    "notice-failed",
];

/// All events there are, as tpa-events(7) has them.
pub const EVENTS: [&str; 38] = [
    "request-created",
    "approval-recorded",
    "request-denied",
    "request-withdrawn",
    "request-lapsed",
    "decision-refused",
    "request-reminder",
    "grant-activated",
    "grant-extended",
    "grant-expired",
    "grant-revoked",
    "grant-ended",
    "removal-failed",
    "removal-confirmed",
    "beginning-noted",
    "residue",
    "residue-tidied",
    "login-allowed",
    "login-denied",
    "session-opened",
    "session-closed",
    "session-killed",
    "sudo-opened",
    "sudo-closed",
    "session-moved",
    "break-glass-used",
    "break-glass-reviewed",
    "exempt-login",
    "daemon-started",
    "daemon-stopped",
    "policy-loaded",
    "policy-rejected",
    "clock-jump",
    "chain-broken",
    "host-drift",
    "log-pruned",
    "repeated",
    "notice-failed",
];

/// What a target is to be told of, as far as its filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    /// Name of the event.
    pub event: &'a str,
    /// The role that it is about.
    pub role: Option<&'a str>,
    /// The target that it is about.
    pub target: Option<&'a str>,
    /// Whether it is marked unusual.
    pub unusual: bool,
    /// Whether the request that it is about still waits for a decision.
    pub waits: bool,
}

impl Target {
    /// Whether it is to be told.
    #[must_use]
    pub fn wants(&self, told: &Told<'_>) -> bool {
        // That it cannot be told is nothing to tell it.
        if told.target == Some(self.name.as_str()) {
            return false;
        }
        let event = match &self.events {
            Some(events) => events.iter().any(|event| event == told.event),
            None if matches!(self.way, Way::Program(_)) => true,
            None if self.unusual => true,
            // Nobody is asked to decide on what is decided: the decision is told.
            None => USUAL.contains(&told.event) && (told.event != "request-created" || told.waits),
        };
        let role = self.roles.is_empty()
            || told
                .role
                .is_some_and(|role| self.roles.iter().any(|one| one == role));
        event && role && (!self.unusual || told.unusual)
    }

    /// What kind it is, in the word of its file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.way {
            Way::Program(_) => "program",
            Way::Mail { .. } => "mail",
            Way::Service(service) => service.kind,
        }
    }

    /// The files of its secrets.
    pub fn secret_files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let service = match &self.way {
            Way::Service(service) => Some(service),
            Way::Program(_) | Way::Mail { .. } => None,
        };
        let files = service.into_iter().flat_map(|service| &service.files);
        files.map(|(what, path)| (*what, path.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            name: "oncall".into(),
            way: Way::Mail {
                to: Vec::new(),
                from: None,
            },
            events: None,
            roles: Vec::new(),
            unusual: false,
            per_minute: 10,
            retry_for_s: 3_600,
        }
    }

    fn told(event: &str) -> Told<'_> {
        Told {
            event,
            role: Some("web-ops"),
            target: None,
            unusual: false,
            waits: true,
        }
    }

    #[test]
    fn without_a_filter_a_target_is_told_what_waits_and_what_must_be_known() {
        let target = target();
        for event in USUAL {
            assert!(EVENTS.contains(&event), "{event}");
            assert!(target.wants(&told(event)), "{event}");
        }
        for event in [
            "login-allowed",
            "sudo-opened",
            "daemon-started",
            "removal-confirmed",
        ] {
            assert!(!target.wants(&told(event)), "{event}");
        }
        // Decided at once: nothing waits.
        let decided = Told {
            waits: false,
            ..told("request-created")
        };
        assert!(!target.wants(&decided));
    }

    #[test]
    fn each_filter_takes_away() {
        let events = Target {
            events: Some(vec!["login-denied".into()]),
            ..target()
        };
        assert!(events.wants(&told("login-denied")));
        assert!(!events.wants(&told("break-glass-used")));
        let roles = Target {
            roles: vec!["db".into()],
            ..target()
        };
        assert!(!roles.wants(&told("break-glass-used")));
        assert!(roles.wants(&Told {
            role: Some("db"),
            ..told("break-glass-used")
        }));
        assert!(!roles.wants(&Told {
            role: None,
            ..told("chain-broken")
        }));
        let unusual = Target {
            unusual: true,
            ..target()
        };
        assert!(!unusual.wants(&told("break-glass-used")));
        assert!(unusual.wants(&Told {
            unusual: true,
            ..told("login-allowed")
        }));
    }

    #[test]
    fn a_target_is_not_told_that_it_cannot_be_told() {
        let failed = Told {
            target: Some("oncall"),
            role: None,
            ..told("notice-failed")
        };
        assert!(!target().wants(&failed));
        let other = Target {
            name: "mail".into(),
            ..target()
        };
        assert!(other.wants(&failed));
    }
}
