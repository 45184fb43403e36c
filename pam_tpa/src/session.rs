//! The session phase: they come in, on which grant and until when; and they leave.

use ::pam::constants::PamResultCode;
use tpa_bus::id::Id;
use tpa_bus::offline::Class;

use crate::account::{ask, log_exempt, refuse, refuse_unlisted, settle};
use crate::decide::{Decision, Grant, decide};
use crate::door;
use crate::given;
use crate::handle::{Level, OpenedOn};
use crate::phase::Phase;
use crate::scope;
use crate::subject::{Arrival, Moment, Subject, arrive};

/// How much later than the grant PID 1 ends the login, in seconds: `tpad`, when it lives, has ended
/// it by then with a word, and systemd does not count the login as a failure.
const GRACE_S: u64 = 1;

/// `pam_sm_open_session(3)`
pub fn open(phase: &mut Phase<'_>) -> PamResultCode {
    if phase.args.scope {
        return scope::check(phase);
    }
    let code = admit(phase);
    // From the group of a grant pam_systemd moves whoever opens a session in it (`su -`, `sudo -i`)
    // into a scope of that session: the scope line moves them back.
    let holders = phase.host.held_by();
    if !holders.is_empty() && phase.pam.keep_holders(holders).is_err() {
        phase.pam.log(Level::Error, "PAM keeps no data; refused");
        return PamResultCode::PAM_PERM_DENIED;
    }
    code
}

fn admit(phase: &mut Phase<'_>) -> PamResultCode {
    let subject = match arrive(phase, Moment::Session) {
        Arrival::Passes => return PamResultCode::PAM_IGNORE,
        Arrival::Refused(code) => return code,
        // For a program that does not ask the account phase.
        Arrival::Unlisted(subject) => return refuse_unlisted(phase, &subject),
        Arrival::Door(subject) => return door::open(phase, &subject),
        Arrival::Ungated(subject) => {
            let held = given::open(phase, &subject);
            return held.err().unwrap_or(PamResultCode::PAM_IGNORE);
        }
        Arrival::Concerned(subject) => subject,
    };
    if subject.query.exempt {
        log_exempt(phase, &subject);
        let _ = phase.daemon.open_session(&subject.query);
        let held = given::open(phase, &subject);
        return held.err().unwrap_or(PamResultCode::PAM_SUCCESS);
    }
    let answer = ask(phase, &subject, |daemon, query| daemon.open_session(query));
    let (grant, text) = match settle(phase, &subject, answer) {
        Decision::Allow { grant, text, .. } => (grant, text),
        Decision::Deny(text) => return refuse(phase, &subject, &text),
    };
    if let Err(code) = given::refuse_outlived(phase, &subject) {
        return code;
    }
    if let Some(grant) = grant
        && let Err(why) = bind(phase, &subject, grant)
    {
        return refuse_unheld(phase, &subject, &grant.id, &why);
    }
    if subject.class == Class::Login && subject.is_interactive() && !text.is_empty() {
        phase.pam.say_info(&text);
    }
    PamResultCode::PAM_SUCCESS
}

/// Makes the session end with its grant, whether or not `tpad` lives then.
///
/// A login gets its limit from `pam_systemd`. What has no scope of its own, sudo and the jobs of
/// cron and at, goes into a cgroup named by the grant, which the grant's reaper kills.
fn bind(phase: &mut Phase<'_>, subject: &Subject, grant: Grant) -> Result<(), String> {
    if subject.class == Class::Sudo || !subject.is_interactive() {
        hold(phase, subject, &grant.id)?;
    }
    if subject.class == Class::Login {
        let limit_s = grant.remaining_s.saturating_add(GRACE_S);
        let opened = OpenedOn {
            grant: grant.id,
            limit_s,
        };
        phase
            .pam
            .limit_runtime(limit_s)
            .and_then(|()| phase.pam.store_opened(opened))
            .map_err(|_| "PAM keeps no data".to_owned())?;
    }
    Ok(())
}

/// Puts this process into the grant's cgroup, and sees whether that was in time.
///
/// # Errors
/// When it does not end with the grant, for the log.
pub fn hold(phase: &mut Phase<'_>, subject: &Subject, grant: &Id) -> Result<(), String> {
    let left = phase.pam.bound().filter(|bound| bound != grant);
    phase.host.enter_group(grant, left.as_ref())?;
    still_lives(phase, subject, grant)
}

/// What to do where sudo was called outside every login, in no cgroup of this host's.
const ELSEWHERE: &str =
    "\n     Log in to this host, by ssh or at a terminal, and call sudo from there.";

/// Refuses whoever would not end with the grant.
pub fn refuse_unheld(
    phase: &mut Phase<'_>,
    subject: &Subject,
    grant: &Id,
    why: &str,
) -> PamResultCode {
    let line = format!("cannot bind the session to grant {}: {why}", grant.as_str());
    phase.pam.log(Level::Error, &line);
    let mut text = format!("tpa: the end of grant {grant} cannot be kept here; access denied.");
    if subject.class == Class::Sudo {
        text.push_str(ELSEWHERE);
    }
    refuse(phase, subject, &text)
}

