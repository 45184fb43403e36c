//! Does sudo read the rules that `tpad` writes?

use tpa_bus::names::SUDOERS_DIR;

use super::{Finding, Host};

const AREA: &str = "sudo";
const DROP_IN: &str = "/etc/sudoers.d/tpa";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    if !includes(host, DROP_IN, SUDOERS_DIR)? {
        findings.push(Finding::error(
            AREA,
            format!("{DROP_IN} does not include {SUDOERS_DIR}: grants give no sudo"),
            format!("install the tpa package again, or write \"@includedir {SUDOERS_DIR}\" there"),
        ));
    }
    if !includes(host, "/etc/sudoers", "/etc/sudoers.d")? {
        findings.push(Finding::error(
            AREA,
            "/etc/sudoers does not include /etc/sudoers.d: grants give no sudo",
            "add \"@includedir /etc/sudoers.d\" at its end, with visudo",
        ));
    }
    Ok(findings)
}

/// Whether a file has the line; sudoers(5) also takes the older form with `#`.
fn includes(host: &Host, file: &str, folder: &str) -> Result<bool, Finding> {
    let text = host.read(file)?.unwrap_or_default();
    Ok(text.lines().any(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("@includedir" | "#includedir")) && words.next() == Some(folder)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_missing_line_is_found_in_either_file() {
        let host = fake::protected();
        host.write("etc/sudoers.d/tpa", "# @includedir /run/tpa/sudoers.d\n");
        host.write("etc/sudoers", "root ALL=(ALL) ALL\n");
        assert_eq!(examine(&host.host).unwrap().len(), 2);
        host.remove("etc/sudoers.d/tpa");
        assert_eq!(examine(&host.host).unwrap().len(), 2);
    }

    #[test]
    fn the_older_form_of_the_line_counts() {
        let host = fake::protected();
        host.write("etc/sudoers", "#includedir /etc/sudoers.d\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }
}
