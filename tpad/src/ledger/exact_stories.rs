//! Stories of one command: asked for, approved, and run once.

use super::*;
use crate::ledger::properties::{now, person, policy, request, role};
use crate::ledger::{Deadline, Envelope, Stage};
use crate::policy::danger::Finding;

fn once() -> Role {
    Role {
        exact: Some(Exact {
            run_as: vec!["postgres".to_owned()],
            programs: vec!["/usr/bin/*".to_owned()],
        }),
        ..role("one")
    }
}

fn postgres() -> Person {
    Person {
        uid: 115,
        name: "postgres".to_owned(),
    }
}

fn program() -> SeenProgram {
    SeenProgram {
        file: SeenFile::Roots {
            real: "/usr/bin/psql".to_owned(),
        },
        sha256: Ok("ab".repeat(32)),
    }
}

fn typed(words: &[&str]) -> Typed {
    Typed {
        argv: words.iter().map(ToString::to_string).collect(),
        directory: "/srv".to_owned(),
        folder: SeenFile::Roots {
            real: "/srv".to_owned(),
        },
        run_as: postgres(),
        program: program(),
        amounts: Vec::new(),
    }
}

fn command() -> OneCommand {
    let typed = typed(&["/usr/bin/psql", "-c", "DROP TABLE old;"]);
    asked(&once(), Some(&typed)).unwrap().unwrap()
}

/// A grant of alice's for the command that is on.
fn on() -> (State, Id) {
    let grant = Request {
        command: Some(command()),
        stage: Stage::Active {
            since: now(0).wall_s,
            deadline: Deadline::after(&now(0), 600),
        },
        ..request(1, "alice")
    };
    let id = grant.id;
    let requests = [(id, grant)].into();
    let state = State {
        requests,
        ..State::default()
    };
    (state, id)
}

/// The program that sudo started for alice.
fn runner(pid: u32) -> Runner {
    Runner {
        uid: 115,
        called_by: person(0).uid,
        runner: Named { pid, started: 7 },
        sudo: Named {
            pid: pid.saturating_sub(1),
            started: 6,
        },
    }
}

fn record(state: &mut State, event: Event, at: &Now) {
    state.apply(&Envelope {
        at: at.wall_s,
        actor: None,
        actor_uid: None,
        actor_login: None,
        proof: None,
        event,
    });
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.code().1).collect()
}

#[test]
fn a_command_is_begun_once_and_its_end_is_the_grants() {
    let (mut state, id) = on();
    let begun = start(&state, id, &runner(50), &program(), &now(1)).unwrap();
    record(&mut state, begun, &now(1));
    for pid in [50, 51] {
        let again = start(&state, id, &runner(pid), &program(), &now(1)).unwrap_err();
        assert!(again.why.contains("is run once"), "{again}");
    }
    assert_eq!(running(&state).collect::<Vec<_>>(), [(id, runner(50).sudo)]);
    assert!(told(&state, id, runner(51).runner, 0, &now(2)).is_err());
    let ended = told(&state, id, runner(50).runner, 3, &now(2)).unwrap();
    assert!(matches!(
        ended,
        Event::CommandRun {
            exit_code: Some(3),
            duration_ms: 1_000,
            ..
        }
    ));
    record(&mut state, ended, &now(2));
    assert!(told(&state, id, runner(50).runner, 0, &now(2)).is_err());
    let closed = over(&state, id, &now(3));
    assert_eq!(names(&closed), ["grant-ended"]);
    for event in closed {
        record(&mut state, event, &now(3));
    }
    assert_eq!(running(&state).count(), 0);
    assert!(over(&state, id, &now(4)).is_empty());
}

#[test]
fn a_run_of_which_nobody_tells_ends_with_sudo_and_its_exit_code_is_not_known() {
    let (mut state, id) = on();
    assert!(over(&state, id, &now(1)).is_empty());
    let begun = start(&state, id, &runner(50), &program(), &now(1)).unwrap();
    record(&mut state, begun, &now(1));
    let ended = over(&state, id, &now(5));
    assert_eq!(names(&ended), ["command-run", "grant-ended"]);
    assert!(matches!(
        ended[0],
        Event::CommandRun {
            exit_code: None,
            duration_ms: 4_000,
            ..
        }
    ));
}

#[test]
fn whoever_is_not_the_one_it_was_approved_for_does_not_begin_it() {
    let (state, id) = on();
    let bob = Runner {
        called_by: person(1).uid,
        ..runner(50)
    };
    let as_root = Runner {
        uid: 0,
        ..runner(50)
    };
    for by in [bob, as_root] {
        assert!(
            start(&state, id, &by, &program(), &now(1)).is_err(),
            "{by:?}"
        );
    }
    let none = request(2, "alice").id;
    assert!(start(&state, none, &runner(50), &program(), &now(1)).is_err());
}

#[test]
fn nothing_is_begun_before_or_after_the_grant_or_for_a_grant_of_another_kind() {
    let (state, id) = on();
    assert!(start(&state, id, &runner(50), &program(), &now(601)).is_err());
    for stage in [Stage::Pending, Stage::Approved] {
        let (mut state, id) = on();
        state.requests.get_mut(&id).unwrap().stage = stage;
        assert!(start(&state, id, &runner(50), &program(), &now(1)).is_err());
    }
    let (mut state, id) = on();
    state.requests.get_mut(&id).unwrap().command = None;
    assert!(start(&state, id, &runner(50), &program(), &now(1)).is_err());
}

