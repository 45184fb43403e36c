//! The note of a beginning: what was there, kept where root alone reads it. Its file is named by its
//! own SHA-256, which the chain has: a note that was changed is not the one that was taken.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::item::{Item, Kind, Salt};
use crate::hex::hex;
use crate::host::folder::{Folder, Found};

/// Where notes are kept.
pub const FOLDER: &str = "/var/lib/tpa/residue";

/// Longest note, in bytes.
const LENGTH_MAX: u64 = 32 << 20;

/// What tells that a thing is another: its print, and when its file was last changed.
pub type Noted = (String, Option<i64>);

/// What was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, in seconds since 1970.
    pub at: i64,
    /// In which boot.
    pub boot_id: String,
    /// What its prints are made with.
    pub salt: Salt,
    /// By kind, what was there. A kind that is missing was not looked at.
    pub things: BTreeMap<Kind, BTreeMap<String, Noted>>,
    /// The files with authorized keys that were there, empty ones too; nothing in a note of a version that
    /// did not keep them.
    #[serde(default)]
    pub key_files: Option<BTreeSet<String>>,
    /// The places that could not be looked at; nothing as above.
    #[serde(default)]
    pub blind: Option<BTreeSet<String>>,
}

impl Note {
    /// Adds all that is there of a kind.
    pub fn add(&mut self, kind: Kind, items: Vec<Item>) {
        let noted = items
            .into_iter()
            .map(|item| (item.what, (item.print, item.changed_at)));
        self.things.entry(kind).or_default().extend(noted);
    }

    /// Writes it; its SHA-256.
    ///
    /// # Errors
    /// When it cannot be written, or is longer than 32 MiB.
    pub fn write(&self, folder: &Folder) -> anyhow::Result<String> {
        let text = serde_json::to_string(self)?;
        ensure!(
            (text.len() as u64) < LENGTH_MAX,
            "there is too much to note"
        );
        let name = hex(&Sha256::digest(text.as_bytes()));
        folder.write(&name, &text, 0o600)?;
        Ok(name)
    }

    /// Reads the one with this SHA-256.
    ///
    /// # Errors
    /// When it is not there, or another.
    pub fn read(folder: &Folder, sha256: &str) -> anyhow::Result<Self> {
        let found = folder.read_up_to(sha256, LENGTH_MAX)?;
        let Some(Found::File { text, .. }) = found else {
            bail!("it is not there any more");
        };
        let found = hex(&Sha256::digest(text.as_bytes()));
        ensure!(found == sha256, "it is not the one that was taken");
        serde_json::from_str(&text).context("it cannot be read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_was_changed_is_not_the_one_that_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Folder::create(&folder.path().join("residue"), 0o700).unwrap();
        let mut note = Note {
            at: 7,
            boot_id: "b".into(),
            salt: Salt("s".into()),
            things: BTreeMap::new(),
            key_files: None,
            blind: None,
        };
        note.add(Kind::Module, vec![Item::new(Kind::Module, "ext4", "")]);
        let name = note.write(&opened).unwrap();
        assert_eq!(Note::read(&opened, &name).unwrap(), note);
        let file = folder.path().join("residue").join(&name);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("ext4", "evil")).unwrap();
        let error = Note::read(&opened, &name).unwrap_err().to_string();
        assert_eq!(error, "it is not the one that was taken");
        std::fs::remove_file(&file).unwrap();
        assert!(Note::read(&opened, &name).is_err());
    }
}
