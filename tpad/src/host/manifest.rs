//! What the derived files were last made to say, kept beside them: when `tpad` starts, it tells by
//! this what somebody changed while there was none from what the one before left undone.
//!
//! It is a list of digests that nothing depends on: where it is missing or behind, a file is put
//! right all the same, without a word.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::hex::hex;
use crate::host::folder::{Folder, Found};

/// Its name in the folder that holds those of the files.
const NAME: &str = "made";

/// Permission bits.
const MODE: u32 = 0o600;

/// The digests of texts (SHA-256, FIPS 180-4), by the name of the file and its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest(BTreeMap<(String, String), String>);

impl Manifest {
    /// What the `tpad` before this one made; nothing, when that cannot be told.
    #[must_use]
    pub fn read(run: &Path) -> Self {
        let found = Folder::open(run).and_then(|folder| Ok(folder.read(NAME)?));
        match found {
            Ok(Some(Found::File { text, mode: MODE })) => {
                Self(text.lines().filter_map(entry).collect())
            }
            Ok(_) | Err(_) => Self::default(),
        }
    }

    /// A file was made to say this.
    pub fn add(&mut self, kind: &str, name: &str, text: &str) {
        self.0
            .insert((name.to_owned(), kind.to_owned()), digest(text));
    }

    /// Whether a file was last made to say this.
    #[must_use]
    pub fn says(&self, kind: &str, name: &str, text: &str) -> bool {
        let manifest = self.0.get(&(name.to_owned(), kind.to_owned()));
        manifest.is_some_and(|manifest| *manifest == digest(text))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, run: &Path) -> anyhow::Result<()> {
        let entries = self.0.iter();
        let lines: Vec<_> = entries
            .map(|((name, kind), digest)| format!("{digest} {name} {kind}\n"))
            .collect();
        Folder::create(run, 0o700)
            .and_then(|folder| folder.write(NAME, &lines.concat(), MODE))
            .with_context(|| format!("write {}", run.join(NAME).display()))
    }
}

/// A line: the digest, the name, which has no space, and the kind.
fn entry(line: &str) -> Option<((String, String), String)> {
    let (digest, file) = line.split_once(' ')?;
    let (name, kind) = file.split_once(' ')?;
    Some(((name.to_owned(), kind.to_owned()), digest.to_owned()))
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        assert_eq!(Manifest::read(&run), Manifest::default());
        let mut manifest = Manifest::default();
        manifest.add("state file", "1001", "one");
        manifest.add("rule", "1001", "two");
        manifest.write(&run).unwrap();
        let read = Manifest::read(&run);
        assert_eq!(read, manifest);
        assert!(read.says("state file", "1001", "one"));
        assert!(!read.says("state file", "1001", "two"));
        assert!(!read.says("rule", "1002", "two"));
    }

    #[test]
    fn what_is_not_ours_or_makes_no_sense_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(&dir.path().join("run"), 0o700).unwrap();
        for (text, mode) in [("ab 1001 rule\n", 0o644), ("ab\n\nab 1001\n", MODE)] {
            folder.write(NAME, text, mode).unwrap();
            assert_eq!(Manifest::read(folder.path()), Manifest::default(), "{text}");
        }
    }
}
