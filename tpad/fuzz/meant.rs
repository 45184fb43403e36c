//! A rule out of bytes, and what sudo has to read in its text: these users, this run-as, these
//! options and tags, these commands, and nothing beside.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value, json};
use tpa_bus::id::Id;
use tpad::plan::Rule;
use tpad::policy::SudoRule;

const UID: u32 = 1_001;
const ID: &str = "7H2KM4QX";

/// Fields parted by a line `--`: `as USER[:GROUP]` begins a part, `nopasswd`, `run COMMAND` and
/// `edit FILE` belong to it; `user NAME`, `role NAME` and `record` are the rule's. Any other field
/// is a command as it stands.
pub fn rule(text: &str) -> Rule {
    let mut rule = Rule {
        id: Id::parse(ID).unwrap(),
        uid: UID,
        user: "alice".into(),
        role: "fuzzed".into(),
        not_after: 1_795_493_870,
        sudo: vec![part("root")],
        record: false,
    };
    for field in text.split("\n--\n") {
        let (key, rest) = field.split_once(' ').unwrap_or((field, ""));
        if key == "as" {
            rule.sudo.push(part(rest));
        }
        let last = rule.sudo.last_mut().unwrap();
        match key {
            "as" => {}
            "user" => rule.user = rest.into(),
            "role" => rule.role = rest.into(),
            "record" => rule.record = true,
            "nopasswd" => last.password = false,
            "edit" => last.edit.push(rest.into()),
            "run" => last.run.push(rest.into()),
            _ => last.run.push(field.into()),
        }
    }
    rule
}

fn part(run_as: &str) -> SudoRule {
    let (user, group) = match run_as.split_once(':') {
        Some((user, group)) => (user, Some(group.into())),
        None => (run_as, None),
    };
    SudoRule {
        run_as: user.into(),
        run_as_group: group,
        run: vec![],
        edit: vec![],
        password: true,
        tidy: false,
    }
}

/// Runs a program of sudo's. Without it nothing is shown here, so that it has to be there.
pub fn sudos(program: &str, arguments: &[&str], file: &Path) -> Output {
    let ran = Command::new(program).args(arguments).arg(file).output();
    ran.unwrap_or_else(|error| {
        panic!("{program}, which comes with Debian's sudo: {error}\n  next: apt-get install sudo")
    })
}

/// What sudo reads (`cvtsudoers -f json`): its defaults, then each command with all that is said
/// about it, however the commands are grouped.
pub fn read(json: &[u8]) -> Vec<Value> {
    let mut all = object(serde_json::from_slice(json).unwrap());
    let mut read = vec![all.remove("Defaults").unwrap_or_default()];
    for entry in list(all.remove("User_Specs")) {
        let mut entry = object(entry);
        for commands in list(entry.remove("Cmnd_Specs")) {
            let mut commands = object(commands);
            for command in list(commands.remove("Commands")) {
                let mut said = entry.clone();
                said.extend(commands.clone());
                said.insert("Command".into(), command);
                read.push(said.into());
            }
        }
    }
    assert!(all.is_empty(), "{all:?}");
    read
}

/// What it has to read.
pub fn expected(rule: &Rule) -> Vec<Value> {
    let mut options = vec![
        json!({ "pam_acct_mgmt": true }),
        json!({ "pam_session": true }),
    ];
    if rule.record {
        options.extend([
            json!({ "log_output": true }),
            json!({ "iolog_flush": true }),
            json!({ "compress_io": false }),
            json!({ "iolog_dir": format!("/var/log/sudo-io/{ID}") }),
            json!({ "iolog_file": "%{user}-%{seq}" }),
            json!({ "log_subcmds": true }),
        ]);
    }
    let mut expected = vec![json!([{ "Binding": [{ "userid": UID }], "Options": options }])];
    for part in &rule.sudo {
        let run = part.run.iter().map(|command| as_read(command));
        let edit = part.edit.iter().map(|file| format!("sudoedit {file}"));
        for command in run.chain(edit) {
            let mut said = json!({
                "User_List": [{ "userid": UID }],
                "Host_List": [{ "hostname": "ALL" }],
                "runasusers": [{ "username": part.run_as }],
                "Options": [
                    { "notafter": "20261124041750Z" },
                    { "authenticate": part.password },
                ],
                "Command": { "command": command },
            });
            if let Some(group) = &part.run_as_group {
                said["runasgroups"] = json!([{ "usergroup": group }]);
            }
            expected.push(said);
        }
    }
    expected
}

/// sudo parts arguments by single spaces. In a regular expression it leaves spaces and
/// backslashes as they are.
fn as_read(command: &str) -> String {
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let arguments = arguments.trim_matches(' ');
    if !arguments.starts_with('^') {
        let words: Vec<_> = command.split(' ').filter(|word| !word.is_empty()).collect();
        return words.join(" ");
    }
    let escaped = arguments.replace(',', "\\,").replace(':', "\\:");
    format!("{program} {}", escaped.replace('=', "\\="))
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("an object was expected, not {value}");
    };
    object
}

fn list(value: Option<Value>) -> Vec<Value> {
    let Some(Value::Array(list)) = value else {
        panic!("a list was expected, not {value:?}");
    };
    list
}
