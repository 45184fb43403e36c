//! Has PID 1 run what tells a target: one service for one message, without rights, with the secret
//! of that target and no other.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tpa_bus::text::one_line;
use zruntime::SharedRuntime;

use crate::host::manager::{Property, property};
use crate::host::one_shot::{self, OneShot};
use crate::host::paths::Paths;
use crate::policy::notify::{Target, Way};

/// How long the program may take for one event, and a target of `notify.toml` for one message;
/// systemd then kills it and what it started.
const PROGRAM_LIMIT: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(18);

/// How much longer systemd may take to say that it is over.
const SLACK: Duration = Duration::from_secs(5);

/// Memory and tasks that it may use (systemd.resource-control(5)).
const MEMORY: u64 = 256 * 1_024 * 1_024;
const TASKS: u64 = 64;

/// Most bytes of what it says came of it, and of each step of mail.
const ANSWER: u64 = 64 * 1_024;

/// Longest reason that is passed on, in characters.
const WHY_MAX: usize = 200;

/// What it is kept from beyond what `DynamicUser=` keeps it from (systemd.exec(5)). The network is
/// left to it: those who are to be told sit there.
const SANDBOX: [&str; 16] = [
    "DynamicUser",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictRealtime",
    "RestrictSUIDSGID",
];

/// What it may open sockets of: names are resolved with the help of the last two.
const FAMILIES: [&str; 4] = ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"];

/// Whose rights mail is sent with: an account of its own, since the host's sendmail takes on a group
/// or an account of the mail server's, which nothing without new privileges can.
const MAIL_USER: &str = "tpa-notify";

/// What of root's rights the host's sendmail may take on: capabilities(7) 0 to 7, and 10.
const MAIL_CAPABILITIES: u64 = 0x4ff;

/// What is put upon it that leaves such programs working.
const MAIL_SANDBOX: [&str; 3] = ["PrivateMounts", "PrivateTmp", "ProtectControlGroups"];

/// Tells the units of one tpad apart.
static COUNT: AtomicU64 = AtomicU64::new(1);

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The target took it.
    Told,
    /// It did not, and may another time.
    Failed {
        /// Why.
        why: String,
        /// Seconds to wait at least, as the target says.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// It did not, and never will take this.
    Refused {
        /// Why.
        why: String,
    },
}

/// How far mail of one message has come, over all tries: kept for as long as it is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Recipients {
    /// Those who have it.
    pub told: BTreeSet<String>,
    /// Those at whom it was tried, and who do not have it.
    pub tried: BTreeSet<String>,
}

/// A line of what it says before the outcome.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Trying(String),
    Told(String),
}

impl Recipients {
    fn take(&mut self, step: Step) {
        match step {
            Step::Trying(to) if !self.told.contains(&to) => drop(self.tried.insert(to)),
            Step::Trying(_) => {}
            Step::Told(to) => {
                self.tried.remove(&to);
                self.told.insert(to);
            }
        }
    }
}

impl Outcome {
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            retry_after_s: None,
        }
    }
}

/// Runs what tells the target, and waits until it and all that it started are gone.
pub(super) async fn run(
    runtime: &SharedRuntime,
    paths: &Paths,
    target: &Target,
    input: &str,
    recipients: &mut Recipients,
) -> Outcome {
    let limit = limit(target) + SLACK;
    let told = tell(paths, target, input, recipients);
    match runtime.timeout(limit, told).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::failed(format!("{error:#}")),
        Err(_) => Outcome::failed("systemd does not say that it is over"),
    }
}

fn limit(target: &Target) -> Duration {
    match target.way {
        Way::Program(_) => PROGRAM_LIMIT,
        Way::Mail { .. } | Way::Service(_) => LIMIT,
    }
}

async fn tell(
    paths: &Paths,
    target: &Target,
    input: &str,
    recipients: &mut Recipients,
) -> anyhow::Result<Outcome> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unit = format!("tpa-notify-{}-{count}.service", target.name);
    let said = one_shot::answer()?;
    let properties = service(paths, target, input, &said)?;
    let result = one_shot::run(paths, unit, properties).await?;
    outcome(target, &result, said, recipients)
}

