//! The account phase: may they? Also reached with a public key, a cached sudo timestamp and
//! `NOPASSWD`, so this is where the gate stands.

use ::pam::constants::PamResultCode;
use tpa_bus::gate::{Query, Verdict};
use tpa_bus::names::CONFIG_FILE;
use tpa_bus::offline::Class;
use tpa_bus::text::one_line;

use crate::daemon::{Daemon, Unanswered};
use crate::decide::{Basis, Decision, Grant, decide};
use crate::door;
use crate::given;
use crate::handle::Level;
use crate::phase::Phase;
use crate::session::{hold, refuse_unheld};
use crate::subject::{Arrival, Moment, Subject, arrive};

/// With less than this left, who runs sudo is told. Who logs in is told by the session phase: what
/// is said in this one reaches scp's standard error too, and sshd says it twice to a terminal (as
/// the banner of the authentication, and again before the shell).
const SOON_S: u64 = 10 * 60;

/// `pam_sm_acct_mgmt(3)`
pub fn account(phase: &mut Phase<'_>) -> PamResultCode {
    if phase.args.scope {
        return PamResultCode::PAM_IGNORE;
    }
    let subject = match arrive(phase, Moment::Account) {
        Arrival::Passes => return PamResultCode::PAM_IGNORE,
        Arrival::Refused(code) => return code,
        Arrival::Unlisted(subject) => {
            // Told for the record; the answer decides nothing.
            let _ = phase.daemon.account(&subject.query);
            return refuse_unlisted(phase, &subject);
        }
        Arrival::Door(subject) => return door::account(phase, &subject),
        Arrival::Ungated(subject) => {
            let held = given::account(phase, &subject);
            return held.err().unwrap_or(PamResultCode::PAM_IGNORE);
        }
        Arrival::Concerned(subject) => subject,
    };
    if subject.query.exempt {
        log_exempt(phase, &subject);
        // Told for the record; the answer decides nothing.
        let _ = phase.daemon.account(&subject.query);
        let held = given::account(phase, &subject);
        return held.err().unwrap_or(PamResultCode::PAM_SUCCESS);
    }
    let answer = ask(phase, &subject, |daemon, query| daemon.account(query));
    match settle(phase, &subject, answer) {
        Decision::Allow { grant, text, .. } => {
            let held = match (subject.class, grant) {
                (Class::Sudo, Some(grant)) => given::refuse_outlived(phase, &subject)
                    .and_then(|()| admit_sudo(phase, &subject, grant, &text)),
                (Class::Sudo, None) | (Class::Login, _) => Ok(()),
            };
            held.err().unwrap_or(PamResultCode::PAM_SUCCESS)
        }
        Decision::Deny(text) => refuse(phase, &subject, &text),
    }
}

/// Lets sudo go on, held by a grant, and says so to whoever runs it near the end.
///
/// # Errors
/// The code of a refusal: it would not end with the grant.
pub fn admit_sudo(
    phase: &mut Phase<'_>,
    subject: &Subject,
    grant: Grant,
    text: &str,
) -> Result<(), PamResultCode> {
    hold_sudo(phase, subject, grant)
        .map_err(|why| refuse_unheld(phase, subject, &grant.id, &why))?;
    if grant.remaining_s < SOON_S {
        phase.pam.say_info(text);
    }
    Ok(())
}

/// Holds sudo from here on: it may have been told to open no session (`Defaults !pam_session`). As
/// whom its command is to run is not known yet, so the session may find another grant to hold it.
fn hold_sudo(phase: &mut Phase<'_>, subject: &Subject, grant: Grant) -> Result<(), String> {
    if phase.host.held_by().contains(&grant.id) {
        return Ok(());
    }
    hold(phase, subject, &grant.id)?;
    let kept = phase.pam.keep_bound(grant.id);
    kept.map_err(|_| "PAM keeps no data".to_owned())
}

