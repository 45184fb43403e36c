//! The way to `tpad`, against real sockets: who answers, who does not, and what is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "common/apart.rs"]
mod apart;
mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{Answer, allowed, serve};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::getuid;
use pam_tpa::bus::Bus;
use pam_tpa::daemon::{Daemon, Unanswered};
use tpa_bus::error::Refusal;
use tpa_bus::gate::{Query, Verdict};

/// Waits for as long as an answer may take on a busy machine.
fn bus(dir: &Path) -> Bus {
    Bus {
        gate: dir.join("gate.sock"),
        bus: dir.join("bus.sock"),
        owner: getuid().as_raw(),
        deadline: Duration::from_mins(1),
    }
}

/// Does not wait for long where nobody answers.
fn in_haste(dir: &Path) -> Bus {
    Bus {
        deadline: Duration::from_millis(300),
        ..bus(dir)
    }
}

fn query() -> Query {
    Query {
        service: "sshd".into(),
        class: "login".into(),
        user: "alice".into(),
        uid: 1001,
        pid: 1,
        ..Query::default()
    }
}

/// Answers at the socket; the end of each peer is told.
fn answering(path: &Path, answer: Answer) -> Receiver<()> {
    let listener = UnixListener::bind(path).unwrap();
    let (told, ends) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), answer.clone());
            if told.send(()).is_err() {
                return;
            }
        }
    });
    ends
}

fn count(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

#[test]
fn the_answer_at_the_gate_s_socket_holds() {
    let dir = tempfile::tempdir().unwrap();
    let _ends = answering(&dir.path().join("gate.sock"), allowed(60));
    let verdict = bus(dir.path()).account(&query()).unwrap();
    assert!(verdict.allowed);
    assert_eq!(verdict.remaining_s, Some(60));
}

#[test]
fn an_error_of_tpad_is_a_refusal_with_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let answer = Answer::Refusal(Refusal::Failed("read-only".into()));
    let _ends = answering(&dir.path().join("gate.sock"), answer);
    let verdict = bus(dir.path()).open_session(&query()).unwrap();
    assert_eq!(
        verdict,
        Verdict {
            text: vec!["tpa: read-only".into()],
            ..Verdict::default()
        }
    );
}

#[test]
fn with_nobody_there_tpad_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let answer = bus(dir.path()).account(&query());
    assert!(matches!(answer, Err(Unanswered::Gone(_))), "{answer:?}");
}

#[test]
fn someone_who_hangs_up_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("gate.sock")).unwrap();
    std::thread::spawn(move || drop(listener.accept()));
    let answer = bus(dir.path()).account(&query());
    assert!(matches!(answer, Err(Unanswered::Gone(_))), "{answer:?}");
}

#[test]
fn silence_at_the_gate_is_hung_whether_in_the_handshake_or_in_the_call() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("gate.sock")).unwrap();
    assert_eq!(
        in_haste(dir.path()).account(&query()),
        Err(Unanswered::Hung)
    );
    drop(listener);

    fs::remove_file(dir.path().join("gate.sock")).unwrap();
    let _ends = answering(&dir.path().join("gate.sock"), Answer::Silence);
    assert_eq!(
        in_haste(dir.path()).account(&query()),
        Err(Unanswered::Hung)
    );
}

#[test]
fn a_silent_bus_alone_does_not_make_tpad_hung() {
    let dir = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(dir.path().join("bus.sock")).unwrap();
    let answer = in_haste(dir.path()).account(&query());
    assert!(matches!(answer, Err(Unanswered::Gone(_))), "{answer:?}");
}

#[test]
fn a_folder_that_others_can_write_in_is_not_knocked_at() {
    let dir = tempfile::tempdir().unwrap();
    let _ends = answering(&dir.path().join("gate.sock"), allowed(60));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let Err(Unanswered::Gone(why)) = bus(dir.path()).account(&query()) else {
        panic!("asked all the same");
    };
    assert!(why.contains("group or others can write it"), "{why}");
}

