//! What sudo's own configuration on this host gives an account, grants apart: read from what
//! cvtsudoers(1) says of it. Whoever runs something as the account has that, too.

use serde_json::Value;

use super::Danger;
use super::command;
use super::files;
use super::kind::Kind;
use super::seen::{Account, Seen};
use crate::policy::SudoRule;

/// Anything, in sudo's words.
const ALL: &str = "ALL";

/// Any file, where sudo lets somebody edit without saying which.
const ANY_FILE: &str = "sudoedit";

/// Whom a line of sudo's is looked at for.
#[derive(Debug, Clone, Copy)]
pub struct Whom<'a> {
    /// Name of the account.
    pub name: &'a str,
    /// Its uid.
    pub uid: u32,
    /// Names of its groups.
    pub groups: &'a [String],
    /// The same by number.
    pub gids: &'a [u32],
    /// The name of this host.
    pub host: &'a str,
}

/// The rules without an end that this account has. `read` is what `cvtsudoers -e -f json` says of the
/// whole configuration. What netgroups and plugins give is not told there.
#[must_use]
pub fn standing(read: &Value, whom: &Whom<'_>) -> Vec<SudoRule> {
    let mut found = Vec::new();
    for spec in list(read, "User_Specs") {
        let counts = last_match(list(spec, "User_List"), |one| whom.is_user(one))
            && last_match(list(spec, "Host_List"), |one| whom.is_host(one));
        if !counts {
            continue;
        }
        for part in list(spec, "Cmnd_Specs") {
            // Of the lines that fit the last one counts (sudoers(5)).
            if list(part, "Commands")
                .any(|one| is_negated(one) && text(one, "command") == Some(ALL))
            {
                found.clear();
            }
            if !list(part, "Options").any(|one| one.get("notafter").is_some()) {
                found.extend(rules(part, whom));
            }
        }
    }
    found
}

impl Whom<'_> {
    fn is_user(&self, one: &Value) -> bool {
        let number = |key: &str| one.get(key).and_then(Value::as_u64);
        let has_gid = |gid: u64| self.gids.iter().any(|own| u64::from(*own) == gid);
        text(one, "username").is_some_and(|name| name == ALL || name == self.name)
            || text(one, "usergroup").is_some_and(|name| self.groups.iter().any(|own| own == name))
            || number("userid") == Some(u64::from(self.uid))
            || number("usergid").is_some_and(has_gid)
    }

    /// An address or a netgroup may be this host's.
    fn is_host(&self, one: &Value) -> bool {
        let first = |name: &str| name.split('.').next().unwrap_or(name).to_lowercase();
        text(one, "hostname").is_none_or(|name| {
            name == ALL || name.contains(['*', '?', '[']) || first(name) == first(self.host)
        })
    }
}

/// Of a list the last entry that fits counts, and may say no.
fn last_match<'v>(
    entries: impl DoubleEndedIterator<Item = &'v Value>,
    fits: impl Fn(&Value) -> bool,
) -> bool {
    let last = entries.rev().find(|one| fits(one));
    last.is_some_and(|one| !is_negated(one))
}

/// One rule for each account that it lets the person be.
fn rules(part: &Value, whom: &Whom<'_>) -> Vec<SudoRule> {
    let (mut run, mut edit) = (Vec::new(), Vec::new());
    for one in list(part, "Commands").filter(|one| !is_negated(one)) {
        let Some(command) = text(one, "command") else {
            continue;
        };
        match command.split_once(' ') {
            _ if command == ANY_FILE => edit.push(ANY_FILE.to_owned()),
            Some((ANY_FILE, files)) => edit.extend(files.split(' ').map(str::to_owned)),
            _ => run.push(command.to_owned()),
        }
    }
    let password = !list(part, "Options")
        .any(|one| one.get("authenticate").and_then(Value::as_bool) == Some(false));
    let group = list(part, "runasgroups").find_map(|one| text(one, "usergroup"));
    run_as(part, whom, group.is_some())
        .into_iter()
        .map(|run_as| SudoRule {
            run_as,
            run_as_group: group.filter(|name| *name != ALL).map(str::to_owned),
            run: run.clone(),
            edit: edit.clone(),
            password,
            tidy: false,
        })
        .collect()
}

