//! PURE: what sudo-rs does not know. Tried with sudo-rs 0.2.5: it refuses a rule with `sudoedit`, has
//! no input/output log, and reads wildcards and regular expressions in arguments as they stand, so
//! that such a rule is taken and matches nothing.

use super::{Gives, SudoRule};

/// The first thing of a role that sudo-rs would not do as it is meant: what it is, and what to do.
pub(crate) fn lacking(gives: &Gives) -> Option<(String, &'static str)> {
    if gives.record && gives.uses_sudo() {
        return Some((
            "has to be recorded".to_owned(),
            "install sudo, or say record = false",
        ));
    }
    lacking_rules(&gives.sudo)
}

/// The same, of rules.
pub(crate) fn lacking_rules(rules: &[SudoRule]) -> Option<(String, &'static str)> {
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
            }],
        };
        let lacks = |run: &str, edit: &[&str], record| lacking(&gives(run, edit, record)).is_some();
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
