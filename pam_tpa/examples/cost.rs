//! What the gate costs a login, beside a module that does nothing: `cost MODULE`, where MODULE is
//! `libpam_tpa.so` as it is packaged (`cargo build --profile module -p pam_tpa`).
//!
//! Loading is measured in a process of its own each time, because a module that is linked with
//! `-z nodelete` is loaded once in a process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is measured here comes from helpers of the tests"
)]

#[path = "../tests/common/application.rs"]
mod application;
#[path = "../tests/common/mod.rs"]
#[allow(dead_code, reason = "here tpad always says yes")]
mod common;

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use application::Module;
use nix::unistd::getuid;
use pam_tpa::bus::{Bus, DEADLINE};
use pam_tpa::clock::uptime;
use pam_tpa::daemon::Daemon;
use tpa_bus::gate::Query;

const ROUNDS: usize = 200;
const BARE: &str = "/usr/lib/x86_64-linux-gnu/security/pam_permit.so";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["load", path] => {
            let took = timed(|| {
                Module::load(Path::new(path));
                Ok(())
            })?;
            println!("{}", took.as_nanos());
            Ok(())
        }
        [path] => compare(path),
        _ => Err("cost MODULE".into()),
    }
}

fn compare(path: &str) -> Outcome<()> {
    for (name, path) in [("pam_permit", BARE), ("pam_tpa", path)] {
        show(&format!("{name}: loading"), || load(path))?;
        let module = Module::load(Path::new(path));
        show(&format!("{name}: account phase, root"), || {
            timed(|| {
                module.call(c"pam_sm_acct_mgmt", c"sshd", c"root", &[]);
                Ok(())
            })
        })?;
    }
    let folder = tempfile::tempdir()?;
    let mut bus = answering(folder.path())?;
    let query = Query {
        service: "sshd".into(),
        class: "login".into(),
        user: "alice".into(),
        ..Query::default()
    };
    show("pam_tpa: Account, to tpad and back", || {
        timed(|| {
            bus.account(&query)
                .map(drop)
                .map_err(|why| why.to_string().into())
        })
    })
}

/// A stand-in for `tpad` in this folder, and the way to it.
fn answering(folder: &Path) -> Outcome<Bus> {
    let gate: PathBuf = folder.join("gate.sock");
    let listener = UnixListener::bind(&gate)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            common::serve(stream, common::allowed(600));
        }
    });
    Ok(Bus {
        bus: folder.join("no.sock"),
        gate,
        owner: getuid().as_raw(),
        deadline: DEADLINE,
    })
}

fn load(path: &str) -> Outcome<Duration> {
    let output = Command::new(std::env::current_exe()?)
        .args(["load", path])
        .output()?;
    let nanoseconds = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let since = uptime()?;
    work()?;
    Ok(uptime()?.saturating_sub(since))
}

/// The middle and the worst of many rounds.
fn show(what: &str, mut round: impl FnMut() -> Outcome<Duration>) -> Outcome<()> {
    let mut all = (0..ROUNDS).map(|_| round()).collect::<Outcome<Vec<_>>>()?;
    all.sort_unstable();
    let milliseconds = |place: usize| {
        let took = all.get(place).copied().unwrap_or_default();
        took.as_secs_f64() * 1_000.0
    };
    println!(
        "{what:<36} median {:>7.3} ms   95% {:>7.3} ms",
        milliseconds(ROUNDS / 2),
        milliseconds(ROUNDS * 95 / 100)
    );
    Ok(())
}
