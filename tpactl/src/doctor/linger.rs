//! Does anybody's systemd go on without a login, or may anybody have it go on? `tpad` stops it at a
//! grant's end; until then it is a place to leave things in.

use super::{Finding, Host};

const FOLDER: &str = "/var/lib/systemd/linger";

/// What keeps people from turning it on for themselves, where polkit decides (polkit(8)).
const RULES: &str = "/usr/share/polkit-1/rules.d";
const RULE: &str = "00-tpa.rules";

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let rules = host.names(RULES)?;
    let allowed = !rules.is_empty() && rules.iter().all(|rule| rule != RULE);
    let allowed = allowed.then(|| {
        Finding::error(
            "linger",
            format!("{RULES}/{RULE} is missing: people may let services run on without a login, and become root by polkit"),
            "install the tpa package again",
        )
    });
    let names = host.names(FOLDER)?;
    let found = names.iter().map(|name| {
        let name = name.to_string_lossy();
        Finding::warning(
            "linger",
            format!("{name} may run services without a login ({FOLDER}/{name})"),
            format!("loginctl disable-linger {name}"),
        )
    });
    Ok(allowed.into_iter().chain(found).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_missing_rule_is_found_where_polkit_decides() {
        let host = fake::protected();
        assert_eq!(examine(&host.host).unwrap(), Vec::new(), "no polkit");
        host.write("usr/share/polkit-1/rules.d/50-default.rules", "");
        assert!(
            examine(&host.host).unwrap()[0]
                .problem
                .contains("00-tpa.rules is missing")
        );
        host.write("usr/share/polkit-1/rules.d/00-tpa.rules", "");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }

    #[test]
    fn each_lingering_user_is_named() {
        let host = fake::protected();
        host.write("var/lib/systemd/linger/bob", "");
        host.write("var/lib/systemd/linger/alice", "");
        let found = examine(&host.host).unwrap();
        let fixes: Vec<&str> = found.iter().map(|finding| finding.fix.as_str()).collect();
        assert_eq!(
            fixes,
            [
                "loginctl disable-linger alice",
                "loginctl disable-linger bob"
            ]
        );
    }
}
