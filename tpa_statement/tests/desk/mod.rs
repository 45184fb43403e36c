//! Keys and signatures as people make them, with OpenSSH's own tool. The tests of tpactl use it too.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tpa_statement::paper::Paper;

/// A folder with keys.
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    /// Where a file of it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether ssh-keygen(1) did it.
    pub fn keygen(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("/usr/bin/ssh-keygen");
        command.args(arguments).current_dir(self.folder.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
            .status()
            .expect("openssh-client is installed")
            .success()
    }

    /// Makes a key, and gives its public half.
    pub fn key(&self, name: &str, kind: &[&str]) -> String {
        let made = self.keygen(&[&["-q", "-N", "", "-f", name, "-t"], kind].concat());
        assert!(made, "{kind:?}");
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    /// Signs as a person does, and gives what they would hand on.
    pub fn sign(&self, key: &str, namespace: &str, statement: &str) -> Paper {
        let file = self.path("statement");
        fs::write(&file, statement).unwrap();
        let _ = fs::remove_file(self.path("statement.sig"));
        assert!(self.keygen(&["-Y", "sign", "-f", key, "-n", namespace, "statement"]));
        Paper {
            statement: statement.into(),
            signature: fs::read_to_string(self.path("statement.sig")).unwrap(),
        }
    }
}
