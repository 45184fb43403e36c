//! The rig's own way into an emulated machine: ssh, with one connection for all commands.
//!
//! Setting up a connection takes seconds where the processor is emulated. Nothing here goes by
//! the machine's clock, which the stories set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::machine::{ENVIRONMENT, WATCHED};
use crate::running::Running;

/// Seconds after which a command is given up when the machine itself does not stop it.
const LIMIT: &str = "900";

/// The connection's socket, in the folder of the machine.
const SOCKET: &str = "ssh";

/// A connection that commands share. Closed when dropped.
pub struct WayIn {
    /// Where the connection's socket is: its full name may be too long for one.
    folder: PathBuf,
    options: Vec<String>,
    _connection: Running,
}

impl WayIn {
    /// Connects to a port of this machine, with the key of an image of [`crate::disk`].
    pub fn open(port: u16, image: &Path, folder: &Path) -> Result<Self> {
        // ssh shares no connection whose socket is there already: one of before the machine booted
        // again leads nowhere.
        let socket = folder.join(SOCKET);
        if socket.exists() {
            fs::remove_file(&socket)?;
        }
        let key = image.join("key");
        let hosts = image.join("known_hosts");
        let options = vec![
            format!("-oIdentityFile={}", key.display()),
            format!("-oUserKnownHostsFile={}", hosts.display()),
            format!("-oControlPath={SOCKET}"),
            format!("-oPort={port}"),
            "-oHostKeyAlias=rig".to_owned(),
            "-oStrictHostKeyChecking=yes".to_owned(),
            "-oIdentitiesOnly=yes".to_owned(),
            "-oBatchMode=yes".to_owned(),
            "-oConnectTimeout=120".to_owned(),
            "-oTCPKeepAlive=no".to_owned(),
            "-oKexAlgorithms=curve25519-sha256".to_owned(),
            "-oLogLevel=ERROR".to_owned(),
        ];
        let mut master = Command::new("/usr/bin/setpriv");
        master
            .args(["--pdeathsig", "KILL", "/usr/bin/ssh", "-F", "none"])
            .args(&options)
            .args(["-oControlMaster=yes", "root@127.0.0.1"])
            .arg("echo connected; exec cat")
            .current_dir(folder);
        let mut connection = Running::start_open("ssh to the machine".to_owned(), &mut master)?;
        connection.line("connected")?;
        Ok(Self {
            folder: folder.to_path_buf(),
            options,
            _connection: connection,
        })
    }

    /// A process that runs a command at the other end, as [`crate::machine::Machine::command`]
    /// says.
    pub fn command(&self, argv: &[&str]) -> Command {
        let mut words = vec![
            "exec".to_owned(),
            "/usr/bin/env".to_owned(),
            "-i".to_owned(),
        ];
        words.extend(ENVIRONMENT.map(|(name, value)| format!("{name}={value}")));
        words.extend(WATCHED.iter().chain(argv).map(|word| quoted(word)));
        let mut command = Command::new("/usr/bin/timeout");
        command
            .args(["--kill-after=2", LIMIT, "/usr/bin/setpriv"])
            .args(["--pdeathsig", "TERM"]);
        self.ssh(&mut command).arg(words.join(" "));
        command
    }

    /// A process that is a shell at the other end, on this terminal.
    pub fn shell(&self) -> Command {
        let mut command = Command::new("/usr/bin/env");
        self.ssh(&mut command).arg("-t").arg("exec bash -l");
        command
    }

    /// Through the connection or not at all.
    fn ssh<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .args(["/usr/bin/ssh", "-F", "none", "-oProxyCommand=false"])
            .args(&self.options)
            .arg("root@127.0.0.1")
            .current_dir(&self.folder)
    }
}

/// A word as the shell takes it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