/// Whether the grant has not ended since the answer, now that its end would reach this process.
/// Whoever came between the two would outlive it: the end kills what it finds, and once.
///
/// # Errors
/// When it has, for the log.
pub fn still_lives(phase: &mut Phase<'_>, subject: &Subject, grant: &Id) -> Result<(), String> {
    if phase.host.is_live(grant, Some(subject.person.uid)) {
        return Ok(());
    }
    let answer = phase.daemon.preview(&subject.query);
    match decide(answer, "", || None) {
        Decision::Allow {
            grant: Some(now), ..
        } if now.id == *grant => Ok(()),
        Decision::Allow { .. } | Decision::Deny(_) => Err("it has ended meanwhile".to_owned()),
    }
}

/// `pam_sm_close_session(3)`: tells `tpad`, and never fails, because they leave in any case.
pub fn close(phase: &mut Phase<'_>) -> PamResultCode {
    if phase.args.scope {
        return PamResultCode::PAM_IGNORE;
    }
    match arrive(phase, Moment::Session) {
        Arrival::Concerned(subject) => {
            phase.daemon.close_session(&subject.query);
            PamResultCode::PAM_SUCCESS
        }
        Arrival::Ungated(subject) if phase.pam.bound().is_some() => {
            phase.daemon.close_session(&subject.query);
            PamResultCode::PAM_SUCCESS
        }
        Arrival::Ungated(_)
        | Arrival::Passes
        | Arrival::Refused(_)
        | Arrival::Unlisted(_)
        | Arrival::Door(_) => PamResultCode::PAM_IGNORE,
    }
}

#[cfg(test)]
mod tests {
    use PamResultCode::{PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS, PAM_USER_UNKNOWN};

    use super::*;
    use crate::fakes::{
        Event, FakeDaemon, FakeHost, FakePam, Method, Script, allowed, gone, refused, run,
    };

    fn opens(answer: Result<tpa_bus::gate::Verdict, crate::daemon::Unanswered>) -> FakeDaemon {
        FakeDaemon::answers(Method::Open, "alice", answer)
    }

    fn moving(outcome: Result<(), String>) -> FakeHost {
        FakeHost {
            moves: Script::new([outcome]),
            ..FakeHost::default()
        }
    }

    fn on(pam: FakePam, daemon: FakeDaemon, host: &FakeHost) -> PamResultCode {
        run(open, pam, daemon, host, "")
    }

    #[test]
    fn a_login_gets_its_limit_and_its_grant_line() {
        let events = [
            Event::Limit(7_140 + GRACE_S),
            Event::Stored(7_140 + GRACE_S),
            Event::Info("tpa: grant"),
        ];
        let pam = FakePam::new("sshd", "alice", events);
        assert_eq!(
            on(pam, opens(allowed(7_140)), &FakeHost::default()),
            PAM_SUCCESS
        );
    }