/// As whom: root where nobody is named; themselves where only a group is.
fn run_as(part: &Value, whom: &Whom<'_>, in_group: bool) -> Vec<String> {
    let users = || list(part, "runasusers");
    if users().next().is_none() {
        let own = if in_group { whom.name } else { "root" };
        return vec![own.to_owned()];
    }
    let is_root = |one: &Value| {
        text(one, "username").is_some_and(|name| name == "root" || name == ALL)
            || one.get("userid").and_then(Value::as_u64) == Some(0)
    };
    if last_match(users(), is_root) {
        return vec!["root".to_owned()];
    }
    let named = users().filter(|one| !is_negated(one)).filter_map(|one| {
        let uid = || one.get("userid").and_then(Value::as_u64);
        text(one, "username")
            .map(str::to_owned)
            .or_else(|| text(one, "usergroup").map(|group| format!("%{group}")))
            .or_else(|| uid().map(|uid| format!("#{uid}")))
    });
    named
        .map(|name| {
            if name == ALL {
                "anybody but root".to_owned()
            } else {
                name
            }
        })
        .collect()
}

fn list<'v>(value: &'v Value, key: &str) -> impl DoubleEndedIterator<Item = &'v Value> {
    let entries = value.get(key).and_then(Value::as_array);
    entries.into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn is_negated(value: &Value) -> bool {
    value.get("negated").and_then(Value::as_bool) == Some(true)
}

