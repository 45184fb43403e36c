//! The releases of Debian that TPA is tried on.

use std::fmt;

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Debian {
    /// Debian 12: systemd 252, OpenSSH 9.2, sudo 1.9.13, dbus 1.14.
    Bookworm,
    /// Debian 13: systemd 257, OpenSSH 10.0, sudo 1.9.16, dbus 1.16.
    Trixie,
    /// Debian 14, while it is called testing: tried by hand, see tests/README.md. Its systemd does
    /// without the older control groups, which containers on this machine may have: emulated only.
    Forky,
}

/// What a server has: the login services, sudo, the log daemon, tools that people leave running,
/// and what breaks a program at a chosen system call.
const PACKAGES: [&str; 19] = [
    "at",
    "cron",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "login",
    "openssh-client",
    "openssh-server",
    "openssh-sftp-server",
    "passwd",
    "polkitd",
    "procps",
    "rsyslog",
    "strace",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tmux",
    "util-linux",
];

impl Debian {
    /// Those that every story is played on.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Its name in Debian's archive.
    #[must_use]
    pub const fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }

    /// The packages of its base image.
    #[must_use]
    pub fn packages(self) -> Vec<&'static str> {
        let mut packages = PACKAGES.to_vec();
        if self != Self::Bookworm {
            packages.push("sudo-rs");
        }
        packages
    }
}

/// What a host has beside the packages of every server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Equipment {
    /// Nothing.
    Plain,
    /// Other programs that speak to sshd, and what Ansible needs on either side.
    Tools,
}

impl Equipment {
    /// What stands behind the names of its images.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tools => "-tools",
        }
    }

    /// Its packages.
    #[must_use]
    pub const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Tools => &["ansible-core", "python3-paramiko", "rsync"],
        }
    }
}

impl fmt::Display for Debian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bookworm => "Debian 12",
            Self::Trixie => "Debian 13",
            Self::Forky => "Debian 14",
        })
    }
}
