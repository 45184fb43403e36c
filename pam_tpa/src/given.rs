//! What a grant gives through sudo ends with it, whoever holds it.
//!
//! sudo(8) looks for its rule when it is called, asks for a password for as long as that takes, and
//! only then asks the gate. So two things are seen to here, of people too whom the gate does not
//! concern: what a grant gives is held by that grant, and whoever called sudo while a grant of theirs
//! lived that has ended since has to call it again.

use ::pam::constants::PamResultCode;
use tpa_bus::gate::{Query, Verdict};
use tpa_bus::offline::Class;

use crate::account::{admit_sudo, refuse, settle};
use crate::daemon::{Daemon, Unanswered};
use crate::decide::{Decision, Grant};
use crate::handle::Level;
use crate::phase::Phase;
use crate::session::{hold, refuse_unheld};
use crate::subject::Subject;

/// The account phase of somebody who needs no grant for what they are here for; a login is none of it.
///
/// # Errors
/// The code of a refusal: what a grant gives them cannot be had without its end.
pub fn account(phase: &mut Phase<'_>, subject: &Subject) -> Result<(), PamResultCode> {
    let subject = &ungated(subject);
    let given = given(phase, subject, |daemon, query| daemon.preview(query))?;
    match given {
        Some((grant, text)) => admit_sudo(phase, subject, grant, &text),
        None => Ok(()),
    }
}