/// What whoever is this account can be by the host's own rules.
pub(super) fn of_standing(whom: &str, account: &Account, seen: &Seen) -> Vec<Danger> {
    let mut found = Vec::new();
    for rule in &account.standing {
        let then = rule.run_as.as_str();
        if then == whom && rule.run_as_group.is_none() {
            continue;
        }
        let says = |what: &str, comes_to: &str| {
            format!(
                "runs as {whom}, whom a rule of the host's own lets {what} as {then} by sudo: {comes_to}"
            )
        };
        let mut add = |kind, message| {
            found.push(Danger {
                kind,
                message,
                instead: "take that rule out of /etc/sudoers or /etc/sudoers.d, or name an account without one",
            });
        };
        let amounts = format!("this amounts to being {then}");
        if rule.run.iter().any(|run| run == ALL) {
            add(Kind::Rights, says("run anything", &amounts));
            continue;
        }
        if rule.edit.iter().any(|file| file == ANY_FILE) {
            add(Kind::Rights, says("edit any file", &amounts));
            continue;
        }
        for run in &rule.run {
            for danger in command::of_rule(run, then, &account.standing, seen) {
                add(
                    danger.kind,
                    says(&format!("run \"{run}\""), &danger.message),
                );
            }
        }
        for file in &rule.edit {
            for danger in files::of_edit(file, rule, &account.standing, seen) {
                add(danger.kind, says(&format!("edit {file}"), &danger.message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cvtsudoers 1.9.13 says of lines like these, shortened.
    fn read(specs: &str) -> Value {
        serde_json::from_str(&format!(r#"{{"User_Specs":[{specs}]}}"#)).unwrap()
    }

    fn spec(users: &str, hosts: &str, part: &str) -> String {
        format!(r#"{{"User_List":[{users}],"Host_List":[{hosts}],"Cmnd_Specs":[{{{part}}}]}}"#)
    }

    const HERE: &str = r#"{"hostname":"ALL"}"#;
    const POSTGRES: &str = r#"{"username":"postgres"}"#;
    const ANYTHING: &str = r#""Commands":[{"command":"ALL"}]"#;

    fn of(specs: &[String]) -> Vec<String> {
        let groups = ["postgres".to_owned(), "ssl-cert".to_owned()];
        let whom = Whom {
            name: "postgres",
            uid: 105,
            groups: &groups,
            gids: &[110, 111],
            host: "web-01",
        };
        let account = Account {
            standing: standing(&read(&specs.join(",")), &whom),
            ..Account::default()
        };
        let found = of_standing("postgres", &account, &Seen::default());
        found.into_iter().map(|danger| danger.message).collect()
    }

    #[test]
    fn an_account_that_sudo_lets_be_root_amounts_to_root_however_the_line_names_it() {
        for users in [
            POSTGRES,
            r#"{"usergroup":"ssl-cert"}"#,
            r#"{"userid":105}"#,
            r#"{"usergid":111}"#,
            r#"{"username":"ALL"}"#,
            r#"{"username":"bob","negated":true},{"username":"postgres"}"#,
        ] {
            for run_as in [
                "",
                r#""runasusers":[{"username":"ALL"}],"#,
                r#""runasusers":[{"username":"shopdb"},{"userid":0}],"#,
            ] {
                let found = of(&[spec(users, HERE, &format!("{run_as}{ANYTHING}"))]);
                assert_eq!(found.len(), 1, "{users} {run_as}");
                assert!(found[0].contains("anything as root"), "{found:?}");
                assert!(found[0].ends_with("amounts to being root"), "{found:?}");
            }
        }
    }

    #[test]
    fn a_line_that_is_not_this_accounts_or_ends_or_gives_little_says_nothing() {
        for (users, hosts, part) in [
            (r#"{"username":"bob"}"#, HERE, ANYTHING),
            (
                r#"{"username":"ALL"},{"username":"postgres","negated":true}"#,
                HERE,
                ANYTHING,
            ),
            (POSTGRES, r#"{"hostname":"db-07"}"#, ANYTHING),
            (
                POSTGRES,
                r#"{"hostname":"ALL"},{"hostname":"web-01","negated":true}"#,
                ANYTHING,
            ),
            (
                POSTGRES,
                HERE,
                r#""Options":[{"notafter":"20991231000000Z"}],"Commands":[{"command":"ALL"}]"#,
            ),
            (
                POSTGRES,
                HERE,
                r#""Commands":[{"command":"ALL","negated":true}]"#,
            ),
            (
                POSTGRES,
                HERE,
                r#""Commands":[{"command":"/usr/bin/systemctl reload postgresql"}]"#,
            ),
            (
                POSTGRES,
                HERE,
                r#""runasusers":[{"username":"postgres"}],"Commands":[{"command":"ALL"}]"#,
            ),
        ] {
            let found = of(&[spec(users, hosts, part)]);
            assert_eq!(found, Vec::<String>::new(), "{users} {hosts} {part}");
        }
        let taken_back = r#""Commands":[{"command":"ALL","negated":true}]"#;
        let both = [
            spec(POSTGRES, HERE, ANYTHING),
            spec(POSTGRES, HERE, taken_back),
        ];
        assert_eq!(of(&both), Vec::<String>::new());
    }

    #[test]
    fn what_is_narrower_is_judged_as_a_role_s_commands_are() {
        let line = |part: &str| of(&[spec(POSTGRES, "{\"hostname\":\"web-01\"}", part)]).join("\n");
        let vim = line(r#""Commands":[{"command":"/usr/bin/vim"}]"#);
        assert!(vim.contains("run \"/usr/bin/vim\" as root"), "{vim}");
        let edit = line(r#""Commands":[{"command":"sudoedit /etc/hosts /etc/sudoers"}]"#);
        assert!(edit.contains("edit /etc/sudoers as root"), "{edit}");
        let any = line(r#""Commands":[{"command":"sudoedit"}]"#);
        assert!(any.contains("edit any file as root"), "{any}");
        let other = line(&format!(
            r#""runasusers":[{{"username":"shopdb"}}],{ANYTHING}"#
        ));
        assert!(other.ends_with("amounts to being shopdb"), "{other}");
        let but = r#""runasusers":[{"username":"ALL"},{"username":"root","negated":true}],"#;
        let others = line(&format!("{but}{ANYTHING}"));
        assert!(others.ends_with("being anybody but root"), "{others}");
    }
}
