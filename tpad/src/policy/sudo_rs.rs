//! PURE: what sudo-rs does not know. Tried with sudo-rs 0.2.5: it refuses a rule with `sudoedit`, has
//! no input/output log, and reads wildcards and regular expressions in arguments as they stand, so
//! that such a rule is taken and matches nothing.

use super::{Gives, Role, SudoRule};

/// What it is that sudo-rs would not do as it is meant, and what to do.
pub(crate) type Lack = (String, &'static str);

/// The first such thing of a role.
pub(crate) fn lacking(role: &Role) -> Option<Lack> {
    lacking_record(role.gives.record && role.uses_sudo())
        .or_else(|| lacking_rules(&role.gives.sudo))
}

/// The same, of what a request would give.
pub(crate) fn lacking_gives(gives: &Gives) -> Option<Lack> {
    lacking_record(gives.record && gives.uses_sudo()).or_else(|| lacking_rules(&gives.sudo))
}

fn lacking_record(records: bool) -> Option<Lack> {
    records.then(|| {
        let what = "has to be recorded".to_owned();
        (what, "install sudo, or say record = false")
    })
}

/// The same, of rules.
pub(crate) fn lacking_rules(rules: &[SudoRule]) -> Option<Lack> {
    rules.iter().find_map(|rule| {
        if let Some(file) = rule.edit.first() {
            let what = format!("lets people edit {file} (sudoedit)");
            return Some((what, "install sudo, or give a root-owned script instead"));
        }
        let open = rule.run.iter().find(|command| is_pattern(command))?;
        let what = format!("has a wildcard or a regular expression in \"{open}\"");
        Some((what, "install sudo, or spell the arguments out"))
    })
}

fn is_pattern(command: &str) -> bool {
    let arguments = command
        .split_once(' ')
        .map_or("", |(_, arguments)| arguments);
    arguments.trim_start().starts_with('^') || arguments.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::OnEnd;

    #[test]
    fn what_sudo_rs_would_leave_out_is_named() {
        let gives = |run: &str, edit: &[&str], record| Gives {
            login: true,
            record,
            break_glass: false,
            on_end: OnEnd::Kill,
            sudo: vec![SudoRule {
                run_as: "root".into(),
                run_as_group: None,
                run: vec![run.into()],
                edit: edit.iter().map(ToString::to_string).collect(),
                password: true,
                tidy: false,
            }],
        };
        let lacks =
            |run: &str, edit: &[&str], record| lacking_gives(&gives(run, edit, record)).is_some();
        assert!(lacks("/bin/id", &["/etc/motd"], false));
        assert!(lacks("/bin/id", &[], true));
        for run in ["/bin/id *", "/bin/id ^a+$", "/bin/id a?", "/bin/id [a]"] {
            assert!(lacks(run, &[], false), "{run}");
        }
        for run in ["/bin/id", "/bin/id \"\"", "/bin/id a=b,c:d"] {
            assert!(!lacks(run, &[], false), "{run}");
        }
    }
}
