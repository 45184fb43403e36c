//! Does a rule that is not a grant's give gated people sudo? It has no end, and works whenever
//! they hold a grant for something else.

use super::{Finding, Host, gate};

const SUDO: &str = "/usr/bin/sudo";

/// What stands in each of `tpad`'s rules (sudoers(5)).
const ENDS: &str = " NOTAFTER=";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    // sudo-rs neither lists other people's rules nor knows rules with an end.
    let version = host.run(SUDO, &["-V"]);
    if !version.is_some_and(|ran| ran.said.contains("Sudo version")) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    // What is wrong with the gate's file is told by the area that is about it.
    let Ok(gate) = gate::read(host) else {
        return Ok(findings);
    };
    for name in gate::gated(&gate, host)? {
        let Some(listed) = host.run(SUDO, &["-l", "-U", &name]) else {
            continue;
        };
        if let Some(rule) = endless(&listed.said) {
            findings.push(Finding::new(
                "sudo",
                format!("{name} has a rule without an end, outside every grant: {rule}"),
                format!(
                    "sudo -l -U {name} lists it; take it out of /etc/sudoers or /etc/sudoers.d \
                     with visudo, and give it by a role"
                ),
            ));
        }
    }
    Ok(findings)
}

/// The first rule without an end in what `sudo -l -U` says. A rule begins with whom it runs as,
/// in parentheses; what goes on in the next line is set in further.
fn endless(listed: &str) -> Option<&str> {
    let rules = listed.lines().filter(|line| line.starts_with("    ("));
    rules.map(str::trim).find(|rule| !rule.contains(ENDS))
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    const LISTED: &str = "User alice may run the following commands on web-01:
    (root) NOTAFTER=20261124113620Z NOPASSWD: /usr/bin/systemctl restart cron,
        (/usr/bin/sleep 4711), sudoedit /etc/nginx/nginx.conf
    (ALL : ALL) ALL
";

    #[test]
    fn a_rule_without_an_end_is_told_from_those_of_grants() {
        assert_eq!(endless(LISTED), Some("(ALL : ALL) ALL"));
        assert_eq!(endless(LISTED.rsplit_once("    (").unwrap().0), None);
        assert_eq!(
            endless("User bob is not allowed to run sudo on web-01.\n"),
            None
        );
    }

    #[test]
    fn each_gated_person_is_looked_at() {
        let mut host = fake::protected();
        host.write(
            "etc/passwd",
            "alice:x:1001:1001::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\neve:x:1005:1005::/:/bin/sh\n",
        );
        fake::saying!(
            host,
            "/usr/bin/sudo",
            true,
            "Sudo version 1.9.13p3\n    (ALL) ALL\n"
        );
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0]
                .problem
                .starts_with("alice has a rule without an end")
        );
    }
}
