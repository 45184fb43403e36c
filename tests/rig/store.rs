//! Where images are kept, and whether they still are what they were.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use crate::{clock, tool};

/// The workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Everything the rig keeps: `target/rig`.
#[must_use]
pub fn folder() -> PathBuf {
    workspace().join("target/rig")
}

/// One process at a time makes images.
pub fn lock() -> Result<Flock<File>> {
    fs::create_dir_all(folder())?;
    let path = folder().join("lock");
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, error)| error)
        .with_context(|| format!("locking {}", path.display()))
}

/// A folder with a tree, its key and its manifest. The key says what the tree was made from; the
/// manifest, written last, says what it was when it was done.
#[derive(Debug, Clone)]
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// The image of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            folder: folder().join(name),
        }
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Whether it was made from this, is not older than `max_age`, and has not changed since.
    pub fn is_good(&self, key: &str, max_age: Duration) -> Result<bool> {
        let kept = fs::read_to_string(self.folder.join("key")).unwrap_or_default();
        let manifest_path = self.folder.join("manifest");
        let (Ok(manifest), true) = (fs::read(&manifest_path), kept == key) else {
            return Ok(false);
        };
        let made = fs::metadata(&manifest_path)?.modified()?;
        let made = made.duration_since(std::time::UNIX_EPOCH)?;
        let age = clock::wall()?.saturating_sub(made);
        Ok(age <= max_age && manifest == self.take_manifest()?)
    }

    /// Removes what is there and makes an empty folder for a new tree.
    pub fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("removing {}", self.folder.display()))?;
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("creating {}", self.folder.display()))
    }

    /// The tree is done.
    pub fn seal(&self, key: &str) -> Result<()> {
        fs::write(self.folder.join("key"), key)?;
        fs::write(self.folder.join("manifest"), self.take_manifest()?)?;
        Ok(())
    }

    /// Type, mode, owner, size, path and target of everything, and the SHA-256 of each file.
    fn take_manifest(&self) -> Result<Vec<u8>> {
        let script = "cd \"$1\" && export LC_ALL=C && \
            find . -printf '%y %m %U %G %s %p %l\\n' | sort | sha256sum && \
            find . -type f -print0 | sort -z | xargs -0 -r sha256sum | sha256sum";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "manifest"]).arg(self.tree());
        tool::run(&mut command, format!("reading {}", self.tree().display()))
    }
}
