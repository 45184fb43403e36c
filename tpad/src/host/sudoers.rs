//! PURE: what a drop-in says, in sudoers(5).
//!
//! A rule names the person by `#UID` alone: names match without regard to case, and some are
//! words of the language (`ALL`, `#1002`). Whatever cannot be said safely is refused; nothing is
//! left out, because a rule with a part missing can be broader.

use std::fmt::Write as _;

use chrono::DateTime;
use tpa_bus::text;

use crate::plan::Rule;
use crate::policy::SudoRule;

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
    /// A command that is none.
    #[error("\"{0}\" is not an absolute path with arguments on one line")]
    Command(String),
    /// A backslash before something that needs none.
    #[error("\"{0}\": a backslash may stand only before one of , : = \\ # * ? [ ] ! and a space")]
    Backslash(String),
    /// What runs under the grant has to be recorded, and cannot be.
    #[error("sudo-rs has no input/output log, and the role wants one (record = true)")]
    Record,
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
    if rule.record {
        let _ = writeln!(
            out,
            "Defaults:#{} log_output, iolog_dir=\"{IOLOG_DIR}/{}\", \
             iolog_file=\"%{{user}}-%{{seq}}\", log_subcmds",
            rule.uid,
            rule.id.as_str()
        );
    }
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

/// Where sudo keeps its input/output logs (`iolog_dir`), below it one folder for each grant.
const IOLOG_DIR: &str = "/var/log/sudo-io";

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
    let run = part.run.iter().map(|command| escape(command));
    let edit = part
        .edit
        .iter()
        .map(|file| Ok(format!("sudoedit {}", escape(one_word(file)?)?)));
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

