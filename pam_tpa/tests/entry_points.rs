//! The module as libpam loads it: the exact code of each of the six entry points, for people
//! whom the gate knows what to do with without asking anybody.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "common/apart.rs"]
mod apart;
#[path = "common/application.rs"]
mod application;

use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};

use application::Module;

const PAM_USER_UNKNOWN: c_int = 10;
const PAM_IGNORE: c_int = 25;

const ENTRY_POINTS: [&CStr; 6] = [
    c"pam_sm_authenticate",
    c"pam_sm_setcred",
    c"pam_sm_acct_mgmt",
    c"pam_sm_open_session",
    c"pam_sm_close_session",
    c"pam_sm_chauthtok",
];

/// `libpam_tpa.so`, beside the folder that the test's own program is in.
fn module() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let path = program.parent().unwrap().join("libpam_tpa.so");
    if path.exists() {
        path
    } else {
        program.ancestors().nth(2).unwrap().join("libpam_tpa.so")
    }
}

fn codes(service: &CStr, user: &CStr, args: &[&CStr]) -> [c_int; 6] {
    let module = Module::load(&module());
    ENTRY_POINTS.map(|entry| module.call(entry, service, user, args))
}

#[test]
fn root_is_none_of_the_gate_s_business() {
    assert_eq!(codes(c"sshd", c"root", &[]), [PAM_IGNORE; 6]);
}

#[test]
fn a_service_that_the_gate_does_not_stand_at_is_ignored() {
    assert_eq!(codes(c"chfn", c"no-such-user", &[]), [PAM_IGNORE; 6]);
}

#[test]
fn a_user_whom_nobody_knows_is_refused_where_it_is_decided() {
    let [auth, setcred, account, open, close, password] = codes(c"sshd", c"no-such-user", &[]);
    assert_eq!([account, open], [PAM_USER_UNKNOWN; 2]);
    assert_eq!([auth, setcred, close, password], [PAM_IGNORE; 4]);
}

#[test]
fn a_sudo_session_without_the_person_who_asks_is_refused() {
    let [_, _, account, open, ..] = codes(c"sudo", c"root", &[]);
    assert_eq!(account, PAM_IGNORE);
    assert_eq!(open, PAM_USER_UNKNOWN);
}

#[test]
fn the_scope_line_alone_is_inert() {
    assert_eq!(
        codes(c"sshd", c"no-such-user", &[c"scope"]),
        [PAM_IGNORE; 6]
    );
}

/// Resident memory of this process in KiB, proc(5).
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_ascii_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

#[test]
fn loading_calling_and_unloading_two_thousand_times_leaves_nothing_behind() {
    let count = |what| {
        std::fs::read_dir(format!("/proc/self/{what}"))
            .unwrap()
            .count()
    };
    let round = |entry: &CStr| {
        Module::load(&module()).call(entry, c"sshd", c"no-such-user", &[]);
    };
    if apart::inside().is_none() {
        let name = "loading_calling_and_unloading_two_thousand_times_leaves_nothing_behind";
        return apart::run_apart(name, Path::new("/"));
    }
    // What the C library and the allocator keep for good is there after some rounds.
    let mut rounds = ENTRY_POINTS.into_iter().cycle();
    rounds.by_ref().take(120).for_each(round);
    let (before, memory_before) = ((count("fd"), count("task")), memory());
    let nothing_open = rounds.take(2_000).all(|entry| {
        round(entry);
        (count("fd"), count("task")) == before
    });
    assert!(nothing_open && memory() <= memory_before + 256);
}
