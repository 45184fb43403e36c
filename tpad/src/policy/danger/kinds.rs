//! Programs by the way in which they lead to everything.

/// Programs that lead to everything in the same way.
pub(super) struct Kind {
    programs: &'static [&'static str],
    /// Whether they do with these arguments.
    pub(super) when: fn(&str) -> bool,
    /// In which way.
    pub(super) how: &'static str,
    /// The narrower way.
    pub(super) instead: &'static str,
}

/// The kind that a program is of. `python3.11` is `python`.
pub(super) fn kind_of(program: &str) -> Option<&'static Kind> {
    let base = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is = |kind: &&Kind| kind.programs.contains(&program) || kind.programs.contains(&base);
    KINDS.iter().find(is)
}

/// Whether arguments are left to the person who runs the command. From `^` on they are a regular
/// expression, of which `.+` leaves all.
pub(super) fn is_open(arguments: &str) -> bool {
    arguments.is_empty()
        || arguments.contains(['*', '?', '['])
        || arguments.trim_start_matches(' ').starts_with('^')
}

fn always(_: &str) -> bool {
    true
}

fn without_query(arguments: &str) -> bool {
    let query = ["-c", "-e", "--command", "--execute"];
    is_open(arguments) || !arguments.split(' ').any(|word| query.contains(&word))
}

const KINDS: &[Kind] = &[
    Kind {
        programs: &[
            "sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "rbash",
        ],
        when: always,
        how: "a shell",
        instead: "give the commands that are run in it",
    },
    Kind {
        programs: &[
            "python", "perl", "ruby", "node", "php", "lua", "tclsh", "expect", "awk", "gawk",
            "mawk", "gdb", "make", "ed", "sed",
        ],
        when: always,
        how: "runs what it is told to",
        instead: "give a root-owned script that does the one thing",
    },
    Kind {
        programs: &[
            "vi", "vim", "nvim", "view", "nano", "emacs", "joe", "mcedit",
        ],
        when: always,
        how: "an editor opens any file and starts shells",
        instead: "name the files under edit",
    },
    Kind {
        programs: &["less", "more", "most", "man"],
        when: always,
        how: "a pager starts shells",
        instead: "give a command that prints, for people to pipe into a pager of their own",
    },
    Kind {
        programs: &[
            "apt", "apt-get", "aptitude", "dpkg", "dnf", "yum", "rpm", "zypper", "snap", "flatpak",
            "pip", "npm", "gem",
        ],
        when: always,
        how: "packages run scripts of their own",
        instead: "give a root-owned script that installs the one package",
    },
    Kind {
        programs: &[
            "su",
            "sudo",
            "doas",
            "runuser",
            "pkexec",
            "systemd-run",
            "machinectl",
            "nsenter",
            "unshare",
            "chroot",
            "env",
            "nice",
            "nohup",
            "setsid",
            "timeout",
            "time",
            "watch",
            "xargs",
            "find",
            "strace",
            "ltrace",
            "script",
            "screen",
            "tmux",
            "crontab",
            "at",
            "batch",
            "setpriv",
            "capsh",
            "ssh",
            "scp",
            "sftp",
            "git",
            "tar",
            "zip",
            "rsync",
            "tcpdump",
            "ip",
        ],
        when: always,
        how: "can start any program",
        instead: "give the program it starts, with its arguments",
    },
    Kind {
        programs: &[
            "docker", "podman", "lxc", "incus", "nerdctl", "ctr", "kubectl",
        ],
        when: always,
        how: "a container can mount the whole host",
        instead: "give a root-owned script for the one container",
    },
    Kind {
        programs: &["mount", "umount"],
        when: is_open,
        how: "can put any file in the place of another",
        instead: "spell out every argument",
    },
    Kind {
        programs: &[
            "cp", "mv", "tee", "dd", "install", "ln", "chmod", "chown", "chgrp", "setfacl", "curl",
            "wget", "unzip", "patch", "truncate",
        ],
        when: is_open,
        how: "can write any file",
        instead: "spell out every argument, or name the file under edit",
    },
    Kind {
        programs: &[
            "passwd", "chpasswd", "usermod", "useradd", "adduser", "gpasswd", "vipw", "visudo",
            "chsh",
        ],
        when: is_open,
        how: "can change any account",
        instead: "spell out every argument, account included",
    },
    Kind {
        programs: &["psql", "mysql", "mariadb", "sqlite", "redis-cli", "ftp"],
        when: without_query,
        how: "has a command that starts a shell",
        instead: "give the one query as an argument (psql -c …), if that is enough",
    },
];
