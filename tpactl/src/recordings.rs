//! What sudo recorded under a grant: its own input/output log, as sudoreplay(8) lists it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tpa_bus::id::Id;
use tpa_bus::names::RECORDINGS_DIR;

const SUDOREPLAY: &str = "/usr/bin/sudoreplay";

/// The recordings of a grant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recordings {
    /// None were made.
    None,
    /// They cannot be read, and why.
    Unreadable(String),
    /// One line a command.
    Listed {
        /// The folder that `sudoreplay -d` takes.
        folder: PathBuf,
        /// What `sudoreplay -l` says.
        commands: Vec<String>,
    },
}

impl Recordings {
    /// Those of a grant on this host.
    pub fn of(id: &str) -> Self {
        // The id becomes a path, whoever it came from.
        Id::parse(id).map_or(Self::None, |id| {
            Self::in_folder(Path::new(RECORDINGS_DIR).join(id.as_str()))
        })
    }

    fn in_folder(folder: PathBuf) -> Self {
        match folder.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::None,
            Err(error) => return Self::Unreadable(format!("{}: {error}", folder.display())),
            Ok(_) => {}
        }
        let listed = Command::new(SUDOREPLAY)
            .arg("-d")
            .arg(&folder)
            .arg("-l")
            .env_clear()
            .stdin(Stdio::null())
            .output();
        match listed {
            Ok(output) if output.status.success() => Self::Listed {
                folder,
                commands: String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect(),
            },
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Self::Unreadable(format!("{SUDOREPLAY}: {}", said.trim()))
            }
            Err(error) => Self::Unreadable(format!("{SUDOREPLAY}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_without_a_folder_has_none_and_an_id_that_is_none_names_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let none = Recordings::in_folder(folder.path().join("7H2KM4QX"));
        assert_eq!(none, Recordings::None);
        assert_eq!(Recordings::of("../../../etc"), Recordings::None);
    }
}
