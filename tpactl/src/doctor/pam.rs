//! Does PAM ask the gate, in every service that lets people in or up, and in the right place?

use super::stack::{self, Line};
use super::{Finding, Host};

const AREA: &str = "pam";
const MODULE: &str = "pam_tpa.so";
const MEND: &str = "pam-auth-update --enable tpa tpa-scope, \
                    or add the lines of pam_tpa(8) to the service by hand";

/// Services that are looked at where they are installed.
const SERVICES: [&str; 9] = [
    "sshd", "login", "su", "su-l", "cron", "crond", "atd", "sudo", "sudo-i",
];

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    for service in SERVICES {
        let Some(lines) = stack::of(host, service)? else {
            continue;
        };
        let problems = [
            decision(service, &lines),
            session(service, &lines),
            scope(service, &lines),
        ];
        let found = problems.into_iter().flatten();
        findings.extend(found.map(|problem| Finding::new(AREA, problem, MEND)));
    }
    Ok(findings)
}

/// The account phase decides, so the module must stand there, and nothing before it may end the
/// phase: an expired password would do, where `pam_unix` stands first with `done`.
fn decision(service: &str, lines: &[Line]) -> Option<String> {
    let account: Vec<&Line> = lines
        .iter()
        .filter(|line| line.phase == "account")
        .collect();
    let Some(place) = account.iter().position(|line| line.module == MODULE) else {
        return Some(format!("{service} has no account line with {MODULE}"));
    };
    let before = account.iter().take(place).enumerate();
    let passes = before.rev().find(|(at, line)| line.may_pass(place - at))?;
    let module = &passes.1.module;
    Some(format!(
        "{service} asks {module} before {MODULE} in the account phase, \
         and what that answers can let people pass the gate"
    ))
}

/// The session phase registers what was let in, and sets its end.
fn session(service: &str, lines: &[Line]) -> Option<String> {
    let stands = lines.iter().any(|line| line.is("session", MODULE));
    (!stands).then(|| format!("{service} has no session line with {MODULE}"))
}

/// Where `pam_systemd` opens the scope of a login, the module stands before it, to set the
/// scope's end, and after it with `scope`, to check it.
fn scope(service: &str, lines: &[Line]) -> Option<String> {
    let systemd = lines
        .iter()
        .position(|line| line.is("session", "pam_systemd.so"))?;
    let (before, after) = lines.split_at_checked(systemd)?;
    let sets = |line: &Line| line.is("session", MODULE) && !line.has("scope");
    let checks = |line: &Line| line.is("session", MODULE) && line.has("scope");
    let problem = if !before.iter().any(sets) {
        format!(
            "no session line with {MODULE} before pam_systemd.so: logins would have no end of their own"
        )
    } else if !after.iter().any(checks) {
        format!(
            "no session line with {MODULE} scope after pam_systemd.so: nothing checks that logins have an end"
        )
    } else {
        return None;
    };
    Some(format!("{service} has {problem}"))
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
