//! The front door: `ssh tpa@HOST`. The account is nobody; who has come is whoever the key that sshd
//! proved is of, which `tpad` looks up.
//!
//! sshd tells the key in the session phase, in the environment of the PAM transaction, in the process
//! that has checked it and that everything of the connection comes from. That process is what `tpad`
//! is told of. In the account phase sshd has not told the key yet (tried with OpenSSH 9.2 and 10.0).

use ::pam::constants::PamResultCode;
use tpa_bus::names::DOOR_ACCOUNT;

use crate::account::refuse;
use crate::handle::Level;
use crate::phase::Phase;
use crate::subject::Subject;

/// The one service that tells a key.
const SSHD: &str = "sshd";

/// The account phase: by sshd the session phase decides, and there is no other way in.
pub fn account(phase: &mut Phase<'_>, subject: &Subject) -> PamResultCode {
    if subject.query.service == SSHD {
        return PamResultCode::PAM_IGNORE;
    }
    refuse_elsewhere(phase, subject)
}

/// The session phase: has `tpad` remember which process of sshd's has proven which key.
pub fn open(phase: &mut Phase<'_>, subject: &Subject) -> PamResultCode {
    if subject.query.service != SSHD {
        return refuse_elsewhere(phase, subject);
    }
    let methods = phase.pam.ssh_methods().unwrap_or_default();
    match phase.daemon.open_door(&subject.query, &methods) {
        Ok(verdict) if verdict.allowed => PamResultCode::PAM_SUCCESS,
        Ok(verdict) => refuse(phase, subject, &verdict.text.join("\n")),
        Err(why) => {
            let line = format!("tpad does not answer: {why}");
            phase.pam.log(Level::Error, &line);
            let text = format!(
                "tpa: tpad is not answering; the front door is closed. {}",
                subject.help
            );
            refuse(phase, subject, text.trim_end())
        }
    }
}

/// Nothing runs as this account but the front door: no job, no login, nobody's sudo.
fn refuse_elsewhere(phase: &mut Phase<'_>, subject: &Subject) -> PamResultCode {
    let text =
        format!("tpa: {DOOR_ACCOUNT} is the front door, and comes in by ssh with a key alone.");
    refuse(phase, subject, &text)
}

#[cfg(test)]
mod tests {
    use PamResultCode::{PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS};

    use super::*;
    use crate::fakes::{Event, FakeDaemon, FakeHost, FakePam, Method, allowed, gone, refused, run};
    use crate::{account, ask, session};

    const REFUSED: Event = Event::Log(Level::Notice, "refused: user=\"tpa\" uid=993");

    fn knocking(events: impl IntoIterator<Item = Event>) -> FakePam {
        FakePam {
            methods: Some("publickey ssh-ed25519 AAAA\n"),
            ..FakePam::new(SSHD, DOOR_ACCOUNT, events)
        }
    }

    #[test]
    fn sshd_s_key_is_told_to_tpad_when_the_session_opens_and_not_before() {
        let host = FakeHost::default();
        let asked = run(
            ask::authenticate,
            knocking([]),
            FakeDaemon::silent(),
            &host,
            "ask",
        );
        assert_eq!(asked, PAM_IGNORE);
        let code = run(
            account::account,
            knocking([]),
            FakeDaemon::silent(),
            &host,
            "",
        );
        assert_eq!(code, PAM_IGNORE);
        let daemon = FakeDaemon::answers(Method::Door, DOOR_ACCOUNT, allowed(60));
        assert_eq!(
            run(session::open, knocking([]), daemon, &host, ""),
            PAM_SUCCESS
        );
        let code = run(
            session::close,
            knocking([]),
            FakeDaemon::silent(),
            &host,
            "",
        );
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn whose_key_is_nobody_s_and_whoever_comes_while_tpad_is_gone_is_refused_with_words() {
        let host = FakeHost::default();
        let events = [Event::Error("tpa: no active grant"), REFUSED];
        let daemon = FakeDaemon::answers(Method::Door, DOOR_ACCOUNT, refused());
        assert_eq!(
            run(session::open, knocking(events), daemon, &host, ""),
            PAM_PERM_DENIED
        );
        let events = [
            Event::Log(Level::Error, "tpad does not answer"),
            Event::Error("tpa: tpad is not answering; the front door is closed. Ask in #oncall"),
            REFUSED,
        ];
        let daemon = FakeDaemon::answers(Method::Door, DOOR_ACCOUNT, gone());
        assert_eq!(
            run(session::open, knocking(events), daemon, &host, ""),
            PAM_PERM_DENIED
        );
    }

    #[test]
    fn by_every_other_way_the_account_stays_out_also_by_somebody_s_sudo() {
        let host = FakeHost::default();
        let words = || Event::Error("tpa: tpa is the front door");
        for service in ["su", "login", "cockpit", "sudo"] {
            let pam = FakePam::new(service, DOOR_ACCOUNT, [words(), REFUSED]).asked_by("alice");
            let code = run(session::open, pam, FakeDaemon::silent(), &host, "");
            assert_eq!(code, PAM_PERM_DENIED, "{service}");
        }
        for service in ["cron", "atd"] {
            let pam = FakePam::new(service, DOOR_ACCOUNT, [REFUSED]);
            let code = run(account::account, pam, FakeDaemon::silent(), &host, "");
            assert_eq!(code, PAM_PERM_DENIED, "{service}");
        }
    }

    #[test]
    fn a_person_who_has_that_name_is_a_person() {
        let host = FakeHost {
            door: 1010,
            ..FakeHost::default()
        };
        let pam = FakePam::new("login", DOOR_ACCOUNT, []);
        let code = run(account::account, pam, FakeDaemon::silent(), &host, "");
        assert_eq!(code, PAM_IGNORE);
    }
}
