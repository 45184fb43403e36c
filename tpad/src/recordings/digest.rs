//! What a recording is, in one number: if one byte of one of its files changes, or a file comes or
//! goes, it is another.

use sha2::{Digest as _, Sha256};

use crate::hex::{hex, sha256_of};
use crate::host::folder::Folder;

/// Most files of a recording. sudo makes eight at most.
const FILES: usize = 64;

/// A recording as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The SHA-256, in hexadecimal, over each file in the order of their names: its name and a zero
    /// byte, the SHA-256 of its content, and its length in eight bytes (little-endian).
    pub sha256: String,
    /// The length of all of them.
    pub bytes: u64,
}

impl Digest {
    /// Reads all of it: as long as it is, in pieces.
    ///
    /// # Errors
    /// When it cannot be read, or is none of sudo's: it has too many files, or one that is no plain
    /// file of root's.
    pub fn of(recording: &Folder) -> anyhow::Result<Self> {
        let names = recording.names()?;
        anyhow::ensure!(names.len() <= FILES, "it has more than {FILES} files");
        let mut all = Sha256::new();
        let mut bytes = 0_u64;
        for name in names {
            let Some(file) = recording.file(&name)? else {
                anyhow::bail!("{name} in it is no plain file of root's");
            };
            let (content, length) = sha256_of(file)?;
            all.update(name.as_bytes());
            all.update([0]);
            all.update(content);
            all.update(length.to_le_bytes());
            bytes = bytes.saturating_add(length);
        }
        let sha256 = hex(&all.finalize());
        Ok(Self { sha256, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_another_when_a_byte_a_name_or_the_number_of_its_files_changes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let digest = || Digest::of(&Folder::open(dir.path()).unwrap()).unwrap();
        write("timing", "4 0.1 2\n");
        write("ttyout", "hi");
        let closed = digest();
        assert_eq!((closed.bytes, closed.sha256.len()), (10, 64));
        assert_eq!(digest(), closed);
        write("ttyout", "ho");
        assert_ne!(digest(), closed);
        write("ttyout", "hi");
        write("stdout", "");
        assert_ne!(digest(), closed);
        std::fs::remove_file(dir.path().join("stdout")).unwrap();
        assert_eq!(digest(), closed);
        std::fs::rename(dir.path().join("ttyout"), dir.path().join("ttyin")).unwrap();
        assert_ne!(digest(), closed);
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("stdin")).unwrap();
        assert!(Digest::of(&Folder::open(dir.path()).unwrap()).is_err());
    }
}
