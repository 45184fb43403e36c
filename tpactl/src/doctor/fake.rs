//! A host in a folder, as it should be, for tests to break.

use std::fs;
use std::io;
use std::path::Path;

use tpa_bus::offline::{GateFile, Who};

use super::{Host, Ran};

/// The host and the folder that it lives in.
pub struct Fake {
    pub host: Host,
    folder: tempfile::TempDir,
}

impl Fake {
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder.path().join(path)).unwrap();
    }
}

/// A protected host.
pub fn protected() -> Fake {
    let folder = tempfile::tempdir().unwrap();
    let host = Host {
        root: folder.path().to_owned(),
        run: answers,
    };
    let fake = Fake { host, folder };
    for service in ["sshd", "login", "su"] {
        fake.write(
            &format!("etc/pam.d/{service}"),
            "# a comment\n@include common-auth\n@include common-account\n@include common-session\n",
        );
    }
    for service in ["sudo", "sudo-i"] {
        fake.write(
            &format!("etc/pam.d/{service}"),
            "@include common-account\n@include common-session-noninteractive\n",
        );
    }
    let session = "session required pam_permit.so\nsession required pam_tpa.so\n";
    fake.write(
        "etc/pam.d/common-account",
        "account required pam_tpa.so\naccount [success=1 new_authtok_reqd=done] pam_unix.so\n",
    );
    fake.write("etc/pam.d/common-session-noninteractive", session);
    fake.write(
        "etc/pam.d/common-session",
        &format!("{session}session optional pam_systemd.so\nsession required pam_tpa.so scope\n"),
    );
    fake.write("etc/sudoers", "@includedir /etc/sudoers.d\n");
    fake.write(
        "etc/sudoers.d/tpa",
        "# TPA\n@includedir /run/tpa/sudoers.d\n",
    );
    fake.write(
        "var/lib/tpa/gate",
        &GateFile {
            login: vec![Who::Group("engineers".into())],
            sudo: vec![Who::Group("engineers".into())],
            exempt: vec![Who::Group("tpa-emergency".into())],
            ..GateFile::default()
        }
        .render(),
    );
    fake.write(
        "etc/group",
        "engineers:x:2000:alice,bob\ntpa-emergency:x:2001:eve\n",
    );
    fake.write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/bash\neve:x:1005:1005::/home/eve:/bin/bash\n",
    );
    fake
}

/// What the programs of a protected host say.
fn answers(program: &Path, args: &[&str]) -> io::Result<Ran> {
    let said = match (program.to_str(), args) {
        (Some("/usr/bin/systemctl"), ["is-enabled", _]) => "enabled\n",
        (Some("/usr/bin/systemctl"), ["is-active", _]) => "active\n",
        (Some("/usr/bin/grep"), _) => "",
        (Some("/usr/sbin/sshd"), ["-V"]) => "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0\n",
        (Some("/usr/bin/sudo"), ["-V"]) => "Sudo version 1.9.13p3\n",
        (Some("/usr/bin/sudo"), ["-l", ..]) => "User alice is not allowed to run sudo on web-01.\n",
        (Some("/usr/bin/timedatectl"), _) => "yes\n",
        _ => return Err(io::ErrorKind::NotFound.into()),
    };
    Ok(Ran {
        success: true,
        said: said.to_owned(),
    })
}

/// A host on which one program says something else, or fails.
macro_rules! saying {
    ($host:expr, $program:literal, $success:literal, $said:literal) => {
        $host.host.run = |program, args| {
            if program == std::path::Path::new($program) {
                Ok($crate::doctor::Ran {
                    success: $success,
                    said: $said.to_owned(),
                })
            } else {
                $crate::doctor::fake::usual(program, args)
            }
        }
    };
}
pub(super) use saying;

/// The usual answers.
pub fn usual(program: &Path, args: &[&str]) -> io::Result<Ran> {
    answers(program, args)
}

/// What is found on a host where several things are wrong.
pub fn broken() -> Vec<super::Finding> {
    let mut host = protected();
    host.write("etc/pam.d/sudo", "@include common-session\n");
    host.write(
        "etc/group",
        "engineers:x:2000:alice\ntpa-emergency:x:2001:\n",
    );
    host.write("var/lib/systemd/linger/alice", "");
    saying!(
        host,
        "/usr/sbin/sshd",
        true,
        "OpenSSH_10.0p2\npersourcepenalties crash:90 noauth:1\n"
    );
    super::examine(&host.host)
}
