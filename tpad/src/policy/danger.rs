//! PURE: rules that give more than they seem to, and the narrower way.
//!
//! A grant of unrestricted root cannot be contained, so what amounts to it is told before it is
//! given. This is advice: it knows common programs, not all of them.

mod kinds;

use super::{Policy, Role, SudoRule};
use kinds::{is_open, kind_of};

/// A rule that gives more than it seems to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The role; empty when the gate is meant.
    pub role: String,
    /// The command or file, or empty when the role as a whole is meant.
    pub rule: String,
    /// What it really gives.
    pub message: String,
    /// The narrower way.
    pub instead: &'static str,
}

/// How the gate could lock everybody out.
#[must_use]
pub fn of_gate(policy: &Policy) -> Option<Warning> {
    let gate = &policy.gate;
    let gated = !(gate.login.is_empty() && gate.sudo.is_empty());
    (gated && gate.exempt.is_empty()).then(|| Warning {
        role: String::new(),
        rule: String::new(),
        message: "nobody is exempt: when tpad is broken, only root and those not gated get in"
            .to_owned(),
        instead: "name an emergency group under [gate] exempt, and put somebody into it",
    })
}

/// What a role gives beyond what it seems to.
#[must_use]
pub fn warnings(role: &Role) -> Vec<Warning> {
    let mut found = Vec::new();
    if role.gives.break_glass && role.approvers.is_empty() {
        found.push(Warning {
            role: role.name.clone(),
            rule: String::new(),
            message: "break-glass access that nobody can review".to_owned(),
            instead: "name who reviews it under [approve] who",
        });
    }
    for rule in &role.gives.sudo {
        let commands = rule.run.iter().map(|run| (run, of_command(run, rule)));
        let files = rule.edit.iter().map(|file| (file, of_file(file, rule)));
        for (text, dangers) in commands.chain(files) {
            found.extend(dangers.into_iter().map(|danger| Warning {
                role: role.name.clone(),
                rule: text.clone(),
                message: danger.message,
                instead: danger.instead,
            }));
        }
    }
    found
}

struct Danger {
    message: String,
    instead: &'static str,
}