#[test]
fn someone_else_s_answer_is_not_listened_to() {
    let dir = tempfile::tempdir().unwrap();
    let _gate = answering(&dir.path().join("gate.sock"), allowed(60));
    let _bus = answering(&dir.path().join("bus.sock"), allowed(60));
    let stranger = Bus {
        owner: getuid().as_raw() + 1,
        ..bus(dir.path())
    };
    let answer = stranger.clone().account(&query());
    assert!(matches!(answer, Err(Unanswered::Gone(_))), "{answer:?}");
}

#[test]
fn the_environment_does_not_say_where_the_bus_is() {
    let of_the_module = Bus::system();
    assert_eq!(of_the_module.bus, Path::new("/run/dbus/system_bus_socket"));
    assert_eq!(of_the_module.gate, Path::new("/run/tpa/gate.sock"));
    assert_eq!(of_the_module.owner, 0);
    // With the rest of a login that is below two seconds.
    assert_eq!(of_the_module.deadline, Duration::from_millis(1_600));
}

#[test]
fn nothing_is_left_behind_by_an_answer_or_by_silence() {
    let Some(dir) = apart::inside() else {
        let dir = tempfile::tempdir().unwrap();
        let ends = answering(&dir.path().join("gate.sock"), allowed(60));
        let _silent = answering(&dir.path().join("silent.sock"), Answer::Silence);
        apart::run_apart(
            "nothing_is_left_behind_by_an_answer_or_by_silence",
            dir.path(),
        );
        for _ in 0..10 {
            ends.recv_timeout(Duration::from_mins(1)).unwrap();
        }
        return;
    };
    let mut asking = bus(&dir);
    let mut silent = Bus {
        gate: dir.join("silent.sock"),
        deadline: Duration::from_millis(20),
        ..bus(&dir)
    };
    let before = (count("fd"), count("task"));
    for _ in 0..10 {
        assert!(asking.account(&query()).is_ok());
        assert_eq!(silent.account(&query()), Err(Unanswered::Hung));
        assert_eq!((count("fd"), count("task")), before);
    }
}

#[test]
fn where_no_thread_can_be_made_the_answer_still_comes() {
    let Some(dir) = apart::inside() else {
        let dir = tempfile::tempdir().unwrap();
        let _ends = answering(&dir.path().join("gate.sock"), allowed(60));
        let name = "where_no_thread_can_be_made_the_answer_still_comes";
        return apart::run_apart(name, dir.path());
    };
    // Root is not bound by RLIMIT_NPROC, so the address space is closed to new stacks too.
    let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    setrlimit(Resource::RLIMIT_NPROC, 0, hard).unwrap();
    setrlimit(Resource::RLIMIT_STACK, 1 << 40, libc::RLIM_INFINITY).unwrap();
    assert!(bus(&dir).account(&query()).unwrap().allowed);
}

#[test]
fn with_descriptors_used_up_tpad_is_gone() {
    let Some(dir) = apart::inside() else {
        let dir = tempfile::tempdir().unwrap();
        let _ends = answering(&dir.path().join("gate.sock"), allowed(60));
        return apart::run_apart("with_descriptors_used_up_tpad_is_gone", dir.path());
    };
    // One at a time: it must end well wherever it runs out.
    let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let used = u64::try_from(count("fd")).unwrap() + 1;
    let answers: Vec<_> = (0..6)
        .map(|spare| {
            setrlimit(Resource::RLIMIT_NOFILE, used - 2 + spare, hard).unwrap();
            bus(&dir).account(&query())
        })
        .collect();
    setrlimit(Resource::RLIMIT_NOFILE, before, hard).unwrap();
    for answer in answers {
        match answer {
            Ok(verdict) => assert!(verdict.allowed),
            Err(unanswered) => assert!(matches!(unanswered, Unanswered::Gone(_)), "{unanswered}"),
        }
    }
}
