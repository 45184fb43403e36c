//! Does PAM ask the gate, in every service that lets people in or up?

use super::{Finding, Host};

const AREA: &str = "pam";
const MODULE: &str = "pam_tpa.so";
const MEND: &str = "pam-auth-update --enable tpa tpa-scope, \
                    or add the lines of pam_tpa(8) to the service by hand";

/// Services that are looked at where they are installed, and whether they open logins.
const SERVICES: [(&str, Opens); 9] = [
    ("sshd", Opens::Logins),
    ("login", Opens::Logins),
    ("su", Opens::Commands),
    ("su-l", Opens::Commands),
    ("cron", Opens::Commands),
    ("crond", Opens::Commands),
    ("atd", Opens::Commands),
    ("sudo", Opens::Commands),
    ("sudo-i", Opens::Commands),
];

/// What a service opens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Logins,
    Commands,
}

/// How deep files may include each other before it is taken for a circle.
const DEPTH: usize = 8;

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    for (service, opens) in SERVICES {
        let Some(lines) = lines(host, service, None, DEPTH)? else {
            continue;
        };
        for phase in ["account", "session"] {
            if !lines.iter().any(|line| line.is(phase, MODULE)) {
                let problem = format!("{service} has no {phase} line with {MODULE}");
                findings.push(Finding::new(AREA, problem, MEND));
            }
        }
        if opens == Opens::Logins {
            findings.extend(order(service, &lines));
        }
    }
    Ok(findings)
}

/// The module stands before `pam_systemd`, to set the scope's end, and after it, to check it.
fn order(service: &str, lines: &[Line]) -> Option<Finding> {
    let systemd = lines
        .iter()
        .position(|line| line.is("session", "pam_systemd.so"))?;
    let (before, after) = lines.split_at_checked(systemd)?;
    let stands = |lines: &[Line]| lines.iter().any(|line| line.is("session", MODULE));
    let problem = match (stands(before), stands(after)) {
        (true, true) => return None,
        (false, _) => "before pam_systemd.so: logins would have no end of their own",
        (true, false) => "after pam_systemd.so: nothing checks that logins have an end",
    };
    let problem = format!("{service} has no session line with {MODULE} {problem}");
    Some(Finding::new(AREA, problem, MEND))
}

/// One line of a service: its phase and its module's file name.
struct Line {
    phase: String,
    module: String,
}

impl Line {
    fn is(&self, phase: &str, module: &str) -> bool {
        self.phase == phase && self.module == module
    }
}

/// The lines of a service, what it includes set in (pam.conf(5)); `None` when it is not installed.
fn lines(
    host: &Host,
    service: &str,
    only: Option<&str>,
    depth: usize,
) -> Result<Option<Vec<Line>>, Finding> {
    let Some(text) = host.read(&format!("/etc/pam.d/{service}"))? else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split('#').next().unwrap_or_default();
        let (phase, file) = match rule(line) {
            Rule::Module(line) => {
                if only.is_none_or(|only| only == line.phase) {
                    found.push(line);
                }
                continue;
            }
            Rule::Include { phase, file } => (phase, file),
            Rule::Nothing => continue,
        };
        if depth == 0 {
            let problem = format!("{service} includes itself by way of {file}");
            return Err(Finding::new(
                AREA,
                problem,
                "mend the include lines in /etc/pam.d",
            ));
        }
        let wanted = phase.as_deref();
        if wanted.is_none() || only.is_none() || wanted == only {
            let included = lines(host, &file, wanted.or(only), depth - 1)?;
            found.extend(included.unwrap_or_default());
        }
    }
    Ok(Some(found))
}

/// What a line says.
enum Rule {
    Module(Line),
    Include { phase: Option<String>, file: String },
    Nothing,
}

fn rule(line: &str) -> Rule {
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else {
        return Rule::Nothing;
    };
    if first == "@include" {
        return words.next().map_or(Rule::Nothing, |file| Rule::Include {
            phase: None,
            file: file.to_owned(),
        });
    }
    let phase = first.trim_start_matches('-').to_ascii_lowercase();
    let control = words.next().unwrap_or_default();
    // A control in brackets has several words; the module comes after the one that closes it.
    if control.starts_with('[') && !control.ends_with(']') {
        words.by_ref().find(|word| word.ends_with(']'));
    }
    match (control, words.next()) {
        (_, None) => Rule::Nothing,
        ("include" | "substack", Some(file)) => Rule::Include {
            phase: Some(phase),
            file: file.to_owned(),
        },
        (_, Some(module)) => Rule::Module(Line {
            phase,
            module: module.rsplit('/').next().unwrap_or(module).to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    fn problems(host: &fake::Fake) -> Vec<String> {
        let found = examine(&host.host).unwrap();
        found.into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn a_service_without_the_gate_is_found_by_phase() {
        let host = fake::protected();
        host.write(
            "etc/pam.d/sudo",
            "@include common-account\nsession required pam_limits.so\n",
        );
        assert_eq!(
            problems(&host),
            ["sudo has no session line with pam_tpa.so"]
        );
    }

    #[test]
    fn a_line_that_is_commented_out_does_not_count() {
        let host = fake::protected();
        host.write(
            "etc/pam.d/common-account",
            "# account required pam_tpa.so\n",
        );
        assert_eq!(problems(&host).len(), 5);
    }

    #[test]
    fn the_order_around_pam_systemd_is_checked_for_logins() {
        let host = fake::protected();
        host.write(
            "etc/pam.d/common-session",
            "session optional pam_systemd.so\nsession required pam_tpa.so\n",
        );
        let found = problems(&host);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("sshd has no session line with pam_tpa.so before pam_systemd.so")
        );
    }

    #[test]
    fn includes_substacks_and_bracketed_controls_are_followed() {
        let host = fake::protected();
        host.write(
            "etc/pam.d/sudo",
            "account include base\nsession substack base\n",
        );
        host.write(
            "etc/pam.d/base",
            "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
             account required /lib/security/pam_tpa.so\n-session optional \\\n pam_tpa.so\n",
        );
        assert_eq!(problems(&host), Vec::<String>::new());
    }

    #[test]
    fn a_circle_of_includes_is_an_error_and_not_a_hang() {
        let host = fake::protected();
        host.write("etc/pam.d/sudo", "@include sudo\n");
        assert!(
            examine(&host.host)
                .unwrap_err()
                .problem
                .contains("includes itself")
        );
    }
}
