//! Does PAM ask the gate, in every service that lets people in or up, and in the right place?

use super::stack::{self, Line};
use super::{Finding, Host, Severity};

const AREA: &str = "pam";
const MODULE: &str = "pam_tpa.so";

/// Where authselect writes the lines, it writes them anew, and by hand none would last.
const AUTHSELECT: &str = "/etc/authselect/authselect.conf";

/// The line that registers what is let in, and sets its end.
const SETS: &str = "session requisite pam_tpa.so";

/// What is wrong with a service: a line that is missing, or in a place where it does not count.
struct Gap {
    severity: Severity,
    problem: String,
    line: &'static str,
    place: &'static str,
}

/// Services that are looked at where they are installed.
const SERVICES: [&str; 9] = [
    "sshd", "login", "su", "su-l", "cron", "crond", "atd", "sudo", "sudo-i",
];

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let by_authselect = host.read(AUTHSELECT)?.is_some();
    let mut findings = Vec::new();
    for service in SERVICES {
        let Some(lines) = stack::of(host, service)? else {
            continue;
        };
        let gaps = [
            decision(service, &lines),
            session(service, &lines),
            scope(service, &lines),
        ];
        for gap in gaps.into_iter().flatten() {
            let fix = fix(service, &gap, by_authselect);
            findings.push(Finding::of(gap.severity, AREA, gap.problem, fix));
        }
    }
    Ok(findings)
}

/// pam-auth-update leaves files alone whose part of its own was edited, and ends well all the same.
fn fix(service: &str, gap: &Gap, by_authselect: bool) -> String {
    if by_authselect {
        return "/usr/share/tpa/make-authselect-profile, which says how to select it (pam_tpa(8))"
            .into();
    }
    format!(
        "pam-auth-update --enable tpa tpa-scope; where it says \"Local modifications\", put the line \
         \"{}\" by hand {}, in /etc/pam.d/{service} or the file that it includes",
        gap.line, gap.place
    )
}

/// The account phase decides, so the module must stand there, and nothing before it may end the
/// phase: an expired password would do, where `pam_unix` stands first with `done`.
fn decision(service: &str, lines: &[Line]) -> Option<Gap> {
    let gap = |problem| Gap {
        severity: Severity::Error,
        problem,
        line: "account required pam_tpa.so",
        place: "before the other account lines",
    };
    let account: Vec<&Line> = lines
        .iter()
        .filter(|line| line.phase == "account")
        .collect();
    let Some(place) = account.iter().position(|line| line.module == MODULE) else {
        return Some(gap(format!("{service} has no account line with {MODULE}")));
    };
    let before = account.iter().take(place).enumerate();
    let passes = before.rev().find(|(at, line)| line.may_pass(place - at))?;
    let module = &passes.1.module;
    Some(gap(format!(
        "{service} asks {module} before {MODULE} in the account phase, \
         and what that answers can let people pass the gate"
    )))
}

/// The session phase registers what was let in, and sets its end.
fn session(service: &str, lines: &[Line]) -> Option<Gap> {
    let stands = lines.iter().any(|line| line.is("session", MODULE));
    (!stands).then(|| Gap {
        severity: Severity::Error,
        problem: format!("{service} has no session line with {MODULE}"),
        line: SETS,
        place: "before the other session lines",
    })
}

