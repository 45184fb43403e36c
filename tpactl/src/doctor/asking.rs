//! Can people who ask for access at the prompt of sshd wait for the answer? sshd ends a login that
//! is not through after `LoginGraceTime` (`sshd_config(5)`).

use tpa_bus::span::Span;

use super::{Finding, Host, sshd, stack};

const AREA: &str = "sshd";

/// What the module waits unless its line says otherwise; see `pam_tpa(8)`.
const WAIT: Span = Span::from_secs(90);
/// How many the module asks at once; see `pam_tpa(8)`.
const ASKED_AT_ONCE: u32 = 4;
/// Connections that nobody is logged in on yet, from which on sshd may turn people away.
const LEAST_STARTUPS: u32 = 20;
/// What answering the questions takes, in seconds.
const TYPING_S: u64 = 30;

pub fn examine(host: &Host) -> Result<Vec<Finding>, Finding> {
    let lines = stack::of(host, "sshd")?.unwrap_or_default();
    let mut asking = lines
        .iter()
        .filter(|line| line.is("auth", "pam_tpa.so") && line.has("ask"));
    let Some(line) = asking.next() else {
        return Ok(Vec::new());
    };
    let wait = line
        .value("wait")
        .and_then(|span| Span::parse(span).ok())
        .unwrap_or(WAIT);
    let Some(settings) = sshd::settings(host) else {
        return Ok(vec![sshd::unknown()]);
    };
    let mut findings = Vec::new();
    if sshd::value(&settings, "kbdinteractiveauthentication") == Some("no") {
        findings.push(Finding::warning(
            AREA,
            "pam_tpa asks at sshd's prompt, but sshd never prompts (KbdInteractiveAuthentication no)",
            "set KbdInteractiveAuthentication yes in /etc/ssh/sshd_config, or take ask off the line",
        ));
    }
    let grace = sshd::value(&settings, "logingracetime").and_then(|text| text.parse().ok());
    let needed = wait.as_secs().saturating_add(TYPING_S);
    if let Some(grace @ 1..) = grace.filter(|grace: &u64| *grace < needed) {
        findings.push(Finding::warning(
            AREA,
            format!(
                "sshd ends a login after {} (LoginGraceTime), while people who ask at its prompt \
                 wait for up to {wait}",
                Span::from_secs(grace)
            ),
            format!("set LoginGraceTime {needed} in /etc/ssh/sshd_config, or a shorter wait= on the line"),
        ));
    }
    findings.extend(turned_away(&settings));
    Ok(findings)
}

/// Whoever is asked holds a connection that nobody is logged in on, of which sshd takes a number
/// before it turns others away, the exempt too (`MaxStartups`).
fn turned_away(settings: &str) -> Option<Finding> {
    let most = sshd::value(settings, "maxstartups")?;
    let begins: u32 = most.split(':').next()?.parse().ok()?;
    (begins < LEAST_STARTUPS).then(|| {
        Finding::warning(
            AREA,
            format!(
                "from {begins} connections on that nobody is logged in on yet sshd turns people \
                 away, the exempt too (MaxStartups {most}), and up to {ASKED_AT_ONCE} who are asked \
                 at its prompt hold one each"
            ),
            format!("set MaxStartups {LEAST_STARTUPS}:30:100 in /etc/ssh/sshd_config"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake;
    use super::*;

    fn asking() -> fake::Fake {
        let host = fake::protected();
        host.write(
            "etc/pam.d/common-auth",
            "auth required pam_tpa.so ask wait=10m\n",
        );
        host
    }

    #[test]
    fn a_grace_time_that_ends_the_wait_is_found() {
        let mut host = asking();
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "logingracetime 120\nkbdinteractiveauthentication yes\n"
        );
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].problem.contains("after 2m") && found[0].fix.contains("LoginGraceTime 630")
        );
        fake::saying!(host, "/usr/sbin/sshd", true, "logingracetime 630\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
        fake::saying!(host, "/usr/sbin/sshd", true, "logingracetime 0\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new(), "0 is no limit");
    }

    #[test]
    fn an_sshd_that_turns_people_away_for_those_who_wait_is_found() {
        let mut host = asking();
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "logingracetime 0\nmaxstartups 10:30:100\n"
        );
        let found = examine(&host.host).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].problem.contains("MaxStartups 10:30:100"));
        assert!(found[0].fix.contains("MaxStartups 20:30:100"));
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "logingracetime 0\nmaxstartups 20:30:100\n"
        );
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }

    #[test]
    fn an_sshd_that_never_prompts_is_found() {
        let mut host = asking();
        fake::saying!(
            host,
            "/usr/sbin/sshd",
            true,
            "logingracetime 0\nkbdinteractiveauthentication no\n"
        );
        assert!(
            examine(&host.host).unwrap()[0]
                .problem
                .contains("never prompts")
        );
    }

    #[test]
    fn without_the_option_nothing_is_asked_of_sshd() {
        let mut host = fake::protected();
        fake::saying!(host, "/usr/sbin/sshd", true, "logingracetime 5\n");
        assert_eq!(examine(&host.host).unwrap(), Vec::new());
    }
}
