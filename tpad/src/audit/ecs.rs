//! PURE: the fields of a line, with their names in the Elastic Common Schema. What that has no name
//! for stands under `tpa`.

/// Every field that a line can have, and its ECS name.
const FIELDS: [(&str, &str); 93] = [
    ("code", "event.code"),
    ("event", "event.action"),
    ("outcome", "event.outcome"),
    ("time", "@timestamp"),
    ("reason", "event.reason"),
    ("user", "user.target.name"),
    ("uid", "user.target.id"),
    ("role", "user.target.roles"),
    ("actor", "user.name"),
    ("actor_uid", "user.id"),
    ("actor_euid", "user.effective.id"),
    ("actor_login", "tpa.actor_login"),
    ("actor_login_uid", "tpa.actor_login_uid"),
    ("proof", "tpa.proof"),
    ("key", "tpa.key"),
    ("touched", "tpa.touched"),
    ("statement", "tpa.statement"),
    ("signer", "tpa.signer"),
    ("rhost", "source.address"),
    ("tty", "process.tty.name"),
    ("pid", "process.pid"),
    ("service", "service.name"),
    ("host", "host.name"),
    ("not_before", "event.start"),
    ("not_after", "event.end"),
    ("db", "tpa.db"),
    ("grant", "tpa.grant"),
    ("state", "tpa.state"),
    ("ticket", "tpa.ticket"),
    ("requested_by", "tpa.requested_by"),
    ("duration_s", "tpa.duration_s"),
    ("needed", "tpa.needed"),
    ("approved_by", "tpa.approved_by"),
    ("approvers", "tpa.approvers"),
    ("extends", "tpa.extends"),
    ("gives", "tpa.gives"),
    ("approval", "tpa.approval"),
    ("comment", "tpa.comment"),
    ("why", "tpa.why"),
    ("decision", "tpa.decision"),
    ("from", "tpa.from"),
    ("by_request", "tpa.by_request"),
    ("killed", "tpa.killed"),
    ("survivors", "tpa.survivors"),
    ("survived", "tpa.survived"),
    ("looked_at", "tpa.looked_at"),
    ("left", "tpa.left"),
    ("not_looked_at", "tpa.not_looked_at"),
    ("note_sha256", "tpa.note_sha256"),
    ("noted_at", "tpa.noted_at"),
    ("not_noted", "tpa.not_noted"),
    ("depth", "tpa.depth"),
    ("certain", "tpa.certain"),
    ("doubtful", "tpa.doubtful"),
    ("complete", "tpa.complete"),
    ("found", "tpa.found"),
    ("looked_for", "tpa.looked_for"),
    ("not_looked_for", "tpa.not_looked_for"),
    ("target", "tpa.target"),
    ("command", "process.command_line"),
    ("command_bytes", "tpa.command_bytes"),
    ("command_sha256", "tpa.command_sha256"),
    ("refused", "tpa.refused"),
    ("of", "tpa.of"),
    ("count", "tpa.count"),
    ("since", "tpa.since"),
    ("until", "tpa.until"),
    ("unusual", "tpa.unusual"),
    ("events", "tpa.events"),
    ("through", "tpa.through"),
    ("through_hash", "tpa.through_hash"),
    ("through_time", "tpa.through_time"),
    ("version", "agent.version"),
    ("policy", "rule.version"),
    ("problems", "tpa.problems"),
    ("clock", "tpa.clock"),
    ("taken_for", "tpa.taken_for"),
    ("broken_seq", "tpa.broken_seq"),
    ("problem", "tpa.problem"),
    ("what", "tpa.what"),
    ("recording", "tpa.recording"),
    ("recording_sha256", "tpa.recording_sha256"),
    ("recording_bytes", "tpa.recording_bytes"),
    ("argv", "tpa.argv"),
    ("argv_sha256", "tpa.argv_sha256"),
    ("directory", "process.working_directory"),
    ("program", "process.executable"),
    ("program_sha256", "process.hash.sha256"),
    ("exit_code", "process.exit_code"),
    ("duration_ms", "tpa.duration_ms"),
    ("notify_target", "tpa.notify_target"),
    ("first", "tpa.first"),
    ("last", "tpa.last"),
];

/// The fields that are numbers.
const NUMBERS: [&str; 17] = [
    "certain",
    "doubtful",
    "exit_code",
    "duration_ms",
    "count",
    "command_bytes",
    "duration_s",
    "needed",
    "killed",
    "survivors",
    "pid",
    "broken_seq",
    "refused",
    "events",
    "through",
    "first",
    "last",
];

/// The ECS name of a field.
pub(super) fn name(field: &str) -> &'static str {
    let known = FIELDS.iter().find(|(name, _)| *name == field);
    known.map_or("tpa.other", |(_, ecs)| ecs)
}

/// Whether its value is a number.
pub(super) fn is_number(field: &str) -> bool {
    NUMBERS.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../packaging/man/tpa-events.7");

    /// The page without its escapes.
    fn page() -> String {
        PAGE.replace("\\-", "-")
    }

    /// The words between double quotes that follow `call` in the source.
    fn quoted_after<'a>(source: &'a str, call: &str) -> Vec<&'a str> {
        let behind = source.split(call).skip(1);
        behind
            .filter_map(|text| text.trim_start().strip_prefix('"')?.split('"').next())
            .collect()
    }

    #[test]
    fn every_field_that_a_line_can_have_has_its_name_and_stands_in_the_manual() {
        let source = include_str!("fields.rs");
        let source = source.split("#[cfg(test)]").next().unwrap();
        let mut emitted = quoted_after(source, ".add(");
        emitted.extend(quoted_after(source, ".maybe("));
        assert!(emitted.len() > 40, "{emitted:?}");
        for field in emitted {
            assert!(FIELDS.iter().any(|(name, _)| *name == field), "{field}");
        }
        let page = page();
        for (field, ecs) in FIELDS {
            let entry = page.split(&format!("\n.B {field}\n")).nth(1);
            let entry = entry.unwrap_or_else(|| panic!("{field} is not in tpa-events(7)"));
            let mapped = entry.split(".br\n").nth(1).unwrap();
            assert_eq!(mapped.split("; ").next(), Some(ecs), "{field}");
        }
    }

    #[test]
    fn every_event_stands_in_the_manual_under_its_code() {
        let source = include_str!("../ledger/event.rs");
        let named: Vec<_> = source
            .match_indices("(\"TPA")
            .filter_map(|(at, _)| {
                let mut words = source[at..].split('"');
                Some((words.nth(1)?, words.nth(1)?))
            })
            .collect();
        assert!(named.len() >= 30, "{named:?}");
        let siem = include_str!("../../../packaging/siem/tpa.yml");
        for code in siem.split("code=").skip(1) {
            let code = code.get(..7).unwrap();
            assert!(named.iter().any(|(known, _)| *known == code), "{code}");
        }
        let page = page();
        for (code, name) in named {
            assert!(
                page.contains(&format!("\n.B {code} {name} ")),
                "{code} {name}"
            );
        }
    }
}
