//! Which room of the daemon may use which: what ARCHITECTURE.md promises, held against the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What decides, and the rooms of the daemon that it may use. `clock` is the type of a moment there;
/// clippy keeps everybody else from reading a clock.
const PURE: [(&str, &[&str]); 3] = [
    ("policy", &[]),
    ("ledger", &["policy", "clock", "hex"]),
    ("plan", &["ledger", "policy", "clock"]),
];

/// Ways to reach the host.
const HOST: [&str; 12] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "nix::",
    "rustix::",
    "libc::",
    "rusqlite::",
    "zbus",
    "zruntime",
];

/// The source files of a room: `NAME.rs`, and all in the folder `NAME`.
fn sources(room: &str) -> Vec<PathBuf> {
    fn collect(place: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&src.join(room), &mut found);
    found.extend(Some(src.join(format!("{room}.rs"))).filter(|file| file.is_file()));
    assert!(!found.is_empty(), "there is no room {room}");
    found
}

/// The code of a file, without comments, which may speak of any room.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    assert!(!text.is_empty(), "{} cannot be read", file.display());
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms that code names after `crate::`. Several in one bracket would not be seen, so there are
/// none.
fn used(code: &str) -> BTreeSet<&str> {
    assert!(
        !code.contains("crate::{"),
        "name each room by itself: {code}"
    );
    let behind = code.split("crate::").skip(1);
    behind
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
        })
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[test]
fn what_decides_uses_no_room_that_reaches_the_host() {
    for (room, allowed) in PURE {
        for file in sources(room) {
            let code = code(&file);
            let mut others = used(&code);
            others.retain(|name| *name != room && !allowed.contains(name));
            assert!(others.is_empty(), "{} uses {others:?}", file.display());
        }
    }
}

#[test]
fn what_decides_reaches_no_file_process_clock_or_bus() {
    for (room, _) in PURE {
        for file in sources(room) {
            let code = code(&file);
            let reached: Vec<_> = HOST.iter().filter(|way| code.contains(*way)).collect();
            assert!(reached.is_empty(), "{} uses {reached:?}", file.display());
        }
    }
}

#[test]
fn what_reads_the_configuration_knows_nothing_of_what_uses_it() {
    let above = [
        "accounts", "audit", "bus", "engine", "ledger", "plan", "store",
    ];
    for file in sources("config") {
        let code = code(&file);
        let reached: Vec<_> = used(&code)
            .into_iter()
            .filter(|name| above.contains(name))
            .collect();
        assert!(reached.is_empty(), "{} uses {reached:?}", file.display());
    }
}

/// What the core may use: what it asks of the host it asks through its own `World`.
const BELOW_CORE: [&str; 6] = ["audit", "clock", "ledger", "plan", "policy", "store"];

#[test]
fn the_core_reaches_the_host_through_its_world_alone() {
    for file in sources("core").iter().filter(|file| !is_a_test(file)) {
        let code = code(file);
        let mut others = used(&code);
        others.retain(|name| *name != "core" && !BELOW_CORE.contains(name));
        assert!(others.is_empty(), "{} uses {others:?}", file.display());
        let reached: Vec<_> = HOST.iter().filter(|way| code.contains(*way)).collect();
        assert!(reached.is_empty(), "{} uses {reached:?}", file.display());
    }
}

#[test]
fn what_waits_and_what_lets_people_in_is_used_by_nothing_below() {
    let below = ["core", "host", "store", "audit", "accounts", "config"];
    for file in below.into_iter().flat_map(sources) {
        let code = code(&file);
        let mut above = used(&code);
        above.retain(|name| ["bus", "daemon", "engine"].contains(name));
        assert!(above.is_empty(), "{} uses {above:?}", file.display());
    }
}

#[test]
fn nobody_but_the_ledger_refuses_a_command_or_ends_access() {
    for room in ["core", "engine", "daemon", "bus"] {
        for file in sources(room).iter().filter(|file| !is_a_test(file)) {
            let code = code(file);
            for decision in ["(Refused {", "Event::Closed {", "Event::GrantActivated {"] {
                assert!(!code.contains(decision), "{}: {decision}", file.display());
            }
        }
    }
}

/// Whether a file holds tests alone.
fn is_a_test(file: &Path) -> bool {
    let tests = ["tests.rs", "stories.rs"];
    let name = file.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| tests.contains(&name))
}

#[test]
fn a_room_is_found_wherever_code_names_it() {
    let code = "use crate::host::paths;\nlet x = crate::bus::call();\nlet y = crate::CONSTANT;";
    assert_eq!(used(code), BTreeSet::from(["bus", "host"]));
}
