//! Whom does the gate stop, and who gets in when everything else fails?

use tpa_bus::names::GATE_FILE;
use tpa_bus::offline::{GateFile, Who};

use super::{Finding, Host};

const AREA: &str = "gate";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let Some(text) = host.read(GATE_FILE)? else {
        return Ok(vec![Finding::new(
            AREA,
            format!("{GATE_FILE} is missing: everyone but root and system users is gated"),
            "systemctl restart tpad, which writes it; journalctl -u tpad tells why it did not",
        )]);
    };
    let gate = match GateFile::parse(&text) {
        Ok(gate) => gate,
        Err(error) => {
            return Ok(vec![Finding::new(
                AREA,
                format!("{GATE_FILE}, {error}: everyone but root and system users is gated"),
                "systemctl restart tpad, which writes it anew",
            )]);
        }
    };
    if gate.login.is_empty() && gate.sudo.is_empty() {
        return Ok(vec![Finding::new(
            AREA,
            "nobody needs a grant on this host",
            "name people under [gate] login in /etc/tpa/tpad.toml, then: systemctl reload tpad",
        )]);
    }
    let mut exempt = false;
    for who in &gate.exempt {
        exempt |= !is_empty(who, host)?;
    }
    if exempt {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(
        AREA,
        "gate.exempt has nobody in it: when tpad fails, only root can log in",
        "put the people who mend the host in an emergency: gpasswd -a NAME tpa-emergency",
    )])
}

/// Whether nobody is meant. A group of another source than the files cannot be counted here, so
/// it is taken to have members.
fn is_empty(who: &Who, host: &Host) -> Result<bool, Finding> {
    let Who::Group(name) = who else {
        return Ok(false);
    };
    let groups = host.read("/etc/group")?.unwrap_or_default();
    let entry = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [group, _, gid, members] if group == name => Some((*gid, *members)),
            _ => None,
        }
    });
    let Some((gid, members)) = entry else {
        return Ok(false);
    };
    let users = host.read("/etc/passwd")?.unwrap_or_default();
    let primary = users
        .lines()
        .any(|line| line.split(':').nth(3) == Some(gid));
    Ok(members.is_empty() && !primary)
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    fn problem(host: &fake::Fake) -> String {
        let found = examine(&host.host).unwrap();
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
