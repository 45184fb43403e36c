//! Signing a statement with a person's own SSH key: ssh-keygen(1) does it, with the agent, the
//! passphrase, the touch and the PIN that the key asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, geteuid};
use tpa_statement::NAMESPACE;
use tpa_statement::paper::Paper;
use tpa_statement::signers::Signers;
use tpa_statement::sshsig::{Envelope, Presence};
use tpa_statement::statement::Statement;

use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::input::{open_regular, read_text};
use crate::say;
use crate::verbs::verify::{SIGNERS, SIGNERS_MAX};

/// Where the packages put them: no search path is asked.
const KEYGEN: &str = "/usr/bin/ssh-keygen";
const ADD: &str = "/usr/bin/ssh-add";

/// The keys that are looked for in ~/.ssh, as ssh(1) does; security keys first.
const NAMES: [&str; 5] = [
    "id_ed25519_sk",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ecdsa",
    "id_rsa",
];

/// Longest public key that is read, in bytes.
const KEY_MAX: usize = 64 * 1024;

/// A key that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    /// Its public half, as one line.
    public: String,
    /// Its file; none where the agent alone has it.
    file: Option<PathBuf>,
}

impl Candidate {
    fn kind(&self) -> &str {
        self.public.split_whitespace().next().unwrap_or_default()
    }

    fn is_security_key(&self) -> bool {
        self.kind().starts_with("sk-")
    }
}

/// Which key signs.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// This one, and no other.
    pub file: Option<&'a Path>,
    /// What its signature has to prove.
    pub presence: Presence,
    /// Whose keys these are, where that is known here: one of them is taken before others.
    pub signers: Option<&'a Signers>,
}

/// The login name of whoever runs the command.
pub fn own_name() -> Result<String, Fail> {
    let uid = geteuid();
    if uid.is_root() {
        return Err(Fail::new(
            Exit::Usage,
            "root signs no statements: a person does",
            "run it as yourself, without sudo; or name the person with --as NAME and the key with --key FILE",
        ));
    }
    match User::from_uid(uid) {
        Ok(Some(user)) => Ok(user.name),
        _ => Err(Fail::new(
            Exit::Failure,
            format!("cannot tell the login name of uid {uid}"),
            "say it: --as NAME",
        )),
    }
}

/// Whose keys these are on this host, where everybody may read it.
pub fn signers_here() -> Option<Signers> {
    let file = open_regular(Path::new(SIGNERS)).ok()?;
    let text = read_text(file, SIGNERS_MAX).ok()?;
    Some(Signers::parse(&text))
}

/// Signs a statement.
pub fn sign(statement: &Statement, choice: Choice<'_>, context: &Context) -> Result<Paper, Fail> {
    let bytes = statement.to_bytes().map_err(|error| {
        Fail::new(
            Exit::Usage,
            format!("no host would take this: {error}"),
            "say it shorter, or otherwise",
        )
    })?;
    let key = choose(&statement.by, statement.at, choice)?;
    let signature = signature_of(&bytes, &key, context)?;
    proves(&signature, &bytes, choice.presence)?;
    Ok(Paper {
        statement: bytes,
        signature,
    })
}

/// The key that is named; else the first that suits, of those the agent has and those in ~/.ssh.
fn choose(by: &str, at: i64, choice: Choice<'_>) -> Result<Candidate, Fail> {
    if let Some(file) = choice.file {
        return Ok(named(file));
    }
    let all: Vec<Candidate> = [in_agent(), in_home()].concat();
    let touched = choice.presence >= Presence::Touched;
    let suit: Vec<_> = all
        .into_iter()
        .filter(|key| key.is_security_key() || !touched)
        .collect();
    let listed = |key: &&Candidate| {
        let signers = choice.signers;
        signers.is_some_and(|signers| signers.knows(&key.public, by, at))
    };
    suit.iter()
        .find(listed)
        .or(suit.first())
        .cloned()
        .ok_or_else(|| {
            let what = if touched { "security key" } else { "SSH key" };
            Fail::new(
                Exit::Failure,
                format!("you have no {what} to sign with, neither in the agent nor in ~/.ssh"),
                "name it: --key FILE",
            )
        })
}