/// Has `tpad` asked about somebody who needs a grant.
pub fn ask(
    phase: &mut Phase<'_>,
    subject: &Subject,
    question: fn(&mut dyn Daemon, &Query) -> Result<Verdict, Unanswered>,
) -> Result<Verdict, Unanswered> {
    let vouched = phase.host.live_grant(subject.class, &subject.person);
    if vouched.is_ok_and(|grant| grant.is_some()) {
        phase.daemon.vouched_for();
    }
    question(phase.daemon, &subject.query)
}

/// Decides on the answer, with the state file where that may stand in, and logs what was not
/// decided by `tpad` (which logs what it decides).
pub fn settle(
    phase: &mut Phase<'_>,
    subject: &Subject,
    answer: Result<Verdict, Unanswered>,
) -> Decision {
    let mut problem = answer.as_ref().err().map(ToString::to_string);
    let decision = decide(answer, &subject.help, || {
        phase
            .host
            .live_grant(subject.class, &subject.person)
            .unwrap_or_else(|unreadable| {
                problem = Some(unreadable);
                None
            })
    });
    match (&decision, problem) {
        (
            Decision::Allow {
                grant: Some(grant),
                basis: Basis::Offline(why),
                ..
            },
            _,
        ) => {
            phase.pam.log(
                Level::Warning,
                &format!(
                    "offline: let in on the state file, grant={} {}; tpad: {why}",
                    grant.id.as_str(),
                    subject.describe()
                ),
            );
        }
        (_, Some(why)) => phase
            .pam
            .log(Level::Error, &format!("tpad does not answer: {why}")),
        (_, None) => (),
    }
    decision
}

/// Refuses, with words for the person and a line for the log. `PAM_PERM_DENIED` in both phases:
/// sshd, login and su say "Permission denied", and sudo adds no guess of its own.
pub fn refuse(phase: &mut Phase<'_>, subject: &Subject, text: &str) -> PamResultCode {
    if subject.is_interactive() {
        phase.pam.say_error(text);
    }
    phase
        .pam
        .log(Level::Notice, &format!("refused: {}", subject.describe()));
    PamResultCode::PAM_PERM_DENIED
}

/// Refuses whoever comes by a service that is in no list, with what mends it.
pub fn refuse_unlisted(phase: &mut Phase<'_>, subject: &Subject) -> PamResultCode {
    let service = one_line(&subject.query.service, 64);
    phase.pam.log(
        Level::Warning,
        &format!(
            "service {service:?} is in no list of gate.services in {CONFIG_FILE}: whoever needs a \
             grant is refused there"
        ),
    );
    let text = format!(
        "tpa: access by the PAM service \"{service}\" denied: the gate does not know it.\n     \
         An administrator adds it to gate.services.login in {CONFIG_FILE}. {}",
        subject.help
    );
    refuse(phase, subject, text.trim_end())
}

/// Logs that somebody passes as a member of the emergency group.
pub fn log_exempt(phase: &mut Phase<'_>, subject: &Subject) {
    phase.pam.log(
        Level::Alert,
        &format!("exempt: let in without a grant, {}", subject.describe()),
    );
}

#[cfg(test)]
mod tests {
    use PamResultCode::{PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS, PAM_USER_UNKNOWN};

    use super::*;
    use crate::fakes::{
        Event, FakeDaemon, FakeHost, FakePam, Method, Script, allowed, gone, refused, run,
    };

    const REFUSED: Event = Event::Log(Level::Notice, "refused: user=\"alice\" uid=1001");

    fn asked(answer: Result<Verdict, Unanswered>) -> FakeDaemon {
        FakeDaemon::answers(Method::Account, "alice", answer)
    }

    fn sshd(events: impl IntoIterator<Item = Event>) -> FakePam {
        FakePam::new("sshd", "alice", events)
    }

    fn moving(outcome: Result<(), String>) -> FakeHost {
        FakeHost {
            moves: Script::new([outcome]),
            ..FakeHost::default()
        }
    }

    fn on(pam: FakePam, daemon: FakeDaemon, host: &FakeHost) -> PamResultCode {
        run(account, pam, daemon, host, "")
    }

