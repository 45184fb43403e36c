//! `tpad check --json`. Fields are only ever added.

use serde_json::{Value, json};
use tpa_bus::offline::{Class, Who};
use tpa_statement::signers::{Signer, fingerprint};

use super::explain::{Subject, all_warnings, concern, time};
use super::problem::Problem;
use super::standing::Rules;
use crate::policy::notify::{Target, Way};
use crate::policy::{AuditFormat, Policy, Role, SudoRule};

/// A configuration that would be loaded.
pub(super) fn good(policy: &Policy, subject: Option<&Subject<'_>>) -> String {
    let warnings = all_warnings(policy);
    let roles: Vec<Value> = policy.roles.values().map(role).collect();
    let format = match policy.audit_format {
        AuditFormat::Kv => "kv",
        AuditFormat::Cee => "cee",
    };
    result(json!({
        "ok": true,
        "problems": [],
        "warnings": warnings,
        "revision": policy.revision,
        "gate": {
            "login": names(&policy.gate.login),
            "sudo": names(&policy.gate.sudo),
            "exempt": names(&policy.gate.exempt),
            "help": policy.gate.help,
            "uid_min": policy.gate.uid_min,
        },
        "pending_per_user": policy.pending_per_user,
        "warn_before_s": policy.warn_before,
        "audit_format": format,
        "audit_keep_s": policy.audit_keep_s,
        "audit_keep_recordings_s": policy.audit_keep_recordings_s,
        "notify": policy.notify.iter().find_map(program),
        "targets": policy.notify.iter().map(target).collect::<Vec<_>>(),
        "signers": policy.signers.as_ref().map(|signers| signers.iter().map(signer).collect::<Vec<_>>()),
        "roles": roles,
        "user": subject.map(|subject| person(policy, subject)),
    }))
}

/// One that would not.
pub(super) fn bad(problems: &[Problem]) -> String {
    result(json!({ "ok": false, "problems": problems, "warnings": [] }))
}

fn result(mut fields: Value) -> String {
    if let Some(object) = fields.as_object_mut() {
        object.insert("apiVersion".to_owned(), json!("tpa/v1"));
        object.insert("kind".to_owned(), json!("CheckResult"));
    }
    format!("{fields}\n")
}

/// The program of `tpad.toml`.
fn program(target: &Target) -> Option<&str> {
    match &target.way {
        Way::Program(run) => Some(run),
        Way::Mail { .. } | Way::Service(_) => None,
    }
}

/// A target, without its address, which may be a secret.
fn target(target: &Target) -> Value {
    json!({
        "name": target.name,
        "kind": target.kind(),
        "events": target.events,
        "roles": target.roles,
        "unusual": target.unusual,
        "per_minute": Some(target.per_minute).filter(|most| *most < u32::MAX),
        "retry_for_s": target.retry_for_s,
    })
}

fn role(role: &Role) -> Value {
    json!({
        "name": role.name,
        "description": role.description,
        "requesters": names(&role.requesters),
        "default_s": role.default_s,
        "max_s": role.max_s,
        "reason_min": role.reason_min,
        "ticket_required": role.ticket_required,
        "ticket_pattern": role.ticket_pattern,
        "lapse_s": role.lapse_s,
        "approvers": names(&role.approvers),
        "needed": role.needed,
        "proof": role.proof.word(),
        "auto": names(&role.auto),
        "use_within_s": role.use_within_s,
        "login": role.gives.login,
        "record": role.gives.record,
        "break_glass": role.gives.break_glass,
        "on_end": role.gives.on_end,
        "gives": role.describe(),
        "sudo": role.gives.sudo.iter().map(rule).collect::<Vec<_>>(),
        "exact": role.exact.as_ref().map(|exact| json!({
            "as": exact.run_as,
            "programs": exact.programs,
        })),
        "goes_on": role.gives.goes_on(),
        "tidies": role.gives.tidies(),
    })
}

fn rule(rule: &SudoRule) -> Value {
    json!({
        "as": rule.run_as,
        "group": rule.run_as_group,
        "run": rule.run,
        "edit": rule.edit,
        "password": rule.password,
        "tidy": rule.tidy,
    })
}

fn signer(signer: &Signer) -> Value {
    json!({
        "line": signer.line,
        "people": signer.principals,
        "key": fingerprint(&signer.key),
        "key_type": signer.key.algorithm().as_str(),
        "cert_authority": signer.authority,
        "statements": signer.in_namespace(),
        "valid_after": signer.valid_after().map(time),
        "valid_before": signer.valid_before().map(time),
    })
}

fn person(policy: &Policy, subject: &Subject<'_>) -> Value {
    let roles_with = |list: fn(&Role) -> &[Who]| -> Vec<&str> {
        let roles = policy.roles.values();
        let those = roles.filter(|role| subject.is_among(policy, list(role)));
        those.map(|role| role.name.as_str()).collect()
    };
    json!({
        "name": subject.name,
        "uid": subject.person.uid,
        "groups": subject.person.groups,
        "login": concern(policy, Class::Login, subject).0,
        "sudo": concern(policy, Class::Sudo, subject).0,
        "standing_rules": match &subject.rules {
            Rules::Are(rules) => json!(rules),
            Rules::NotLookedAt(_) => Value::Null,
        },
        "may_request": roles_with(|role| &role.requesters),
        "may_approve": roles_with(|role| &role.approvers),
        "approved_at_once": roles_with(|role| &role.auto),
    })
}

fn names(list: &[Who]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}