/// A key's file, or that of its public half.
fn named(file: &Path) -> Candidate {
    let mut public = file.as_os_str().to_owned();
    if file.extension().is_none_or(|ending| ending != "pub") {
        public.push(".pub");
    }
    let public = PathBuf::from(public);
    let text = open_regular(&public).and_then(|file| read_text(file, KEY_MAX));
    // Without its public half beside it ssh-keygen reads the key itself.
    Candidate {
        public: text.map(|text| first_line(&text)).unwrap_or_default(),
        file: Some(file.to_owned()),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn in_agent() -> Vec<Candidate> {
    let listed = Command::new(ADD)
        .arg("-L")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(listed) = listed else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&listed.stdout);
    let keys = text.lines().filter(|line| {
        let kind = line.split_whitespace().next().unwrap_or_default();
        ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|start| kind.starts_with(start))
            && !kind.contains("-cert-v01@")
    });
    keys.map(|line| Candidate {
        public: line.trim().to_owned(),
        file: None,
    })
    .collect()
}

fn in_home() -> Vec<Candidate> {
    let Ok(Some(user)) = User::from_uid(geteuid()) else {
        return Vec::new();
    };
    let folder = user.dir.join(".ssh");
    let keys = NAMES.iter().filter_map(|name| {
        let file = folder.join(name);
        let key = named(&file);
        (file.is_file() && !key.public.is_empty()).then_some(key)
    });
    keys.collect()
}

/// Has ssh-keygen(1) sign, which asks on the terminal for what the key needs.
fn signature_of(bytes: &[u8], key: &Candidate, context: &Context) -> Result<String, Fail> {
    let failed = |error: std::io::Error| {
        let why = format!("cannot sign: {error}");
        Fail::new(
            Exit::Failure,
            why,
            "make room in the folder for temporary files",
        )
    };
    let folder = tempfile::tempdir().map_err(failed)?;
    let message = folder.path().join("statement");
    fs::write(&message, bytes).map_err(failed)?;
    let file = if let Some(file) = &key.file {
        std::path::absolute(file).map_err(failed)?
    } else {
        let file = folder.path().join("key.pub");
        fs::write(&file, &key.public).map_err(failed)?;
        file
    };
    if key.is_security_key() {
        context.screen.note("touch your security key");
    }
    let status = Command::new(KEYGEN)
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(&file)
        .arg(&message)
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(Fail::new(
                Exit::Failure,
                "it was not signed: ssh-keygen could not use the key",
                "try the key by hand: ssh-keygen -Y sign -n test -f KEY FILE; name another one with --key FILE",
            ));
        }
        Err(error) => {
            return Err(Fail::new(
                Exit::Failure,
                format!("cannot run {KEYGEN}: {error}"),
                "install openssh-client (openssh on Red Hat's)",
            ));
        }
    }
    fs::read_to_string(folder.path().join("statement.sig")).map_err(failed)
}

/// What the signature proves is known before anybody is bothered with it.
fn proves(signature: &str, bytes: &[u8], wanted: Presence) -> Result<(), Fail> {
    let presence = Envelope::parse(signature).and_then(|envelope| envelope.verify(bytes));
    let presence = presence.map_err(|error| {
        let why = format!("ssh-keygen signed, and no host would take it: {error}");
        Fail::new(Exit::Failure, why, "name another key: --key FILE")
    })?;
    if presence >= wanted {
        return Ok(());
    }
    let (what, next) = match wanted {
        Presence::Verified => (
            "does not ask for your PIN or finger",
            "make one that does: ssh-keygen -t ed25519-sk -O verify-required; or name it: --key FILE",
        ),
        Presence::Touched | Presence::Key => (
            "is no security key that you touch",
            "name the security key: --key FILE",
        ),
    };
    let why = format!("the key that signed {what}");
    Err(Fail::new(Exit::NotPermitted, say::clean(&why), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_from_a_security_key_by_its_kind() {
        let key = |public: &str| Candidate {
            public: public.to_owned(),
            file: None,
        };
        assert!(key("sk-ssh-ed25519@openssh.com AAAA alice").is_security_key());
        assert!(!key("ssh-ed25519 AAAA sk-alice").is_security_key());
        assert!(!key("").is_security_key());
    }
}
