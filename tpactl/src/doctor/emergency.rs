//! Whom does the gate stop, and who gets in when everything else fails?

use super::{Finding, Host, gate};

const AREA: &str = "gate";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let gate = gate::read(host)?;
    if gate.login.is_empty() && gate.sudo.is_empty() {
        return Ok(vec![Finding::error(
            AREA,
            "nobody needs a grant on this host",
            "name people under [gate] login in /etc/tpa/tpad.toml, then: systemctl reload tpad",
        )]);
    }
    let mut exempt = false;
    for who in &gate.exempt {
        exempt |= !gate::is_empty(who, host)?;
    }
    if exempt {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::warning(
        AREA,
        "gate.exempt has nobody in it: when tpad fails, only root can log in",
        "put the people who repair the host in an emergency: gpasswd -a NAME tpa-emergency",
    )])
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    fn problem(host: &fake::Fake) -> String {
        let found = examine(&host.host).unwrap_or_else(|finding| vec![finding]);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].problem.clone()
    }

    #[test]
    fn an_empty_emergency_group_is_found() {
        let host = fake::protected();
        host.write("etc/group", "tpa-emergency:x:2001:\n");
        assert!(problem(&host).starts_with("gate.exempt has nobody in it"));
        host.write("etc/passwd", "eve:x:1005:2001::/home/eve:/bin/bash\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new(), "by primary group");
    }

    #[test]
    fn a_gate_that_stops_nobody_or_is_missing_is_found() {
        let host = fake::protected();
        host.write("var/lib/tpa/gate", "tpa-gate 1\nuid_min 1000\nend\n");
        assert_eq!(problem(&host), "nobody needs a grant on this host");
        host.write("var/lib/tpa/gate", "tpa-gate 1\nuid_min 1000\n");
        assert!(problem(&host).contains("the end is missing"));
        host.remove("var/lib/tpa/gate");
        assert!(problem(&host).contains("is missing"));
    }
}
