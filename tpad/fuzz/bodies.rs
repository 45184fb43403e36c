//! What each fuzz target does with its bytes. They fail by panicking.
//!
//! `cargo +nightly fuzz run TARGET` (cargo-fuzz) goes on from the corpus; `cargo test -p tpad`
//! runs every file of the corpus on any toolchain.

mod meant;

use std::fs;

use tpa_bus::id::Id;
use tpa_bus::offline::{GateFile, StateFile};
use tpa_bus::span::Span;
use tpad::accounts::Nss;
use tpad::config::load::{Source, load};
use tpad::host::sudoers::{self, Sudo};
use tpad::store::Body;

/// A role file loads, or what is wrong with it is said.
pub fn configuration(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("roles.d")).unwrap();
    fs::write(folder.path().join("roles.d/fuzzed.toml"), data).unwrap();
    fs::write(folder.path().join("tpad.toml"), "").unwrap();
    let owner = nix::unistd::geteuid().as_raw();
    match load(&Source::in_folder(folder.path(), owner), &Nss) {
        Ok(policy) => assert!(policy.roles.contains_key("fuzzed")),
        Err(problems) => assert!(!problems.is_empty()),
    }
}

/// What is read as an id or a span reads back as itself.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(id) = Id::parse(&text) {
        assert_eq!(Id::parse(&id.to_string()).ok(), Some(id));
    }
    if let Ok(span) = Span::parse(&text) {
        assert_eq!(Span::parse(&span.to_string()).ok(), Some(span));
    }
}

/// A rule that is rendered at all is one that sudo takes, and reads as it was meant.
pub fn sudoers(data: &[u8]) {
    let rule = meant::rule(&String::from_utf8_lossy(data));
    let Ok(text) = sudoers::render(&rule, Sudo::Classic) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule");
    fs::write(&file, &text).unwrap();
    let checked = meant::sudos("/usr/sbin/visudo", &["-cf"], &file);
    assert!(checked.status.success(), "{text}\n{checked:?}");
    let read = meant::sudos("/usr/bin/cvtsudoers", &["-f", "json"], &file);
    assert!(read.status.success(), "{text}\n{read:?}");
    assert_eq!(meant::read(&read.stdout), meant::expected(&rule), "{text}");
}

/// State and gate files that are read are written as they were meant.
pub fn files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(state) = StateFile::parse(&text) {
        assert_eq!(StateFile::parse(&state.render()), Ok(state));
    }
    if let Ok(gate) = GateFile::parse(&text) {
        assert_eq!(GateFile::parse(&gate.render()), Ok(gate));
    }
}

/// An event of the database reads back as itself, or is refused.
pub fn rows(data: &[u8]) {
    if let Ok(body) = serde_json::from_slice::<Body>(data) {
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
    }
}