    #[test]
    fn without_a_grant_no_session_opens() {
        let events = [
            Event::Error("tpa: no active grant"),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("sshd", "alice", events);
        assert_eq!(
            on(pam, opens(refused()), &FakeHost::default()),
            PAM_PERM_DENIED
        );
    }

    #[test]
    fn offline_the_state_file_sets_the_limit() {
        let host = FakeHost {
            offline: Ok(Some(3_690)),
            ..FakeHost::default()
        };
        let events = [
            Event::Log(Level::Warning, "offline: "),
            Event::Limit(3_690 + GRACE_S),
            Event::Stored(3_690 + GRACE_S),
            Event::Info("tpa: grant 7H2KM4QX (web-ops): 1h1m30s left."),
        ];
        let pam = FakePam::new("sshd", "alice", events);
        assert_eq!(on(pam, opens(gone()).hurried(), &host), PAM_SUCCESS);
    }

    #[test]
    fn a_sudo_command_goes_into_the_grant_s_cgroup_without_a_word() {
        let pam = FakePam::new("sudo", "root", []).asked_by("alice");
        assert_eq!(on(pam, opens(allowed(60)), &moving(Ok(()))), PAM_SUCCESS);
    }

    #[test]
    fn a_sudo_command_that_cannot_be_bound_is_refused() {
        let events = [
            Event::Log(
                Level::Error,
                "cannot bind the session to grant 7H2KM4QX: no cgroups",
            ),
            Event::Error(
                "tpa: the end of grant 7H2KM4QX cannot be kept here; access denied.\n     \
                 Log in to this host",
            ),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("sudo", "root", events).asked_by("alice");
        let host = moving(Err("no cgroups".into()));
        assert_eq!(on(pam, opens(allowed(60)), &host), PAM_PERM_DENIED);
    }

    #[test]
    fn a_sudo_command_whose_grant_ends_before_it_is_bound_is_refused() {
        for (again, code) in [(refused(), PAM_PERM_DENIED), (allowed(1), PAM_SUCCESS)] {
            let told = [
                Event::Log(Level::Error, "7H2KM4QX: it has ended meanwhile"),
                Event::Error("tpa: the end of grant 7H2KM4QX cannot be kept here"),
                Event::Log(Level::Notice, "refused: "),
            ];
            let told = if code == PAM_SUCCESS {
                &[][..]
            } else {
                &told[..]
            };
            let pam = FakePam::new("sudo", "root", told.iter().cloned()).asked_by("alice");
            let host = FakeHost {
                live: false,
                ..moving(Ok(()))
            };
            let daemon = opens(allowed(60)).and_standing(again);
            assert_eq!(on(pam, daemon, &host), code);
        }
    }

    #[test]
    fn sudo_leaves_the_grant_that_the_account_line_took_for_the_one_that_gives_its_command() {
        let other = tpa_bus::id::Id::parse("00000001").unwrap();
        for (bound, left) in [
            (other, Some(other)),
            (Id::parse(crate::fakes::ID).unwrap(), None),
        ] {
            let pam = FakePam {
                bound: Some(bound),
                ..FakePam::new("sudo", "root", []).asked_by("alice")
            };
            let host = FakeHost {
                left,
                ..moving(Ok(()))
            };
            assert_eq!(on(pam, opens(allowed(60)), &host), PAM_SUCCESS);
        }
    }

    #[test]
    fn whoever_opens_a_session_below_a_grant_stays_below_it() {
        let held = || FakeHost {
            held_by: &[crate::fakes::ID],
            ..FakeHost::default()
        };
        for user in ["root", "bob"] {
            let pam = FakePam::new("su-l", user, [Event::Holders(1)]);
            let code = on(pam, FakeDaemon::silent(), &held());
            assert_eq!(code, PAM_IGNORE, "{user}");
        }
        let pam = FakePam::new("sudo-i", "root", [Event::Holders(1)]).asked_by("alice");
        let host = FakeHost {
            moves: Script::new([Ok(())]),
            ..held()
        };
        assert_eq!(on(pam, opens(allowed(60)), &host), PAM_SUCCESS);
    }

    #[test]
    fn a_sudo_session_that_nobody_asked_for_is_refused() {
        let events = [Event::Log(Level::Error, "who is there")];
        let pam = FakePam::new("sudo", "root", events);
        let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
        assert_eq!(code, PAM_USER_UNKNOWN);
    }

    #[test]
    fn a_cron_job_gets_both_and_no_line() {
        let pam = FakePam::new(
            "cron",
            "alice",
            [Event::Limit(60 + GRACE_S), Event::Stored(60 + GRACE_S)],
        );
        assert_eq!(on(pam, opens(allowed(60)), &moving(Ok(()))), PAM_SUCCESS);
    }

    #[test]
    fn the_emergency_group_gets_no_limit() {
        for answer in [refused(), gone()] {
            let pam = FakePam::new("sshd", "eve", [Event::Log(Level::Alert, "exempt: ")]);
            let daemon = FakeDaemon::answers(Method::Open, "eve", answer);
            assert_eq!(on(pam, daemon, &FakeHost::default()), PAM_SUCCESS);
        }
    }

    #[test]
    fn who_needs_no_grant_by_tpad_s_word_gets_no_limit() {
        let free = Ok(tpa_bus::gate::Verdict {
            allowed: true,
            ..Default::default()
        });
        let pam = FakePam::new("sshd", "alice", []);
        assert_eq!(on(pam, opens(free), &FakeHost::default()), PAM_SUCCESS);
    }

    #[test]
    fn leaving_is_told_and_never_fails() {
        let pam = FakePam::new("sudo", "root", []).asked_by("alice");
        let daemon = FakeDaemon::answers(Method::Close, "alice", gone());
        let code = run(close, pam, daemon, &FakeHost::default(), "");
        assert_eq!(code, PAM_SUCCESS);

        for (name, args) in [("bob", ""), ("nobody-knows", ""), ("alice", "scope")] {
            let pam = FakePam::new("sshd", name, []);
            let code = run(close, pam, FakeDaemon::silent(), &FakeHost::default(), args);
            assert_eq!(code, PAM_IGNORE, "{name}");
        }
    }

    #[test]
    fn a_program_that_skips_the_account_phase_is_refused_at_a_service_in_no_list() {
        let events = [
            Event::Log(Level::Warning, "service \"ftpd\" is in no list"),
            Event::Error("tpa: access by the PAM service \"ftpd\" denied"),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("ftpd", "alice", events);
        let code = run(open, pam, FakeDaemon::silent(), &FakeHost::default(), "");
        assert_eq!(code, PAM_PERM_DENIED);
    }
}
