//! The line after `pam_systemd`: did the login get a scope of its own that ends in time?
//!
//! With logind dead, `pam_systemd` lets people in without a scope, and nothing would end them. And
//! it moves whoever opens a session outside every other, root's commands under a grant too, into a
//! new scope, which no end of that grant would find.

use ::pam::constants::PamResultCode;
use tpa_bus::offline::Class;

use crate::account::refuse;
use crate::handle::{Level, OpenedOn};
use crate::phase::Phase;
use crate::session::still_lives;
use crate::subject::{Arrival, Moment, Subject, arrive};

/// Services that may start a session inside another one. logind makes no second scope for them.
const NESTING: [&str; 2] = ["su", "su-l"];

/// Where the process stands, seen from the limit it should have.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
enum ScopeStatus {
    /// In a scope of its own that ends in time.
    Own,
    /// In the scope of the session that it was started from.
    Nested,
    /// Nowhere that ends.
    Unbound(String),
}

/// `pam_sm_open_session(3)` with the argument `scope`. Inert unless the session line of this same
/// transaction has let somebody in on a grant.
pub fn check(phase: &mut Phase<'_>) -> PamResultCode {
    let code = check_limit(phase);
    if let Err(why) = stay_held(phase) {
        let line = format!("what a grant holds cannot be kept in its cgroup: {why}; refused");
        phase.pam.log(Level::Error, &line);
        phase
            .pam
            .say_error("tpa: the end of a grant cannot be kept here; access denied.");
        return PamResultCode::PAM_PERM_DENIED;
    }
    code
}

/// Goes back into the cgroups of the grants that held this process at the session line.
fn stay_held(phase: &Phase<'_>) -> Result<(), String> {
    let now = phase.host.held_by();
    let left = phase.pam.holders();
    for grant in left.iter().filter(|grant| !now.contains(grant)) {
        phase.host.enter_group(grant, None)?;
        // The end may have come while it stood outside.
        if !phase.host.is_live(grant, None) {
            return Err(format!("{} has ended meanwhile", grant.as_str()));
        }
    }
    Ok(())
}

fn check_limit(phase: &mut Phase<'_>) -> PamResultCode {
    let Some(opened) = phase.pam.opened() else {
        return PamResultCode::PAM_IGNORE;
    };
    let subject = match arrive(phase, Moment::Session) {
        Arrival::Concerned(subject) if subject.class == Class::Login => subject,
        Arrival::Concerned(_)
        | Arrival::Ungated(_)
        | Arrival::Passes
        | Arrival::Unlisted(_)
        | Arrival::Door(_) => return PamResultCode::PAM_IGNORE,
        Arrival::Refused(code) => return code,
    };
    if !subject.is_interactive() {
        // cron and at stand in the grant's own cgroup since the session line.
        return PamResultCode::PAM_IGNORE;
    }
    let outcome = match scope_status(phase, &subject, opened) {
        ScopeStatus::Own => Ok(()),
        // It ends with the grant like a sudo command does: by its cgroup, out of the scope of a
        // session that is somebody else's or lasts longer.
        ScopeStatus::Nested => phase.host.enter_group(&opened.grant, None),
        ScopeStatus::Unbound(why) => Err(why),
    };
    if let Err(why) = outcome {
        phase
            .pam
            .log(Level::Error, &format!("the login has no limit: {why}"));
        let text = "tpa: this login did not get its time limit (is systemd-logind running?); \
                    access denied.";
        return refuse(phase, &subject, &format!("{text} {}", subject.help));
    }
    // From here on the end of the grant finds it; before, it may have been looked for in vain.
    if let Err(why) = still_lives(phase, &subject, &opened.grant) {
        let line = format!("grant {}: {why}", opened.grant.as_str());
        phase.pam.log(Level::Warning, &line);
        let text = format!("tpa: grant {} has ended; access denied.", opened.grant);
        return refuse(phase, &subject, &text);
    }
    PamResultCode::PAM_SUCCESS
}

fn scope_status(phase: &Phase<'_>, subject: &Subject, opened: OpenedOn) -> ScopeStatus {
    let cgroup = match phase.host.cgroup() {
        Ok(cgroup) => cgroup,
        Err(why) => return ScopeStatus::Unbound(why),
    };
    let limit = match own_scope(&cgroup, subject.person.uid) {
        Some(scope) => phase.host.scope_limit_s(scope),
        None => Err(format!(
            "stands in {cgroup}, not in a session scope of its own"
        )),
    };
    match limit {
        Ok(limit_s) if limit_s <= opened.limit_s => ScopeStatus::Own,
        _ if nests(&subject.query.service) && in_session(&cgroup) => ScopeStatus::Nested,
        Ok(limit_s) => ScopeStatus::Unbound(format!(
            "its scope ends after {limit_s}s, the grant after {}s",
            opened.limit_s
        )),
        Err(why) => ScopeStatus::Unbound(why),
    }
}

/// The name of the person's session scope, when the process stands right in one.
fn own_scope(cgroup: &str, uid: u32) -> Option<&str> {
    let scope = cgroup.strip_prefix(&format!("/user.slice/user-{uid}.slice/"))?;
    is_session(scope).then_some(scope)
}

fn nests(service: &str) -> bool {
    NESTING.contains(&service)
}

fn in_session(cgroup: &str) -> bool {
    cgroup.starts_with("/user.slice/") && cgroup.split('/').any(is_session)
}

