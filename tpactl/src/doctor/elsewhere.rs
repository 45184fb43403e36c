//! Does a rule that is not a grant's give gated people sudo? It has no end, and works whenever
//! they hold a grant for something else, which the trail then marks.

use tpa_bus::sudo_list::endless;

use super::{Finding, Host, gate};

const SUDO: &str = "/usr/bin/sudo";

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
        let Some(listed) = host.run(SUDO, &["-n", "-l", "-U", &name]) else {
            continue;
        };
        if let Some(rule) = endless(&listed.said).next() {
            findings.push(Finding::warning(
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

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

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