fn of_command(command: &str, rule: &SudoRule) -> Vec<Danger> {
    let whom = rule.run_as.as_str();
    let (path, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let program = path.rsplit('/').next().unwrap_or(path);
    let known = of_program(program, arguments, whom);
    let open = known
        .is_none()
        .then(|| of_arguments(arguments, whom))
        .flatten();
    [known, open, of_place(path, whom)]
        .into_iter()
        .flatten()
        .collect()
}

fn of_program(program: &str, arguments: &str, whom: &str) -> Option<Danger> {
    match program {
        "systemctl" => return of_systemctl(arguments, whom),
        "journalctl" => return of_paging(arguments, whom),
        _ => {}
    }
    let kind = kind_of(program).filter(|kind| (kind.when)(arguments))?;
    Some(Danger {
        message: format!("{}: this amounts to being {whom}", kind.how),
        instead: kind.instead,
    })
}

fn of_systemctl(arguments: &str, whom: &str) -> Option<Danger> {
    let all = |how: &str, instead| Danger {
        message: format!("{how}: this amounts to being {whom}"),
        instead,
    };
    let verb = arguments.split(' ').find(|word| !word.starts_with('-'));
    match verb {
        None | Some("" | "*") => Some(all(
            "any verb of systemctl, edit and link among them",
            "name the verb and the unit, as in /usr/bin/systemctl restart nginx",
        )),
        Some("edit" | "link" | "enable" | "set-environment" | "import-environment") => Some(all(
            "can start any program as a unit",
            "name the unit's drop-in under edit, and give systemctl restart for it",
        )),
        Some("status" | "cat" | "list-units" | "show") => of_paging(arguments, whom),
        Some(_) => of_arguments(arguments, whom),
    }
}

/// What shows its output in a pager unless told not to.
fn of_paging(arguments: &str, whom: &str) -> Option<Danger> {
    if arguments.split(' ').any(|word| word == "--no-pager") {
        return of_arguments(arguments, whom);
    }
    Some(Danger {
        message: format!("shows its output in a pager, which starts shells as {whom}"),
        instead: "add --no-pager",
    })
}

/// No arguments named means any; a wildcard matches spaces and slashes too.
fn of_arguments(arguments: &str, whom: &str) -> Option<Danger> {
    if !is_open(arguments) {
        return None;
    }
    Some(if arguments.is_empty() {
        Danger {
            message: format!("with any arguments at all, as {whom}"),
            instead: "spell the arguments out, or write \"\" after the command for none",
        }
    } else {
        Danger {
            message: "a wildcard stands for any text, further arguments and ../ included"
                .to_owned(),
            instead: "spell the arguments out, one rule for each case",
        }
    })
}

/// Folders in which people other than root may well be able to put a program.
const LOOSE: &[&str] = &[
    "/home/",
    "/tmp/",
    "/var/tmp/",
    "/dev/shm/",
    "/run/user/",
    "/srv/",
    "/mnt/",
];

fn of_place(path: &str, whom: &str) -> Option<Danger> {
    LOOSE
        .iter()
        .any(|folder| path.starts_with(folder))
        .then(|| Danger {
            message: format!("who can write this program can be {whom}"),
            instead: "keep it in /usr/local/sbin, with root alone able to write it",
        })
}

/// What leads to root for who can edit it.
const KEYS: &[&str] = &[
    "/etc/sudoers",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/pam.",
    "/etc/security/",
    "/etc/ssh/",
    "/etc/cron",
    "/etc/anacrontab",
    "/etc/systemd/",
    "/etc/init",
    "/etc/ld.so",
    "/etc/profile",
    "/etc/bash",
    "/etc/environment",
    "/etc/tpa/",
    "/etc/polkit-1/",
    "/etc/dbus-1/",
    "/etc/udev/",
    "/etc/modprobe.d/",
    "/etc/apt/",
    "/etc/yum",
    "/etc/dnf/",
    "/etc/nsswitch.conf",
    "/etc/logrotate",
    "/etc/fstab",
    "/etc/login.defs",
    "/root/",
    "/usr/",
    "/lib",
    "/bin/",
    "/sbin/",
    "/boot/",
    "/var/spool/cron",
    "/var/lib/tpa/",
];

fn of_file(file: &str, rule: &SudoRule) -> Vec<Danger> {
    let key = KEYS.iter().any(|start| file.starts_with(start)) && rule.run_as == "root";
    let wild = file.contains(['*', '?', '[']);
    [
        key.then(|| Danger {
            message: "who can edit this file can become root".to_owned(),
            instead: "give a root-owned script that makes the one change",
        }),
        wild.then(|| Danger {
            message: "a wildcard lets them make new files in the folder too".to_owned(),
            instead: "name each file",
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangers(command: &str) -> Vec<String> {
        let rule = SudoRule {
            run_as: "root".into(),
            run_as_group: None,
            run: Vec::new(),
            edit: Vec::new(),
            password: true,
        };
        let found = of_command(command, &rule);
        found.into_iter().map(|danger| danger.message).collect()
    }

    #[test]
    fn what_amounts_to_root_is_told() {
        for command in [
            "/bin/bash",
            "/usr/bin/python3.11 /opt/x.py",
            "/usr/bin/vim /etc/motd",
            "/usr/bin/less /var/log/syslog",
            "/usr/bin/apt-get install nginx",
            "/usr/bin/systemd-run *",
            "/usr/bin/docker ps",
            "/usr/bin/su - postgres",
            "/usr/bin/find /srv -name x",
            "/usr/bin/tar -xf x",
            "/usr/bin/systemctl",
            "/usr/bin/systemctl edit nginx",
            "/usr/bin/tee",
            "/usr/bin/psql -d shop",
        ] {
            let found = dangers(command);
            assert_eq!(found.len(), 1, "{command}: {found:?}");
            assert!(
                found[0].ends_with("this amounts to being root"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn pagers_wildcards_and_open_arguments_are_told() {
        for (command, part) in [
            ("/usr/bin/journalctl -u nginx", "pager"),
            ("/usr/bin/systemctl status nginx", "pager"),
            ("/usr/bin/journalctl --no-pager -u *", "wildcard"),
            ("/usr/bin/systemctl restart nginx*", "wildcard"),
            ("/usr/bin/systemctl ^restart .+$", "wildcard"),
            ("/usr/sbin/nginx", "any arguments"),
            ("/home/deploy/release \"\"", "who can write this program"),
        ] {
            let found = dangers(command);
            assert!(
                found.len() == 1 && found[0].contains(part),
                "{command}: {found:?}"
            );
        }
    }

    #[test]
    fn narrow_rules_are_quiet() {
        for command in [
            "/usr/bin/systemctl restart nginx",
            "/usr/bin/journalctl --no-pager -u nginx",
            "/usr/sbin/nginx -t",
            "/usr/bin/id \"\"",
            "/usr/bin/chown www-data /var/www/x",
            "/usr/bin/psql -d shop -c \"select 1\"",
        ] {
            assert_eq!(dangers(command), Vec::<String>::new(), "{command}");
        }
    }
}