/// What came of it. What it says is not believed further than that it was told: it has spoken with
/// strangers.
fn outcome(
    target: &Target,
    result: &str,
    mut said: File,
    recipients: &mut Recipients,
) -> anyhow::Result<Outcome> {
    if let Way::Program(_) = target.way {
        return Ok(match result {
            "done" => Outcome::Told,
            result => Outcome::failed(format!("{result}; next: journalctl -t tpa-notify")),
        });
    }
    let mut text = String::new();
    said.rewind()?;
    let read = said.take(ANSWER).read_to_string(&mut text);
    let mut told = None;
    for line in text.lines().filter(|_| read.is_ok()) {
        match serde_json::from_str(line) {
            Ok(step) => recipients.take(step),
            Err(_) => told = serde_json::from_str(line).ok(),
        }
    }
    Ok(match told {
        Some(Outcome::Told) if result == "done" => Outcome::Told,
        Some(Outcome::Failed { why, retry_after_s }) => Outcome::Failed {
            why: one_line(&why, WHY_MAX),
            retry_after_s: retry_after_s.map(|seconds| seconds.min(900)),
        },
        Some(Outcome::Refused { why }) => Outcome::Refused {
            why: one_line(&why, WHY_MAX),
        },
        Some(Outcome::Told) | None if result == "timeout" => {
            Outcome::failed(format!("it was not told within {} s", LIMIT.as_secs()))
        }
        Some(Outcome::Told) | None if target.secret_files().next().is_some() => Outcome::failed(
            "it could not be begun: is its secret there? next: tpactl check; journalctl -t tpa-notify",
        ),
        Some(Outcome::Told) | None => {
            Outcome::failed(format!("{result}; next: journalctl -t tpa-notify"))
        }
    })
}

fn service(
    paths: &Paths,
    target: &Target,
    input: &str,
    said: &File,
) -> anyhow::Result<Vec<Property>> {
    let program = match &target.way {
        Way::Program(run) => run.clone(),
        Way::Mail { .. } | Way::Service(_) => paths.notifier.to_string_lossy().into_owned(),
    };
    let unit = OneShot {
        description: format!("TPA tells {}", target.name),
        command: (program, &[]),
        input,
        identifier: "tpa-notify",
        limit: limit(target),
        most: (MEMORY, TASKS),
    };
    let mut service = unit.properties()?;
    // The program's words are for the journal, the others' for tpad.
    service.push(match target.way {
        Way::Program(_) => property("StandardOutput", "journal")?,
        Way::Mail { .. } | Way::Service(_) => one_shot::says_into(said)?,
    });
    let secrets: Vec<(&str, &str)> = target.secret_files().collect();
    if !secrets.is_empty() {
        service.push(property("LoadCredential", secrets)?);
    }
    service.extend(match target.way {
        Way::Mail { .. } => of_mail()?,
        Way::Program(_) | Way::Service(_) => without_rights()?,
    });
    Ok(service)
}

fn without_rights() -> anyhow::Result<Vec<Property>> {
    let mut properties = one_shot::confined(0, &FAMILIES, &SANDBOX)?;
    properties.push(property("ProtectHome", "yes")?);
    properties.push(property("ProtectProc", "invisible")?);
    Ok(properties)
}