/// `session-….scope`, and nothing that could lead elsewhere as a part of a path.
fn is_session(unit: &str) -> bool {
    unit.strip_prefix("session-")
        .and_then(|rest| rest.strip_suffix(".scope"))
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use PamResultCode::{PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS};

    use super::*;
    use crate::fakes::{Event, FakeDaemon, FakeHost, FakePam, Script, run};
    use crate::session::open;

    const OWN: &str = "/user.slice/user-1001.slice/session-3.scope";

    fn standing(cgroup: &'static str, limit: Result<u64, String>) -> FakeHost {
        FakeHost {
            cgroup,
            limit,
            ..FakeHost::default()
        }
    }

    fn checked(pam: FakePam, host: &FakeHost) -> PamResultCode {
        run(open, pam, FakeDaemon::silent(), host, "scope")
    }

    fn no_limit(service: &'static str, because: &'static str) -> FakePam {
        let events = [
            Event::Log(Level::Error, because),
            Event::Error("tpa: this login did not get its time limit"),
            Event::Log(Level::Notice, "refused: "),
        ];
        FakePam::new(service, "alice", events).opened_for(300)
    }

    #[test]
    fn the_line_is_inert_when_the_session_line_let_nobody_in_on_a_grant() {
        let pam = FakePam::new("sshd", "alice", []);
        assert_eq!(checked(pam, &FakeHost::default()), PAM_IGNORE);
    }

    #[test]
    fn a_scope_of_one_s_own_that_ends_in_time_is_enough() {
        for limit_s in [1, 300] {
            let pam = FakePam::new("sshd", "alice", []).opened_for(300);
            assert_eq!(checked(pam, &standing(OWN, Ok(limit_s))), PAM_SUCCESS);
        }
    }

    #[test]
    fn a_scope_that_ends_later_or_never_is_refused() {
        let host = standing(OWN, Ok(301));
        let pam = no_limit("sshd", "its scope ends after 301s, the grant after 300s");
        assert_eq!(checked(pam, &host), PAM_PERM_DENIED);
        let host = standing(OWN, Err("no RuntimeMaxSec".into()));
        assert_eq!(
            checked(no_limit("sshd", "no RuntimeMaxSec"), &host),
            PAM_PERM_DENIED
        );
    }

    #[test]
    fn no_scope_of_one_s_own_is_refused() {
        for cgroup in [
            "/system.slice/ssh.service",
            "/user.slice/user-1002.slice/session-3.scope",
            "/user.slice/user-1001.slice/user@1001.service/app.slice",
            "/user.slice/user-1001.slice/session-3.scope/x",
            "/user.slice/user-1001.slice/session-.scope",
            "/",
        ] {
            let host = standing(cgroup, Ok(1));
            let pam = no_limit("sshd", "not in a session scope of its own");
            assert_eq!(checked(pam, &host), PAM_PERM_DENIED, "{cgroup}");
        }
    }

    #[test]
    fn su_inside_another_session_goes_into_the_grant_s_cgroup() {
        for cgroup in ["/user.slice/user-0.slice/session-1.scope", OWN] {
            let host = FakeHost {
                moves: Script::new([Ok(())]),
                ..standing(cgroup, Ok(301))
            };
            let pam = FakePam::new("su-l", "alice", []).opened_for(300);
            assert_eq!(checked(pam, &host), PAM_SUCCESS, "{cgroup}");
        }
    }

    #[test]
    fn su_that_cannot_go_there_or_comes_from_no_session_is_refused() {
        let host = FakeHost {
            moves: Script::new([Err("no cgroups".into())]),
            ..standing("/user.slice/user-0.slice/session-1.scope", Ok(1))
        };
        assert_eq!(
            checked(no_limit("su", "no cgroups"), &host),
            PAM_PERM_DENIED
        );
        let host = standing("/system.slice/x.service", Ok(1));
        assert_eq!(
            checked(no_limit("su", "not in a session"), &host),
            PAM_PERM_DENIED
        );
    }

    #[test]
    fn a_login_whose_grant_ended_before_it_had_its_scope_is_refused() {
        let host = FakeHost {
            live: false,
            ..standing(OWN, Ok(1))
        };
        let daemon = FakeDaemon::silent().and_standing(crate::fakes::refused());
        let events = [
            Event::Log(Level::Warning, "it has ended meanwhile"),
            Event::Error("tpa: grant 7H2KM4QX has ended"),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("sshd", "alice", events).opened_for(300);
        assert_eq!(run(open, pam, daemon, &host, "scope"), PAM_PERM_DENIED);
    }

    #[test]
    fn whom_pam_systemd_moved_out_of_a_grants_cgroup_is_moved_back() {
        let moved = |outcome| FakeHost {
            moves: Script::new([outcome]),
            ..standing("/user.slice/user-0.slice/session-c5.scope", Ok(1))
        };
        let held = |events: Vec<Event>| FakePam::new("su-l", "root", events).held();
        assert_eq!(checked(held(vec![]), &moved(Ok(()))), PAM_IGNORE);
        let over = FakeHost {
            live: false,
            ..moved(Ok(()))
        };
        for (host, why) in [
            (moved(Err("no cgroups".into())), "no cgroups"),
            (over, "7H2KM4QX has ended meanwhile"),
        ] {
            let events = vec![
                Event::Log(Level::Error, why),
                Event::Error("tpa: the end of a grant cannot be kept here"),
            ];
            assert_eq!(checked(held(events), &host), PAM_PERM_DENIED, "{why}");
        }
        let stayed = FakeHost {
            held_by: &[crate::fakes::ID],
            ..FakeHost::default()
        };
        assert_eq!(checked(held(vec![]), &stayed), PAM_IGNORE);
    }

    #[test]
    fn cron_is_no_login_with_a_scope() {
        let pam = FakePam::new("cron", "alice", []).opened_for(300);
        let host = standing("/system.slice/cron.service/tpa-7H2KM4QX", Ok(1));
        assert_eq!(checked(pam, &host), PAM_IGNORE);
    }
}