    #[test]
    fn whom_the_gate_does_not_concern_passes_and_tpad_is_not_asked() {
        for name in ["root", "bob"] {
            let pam = FakePam::new("sshd", name, []);
            let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
            assert_eq!(code, PAM_IGNORE, "{name}");
        }
    }

    #[test]
    fn a_service_that_is_no_way_in_is_ignored() {
        for service in ["chfn", "systemd-user", "polkit-1"] {
            let pam = FakePam::new(service, "alice", []);
            assert_eq!(
                on(pam, FakeDaemon::silent(), &FakeHost::default()),
                PAM_IGNORE
            );
        }
    }

    #[test]
    fn at_a_service_in_no_list_whoever_needs_a_grant_is_refused_whatever_tpad_says() {
        for answer in [allowed(600), refused(), gone(), Err(Unanswered::Hung)] {
            let events = [
                Event::Log(
                    Level::Warning,
                    "service \"cockpit\" is in no list of gate.services",
                ),
                Event::Error("tpa: access by the PAM service \"cockpit\" denied"),
                REFUSED,
            ];
            let pam = FakePam::new("cockpit", "alice", events);
            assert_eq!(
                on(pam, asked(answer), &FakeHost::default()),
                PAM_PERM_DENIED
            );
        }
        for name in ["root", "bob"] {
            let pam = FakePam::new("cockpit", name, []);
            let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
            assert_eq!(code, PAM_IGNORE, "{name}");
        }
        let exempt = [Event::Log(Level::Alert, "exempt: let in without a grant")];
        let daemon = FakeDaemon::answers(Method::Account, "eve", gone());
        let pam = FakePam::new("cockpit", "eve", exempt);
        assert_eq!(on(pam, daemon, &FakeHost::default()), PAM_SUCCESS);
    }

    #[test]
    fn a_program_that_has_the_person_s_uids_alone_gives_them_nothing() {
        let host = FakeHost {
            uid: 1001,
            ..FakeHost::default()
        };
        let pam = FakePam::new("vlock", "alice", []);
        assert_eq!(on(pam, FakeDaemon::silent(), &host), PAM_IGNORE);
    }

    #[test]
    fn without_a_gate_file_a_service_in_no_list_lets_in_nobody_but_root() {
        let host = FakeHost {
            gate_file: false,
            ..FakeHost::default()
        };
        let events = [
            Event::Log(Level::Warning, "gate: gone; going by the arguments"),
            Event::Log(Level::Warning, "is in no list"),
            Event::Error("tpa: access by the PAM service"),
            Event::Log(Level::Notice, "refused: user=\"bob\""),
        ];
        let daemon = FakeDaemon::answers(Method::Account, "bob", gone());
        let pam = FakePam::new("xrdp-sesman", "bob", events);
        assert_eq!(on(pam, daemon, &host), PAM_PERM_DENIED);
    }

    #[test]
    fn a_live_grant_lets_in_without_a_word() {
        let code = on(sshd([]), asked(allowed(600)), &FakeHost::default());
        assert_eq!(code, PAM_SUCCESS);
    }

    #[test]
    fn near_its_end_the_grant_is_named_under_sudo_and_left_to_the_session_at_logins() {
        let events = [Event::Bound, Event::Info("tpa: grant 7H2KM4QX")];
        let sudo = FakePam::new("sudo", "alice", events);
        for (pam, host) in [(sudo, moving(Ok(()))), (sshd([]), FakeHost::default())] {
            assert_eq!(on(pam, asked(allowed(599)), &host), PAM_SUCCESS);
        }
    }

    #[test]
    fn without_a_grant_the_refusal_says_what_to_do() {
        let events = [
            Event::Error("tpa: no active grant\n     Request: …"),
            REFUSED,
        ];
        let code = on(sshd(events), asked(refused()), &FakeHost::default());
        assert_eq!(code, PAM_PERM_DENIED);
    }