/// The mail server's own programs take on its rights, and write its queue: what forbids that cannot be
/// put upon them. It is an account with nothing else, and no secret.
fn of_mail() -> anyhow::Result<Vec<Property>> {
    let mut properties = vec![
        property("User", MAIL_USER)?,
        property("CapabilityBoundingSet", MAIL_CAPABILITIES)?,
        property("ProtectSystem", "full")?,
        property("ProtectHome", "read-only")?,
        property("ProtectProc", "invisible")?,
        property(
            "InaccessiblePaths",
            vec!["-/etc/tpa", "-/var/lib/tpa", "-/run/tpa"],
        )?,
    ];
    for name in MAIL_SANDBOX {
        properties.push(property(name, true)?);
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use super::*;
    use crate::policy::notify::Service;

    fn target(way: Way) -> Target {
        Target {
            name: "a".into(),
            way,
            events: None,
            roles: Vec::new(),
            unusual: false,
            per_minute: 10,
            retry_for_s: 60,
        }
    }

    fn slack() -> Target {
        target(Way::Service(Service {
            kind: "slack",
            url: None,
            headers: BTreeMap::new(),
            plain_http: false,
            files: [("url", "/etc/tpa/secrets/a".to_owned())].into(),
        }))
    }

    fn said(text: &str) -> File {
        let mut file = one_shot::answer().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    /// The value of a property, as it is shown.
    fn value(target: &Target, name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let service = service(&paths, target, "{}", &said("")).unwrap();
        let found = service.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| format!("{value:?}"))
            .unwrap_or_default()
    }

    #[test]
    fn what_tells_gets_no_rights_a_limit_and_its_own_secret_alone() {
        let program = target(Way::Program("/etc/tpa/notify".into()));
        assert!(value(&program, "TimeoutStartUSec").contains("10000000"));
        assert!(value(&program, "ExecStart").contains("/etc/tpa/notify"));
        assert_eq!(value(&program, "LoadCredential"), "");
        for target in [program, slack()] {
            assert!(value(&target, "DynamicUser").contains("true"));
            assert!(value(&target, "CapabilityBoundingSet").contains("(0"));
        }
        let secret = value(&slack(), "LoadCredential");
        assert!(
            secret.contains("url") && secret.contains("/etc/tpa/secrets/a"),
            "{secret}"
        );
        assert!(!value(&slack(), "ExecStart").contains("secrets"));
    }

    #[test]
    fn mail_is_sent_by_an_account_of_its_own_that_reads_nothing_of_ours() {
        let mail = target(Way::Mail {
            to: Vec::new(),
            from: None,
        });
        assert!(value(&mail, "User").contains("tpa-notify"));
        assert!(value(&mail, "InaccessiblePaths").contains("-/etc/tpa"));
        assert_eq!(value(&mail, "LoadCredential"), "");
    }

    #[test]
    fn what_it_says_is_read_within_bounds_and_cleaned() {
        let of = |result: &str, text: &str| {
            outcome(&slack(), result, said(text), &mut Recipients::default()).unwrap()
        };
        assert_eq!(of("done", "{\"outcome\":\"told\"}"), Outcome::Told);
        // It said so, and was killed.
        assert_ne!(of("timeout", "{\"outcome\":\"told\"}"), Outcome::Told);
        let Outcome::Failed { why, retry_after_s } = of(
            "failed",
            "{\"outcome\":\"failed\",\"why\":\"a\\u001b[2Jb\",\"retry_after_s\":99999}",
        ) else {
            panic!()
        };
        assert_eq!((why.as_str(), retry_after_s), ("a\\u{1b}[2Jb", Some(900)));
        assert!(matches!(
            of("failed", "{\"outcome\":\"refused\",\"why\":\"no\"}"),
            Outcome::Refused { .. }
        ));
        for text in ["", "x", "{}", "\u{0}", &"a".repeat(1_000_000)] {
            assert!(
                matches!(of("failed", text), Outcome::Failed { .. }),
                "{text:.9}"
            );
        }
    }

    #[test]
    fn whoever_has_a_mail_is_remembered_whatever_became_of_the_others() {
        let mail = target(Way::Mail {
            to: Vec::new(),
            from: None,
        });
        let mut recipients = Recipients::default();
        let text = "{\"trying\":\"ann\"}\n{\"told\":\"ann\"}\n{\"trying\":\"bob\"}\n";
        let cut = outcome(&mail, "timeout", said(text), &mut recipients).unwrap();
        assert!(matches!(cut, Outcome::Failed { .. }), "{cut:?}");
        let text =
            "{\"trying\":\"cid\"}\n{\"told\":\"cid\"}\n{\"outcome\":\"failed\",\"why\":\"x\"}\n";
        let _ = outcome(&mail, "failed", said(text), &mut recipients).unwrap();
        assert_eq!(recipients.told, ["ann", "cid"].map(str::to_owned).into());
        assert_eq!(recipients.tried, ["bob".to_owned()].into());
        let text = "{\"told\":\"bob\"}\n{\"outcome\":\"told\"}\n";
        let told = outcome(&mail, "done", said(text), &mut recipients).unwrap();
        assert_eq!(told, Outcome::Told);
        assert!(recipients.tried.is_empty());
    }
}
