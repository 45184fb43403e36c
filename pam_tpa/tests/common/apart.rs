//! A test in a process of its own, where limits can be set and nothing else counts.
//!
//! The process is started anew, not forked: the other tests' threads may hold any lock at that
//! moment, and in a child nobody would ever let it go.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells the process that it is the one apart, and where its files are.
const FOLDER: &str = "TPA_TEST_FOLDER";

/// The folder, in the process apart.
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs the test of this name once more, in a process of its own, and passes as it does.
pub fn run_apart(name: &str, folder: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