/// The session phase of the same, which knows as whom the command is to run.
///
/// # Errors
/// As for [`account`].
pub fn open(phase: &mut Phase<'_>, subject: &Subject) -> Result<(), PamResultCode> {
    let subject = &ungated(subject);
    let given = given(phase, subject, |daemon, query| daemon.open_session(query))?;
    match (given, phase.pam.bound()) {
        (Some((grant, _)), _) => hold(phase, subject, &grant.id)
            .and_then(|()| {
                let kept = phase.pam.keep_bound(grant.id);
                kept.map_err(|_| "PAM keeps no data".to_owned())
            })
            .map_err(|why| refuse_unheld(phase, subject, &grant.id, &why)),
        (None, Some(left)) => {
            if let Err(why) = phase.host.leave_group(&left) {
                let line = format!("stays held by grant {}: {why}", left.as_str());
                phase.pam.log(Level::Warning, &line);
            }
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// Refuses whoever called sudo before a grant of theirs ended: the rule that it found may be one that
/// nobody has any more. A login has no rule.
///
/// # Errors
/// The code of the refusal.
pub fn refuse_outlived(phase: &mut Phase<'_>, subject: &Subject) -> Result<(), PamResultCode> {
    if subject.class == Class::Login {
        return Ok(());
    }
    match phase.host.outlives_grant(subject.person.uid) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let text = "tpa: a grant of yours has ended since this sudo was called; access denied.\n     \
                        Call it again: what is yours without that grant will run.";
            Err(refuse(phase, subject, text))
        }
        // Root's own files: nobody else can have broken them.
        Err(why) => {
            let line = format!("cannot tell whether a grant has ended meanwhile: {why}");
            phase.pam.log(Level::Error, &line);
            Ok(())
        }
    }
}

/// The grant that may be what gives them the command, where they hold one at all.
fn given(
    phase: &mut Phase<'_>,
    subject: &Subject,
    question: fn(&mut dyn Daemon, &Query) -> Result<Verdict, Unanswered>,
) -> Result<Option<(Grant, String)>, PamResultCode> {
    let given = match holder(phase, subject) {
        None => None,
        Some(holder) => {
            phase.daemon.vouched_for();
            let answer = question(phase.daemon, &holder.query);
            match settle(phase, &holder, answer) {
                Decision::Allow { grant, text, .. } => grant.map(|grant| (grant, text)),
                Decision::Deny(text) => return Err(refuse(phase, subject, &text)),
            }
        }
    };
    refuse_outlived(phase, subject)?;
    Ok(given)
}

/// Them by the name under which they hold a grant for sudo, if they do.
fn holder(phase: &mut Phase<'_>, subject: &Subject) -> Option<Subject> {
    if subject.class == Class::Login {
        return None;
    }
    let others = phase.host.other_names(&subject.person);
    for person in std::iter::once(subject.person.clone()).chain(others) {
        match phase.host.live_grant(subject.class, &person) {
            Ok(None) => {}
            Ok(Some(_)) => {
                return Some(Subject {
                    person,
                    ..subject.clone()
                });
            }
            Err(why) => {
                let line = format!("cannot tell whether a grant gives this: {why}");
                phase.pam.log(Level::Error, &line);
                return None;
            }
        }
    }
    None
}

/// What `tpad` is to be asked of them.
fn ungated(subject: &Subject) -> Subject {
    let mut subject = subject.clone();
    subject.query.exempt = false;
    subject.query.ungated = Some(true);
    subject
}

#[cfg(test)]
mod tests {
    use PamResultCode::{PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS};
    use tpa_bus::id::Id;

    use super::*;
    use crate::account;
    use crate::fakes::{
        Event, FakeDaemon, FakeHost, FakePam, ID, Method, Script, allowed, gone, refused, run,
    };
    use crate::session;

    const REFUSED: Event = Event::Log(Level::Notice, "refused: user=\"bob\"");

    /// `tpad` says that none of their grants gives this.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "in the type that the daemon answers in"
    )]
    fn free() -> Result<Verdict, Unanswered> {
        Ok(Verdict {
            allowed: true,
            ..Verdict::default()
        })
    }

    /// bob, whom the gate does not concern, holds a grant.
    fn holding(moves: impl IntoIterator<Item = Result<(), String>>) -> FakeHost {
        FakeHost {
            offline: Ok(Some(3_600)),
            moves: Script::new(moves),
            ..FakeHost::default()
        }
    }

    fn calls(events: impl IntoIterator<Item = Event>) -> FakePam {
        FakePam::new("sudo", "root", events).asked_by("bob")
    }

    fn standing(answer: Result<Verdict, Unanswered>) -> FakeDaemon {
        FakeDaemon::silent().and_standing(answer).hurried()
    }

    fn opens(answer: Result<Verdict, Unanswered>) -> FakeDaemon {
        FakeDaemon::answers(Method::Open, "bob", answer).hurried()
    }

    #[test]
    fn whoever_needs_no_grant_and_holds_none_is_asked_about_nowhere() {
        for phase in [account::account, session::open] {
            let host = FakeHost::default();
            let code = run(phase, calls([]), FakeDaemon::silent(), &host, "");
            assert_eq!(code, PAM_IGNORE);
        }
    }

    #[test]
    fn what_a_grant_gives_is_held_by_it_in_both_phases() {
        let bound = [Event::Bound];
        let (pam, host) = (calls(bound.clone()), holding([Ok(())]));
        let code = run(account::account, pam, standing(allowed(3_600)), &host, "");
        assert_eq!(code, PAM_IGNORE);
        let (pam, host) = (calls(bound), holding([Ok(())]));
        let code = run(session::open, pam, opens(allowed(3_600)), &host, "");
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn without_tpad_whatever_its_holder_runs_is_held() {
        let events = [Event::Log(Level::Warning, "offline: let in"), Event::Bound];
        let host = holding([Ok(())]);
        let code = run(account::account, calls(events), standing(gone()), &host, "");
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn what_no_grant_gives_is_let_go_again_when_that_is_known() {
        let host = holding([]);
        let code = run(account::account, calls([]), standing(free()), &host, "");
        assert_eq!(code, PAM_IGNORE);
        let pam = FakePam {
            bound: Id::parse(ID).ok(),
            ..calls([])
        };
        let host = holding([Ok(())]);
        let code = run(session::open, pam, opens(free()), &host, "");
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn what_cannot_be_held_or_has_ended_is_refused() {
        let events = [
            Event::Log(Level::Error, "cannot bind the session to grant 7H2KM4QX"),
            Event::Error("tpa: the end of grant 7H2KM4QX cannot be kept here"),
            REFUSED,
        ];
        let host = holding([Err("no cgroups".into())]);
        let daemon = standing(allowed(3_600));
        let code = run(account::account, calls(events), daemon, &host, "");
        assert_eq!(code, PAM_PERM_DENIED);
        let events = [Event::Error("tpa: no active grant"), REFUSED];
        let code = run(
            account::account,
            calls(events),
            standing(refused()),
            &holding([]),
            "",
        );
        assert_eq!(code, PAM_PERM_DENIED);
    }

    #[test]
    fn whoever_called_sudo_before_a_grant_of_theirs_ended_calls_it_again() {
        let host = || FakeHost {
            outlives: Ok(true),
            ..FakeHost::default()
        };
        let ended = || Event::Error("tpa: a grant of yours has ended since this sudo was called");
        for phase in [account::account, session::open] {
            let pam = calls([ended(), REFUSED]);
            let code = run(phase, pam, FakeDaemon::silent(), &host(), "");
            assert_eq!(code, PAM_PERM_DENIED);
        }
        // Another grant of theirs goes on, which lets them in.
        for (phase, method) in [
            (account::account as fn(&mut Phase<'_>) -> _, Method::Account),
            (session::open, Method::Open),
        ] {
            let refused = Event::Log(Level::Notice, "refused: user=\"alice\"");
            let pam = FakePam::new("sudo", "alice", [ended(), refused]).asked_by("alice");
            let daemon = FakeDaemon::answers(method, "alice", allowed(600));
            assert_eq!(run(phase, pam, daemon, &host(), ""), PAM_PERM_DENIED);
        }
        let pam = FakePam::new("sshd", "alice", []);
        let daemon = FakeDaemon::answers(Method::Account, "alice", allowed(600));
        let code = run(account::account, pam, daemon, &host(), "");
        assert_eq!(code, PAM_SUCCESS, "a login is no sudo");
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_told_and_shuts_out_nobody() {
        let host = FakeHost {
            outlives: Err("/run/tpa/ended/1002: not a time".into()),
            ..FakeHost::default()
        };
        let events = [Event::Log(Level::Error, "ended/1002: not a time")];
        let code = run(
            account::account,
            calls(events),
            FakeDaemon::silent(),
            &host,
            "",
        );
        assert_eq!(code, PAM_IGNORE);
    }

    #[test]
    fn the_emergency_group_is_let_in_and_held_by_what_gives_it_the_command() {
        let alert = Event::Log(Level::Alert, "exempt: let in without a grant");
        let pam = FakePam::new("sudo", "root", [alert, Event::Bound]).asked_by("eve");
        let daemon = FakeDaemon::answers(Method::Account, "eve", allowed(600))
            .and_standing(allowed(3_600))
            .hurried();
        let code = run(account::account, pam, daemon, &holding([Ok(())]), "");
        assert_eq!(code, PAM_SUCCESS);
    }

    #[test]
    fn they_are_told_of_as_gone_where_they_were_held() {
        let pam = FakePam {
            bound: Id::parse(ID).ok(),
            ..calls([])
        };
        let daemon = FakeDaemon::answers(Method::Close, "bob", gone());
        assert_eq!(
            run(session::close, pam, daemon, &FakeHost::default(), ""),
            PAM_SUCCESS
        );
        let code = run(
            session::close,
            calls([]),
            FakeDaemon::silent(),
            &FakeHost::default(),
            "",
        );
        assert_eq!(code, PAM_IGNORE);
    }
}