/// A command or a file as the role wrote it, with what sudoers(5) takes for punctuation escaped.
/// Wildcards stay wildcards. A backslash in the role takes the next character literally, as in
/// sudoers(5).
fn escape(command: &str) -> Result<String, Unsayable> {
    let shown = || text::one_line(command, 200);
    if !command.starts_with('/') || command.contains(text::is_unsafe) {
        return Err(Unsayable::Command(shown()));
    }
    let mut out = String::with_capacity(command.len());
    let mut characters = command.trim_end_matches(' ').chars();
    while let Some(c) = characters.next() {
        match c {
            ',' | ':' | '=' | '#' => out.extend(['\\', c]),
            '\\' => {
                let next = characters
                    .next()
                    .filter(|next| ",:=\\#*?[]! ".contains(*next))
                    .ok_or_else(|| Unsayable::Backslash(shown()))?;
                out.extend(['\\', next]);
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// A file for sudoedit. sudo compares the arguments joined by spaces, so that a space in a name
/// would also allow two files with shorter names.
fn one_word(file: &str) -> Result<&str, Unsayable> {
    if file.contains(' ') {
        return Err(Unsayable::Command(text::one_line(file, 200)));
    }
    Ok(file)
}

/// Text for a comment line. A backslash at its end would join the next line to it.
fn comment(words: &str) -> String {
    text::one_line(words, 64).replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use tpa_bus::id::Id;

    fn part(run: &[&str], edit: &[&str]) -> SudoRule {
        SudoRule {
            run_as: "root".into(),
            run_as_group: None,
            run: run.iter().map(|s| (*s).into()).collect(),
            edit: edit.iter().map(|s| (*s).into()).collect(),
            password: true,
        }
    }

    fn rule(sudo: Vec<SudoRule>) -> Rule {
        Rule {
            id: Id::parse("7H2KM4QX").unwrap(),
            uid: 1001,
            user: "alice".into(),
            role: "web-ops".into(),
            not_after: 1_795_493_870,
            sudo,
            record: false,
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
        let mut rule = rule(vec![web, database]);
        rule.record = true;
        rule
    }

    #[test]
    fn a_rule_is_said_in_full_with_its_end_and_its_record() {
        assert_eq!(
            render(&full(), Sudo::Classic).unwrap(),
            "# tpa grant 7H2K-M4QX: alice (uid 1001), role web-ops. Written by tpad, which puts \
             changes right.\n\
             Defaults:#1001 log_output, iolog_dir=\"/var/log/sudo-io/7H2KM4QX\", \
             iolog_file=\"%{user}-%{seq}\", log_subcmds\n\
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
        let text = render(&rule, Sudo::Rs).unwrap();
        assert!(!text.contains("NOTAFTER"), "{text}");
    }

    #[test]
    fn punctuation_is_escaped_and_wildcards_are_not() {
        assert_eq!(
            escape(r"/bin/a x=1,2:3 #4 * [a-c]? \* \, \\").unwrap(),
            r"/bin/a x\=1\,2\:3 \#4 * [a-c]? \* \, \\"
        );
    }

    #[test]
    fn what_cannot_be_said_as_meant_is_refused() {
        let two_files = render(&rule(vec![part(&[], &["/etc/a b"])]), Sudo::Classic);
        assert!(matches!(two_files, Err(Unsayable::Command(_))));
        for command in [
            "",
            "ALL",
            "id",
            "!/bin/sh",
            "/bin/a\n#1001 ALL=ALL",
            "/bin/a\u{7}",
        ] {
            let result = render(&rule(vec![part(&[command], &[])]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Command(_))), "{command:?}");
            let result = render(&rule(vec![part(&[], &[command])]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Command(_))), "{command:?}");
        }
        for command in [r"/bin/a \", r"/bin/a \x"] {
            let result = render(&rule(vec![part(&[command], &[])]), Sudo::Classic);
            assert!(
                matches!(result, Err(Unsayable::Backslash(_))),
                "{command:?}"
            );
        }
        for bad in [
            "", "ALL", "ADMINS", "#0", "%wheel", "!root", "a,b", "a b", "-x", "../x", "a\nb", "ü",
        ] {
            let mut part = part(&["/bin/a"], &[]);
            part.run_as = bad.into();
            let result = render(&rule(vec![part]), Sudo::Classic);
            assert!(matches!(result, Err(Unsayable::Name(_))), "{bad:?}");
        }
        assert_eq!(
            render(&rule(vec![]), Sudo::Classic),
            Err(Unsayable::Nothing)
        );
        let nothing = rule(vec![part(&[], &[])]);
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

    /// What the installed sudo makes of the text; `None` where there is none.
    fn cvtsudoers(text: &str) -> Option<serde_json::Value> {
        let program = "/usr/bin/cvtsudoers";
        if !std::path::Path::new(program).exists() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rule");
        std::fs::write(&file, text).unwrap();
        let output = Command::new(program)
            .args(["-f", "json"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{text}: {output:?}");
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    #[test]
    fn sudo_reads_back_what_was_meant() {
        let mut rule = full();
        rule.sudo = vec![part(&[r"/bin/a x=1,2:3 #4 \*", "/bin/b"], &["/etc/a,b"])];
        let Some(read) = cvtsudoers(&render(&rule, Sudo::Classic).unwrap()) else {
            return;
        };
        assert_eq!(read["Defaults"][0]["Binding"][0]["userid"], 1001);
        let specification = &read["User_Specs"][0];
        assert_eq!(specification["User_List"][0]["userid"], 1001);
        let commands = &specification["Cmnd_Specs"][0];
        assert_eq!(commands["runasusers"][0]["username"], "root");
        assert_eq!(commands["Options"][0]["notafter"], "20261124041750Z");
        assert_eq!(commands["Options"][1]["authenticate"], true);
        let read: Vec<_> = commands["Commands"]
            .as_array()
            .unwrap()
            .iter()
            .map(|command| command["command"].as_str().unwrap())
            .collect();
        assert_eq!(
            read,
            [r"/bin/a x=1,2:3 #4 \*", "/bin/b", "sudoedit /etc/a,b"]
        );
    }

    proptest::proptest! {
        #[test]
        fn every_command_stays_on_its_own_line_and_in_its_own_entry(words in "[ -~]{0,40}") {
            let command = format!("/bin/a {words}");
            if let Ok(escaped) = escape(&command) {
                proptest::prop_assert!(!escaped.contains('\n'));
                let bare = escaped.replace(r"\\", "");
                let bare = bare.match_indices(',').all(|(at, _)| bare[..at].ends_with('\\'));
                proptest::prop_assert!(bare, "{}", escaped);
            }
        }
    }
}
