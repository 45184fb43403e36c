//! Do auditors read what happens? They read syslog's files, or where rsyslog sends them.

use super::{Finding, Host};

const AREA: &str = "log";

/// Where `authpriv` goes, on Debian and elsewhere, this week's and the one before.
const FILES: [&str; 4] = [
    "/var/log/auth.log",
    "/var/log/secure",
    "/var/log/auth.log.1",
    "/var/log/secure.1",
];

/// How grep says `EACCES`, in the locale C.
const DENIED: &str = "Permission denied";

// The same shape for every area, so that they stand in one list.
#[allow(clippy::unnecessary_wraps)]
pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    // syslog.service is whichever log daemon is installed.
    let active = host.run("/usr/bin/systemctl", &["is-active", "syslog.service"]);
    if !active.is_some_and(|ran| ran.success) {
        return Ok(vec![Finding::warning(
            AREA,
            "no syslog daemon runs: what happens stands in the journal and tpad's database only",
            "apt-get install rsyslog, or systemctl enable --now rsyslog",
        )]);
    }
    let mut search = vec!["--quiet", "--fixed-strings", " tpad["];
    search.extend(FILES);
    let ran = host.run("/usr/bin/grep", &search);
    let finding = match ran {
        Some(ran) if ran.success => return Ok(Vec::new()),
        // The log is for root and the group adm: who cannot read it knows nothing of what is in it.
        Some(ran) if ran.said.contains(DENIED) => Finding::not_looked_at(
            AREA,
            format!("{} cannot be read: {DENIED}", FILES[0]),
            "run it as root: sudo tpactl doctor",
        ),
        _ => Finding::warning(
            AREA,
            format!(
                "no line of tpad's stands in {}: rsyslog does not get or keep them",
                FILES[0]
            ),
            "see what becomes of authpriv in /etc/rsyslog.conf and /etc/rsyslog.d; \
             tpactl log has what is missing",
        ),
    };
    Ok(vec![finding])
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    #[test]
    fn a_host_without_a_log_daemon_or_without_lines_is_found() {
        let mut host = fake::protected();
        fake::saying!(host, "/usr/bin/systemctl", false, "inactive\n");
        assert!(
            examine(&host.host).unwrap()[0]
                .problem
                .contains("no syslog daemon")
        );
        fake::saying!(host, "/usr/bin/grep", false, "");
        assert!(
            examine(&host.host).unwrap()[0]
                .problem
                .contains("no line of tpad's")
        );
        fake::saying!(
            host,
            "/usr/bin/grep",
            false,
            "grep: /var/log/auth.log: Permission denied\n"
        );
        assert!(
            examine(&host.host).unwrap()[0]
                .problem
                .contains("cannot be read")
        );
    }
}