#[test]
fn another_file_than_the_one_that_was_approved_is_refused_and_told_of() {
    let (state, id) = on();
    let other = SeenProgram {
        sha256: Ok("cd".repeat(32)),
        ..program()
    };
    let moved = SeenProgram {
        file: SeenFile::Roots {
            real: "/usr/bin/psql-16".to_owned(),
        },
        ..program()
    };
    let unread = SeenProgram {
        sha256: Err("gone".to_owned()),
        ..program()
    };
    for seen in [other, moved, unread] {
        let refused = start(&state, id, &runner(50), &seen, &now(1)).unwrap_err();
        let told = refused.record.map(|event| event.code().1);
        assert_eq!(told, Some("decision-refused"), "{seen:?}");
    }
}

#[test]
fn a_role_is_asked_for_with_a_command_or_without_as_it_says() {
    let typed = typed(&["/usr/bin/psql"]);
    assert!(asked(&once(), None).is_err());
    assert!(asked(&role("one"), Some(&typed)).is_err());
    assert_eq!(asked(&role("one"), None), Ok(None));
    assert!(asked(&once(), Some(&typed)).is_ok());
    for other in [
        Typed {
            argv: vec!["/usr/sbin/psql".to_owned()],
            ..typed.clone()
        },
        Typed {
            folder: SeenFile::Loose {
                place: "/home/alice".to_owned(),
            },
            ..typed.clone()
        },
        Typed {
            folder: SeenFile::Missing,
            ..typed.clone()
        },
        Typed {
            run_as: person(1),
            ..typed.clone()
        },
        Typed {
            amounts: vec![Finding {
                role: String::new(),
                rule: String::new(),
                kind: "shell",
                message: "a shell".to_owned(),
                instead: "",
            }],
            ..typed.clone()
        },
        Typed {
            program: SeenProgram {
                file: SeenFile::Missing,
                ..program()
            },
            ..typed.clone()
        },
        Typed {
            program: SeenProgram {
                sha256: Err("unread".to_owned()),
                ..program()
            },
            ..typed
        },
    ] {
        assert!(asked(&once(), Some(&other)).is_err(), "{other:?}");
    }
}

#[test]
fn what_was_asked_for_is_approved_by_the_role_as_it_is_now() {
    let request = Request {
        command: Some(command()),
        ..request(1, "alice")
    };
    assert!(still_allowed(&once(), &request).is_ok());
    let narrower = Role {
        exact: Some(Exact {
            run_as: vec!["postgres".to_owned()],
            programs: vec!["/usr/bin/id".to_owned()],
        }),
        ..once()
    };
    assert!(still_allowed(&narrower, &request).is_err());
    assert!(still_allowed(&role("one"), &request).is_err());
    let plain = Request {
        command: None,
        ..request
    };
    assert!(still_allowed(&once(), &plain).is_err());
    assert!(still_allowed(&role("one"), &plain).is_ok());
    assert_eq!(policy().roles["one"].exact, None);
}

#[test]
fn the_rule_of_sudos_names_the_grant_and_no_word_of_the_command() {
    let id = request(1, "alice").id;
    let given = gives(&once().gives, id, &command());
    assert_eq!(given.sudo.len(), 1);
    assert_eq!(given.sudo[0].run, ["/usr/libexec/tpa/run 00000001"]);
    assert_eq!(given.sudo[0].run_as, "postgres");
    assert!(!given.login && given.sudo[0].edit.is_empty());
}

#[test]
fn a_decision_is_about_the_very_command_that_was_read() {
    let of = |command: OneCommand| {
        let request = Request {
            command: Some(command),
            ..request(1, "alice")
        };
        request.own_digest()
    };
    let mut digests = vec![of(command())];
    let mut other = |change: fn(&mut OneCommand)| {
        let mut changed = command();
        change(&mut changed);
        digests.push(of(changed));
    };
    other(|one| one.argv = vec!["/usr/bin/psql".into(), "-c DROP TABLE old;".into()]);
    other(|one| one.argv.push(String::new()));
    other(|one| one.directory = "/".into());
    other(|one| one.run_as.uid = 0);
    other(|one| one.sha256 = "cd".repeat(32));
    digests.push(request(1, "alice").own_digest());
    let different: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
}

/// Words of what a rule of sudo's, a shell or a pattern reads more into, and what it joins alike.
fn lists() -> impl proptest::strategy::Strategy<Value = Vec<String>> {
    proptest::collection::vec(r#"[ab *?!,:=#^$'"\\\[\]-]{0,4}|ALL|sha256:|ü"#, 0..5)
}

proptest::proptest! {
    /// Whatever the words are, all that sudo is told is which grant; and it is told of no other words
    /// that they are the ones that somebody approved.
    #[test]
    fn no_word_reaches_sudo_and_no_other_list_is_what_was_approved(one in lists(), other in lists()) {
        let of = |words: &[String]| {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.insert(0, "/usr/bin/psql");
            asked(&once(), Some(&typed(&words))).unwrap().unwrap()
        };
        let id = request(1, "alice").id;
        let [first, second] = [of(&one), of(&other)];
        proptest::prop_assert_eq!(&first.argv[1..], &one[..]);
        proptest::prop_assert_eq!(
            gives(&once().gives, id, &first),
            gives(&once().gives, id, &command())
        );
        proptest::prop_assert_eq!(first.digest() == second.digest(), one == other);
    }
}