    #[test]
    fn whoever_needs_a_grant_needs_one_by_each_name_of_their_uid() {
        for service in ["sshd", "sudo", "login"] {
            let events = [
                Event::Error("tpa: "),
                Event::Log(Level::Notice, "refused: user=\"alias1\" uid=1001"),
            ];
            let daemon = FakeDaemon::answers(Method::Account, "alias1", refused());
            let pam = FakePam::new(service, "alias1", events);
            let code = on(pam, daemon, &FakeHost::default());
            assert_eq!(code, PAM_PERM_DENIED, "{service}");
        }
        let pam = FakePam::new("sshd", "alias5", []);
        let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
        assert_eq!(code, PAM_IGNORE, "the other name needs none");
    }

    #[test]
    fn the_name_that_counts_is_the_name_service_s_spelling() {
        let pam = FakePam::new("sshd", "ALICE", []);
        assert_eq!(
            on(pam, asked(allowed(600)), &FakeHost::default()),
            PAM_SUCCESS
        );
    }

    #[test]
    fn nobody_unknown_comes_in() {
        let pam = FakePam::new("sshd", "nobody-knows", []);
        let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
        assert_eq!(code, PAM_USER_UNKNOWN);

        let events = [Event::Log(
            Level::Error,
            "cannot look user \"broken\" up: no route",
        )];
        let pam = FakePam::new("sshd", "broken", events);
        let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
        assert_eq!(code, PAM_PERM_DENIED);

        let pam = FakePam {
            user: None,
            ..FakePam::new("sshd", "", [Event::Log(Level::Error, "who is there")])
        };
        let code = on(pam, FakeDaemon::silent(), &FakeHost::default());
        assert_eq!(code, PAM_USER_UNKNOWN);
    }

    #[test]
    fn with_tpad_gone_or_hung_a_live_grant_lets_in_and_is_logged_as_offline() {
        let host = FakeHost {
            offline: Ok(Some(3_600)),
            ..FakeHost::default()
        };
        for unanswered in [gone(), Err(Unanswered::Hung)] {
            let events = [Event::Log(
                Level::Warning,
                "offline: let in on the state file, grant=7H2KM4QX",
            )];
            let daemon = asked(unanswered).hurried();
            assert_eq!(on(sshd(events), daemon, &host), PAM_SUCCESS);
        }
    }

    #[test]
    fn with_tpad_gone_or_hung_and_no_grant_people_are_told_whom_to_call() {
        for offline in [Ok(None), Err("/run/tpa/state/1001: bad".to_owned())] {
            for unanswered in [gone(), Err(Unanswered::Hung)] {
                let host = FakeHost {
                    offline: offline.clone(),
                    ..FakeHost::default()
                };
                let events = [
                    Event::Log(Level::Error, "tpad does not answer: "),
                    Event::Error("tpa: tpad is not answering; access denied. Ask in #oncall"),
                    REFUSED,
                ];
                assert_eq!(on(sshd(events), asked(unanswered), &host), PAM_PERM_DENIED);
            }
        }
    }

    #[test]
    fn the_emergency_group_comes_in_whatever_tpad_does_and_loudly() {
        for answer in [allowed(60), refused(), gone(), Err(Unanswered::Hung)] {
            let events = [Event::Log(
                Level::Alert,
                "exempt: let in without a grant, user=\"eve\"",
            )];
            let pam = FakePam::new("sshd", "eve", events);
            let daemon = FakeDaemon::answers(Method::Account, "eve", answer);
            assert_eq!(on(pam, daemon, &FakeHost::default()), PAM_SUCCESS);
        }
    }

