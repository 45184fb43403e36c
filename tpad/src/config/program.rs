//! Whether a program named in the configuration can be run, and is root's alone to change.

use std::ffi::OsStr;
use std::path::{Component, Path};

use super::files::{Folder, Program};
use super::problem::Problem;

/// Programs are root's, whoever owns the configuration that is looked at.
const OWNERS: [u32; 1] = [0];

/// Looks at the program and at every folder above it.
///
/// # Errors
/// When someone other than root could put another in its place.
pub(super) fn look(path: &Path) -> Result<Program, Problem> {
    let mut folder = Folder::anchor(Path::new("/"), &OWNERS)?;
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let name = parts.next_back().unwrap_or(OsStr::new(""));
    for part in parts {
        match folder.folder(part)? {
            Some(next) => folder = next,
            None => return Ok(Program::Missing),
        }
    }
    folder.program(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(path: &str) -> Result<Program, String> {
        look(Path::new(path)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_program_of_roots_is_good() {
        assert_eq!(look_at("/usr/bin/env"), Ok(Program::Good));
    }

    #[test]
    fn one_that_is_not_there_or_not_for_everyone_to_run_is_told_from_a_good_one() {
        assert_eq!(look_at("/usr/bin/no-such-program"), Ok(Program::Missing));
        assert_eq!(look_at("/usr/no-such-folder/env"), Ok(Program::Missing));
        assert_eq!(look_at("/etc/passwd"), Ok(Program::NotForAll));
    }

    #[test]
    fn one_that_others_could_replace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let refused = look_at(path.to_str().unwrap()).unwrap_err();
        assert!(
            refused.starts_with("/tmp: can be written by others"),
            "{refused}"
        );
    }

    #[test]
    fn links_are_not_followed() {
        let refused = look_at("/proc/self/exe").unwrap_err();
        assert!(refused.contains("link"), "{refused}");
    }
}
