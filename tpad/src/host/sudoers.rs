//! PURE: what a drop-in says, in sudoers(5).
//!
//! A rule names the person by `#UID` alone: names match without regard to case, and some are
//! words of the language (`ALL`, `#1002`). Whatever cannot be said safely is refused; nothing is
//! left out, because a rule with a part missing can be broader.

use std::fmt::Write as _;

use chrono::DateTime;
use tpa_bus::names::RECORDINGS_DIR;
use tpa_bus::text;

use crate::plan::Rule;
use crate::policy::{SudoRule, lacking_rules, unfit_command, unfit_file};

/// Which sudo the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sudo {
    /// Todd Miller's: knows `NOTAFTER` and input/output logs.
    Classic,
    /// sudo-rs: drops a rule with `NOTAFTER` and has no input/output log. The gate's account
    /// phase and the reaper carry the end alone.
    Rs,
}

/// Why a rule is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsayable {
    /// uid 0 or (uid_t)-1.
    #[error("uid {0} can hold no grant")]
    Uid(u32),
    /// The end is no date.
    #[error("{0} is no time that sudo can read")]
    Time(i64),
    /// A name with characters that mean something to sudo.
    #[error("\"{0}\" cannot stand as a run-as name; use letters, digits, and _ . - within")]
    Name(String),
    /// A command or a file that no role may give.
    #[error("\"{0}\" cannot be given ({1})")]
    Unfit(String, &'static str),
    /// What runs under the grant has to be recorded, and cannot be.
    #[error("sudo-rs has no input/output log, and the role wants one (record = true)")]
    Record,
    /// sudo-rs would refuse it, or take it and match nothing.
    #[error("the role {0}, which sudo-rs cannot do")]
    Unknown(String),
    /// The grant gives no command and no file.
    #[error("the rule gives nothing")]
    Nothing,
}