    #[test]
    fn a_gated_group_that_cannot_be_told_gates_those_not_known_to_be_outside_it() {
        let host = FakeHost {
            unknown: &["engineers"],
            ..FakeHost::default()
        };
        let untold = || Event::Log(Level::Error, "@engineers cannot be looked up");
        let events = [
            untold(),
            Event::Error("tpa: no active grant"),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("sshd", "bob", events);
        let daemon = FakeDaemon::answers(Method::Account, "bob", refused());
        assert_eq!(on(pam, daemon, &host), PAM_PERM_DENIED);

        let events = [untold(), Event::Log(Level::Alert, "exempt: let in")];
        let pam = FakePam::new("sshd", "eve", events);
        let daemon = FakeDaemon::answers(Method::Account, "eve", refused());
        assert_eq!(
            on(pam, daemon, &host),
            PAM_SUCCESS,
            "the exempt group resolves"
        );
    }

    #[test]
    fn an_exempt_group_that_cannot_be_told_exempts_nobody() {
        let host = FakeHost {
            unknown: &["tpa-emergency"],
            ..FakeHost::default()
        };
        let untold = || Event::Log(Level::Error, "@tpa-emergency cannot be looked up");
        let events = [
            untold(),
            Event::Error("tpa: no active grant"),
            Event::Log(Level::Notice, "refused: "),
        ];
        let pam = FakePam::new("sshd", "eve", events);
        let daemon = FakeDaemon::answers(Method::Account, "eve", refused());
        assert_eq!(on(pam, daemon, &host), PAM_PERM_DENIED);
        let pam = FakePam::new("sshd", "bob", [untold()]);
        assert_eq!(on(pam, FakeDaemon::silent(), &host), PAM_IGNORE);
    }

    #[test]
    fn the_groups_of_root_are_not_asked_for() {
        let host = FakeHost {
            unknown: &["engineers", "tpa-emergency"],
            ..FakeHost::default()
        };
        let pam = FakePam::new("sshd", "root", []);
        assert_eq!(on(pam, FakeDaemon::silent(), &host), PAM_IGNORE);
    }

    #[test]
    fn without_a_gate_file_the_arguments_say_whom_the_gate_concerns() {
        let host = FakeHost {
            gate_file: false,
            ..FakeHost::default()
        };
        let warning = Event::Log(Level::Warning, "gate: gone; going by the arguments");
        let bob = || FakePam::new("sshd", "bob", [warning.clone()]);
        let code = run(
            account,
            bob(),
            FakeDaemon::silent(),
            &host,
            "login=@engineers",
        );
        assert_eq!(code, PAM_IGNORE);
        let daemon = FakeDaemon::answers(Method::Account, "bob", allowed(600));
        assert_eq!(run(account, bob(), daemon, &host, ""), PAM_SUCCESS);
    }

    #[test]
    fn under_sudo_the_person_is_the_one_who_asks() {
        for pam in [
            FakePam::new("sudo", "root", [Event::Bound]).asked_by("alice"),
            FakePam::new("sudo", "alice", [Event::Bound]),
        ] {
            let code = on(pam, asked(allowed(600)), &moving(Ok(())));
            assert_eq!(code, PAM_SUCCESS);
        }
    }

    #[test]
    fn sudo_is_held_before_it_may_run_anything_and_refused_where_it_cannot_be() {
        let unheld = [
            Event::Log(Level::Error, "to grant 7H2KM4QX: no cgroups"),
            Event::Error("tpa: the end of grant 7H2KM4QX cannot be kept here"),
            REFUSED,
        ];
        let pam = FakePam::new("sudo", "alice", unheld);
        let code = on(pam, asked(allowed(600)), &moving(Err("no cgroups".into())));
        assert_eq!(code, PAM_PERM_DENIED);
        // Under sudo it is held already.
        let host = FakeHost {
            held_by: &[crate::fakes::ID],
            ..FakeHost::default()
        };
        let pam = FakePam::new("sudo", "alice", []);
        assert_eq!(on(pam, asked(allowed(600)), &host), PAM_SUCCESS);
    }

    #[test]
    fn nobody_is_spoken_to_under_cron() {
        let pam = FakePam::new("cron", "alice", [REFUSED]);
        assert_eq!(
            on(pam, asked(refused()), &FakeHost::default()),
            PAM_PERM_DENIED
        );
        let pam = FakePam::new("cron", "alice", []);
        assert_eq!(
            on(pam, asked(allowed(5)), &FakeHost::default()),
            PAM_SUCCESS
        );
    }

    #[test]
    fn the_scope_line_has_no_say_in_this_phase() {
        let code = run(
            account,
            sshd([]),
            FakeDaemon::silent(),
            &FakeHost::default(),
            "scope",
        );
        assert_eq!(code, PAM_IGNORE);
    }
}
