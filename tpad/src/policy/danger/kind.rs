//! What a command, a file or an account comes to, and the sentences that people read of it.

use serde::Deserialize;

/// In which way something gives more than it seems to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A shell.
    Shell,
    /// Takes code from its arguments or files.
    Interpreter,
    /// An editor.
    Editor,
    /// A pager.
    Pager,
    /// Shows its output in a pager.
    Paging,
    /// Has a command that starts a shell.
    Escape,
    /// Starts other programs.
    Runs,
    /// Starts the program that its arguments name: what that is, is what counts.
    Wraps,
    /// Loads code.
    Loads,
    /// Installs packages.
    Packages,
    /// Writes files.
    Writes,
    /// Reads files.
    Reads,
    /// Changes owners, modes, capabilities.
    Owners,
    /// Mounts.
    Mounts,
    /// Writes devices.
    Devices,
    /// Changes the kernel.
    Kernel,
    /// Reaches into processes.
    Memory,
    /// Changes accounts.
    Accounts,
    /// Starts containers.
    Container,
    /// Defines units of PID 1.
    Units,
    /// Speaks to a daemon that runs as root.
    Daemon,
    /// Starts something later.
    Schedules,
    /// Listens to the network.
    Listens,
    /// Decides on access.
    Decides,
    /// `sed`, whose script says which of the others it is.
    Sed,
    /// A file that says who has which rights.
    Rights,
    /// A file that the machine starts with.
    Boot,
    /// A file that shells and their kind read.
    Shells,
    /// A file that holds secrets.
    Secrets,
    /// Arguments left to the person.
    Open,
    /// A place where people can write.
    Place,
    /// The role's own settings.
    Role,
    /// Not there, or not usable, on this host.
    Host,
}

impl Kind {
    /// The word that stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Interpreter => "interpreter",
            Self::Editor => "editor",
            Self::Pager => "pager",
            Self::Paging => "paging",
            Self::Escape => "shell-escape",
            Self::Runs | Self::Wraps => "runs",
            Self::Loads => "loads-code",
            Self::Packages => "packages",
            Self::Writes | Self::Sed => "writes",
            Self::Reads => "reads",
            Self::Owners => "owners",
            Self::Mounts => "mounts",
            Self::Devices => "devices",
            Self::Kernel => "kernel",
            Self::Memory => "memory",
            Self::Accounts => "accounts",
            Self::Container => "container",
            Self::Units => "units",
            Self::Daemon => "daemon",
            Self::Schedules => "schedules",
            Self::Listens => "listens",
            Self::Decides => "decides",
            Self::Rights => "rights",
            Self::Boot => "boot",
            Self::Shells => "shell-files",
            Self::Secrets => "secrets",
            Self::Open => "open-arguments",
            Self::Place => "writable-place",
            Self::Role => "role",
            Self::Host => "host",
        }
    }

    /// What a program of this kind does.
    const fn program(self) -> &'static str {
        match self {
            Self::Shell => "a shell",
            Self::Interpreter => "runs what it is told to",
            Self::Editor => "an editor opens any file and starts shells",
            Self::Pager => "a pager starts shells",
            Self::Escape => "has a command that starts a shell",
            Self::Loads => "can load any code",
            Self::Packages => "packages run scripts of their own",
            Self::Writes | Self::Sed => "can write any file",
            Self::Owners => "can hand over any file: its owner, mode or capabilities",
            Self::Mounts => "can put any file in the place of another",
            Self::Devices => "writes devices, and with them every file on a disk",
            Self::Kernel => "changes the kernel, or what it runs",
            Self::Memory => "reaches into the memory of any process",
            Self::Accounts => "can change any account",
            Self::Container => "a container can mount the whole host",
            Self::Units => "can start any program as a unit",
            Self::Daemon => "tells a daemon that runs as root what to do",
            Self::Schedules => "starts any program later, outside of the grant",
            Self::Decides => "decides who gets access",
            _ => "can start any program",
        }
    }

    /// What a program of this kind gives to whoever runs it as `whom`.
    pub(super) fn of_program(self, whom: &str, beside: &str) -> String {
        match self {
            Self::Paging => {
                format!("shows its output in a pager{beside}, which starts shells as {whom}")
            }
            Self::Reads => {
                format!("can read any file{beside}, keys and password hashes among them, as {whom}")
            }
            Self::Secrets => format!("shows password hashes and other secrets{beside} as {whom}"),
            Self::Listens => {
                format!("reads what others send over the network{beside}, passwords among it")
            }
            _ => format!("{}{beside}: this amounts to being {whom}", self.program()),
        }
    }

    /// What a file of this kind is.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Decides => "says who gets access to this host",
            Self::Rights => "says who may do what as whom",
            Self::Accounts => "says who has which account, uid and password",
            Self::Devices => "is a device, and with it every file on a disk, or all memory",
            Self::Kernel => "changes the kernel, or what it runs",
            Self::Boot => "says what root starts with the machine or a service",
            Self::Loads => "is or names code that root runs",
            Self::Shells => "is read by shells and tools, root's among them",
            Self::Packages => "says which packages and authorities are trusted, or what they run",
            Self::Secrets => "holds secrets",
            _ => "names programs that root runs",
        }
    }

    /// What a group of this kind gives to its members.
    pub(super) const fn group(self) -> &'static str {
        match self {
            Self::Container => "can start containers and machines, which can mount the whole host",
            Self::Devices => "can write the disks, and with them every file",
            Self::Accounts => "can read every password hash",
            Self::Rights => "has root's rights already",
            Self::Loads => "can put programs where root finds them first",
            Self::Decides => "decides who gets access",
            _ => "can have root run what they write",
        }
    }

    /// The narrower way.
    pub(super) const fn instead(self) -> &'static str {
        match self {
            Self::Shell => "give the commands that are run in it",
            Self::Editor => "name the files under edit",
            Self::Pager => {
                "give a command that prints, for people to pipe into a pager of their own"
            }
            Self::Paging => "add --no-pager, or give a command that prints without one",
            Self::Escape => "give the one query as an argument (psql -c …), or a root-owned script",
            Self::Loads | Self::Daemon => "give a root-owned script for the one thing",
            Self::Packages => "give a root-owned script that installs the one package",
            Self::Writes | Self::Sed | Self::Owners | Self::Mounts => {
                "spell out every argument, or name the file under edit"
            }
            Self::Reads | Self::Secrets => "name the one file that is to be read",
            Self::Interpreter | Self::Devices | Self::Kernel | Self::Memory => {
                "give a root-owned script that does the one thing"
            }
            Self::Accounts => "spell out every argument, account included",
            Self::Container => "give a root-owned script for the one container",
            Self::Units => "name the verb and the unit, as in /usr/bin/systemctl restart nginx",
            Self::Schedules => "give the command itself: what runs later is not the grant's",
            Self::Listens => "give it to those who may read everything that passes",
            Self::Decides => "let people decide as themselves, not through a role",
            Self::Open => "spell the arguments out, or write \"\" after the command for none",
            Self::Place => "keep it in /usr/local/sbin, with root alone able to write it",
            _ => "give the program it starts, with its arguments",
        }
    }
}