/// The text of the drop-in.
///
/// # Errors
/// When any part of the rule cannot be said as it was meant.
pub fn render(rule: &Rule, sudo: Sudo) -> Result<String, Unsayable> {
    if matches!(rule.uid, 0 | u32::MAX) {
        return Err(Unsayable::Uid(rule.uid));
    }
    if rule.record && sudo == Sudo::Rs {
        return Err(Unsayable::Record);
    }
    if let Some((what, _)) = lacking_rules(&rule.sudo).filter(|_| sudo == Sudo::Rs) {
        return Err(Unsayable::Unknown(what));
    }
    let lines = rule
        .sudo
        .iter()
        .filter(|part| !part.run.is_empty() || !part.edit.is_empty())
        .map(|part| rule_line(rule, part, sudo))
        .collect::<Result<Vec<_>, _>>()?;
    if lines.is_empty() {
        return Err(Unsayable::Nothing);
    }
    let mut out = format!(
        "# tpa grant {}: {} (uid {}), role {}. Written by tpad, which puts changes right.\n",
        rule.id,
        comment(&rule.user),
        rule.uid,
        comment(&rule.role)
    );
    if sudo == Sudo::Classic {
        let _ = writeln!(out, "{}", defaults(rule));
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

/// What the gate needs of sudo, whatever was set before it: that sudo asks, and opens the session in
/// which a command is held. And that what is recorded is on the disk as it comes, since the end of
/// a grant kills the sudo that writes it.
fn defaults(rule: &Rule) -> String {
    let mut line = format!("Defaults:#{} pam_acct_mgmt, pam_session", rule.uid);
    if rule.record {
        let _ = write!(
            line,
            ", log_output, iolog_flush, !compress_io, iolog_dir=\"{RECORDINGS_DIR}/{}\", \
             iolog_file=\"%{{user}}-%{{seq}}\", log_subcmds",
            rule.id.as_str()
        );
    }
    line
}

/// `#1001 ALL=(root) NOTAFTER=20261124041750Z PASSWD: /usr/bin/id, sudoedit /etc/motd`
fn rule_line(rule: &Rule, part: &SudoRule, sudo: Sudo) -> Result<String, Unsayable> {
    let mut line = format!("#{} ALL=({}", rule.uid, name(&part.run_as)?);
    if let Some(group) = &part.run_as_group {
        let _ = write!(line, ":{}", name(group)?);
    }
    line.push_str(") ");
    if sudo == Sudo::Classic {
        let _ = write!(line, "NOTAFTER={} ", not_after(rule.not_after)?);
    }
    line.push_str(if part.password {
        "PASSWD: "
    } else {
        "NOPASSWD: "
    });
    let run = part
        .run
        .iter()
        .map(|command| Ok(escape(fit(command, unfit_command)?)));
    let edit = part
        .edit
        .iter()
        .map(|file| Ok(format!("sudoedit {}", escape(fit(file, unfit_file)?))));
    let commands = run.chain(edit).collect::<Result<Vec<_>, _>>()?;
    line.push_str(&commands.join(", "));
    Ok(line)
}

/// `20261124041750Z`. Without the `Z` sudo reads it in the time zone of whoever runs it.
fn not_after(at: i64) -> Result<String, Unsayable> {
    DateTime::from_timestamp(at, 0)
        .filter(|_| (0..=253_402_300_799).contains(&at))
        .map(|at| at.format("%Y%m%d%H%M%SZ").to_string())
        .ok_or(Unsayable::Time(at))
}

/// A user or group to run as.
fn name(name: &str) -> Result<&str, Unsayable> {
    let mut characters = name.chars();
    let fits = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    // All capitals make an alias in sudoers(5), and `ALL` is everybody.
    let is_alias = name.starts_with(|c: char| c.is_ascii_uppercase())
        && !name.contains(|c: char| c.is_ascii_lowercase() || matches!(c, '.' | '-'));
    if fits && !is_alias {
        Ok(name)
    } else {
        Err(Unsayable::Name(text::one_line(name, 64)))
    }
}

/// A command or a file that sudo will read as the role means it: what a role may not say, a rule
/// does not say either.
fn fit(text: &str, unfit: fn(&str) -> Option<&'static str>) -> Result<&str, Unsayable> {
    match unfit(text) {
        Some(why) => Err(Unsayable::Unfit(text::one_line(text, 200), why)),
        None => Ok(text),
    }
}

/// A command or a file as the role wrote it, with what sudoers(5) takes for punctuation escaped.
/// Wildcards stay wildcards.
fn escape(command: &str) -> String {
    let mut out = String::with_capacity(command.len());
    for c in command.trim_end_matches(' ').chars() {
        if matches!(c, ',' | ':' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text for a comment line. A backslash at its end would join the next line to it.
fn comment(words: &str) -> String {
    text::one_line(words, 64).replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(run: &[&str], edit: &[&str]) -> SudoRule {
        SudoRule {
            run_as: "root".into(),
            run_as_group: None,
            run: run.iter().map(|s| (*s).into()).collect(),
            edit: edit.iter().map(|s| (*s).into()).collect(),
            password: true,
            tidy: false,
        }
    }

    fn full() -> Rule {
        let mut database = part(&["/usr/bin/psql -d shop"], &[]);
        database.run_as = "postgres".into();
        database.run_as_group = Some("postgres".into());
        database.password = false;
        let web = part(
            &[
                "/usr/bin/systemctl restart nginx",
                "/usr/bin/journalctl -u nginx *",
            ],
            &["/etc/nginx/nginx.conf"],
        );
        let mut rule = Rule::sample(vec![web, database]);
        rule.record = true;
        rule
    }

    #[test]
    fn a_rule_is_said_in_full_with_its_end_and_its_record() {
        assert_eq!(
            render(&full(), Sudo::Classic).unwrap(),
            "# tpa grant 7H2KM4QX: alice (uid 1001), role web-ops. Written by tpad, which puts \
             changes right.\n\
             Defaults:#1001 pam_acct_mgmt, pam_session, log_output, iolog_flush, !compress_io, \
             iolog_dir=\"/var/log/sudo-io/7H2KM4QX\", iolog_file=\"%{user}-%{seq}\", log_subcmds\n\
             #1001 ALL=(root) NOTAFTER=20261124041750Z PASSWD: /usr/bin/systemctl restart nginx, \
             /usr/bin/journalctl -u nginx *, sudoedit /etc/nginx/nginx.conf\n\
             #1001 ALL=(postgres:postgres) NOTAFTER=20261124041750Z NOPASSWD: \
             /usr/bin/psql -d shop\n"
        );
    }

    #[test]
    fn sudo_rs_gets_no_end_and_no_rule_that_it_would_have_to_record() {
        let mut rule = full();
        assert_eq!(render(&rule, Sudo::Rs), Err(Unsayable::Record));
        rule.record = false;
        assert!(matches!(
            render(&rule, Sudo::Rs),
            Err(Unsayable::Unknown(_))
        ));
        rule.sudo = vec![part(&["/usr/bin/systemctl restart nginx"], &[])];
        let text = render(&rule, Sudo::Rs).unwrap();
        assert!(
            !text.contains("NOTAFTER") && !text.contains("Defaults"),
            "{text}"
        );
    }

    #[test]
    fn punctuation_is_escaped_and_wildcards_are_not() {
        assert_eq!(
            escape("/bin/a x=1,2:3 * [a-c]? !"),
            r"/bin/a x\=1\,2\:3 * [a-c]? !"
        );
    }

    #[test]
    fn what_cannot_be_said_as_meant_is_refused() {
        let two_files = render(&Rule::sample(vec![part(&[], &["/etc/a b"])]), Sudo::Classic);
        assert!(matches!(two_files, Err(Unsayable::Unfit(..))));
        let any_file = render(
            &Rule::sample(vec![part(&["/usr/bin/sudoedit"], &[])]),
            Sudo::Classic,
        );
        assert!(matches!(any_file, Err(Unsayable::Unfit(..))));
        for command in [
            "",
            "ALL",
            "id",
            "!/bin/sh",
            "/bin/a\n#1001 ALL=ALL",
            "/bin/a\u{7}",
            r"/bin/a \",
            r"/bin/a \*",
            "/bin/a #b",
            "/bin/",
        ] {
            let result = render(&Rule::sample(vec![part(&[command], &[])]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Unfit(..))), "{command:?}");
            let result = render(&Rule::sample(vec![part(&[], &[command])]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Unfit(..))), "{command:?}");
        }
        for bad in [
            "", "ALL", "ADMINS", "#0", "%wheel", "!root", "a,b", "a b", "-x", "../x", "a\nb", "ü",
        ] {
            let mut part = part(&["/bin/a"], &[]);
            part.run_as = bad.into();
            let result = render(&Rule::sample(vec![part]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Name(_))), "{bad:?}");
        }
        assert_eq!(
            render(&Rule::sample(vec![]), Sudo::Classic),
            Err(Unsayable::Nothing)
        );
        let nothing = Rule::sample(vec![part(&[], &[])]);
        assert_eq!(render(&nothing, Sudo::Classic), Err(Unsayable::Nothing));
    }

    #[test]
    fn root_and_nobody_at_all_hold_no_rule() {
        for uid in [0, u32::MAX] {
            let mut rule = full();
            rule.uid = uid;
            assert_eq!(render(&rule, Sudo::Classic), Err(Unsayable::Uid(uid)));
        }
    }

    #[test]
    fn a_name_in_the_comment_cannot_leave_it() {
        let mut rule = full();
        rule.user = "x\n#1002 ALL=(ALL) ALL\\".into();
        rule.role = "y\\\nALL ALL=ALL\\".into();
        let text = render(&rule, Sudo::Classic).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().next().unwrap().ends_with("right."), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn every_command_stays_on_its_own_line_and_in_its_own_entry(words in "[ -~]{0,40}") {
            let command = format!("/bin/a {words}");
            let escaped = escape(&command);
            proptest::prop_assert!(!escaped.contains('\n'));
            let parts = escaped.match_indices(',').all(|(at, _)| escaped[..at].ends_with('\\'));
            proptest::prop_assert!(parts, "{}", escaped);
        }
    }
}
