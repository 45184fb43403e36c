//! What the one that tells a target is told: JSON, as `tpa_notify` reads it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::news::{Batch, waits};
use super::unit::Recipients;
use crate::audit::{fields, line};
use crate::bus::door;
use crate::engine::Engine;
use crate::policy::AuditFormat;
use crate::policy::notify::{Target, Way};
use crate::store::Record;

/// A batch of events for a target. The administrator's program reads an event as `tpactl log --json`
/// prints it, and nothing else.
pub(super) fn of(
    engine: &Engine,
    target: &Target,
    batch: &Batch,
    recipients: &Recipients,
) -> anyhow::Result<String> {
    let event = |record: &Record| event(record, waits(engine, record));
    if let Way::Program(_) = target.way {
        let lines = batch
            .events
            .iter()
            .map(|record| format!("{}\n", event(record)));
        return Ok(lines.collect());
    }
    let mut job = target_of(target);
    job.insert("host".into(), json!(engine.with(|core| core.host())));
    job.insert("door".into(), json!(has_front_door(engine)));
    job.insert(
        "sent_at".into(),
        json!(engine.with(crate::core::Core::now)?.wall_s),
    );
    let database = batch.events.first().and_then(|record| record.field("db"));
    let id = format!("{}-{}", database.unwrap_or("tpa"), batch.first);
    job.insert("id".into(), json!(id));
    let events: Vec<Value> = batch.events.iter().map(event).collect();
    job.insert("events".into(), json!(events));
    job.insert("more".into(), json!(batch.more));
    if let Way::Mail { .. } = target.way {
        job.insert("told".into(), json!(recipients.told));
        job.insert("tried".into(), json!(recipients.tried));
    }
    Ok(Value::Object(job).to_string())
}

/// A message that says that it is a test.
pub(super) fn test(engine: &Engine, target: &Target) -> anyhow::Result<String> {
    let now = engine.with(crate::core::Core::now)?.wall_s;
    if let Way::Program(_) = target.way {
        let test = json!({ "apiVersion": "tpa/v1", "kind": "Test", "at": fields::time(now) });
        return Ok(format!("{test}\n"));
    }
    let mut job = target_of(target);
    // A test concerns nobody: where mail goes to whom it concerns, root reads it.
    if job
        .get("to")
        .is_some_and(|to| to.as_array().is_none_or(Vec::is_empty))
    {
        job.insert("to".into(), json!(["root"]));
    }
    job.insert("host".into(), json!(engine.with(|core| core.host())));
    job.insert("door".into(), json!(has_front_door(engine)));
    job.insert("sent_at".into(), json!(now));
    job.insert("id".into(), json!(format!("test-{now}")));
    job.insert("test".into(), json!(true));
    Ok(Value::Object(job).to_string())
}

/// Whether people reach this host by `ssh tpa@HOST`.
fn has_front_door(engine: &Engine) -> bool {
    engine.policy().signers.is_some() && door::is_enabled()
}

fn target_of(target: &Target) -> Map<String, Value> {
    let mut job = Map::new();
    job.insert("kind".into(), json!(target.kind()));
    match &target.way {
        Way::Program(_) => {}
        Way::Mail { to, from } => {
            job.insert("to".into(), json!(to));
            job.insert("from".into(), json!(from));
        }
        Way::Service(service) => {
            job.insert("url".into(), json!(service.url));
            job.insert("headers".into(), json!(service.headers));
            job.insert("plain_http".into(), json!(service.plain_http));
        }
    }
    job
}

/// An event as `tpactl log --json` prints it, and whether its request waits by now.
fn event(record: &Record, waits: bool) -> Value {
    let fields: BTreeMap<_, _> = record.fields().iter().cloned().collect();
    json!({
        "apiVersion": "tpa/v1",
        "kind": "Event",
        "seq": record.seq,
        "at": fields::time(record.at),
        "code": record.code,
        "event": record.name(),
        "hash": record.hash,
        "fields": fields,
        "line": line::render(record, AuditFormat::Kv),
        "state_now": waits.then_some("pending"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Envelope, Event};
    use crate::policy::notify::{SERVICES, Service};
    use crate::store::{Body, Content};

    fn record() -> Record {
        Record {
            seq: 7,
            at: 1_700_000_000,
            code: "TPA5001".to_owned(),
            body: Content::Known(Box::new(Body {
                envelope: Envelope {
                    at: 1_700_000_000,
                    actor: None,
                    actor_uid: None,
                    actor_login: None,
                    proof: None,
                    event: Event::DaemonStopped,
                },
                fields: vec![("host".to_owned(), "web\n01".to_owned())],
            })),
            hash: "ab".to_owned(),
        }
    }

    #[test]
    fn an_event_is_one_line_of_json() {
        let text = event(&record(), false).to_string();
        assert!(!text.contains('\n'));
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["kind"], "Event");
        assert_eq!(object["event"], "daemon-stopped");
        assert_eq!(object["at"], "2023-11-14T22:13:20Z");
        assert_eq!(object["fields"]["host"], "web\n01");
    }

    #[test]
    fn the_one_that_tells_understands_what_it_is_told_for_every_kind() {
        let mut ways: Vec<Way> = SERVICES
            .into_iter()
            .map(|kind| {
                Way::Service(Service {
                    kind,
                    url: Some("https://a.example/".into()),
                    headers: [("X-Team".to_owned(), "web".to_owned())].into(),
                    plain_http: false,
                    files: BTreeMap::new(),
                })
            })
            .collect();
        ways.push(Way::Mail {
            to: vec!["root".into()],
            from: None,
        });
        for way in ways {
            let target = Target {
                name: "a".into(),
                way,
                events: None,
                roles: Vec::new(),
                unusual: false,
                per_minute: 10,
                retry_for_s: 60,
            };
            let mut job = target_of(&target);
            let rest = json!({
                "host": "web-01", "door": false, "sent_at": 1, "id": "x", "more": { "a": 1 },
                "events": [event(&record(), true)], "test": false,
            });
            job.extend(rest.as_object().unwrap().clone());
            let read: tpa_notify::job::Job = serde_json::from_value(Value::Object(job)).unwrap();
            assert!(read.events[0].waits());
            assert_eq!(read.events[0].name(), "daemon-stopped");
        }
    }
}
