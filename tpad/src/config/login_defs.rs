//! `UID_MIN` of login.defs(5): where people begin.

use std::ffi::OsStr;
use std::path::Path;

use super::files::Folder;
use super::problem::Problem;

/// The value that holds where login.defs(5) does not say.
pub(super) const UID_MIN: u32 = 1000;

const FILE: &str = "login.defs";

/// Reads it from the `login.defs` in a folder.
pub(super) fn uid_min(folder: &Path, owners: &[u32]) -> Result<u32, Problem> {
    let text = Folder::anchor(folder, owners)?.read(OsStr::new(FILE))?;
    match parse(text.as_deref().unwrap_or_default()) {
        Ok(uid_min) => Ok(uid_min),
        Err((line, value)) => {
            let file = folder.join(FILE);
            let message = "UID_MIN must be a number from 1";
            Err(Problem::at_line(
                &file.to_string_lossy(),
                line,
                value,
                message,
            ))
        }
    }
}

/// The last `UID_MIN` counts; one that is no number is told with its line.
fn parse(text: &str) -> Result<u32, (usize, &str)> {
    let mut uid_min = UID_MIN;
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        if words.next() == Some("UID_MIN") {
            let value = words.next().unwrap_or_default();
            let parsed = value.parse().ok().filter(|uid| *uid > 0);
            uid_min = parsed.ok_or((index + 1, line))?;
        }
    }
    Ok(uid_min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_min_is_read_among_other_settings() {
        assert_eq!(parse("# UID_MIN 5\nUID_MAX 9\nUID_MIN\t\t 500\n"), Ok(500));
        assert_eq!(parse("SYS_UID_MIN 100\n"), Ok(UID_MIN));
    }

    #[test]
    fn a_uid_min_that_would_take_root_for_a_person_is_refused() {
        for value in ["0", "-1", "x", "", "4294967296"] {
            let text = format!("\nUID_MIN {value}");
            assert_eq!(parse(&text).map_err(|(line, _)| line), Err(2), "{value:?}");
        }
    }
}
