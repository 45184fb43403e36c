//! Can the installed sudo record what roles want recorded?

use tpa_bus::names::ROLES_DIR;

use super::{Finding, Host};

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let version = host.run("/usr/bin/sudo", &["-V"]);
    if !version.is_some_and(|ran| ran.said.contains("sudo-rs")) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for name in host.names(ROLES_DIR)? {
        let Some(role) = name.to_str().and_then(|name| name.strip_suffix(".toml")) else {
            continue;
        };
        let text = host
            .read(&format!("{ROLES_DIR}/{role}.toml"))?
            .unwrap_or_default();
        if text.lines().any(wants_recording) {
            findings.push(Finding::warning(
                "sudo",
                format!("{role} wants what runs under it recorded, which sudo-rs cannot"),
                format!("install sudo, or set record = false in {ROLES_DIR}/{role}.toml"),
            ));
        }
    }
    Ok(findings)
}

/// Whether a line of a role file is `record = true`. What else may be wrong with the file is for
/// `tpactl check` to say.
fn wants_recording(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    match line.split_once('=') {
        Some((key, value)) => key.trim() == "record" && value.trim() == "true",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_role_that_sudo_rs_cannot_record_is_found() {
        let mut host = fake::protected();
        host.write(
            "etc/tpa/roles.d/web-ops.toml",
            "[gives]\nrecord = true  # always\n",
        );
        host.write(
            "etc/tpa/roles.d/db.toml",
            "[gives]\n# record = true\nrecord = false\n",
        );
        assert_eq!(examine(&host.host).unwrap(), Vec::new(), "sudo can");
        fake::saying!(host, "/usr/bin/sudo", true, "sudo-rs 0.2.5\n");
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].problem.starts_with("web-ops wants"));
    }
}
