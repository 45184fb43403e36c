//! Does `tpad` run, and will it after a reboot?

use super::{Finding, Host};

const AREA: &str = "tpad";
const SYSTEMCTL: &str = "/usr/bin/systemctl";

// The same shape for every area, so that they stand in one list.
#[allow(clippy::unnecessary_wraps)]
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let question = |word: &str, unit: &str| {
        let ran = host.run(SYSTEMCTL, &[word, unit]);
        ran.map_or_else(|| "unknown".to_owned(), |ran| first_word(&ran.said))
    };
    let mut findings = Vec::new();
    for unit in ["tpad.service", "tpa-boot.service"] {
        let enabled = question("is-enabled", unit);
        if enabled != "enabled" {
            findings.push(Finding::error(
                AREA,
                format!("{unit} is {enabled}: it does not start with the host"),
                format!("systemctl enable {unit}"),
            ));
        }
    }
    let active = question("is-active", "tpad.service");
    if active != "active" {
        findings.push(Finding::error(
            AREA,
            format!("tpad.service is {active}: nobody can be granted access"),
            "systemctl restart tpad; journalctl -u tpad tells why it stopped",
        ));
    }
    Ok(findings)
}

fn first_word(said: &str) -> String {
    said.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_daemon_that_is_off_is_found() {
        let mut host = fake::protected();
        fake::saying!(host, "/usr/bin/systemctl", false, "masked\n");
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[0].problem,
            "tpad.service is masked: it does not start with the host"
        );
        assert_eq!(found[0].fix, "systemctl enable tpad.service");
    }
}
