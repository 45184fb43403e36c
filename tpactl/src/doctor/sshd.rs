//! Can refusals shut out an office? From OpenSSH 9.8 on sshd penalises the *source address* of
//! logins that fail (`PerSourcePenalties` in `sshd_config(5)`), and four refusals are enough.

use super::{Finding, Host};

const AREA: &str = "sshd";
const SSHD: &str = "/usr/sbin/sshd";
const FIRST_WITH_PENALTIES: (u32, u32) = (9, 8);

// The same shape for every area, so that they stand in one list.
#[allow(clippy::unnecessary_wraps)]
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let version = host.run(SSHD, &["-V"]).and_then(|ran| version(&ran.said));
    if version.is_none_or(|version| version < FIRST_WITH_PENALTIES) {
        return Ok(Vec::new());
    }
    let fix = "add PerSourcePenaltyExemptList with your networks to /etc/ssh/sshd_config";
    let Some(settings) = settings(host) else {
        return Ok(vec![unknown()]);
    };
    if off_or_exempt(&settings) {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::warning(
        AREA,
        "four refused logins make sshd shut out their source address (PerSourcePenalties)",
        fix,
    )])
}

/// The effective settings: a line each, the key in lower case.
pub fn settings(host: &Host) -> Option<String> {
    let ran = host.run(SSHD, &["-T"]).filter(|ran| ran.success)?;
    Some(ran.said)
}

/// That they cannot be had.
pub fn unknown() -> Finding {
    Finding::not_looked_at(
        AREA,
        "sshd -T does not tell how sshd is set up",
        "run it as root: sudo tpactl doctor; and correct what sshd -t says",
    )
}

/// The value of a setting.
pub fn value<'s>(settings: &'s str, key: &str) -> Option<&'s str> {
    let mut pairs = settings.lines().filter_map(|line| line.split_once(' '));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Whether the effective settings penalise nobody, or exempt some networks.
fn off_or_exempt(settings: &str) -> bool {
    value(settings, "persourcepenalties") == Some("no")
        || value(settings, "persourcepenaltyexemptlist").is_some_and(|list| list != "none")
}

/// `OpenSSH_9.2p1 …` as (9, 2).
fn version(said: &str) -> Option<(u32, u32)> {
    let (_, rest) = said.split_once("OpenSSH_")?;
    let (major, rest) = rest.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(
            version("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL"),
            Some((9, 2))
        );
        assert_eq!(version("OpenSSH_10.0p2"), Some((10, 0)));
        assert!(version("OpenSSH_10.0p2").unwrap() >= FIRST_WITH_PENALTIES);
        assert_eq!(version("dropbear"), None);
    }

    #[test]
    fn penalties_without_an_exemption_are_found() {
        let mut host = fake::protected();
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "OpenSSH_10.0p2\npersourcepenalties crash:90 noauth:1\n"
        );
        let found = examine(&host.host).unwrap();
        assert!(found[0].fix.contains("PerSourcePenaltyExemptList"));
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "OpenSSH_10.0p2\npersourcepenaltyexemptlist 192.0.2.0/24\n"
        );
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "OpenSSH_10.0p2\npersourcepenalties no\n"
        );
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }

    #[test]
    fn settings_that_cannot_be_read_are_found() {
        let mut host = fake::protected();
        fake::saying!(host, "/usr/sbin/sshd", false, "OpenSSH_10.0p2\n");
        assert!(examine(&host.host).unwrap()[0].problem.contains("sshd -T"));
    }
}
