//! PURE: whether something in sudo's configuration keeps sudo from asking the gate, or from opening
//! the session in which a command is held, for what a grant gives.
//!
//! A grant's file sets both for its person (see [`super::sudoers`]). Of such lines the last one
//! counts, and one about a command counts over all of them (sudoers(5), "Defaults").

use serde_json::Value;

use crate::plan::Rule;

/// What the gate lives by, and has to be set.
const NEEDED: [&str; 2] = ["pam_acct_mgmt", "pam_session"];

/// What takes effect over the settings of a grant's file, as sudoers(5) has it. `read` is what
/// `cvtsudoers -e -f json` says of the whole configuration, that file among it.
#[must_use]
pub fn overridden(read: &Value, rule: &Rule) -> Option<String> {
    let defaults = read.get("Defaults").and_then(Value::as_array)?;
    let own = defaults.iter().rposition(|entry| is_own(entry, rule.uid));
    let found = defaults.iter().enumerate().find_map(|(at, entry)| {
        let setting = NEEDED.iter().find(|needed| sets(entry, needed, false))?;
        let later = own.is_none_or(|own| at > own);
        let counts = bindings(entry)
            .iter()
            .any(|binding| binding.may_count(rule, later));
        counts.then_some(setting)
    })?;
    Some(format!("Defaults !{found}"))
}

/// Whether it is the line of a grant's file of this person.
fn is_own(entry: &Value, uid: u32) -> bool {
    let of_person = entry
        .get("Binding")
        .is_some_and(|binding| *binding == serde_json::json!([{ "userid": uid }]));
    of_person && NEEDED.iter().all(|needed| sets(entry, needed, true))
}

fn sets(entry: &Value, setting: &str, to: bool) -> bool {
    let options = entry.get("Options").and_then(Value::as_array);
    options
        .into_iter()
        .flatten()
        .any(|option| option.get(setting).and_then(Value::as_bool) == Some(to))
}

/// For what a line counts.
#[derive(Debug)]
enum Binding<'a> {
    /// For this command (`Defaults!COMMAND`).
    Command(&'a str),
    /// For whoever has this name, or runs something as them (`Defaults:USER`, `Defaults>USER`).
    Name(&'a str),
    /// For whoever has this uid, or runs something as them.
    Uid(u64),
    /// For everybody, a group, a host: it cannot be told that it is not for this.
    Any,
}

fn bindings(entry: &Value) -> Vec<Binding<'_>> {
    let Some(bindings) = entry.get("Binding").and_then(Value::as_array) else {
        return vec![Binding::Any];
    };
    bindings
        .iter()
        .map(|binding| {
            let text = |key: &str| binding.get(key).and_then(Value::as_str);
            let negated = binding.get("negated").is_some();
            match (text("command"), text("username")) {
                // What it excludes is not told apart: "all but these" may be any other.
                (Some(_), _) if negated => Binding::Command("ALL"),
                (Some(command), _) => Binding::Command(command),
                (_, Some(name)) if !negated && name != "ALL" => Binding::Name(name),
                _ => match binding.get("userid").and_then(Value::as_u64) {
                    Some(uid) if !negated => Binding::Uid(uid),
                    _ => Binding::Any,
                },
            }
        })
        .collect()
}

impl Binding<'_> {
    /// Whether the line may count for what the rule gives; `later` when it stands behind ours.
    fn may_count(&self, rule: &Rule, later: bool) -> bool {
        let as_this = |name: &str| {
            let run_as = rule.sudo.iter().map(|part| part.run_as.as_str());
            run_as
                .chain([rule.user.as_str()])
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        match self {
            Self::Command(command) => gives(rule).any(|given| may_be(command, given)),
            Self::Name(name) => later && as_this(name),
            Self::Uid(uid) => later && (*uid == u64::from(rule.uid) || *uid == 0),
            Self::Any => later,
        }
    }
}

fn gives(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.sudo.iter().flat_map(|part| {
        let edits = (!part.edit.is_empty()).then_some("sudoedit");
        part.run.iter().map(String::as_str).chain(edits)
    })
}

/// Whether two commands of sudoers(5) may be one: sudo goes by the file that a path leads to, and
/// two paths lead to one file only where their last parts are the same.
fn may_be(one: &str, other: &str) -> bool {
    let program = |command: &'_ str| {
        let path = command.split_ascii_whitespace().next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let (one, other) = (program(one), program(other));
    let open = |last: &str| last.is_empty() || last == "ALL" || last.contains(['*', '?', '[', '^']);
    open(&one) || open(&other) || one == other
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::SudoRule;

    fn rule() -> Rule {
        Rule::sample(vec![SudoRule {
            run_as: "postgres".into(),
            run_as_group: None,
            run: vec!["/usr/bin/sleep 5".into()],
            edit: vec!["/etc/motd".into()],
            password: false,
            tidy: false,
        }])
    }

    fn own() -> Value {
        let options = json!([{ "pam_acct_mgmt": true }, { "pam_session": true }]);
        json!({ "Binding": [{ "userid": 1001 }], "Options": options })
    }

    fn off(binding: &Value) -> Value {
        let options = json!([{ "env_reset": true }, { "pam_session": false }]);
        match binding {
            Value::Null => json!({ "Options": options }),
            binding => json!({ "Binding": [binding], "Options": options }),
        }
    }

    fn found(defaults: &[Value]) -> Option<String> {
        overridden(&json!({ "Defaults": defaults }), &rule())
    }

    #[test]
    fn what_stands_before_the_grants_own_line_does_not_count() {
        for binding in [
            Value::Null,
            json!({ "usergroup": "engineers" }),
            json!({ "username": "alice" }),
            json!({ "hostname": "ALL" }),
        ] {
            assert_eq!(found(&[off(&binding), own()]), None, "{binding}");
            let after = found(&[own(), off(&binding)]);
            assert_eq!(after.as_deref(), Some("Defaults !pam_session"), "{binding}");
            assert_eq!(found(&[own(), off(&binding), own()]), None, "{binding}");
            assert!(found(&[off(&binding)]).is_some(), "{binding}");
        }
        assert_eq!(found(&[own()]), None);
    }

    #[test]
    fn what_is_certainly_for_somebody_else_does_not_count() {
        for (binding, counts) in [
            (json!({ "username": "backup" }), false),
            (json!({ "username": "Postgres" }), true),
            (json!({ "username": "backup", "negated": true }), true),
            (json!({ "username": "ALL" }), true),
            (json!({ "userid": 1002 }), false),
            (json!({ "userid": 1001 }), true),
            (json!({ "netgroup": "x" }), true),
        ] {
            assert_eq!(
                found(&[own(), off(&binding)]).is_some(),
                counts,
                "{binding}"
            );
        }
    }

    #[test]
    fn a_line_about_a_command_counts_wherever_it_stands() {
        for (command, counts) in [
            ("/bin/sleep", true),
            ("/usr/bin/sleep 7", true),
            ("/usr/bin/", true),
            ("/opt/*", true),
            ("ALL", true),
            ("sudoedit /etc/motd", true),
            ("/usr/bin/apt update", false),
        ] {
            let binding = json!({ "command": command });
            for defaults in [[own(), off(&binding)], [off(&binding), own()]] {
                assert_eq!(found(&defaults).is_some(), counts, "{command}");
            }
        }
        let all_but = json!({ "command": "/usr/bin/apt", "negated": true });
        assert!(found(&[off(&all_but), own()]).is_some());
    }

    #[test]
    fn without_any_defaults_nothing_counts() {
        assert_eq!(overridden(&json!({}), &rule()), None);
    }
}
