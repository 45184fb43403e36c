//! The file that a page is written into.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::context::Context;
use crate::fail::{Exit, Fail};

/// Stands for stdout.
const STREAM: &str = "-";

/// Where a page goes.
pub struct Target {
    path: PathBuf,
    replaces: bool,
}

impl Target {
    /// Looks whether it can be written there, before anything is read for it.
    ///
    /// # Errors
    /// When something is there, unless `force` is given and it is a plain file.
    pub fn new(path: &Path, force: bool) -> Result<Self, Fail> {
        let target = Self {
            path: path.to_owned(),
            replaces: force,
        };
        if target.is_stream() {
            return Ok(target);
        }
        match path.symlink_metadata() {
            Ok(_) if !force => Err(Fail::new(
                Exit::Failure,
                format!("{} is there already", path.display()),
                "name a new file, or add --force",
            )),
            Ok(there) if !there.is_file() => Err(Fail::new(
                Exit::Failure,
                format!("{} is no plain file", path.display()),
                "name a new file",
            )),
            _ => Ok(target),
        }
    }

    fn is_stream(&self) -> bool {
        self.path == Path::new(STREAM)
    }

    /// Writes it: whole or not at all, for its owner alone, and never through a link.
    pub fn write(&self, page: &str, context: &Context) -> Result<(), Fail> {
        if self.is_stream() {
            return context.screen.data(page.trim_end());
        }
        self.place(page).map_err(|error| {
            Fail::new(
                Exit::Failure,
                format!("cannot write {}: {error}", self.path.display()),
                "name a new file in a folder of yours",
            )
        })
    }

    fn place(&self, page: &str) -> std::io::Result<()> {
        let folder = self.path.parent().filter(|up| !up.as_os_str().is_empty());
        // Mode 0600, under a name that nobody knows, created and not opened.
        let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(page.as_bytes())?;
        let placed = if self.replaces {
            file.persist(&self.path)
        } else {
            file.persist_noclobber(&self.path)
        };
        placed.map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn place(path: &Path, force: bool, page: &str) -> Result<(), String> {
        let target = Target::new(path, force).map_err(|fail| fail.lines().join("\n"))?;
        target.place(page).map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_is_a_new_file_of_its_owners_and_replaces_one_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        place(&path, false, "one").unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let why = place(&path, false, "two").unwrap_err();
        assert!(
            why.contains("is there already") && why.contains("--force"),
            "{why}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        place(&path, true, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn no_link_is_followed_and_nothing_but_a_plain_file_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (link, aim) = (folder.path().join("link"), folder.path().join("aim"));
        symlink(&aim, &link).unwrap();
        for force in [false, true] {
            place(&link, force, "page").unwrap_err();
            place(folder.path(), force, "page").unwrap_err();
        }
        assert!(!aim.exists());
        // One that came in between.
        let target = Target::new(&aim, false).unwrap();
        symlink("elsewhere", &aim).unwrap();
        target.place("page").unwrap_err();
        assert!(!folder.path().join("elsewhere").exists());
    }
}
