//! What a command that somebody typed is on this host: looked at beside everything else.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::aside::aside;
use crate::config::look::{at_path, at_words};
use crate::hex::{hex, sha256_of};
use crate::ledger::SeenProgram;
use crate::policy::danger::{Account, Finding, Seen, SeenFile};
use crate::policy::exact::amounts;

/// Largest program, in bytes.
const PROGRAM_MAX: u64 = 256 * 1_024 * 1_024;

/// A program by its absolute path.
///
/// # Errors
/// When nothing can look.
pub async fn program(path: String) -> anyhow::Result<SeenProgram> {
    aside(move || look(&path)).await
}

/// A program, the folder, and what the whole command comes to as an account.
///
/// # Errors
/// When nothing can look.
pub async fn command(
    argv: Vec<String>,
    directory: String,
    (run_as, account): (String, Account),
) -> anyhow::Result<(SeenProgram, SeenFile, Vec<Finding>)> {
    let seeing = move || {
        let seen = Seen {
            files: at_words(&argv),
            accounts: [(run_as.clone(), account)].into(),
            ..Seen::default()
        };
        let program = argv.first().map(String::as_str).unwrap_or_default();
        let folder = at_path(Path::new(&directory));
        (look(program), folder, amounts(&argv, &run_as, &seen))
    };
    aside(seeing).await
}

fn look(path: &str) -> SeenProgram {
    let file = at_path(Path::new(path));
    let sha256 = match &file {
        SeenFile::Roots { real } => {
            digest(Path::new(real)).map_err(|error| format!("{real}: {error}"))
        }
        SeenFile::Missing => Err("there is no such program".to_owned()),
        SeenFile::Loose { place } => Err(format!("somebody other than root can change {place}")),
    };
    SeenProgram { file, sha256 }
}

fn digest(path: &Path) -> io::Result<String> {
    // What is no file is not opened: a device or a pipe may keep whoever opens it waiting.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let file = File::open(path)?;
    if file.metadata()?.len() > PROGRAM_MAX {
        return Err(io::Error::other("larger than 256 MiB"));
    }
    let (hash, _) = sha256_of(file.take(PROGRAM_MAX))?;
    Ok(hex(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_by_its_content_and_what_is_none_is_not_read() {
        let seen = look("/usr/bin/env");
        assert!(matches!(seen.file, SeenFile::Roots { .. }));
        assert_eq!(seen.sha256.map(|hash| hash.len()), Ok(64));
        for path in ["/usr/bin", "/dev/zero", "/no/such", "/tmp/x"] {
            assert!(look(path).sha256.is_err(), "{path}");
        }
    }
}