/// Where `pam_systemd` opens the scope of a login, the module stands before it, to set the
/// scope's end, and after it with `scope`, to check it.
fn scope(service: &str, lines: &[Line]) -> Option<Gap> {
    let systemd = lines
        .iter()
        .position(|line| line.is("session", "pam_systemd.so"))?;
    let (before, after) = lines.split_at_checked(systemd)?;
    let sets = |line: &Line| line.is("session", MODULE) && !line.has("scope");
    let checks = |line: &Line| line.is("session", MODULE) && line.has("scope");
    let (severity, problem, line, place) = if !before.iter().any(sets) {
        (
            Severity::Error,
            format!(
                "no session line with {MODULE} before pam_systemd.so: logins would have no end of their own"
            ),
            SETS,
            "before the other session lines",
        )
    } else if !after.iter().any(checks) {
        (
            Severity::Warning,
            format!(
                "no session line with {MODULE} scope after pam_systemd.so: nothing checks that logins have an end"
            ),
            "session required pam_tpa.so scope",
            "behind pam_systemd.so",
        )
    } else {
        return None;
    };
    Some(Gap {
        severity,
        problem: format!("{service} has {problem}"),
        line,
        place,
    })
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
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].contains("sshd has no session line with pam_tpa.so before pam_systemd.so")
        );
        host.write(
            "etc/pam.d/common-session",
            "session required pam_tpa.so\nsession optional pam_systemd.so\nsession required pam_tpa.so\n",
        );
        assert!(
            problems(&host)[0].contains("sshd has no session line with pam_tpa.so scope after")
        );
    }

    #[test]
    fn a_module_that_may_end_the_phase_before_the_gate_is_found() {
        let host = fake::protected();
        let gate = "account required pam_tpa.so\n";
        for (before, found) in [
            ("account sufficient pam_localuser.so\n", 5),
            (
                "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n",
                5,
            ),
            ("account [success=1 default=ignore] pam_unix.so\n", 5),
            (
                "account [success=1 default=ignore] pam_unix.so\naccount requisite pam_deny.so\n",
                0,
            ),
            (
                "account required pam_unix.so\naccount requisite pam_nologin.so\n",
                0,
            ),
            ("auth sufficient pam_unix.so\n", 0),
        ] {
            host.write("etc/pam.d/common-account", &format!("{before}{gate}"));
            assert_eq!(problems(&host).len(), found, "{before}");
        }
    }

    /// Does what a fix says to do by hand to a file that pam-auth-update leaves alone.
    fn by_hand(text: &str, fix: &str) -> String {
        let words: Vec<&str> = fix.split('"').collect();
        let (line, place) = (words[3], words[4]);
        let mut lines: Vec<&str> = text.lines().collect();
        let phase = line.split(' ').next().unwrap();
        let at = if place.contains("behind pam_systemd.so") {
            let systemd = lines
                .iter()
                .position(|line| line.contains("pam_systemd.so"));
            systemd.unwrap() + 1
        } else {
            assert!(
                place.contains(&format!("before the other {phase} lines")),
                "{fix}"
            );
            lines
                .iter()
                .position(|line| line.starts_with(phase))
                .unwrap()
        };
        lines.insert(at, line);
        lines.join("\n") + "\n"
    }

    #[test]
    fn what_a_fix_says_to_do_by_hand_corrects_files_that_were_edited() {
        let host = fake::protected();
        let mut files = [
            (
                "common-account",
                "account required pam_access.so\naccount sufficient pam_localuser.so\naccount required pam_unix.so\n".to_owned(),
            ),
            (
                "common-session",
                "session required pam_unix.so\nsession optional pam_systemd.so\nsession optional pam_mkhomedir.so\n".to_owned(),
            ),
            ("common-session-noninteractive", "session required pam_unix.so\n".to_owned()),
        ];
        let mut steps = 0;
        loop {
            for (name, text) in &files {
                host.write(&format!("etc/pam.d/{name}"), text);
            }
            let found = examine(&host.host).unwrap();
            let Some(finding) = found.first() else { break };
            let file = match (
                finding.problem.contains("account"),
                finding.problem.starts_with("sudo"),
            ) {
                (true, _) => &mut files[0],
                (false, false) => &mut files[1],
                (false, true) => &mut files[2],
            };
            file.1 = by_hand(&file.1, &finding.fix);
            steps += 1;
            assert!(steps < 10, "{:?}", finding.problem);
        }
        assert_eq!(steps, 4);
    }

    #[test]
    fn where_authselect_writes_the_lines_its_feature_is_named() {
        let host = fake::protected();
        host.write("etc/authselect/authselect.conf", "sssd\n");
        host.write("etc/pam.d/common-account", "account required pam_unix.so\n");
        for finding in examine(&host.host).unwrap() {
            assert!(
                finding.fix.contains("make-authselect-profile"),
                "{}",
                finding.fix
            );
        }
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
            "account required /lib/security/pam_tpa.so\n\
             account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n-session optional \\\n pam_tpa.so\n",
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
