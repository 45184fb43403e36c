//! Does fail2ban(1) shut out the source address of people whom the gate refuses, which may be a
//! whole office's, beside what sshd does by itself (`PerSourcePenalties`)?

use super::{Finding, Host};

const FOLDER: &str = "/etc/fail2ban";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let runs = host
        .run("/usr/bin/systemctl", &["is-active", "fail2ban"])
        .is_some_and(|ran| ran.said.trim() == "active");
    // It is not there where it has no folder, whatever systemd says.
    if !runs || host.names(FOLDER)?.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = vec!["jail.conf".to_owned(), "jail.local".to_owned()];
    for name in host.names(&format!("{FOLDER}/jail.d"))? {
        files.push(format!("jail.d/{}", name.to_string_lossy()));
    }
    for file in files {
        let text = host.read(&format!("{FOLDER}/{file}"))?.unwrap_or_default();
        if text.lines().any(exempts_somebody) {
            return Ok(Vec::new());
        }
    }
    Ok(vec![Finding::warning(
        "sshd",
        "fail2ban counts refused logins and shuts out their source address",
        "add ignoreip with your networks under [DEFAULT] in /etc/fail2ban/jail.local, as for \
         PerSourcePenaltyExemptList of sshd",
    )])
}

/// Whether the line has an address beside this host's own.
fn exempts_somebody(line: &str) -> bool {
    let Some(("ignoreip", list)) = line.split_once('=').map(|(key, list)| (key.trim(), list))
    else {
        return false;
    };
    list.split(|c: char| c == ',' || c.is_whitespace())
        .any(|one| !one.is_empty() && !one.starts_with("127.") && one != "::1")
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_fail2ban_that_exempts_no_network_is_found() {
        let host = fake::protected();
        assert_eq!(examine(&host.host).unwrap(), Vec::new(), "not there");
        host.write(
            "etc/fail2ban/jail.conf",
            "[DEFAULT]\n#ignoreip = 10.0.0.0/8\nignoreip = 127.0.0.1/8 ::1\n",
        );
        let found = examine(&host.host).unwrap();
        assert!(found[0].fix.contains("ignoreip"));
        host.write("etc/fail2ban/jail.d/office.conf", "ignoreip=192.0.2.0/24\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        host.write("etc/fail2ban/jail.d/office.conf", "\n");
        let mut idle = host;
        fake::saying!(idle, "/usr/bin/systemctl", false, "inactive\n");
        assert_eq!(examine(&idle.host).unwrap(), Vec::new());
    }
}
