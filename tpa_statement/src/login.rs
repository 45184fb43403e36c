//! Whose key somebody logged in with: the front door (`ssh tpa@HOST`), where `sshd` proves the key and
//! the signers file says whose it is.

use std::collections::BTreeSet;

use ssh_encoding::Decode;
use ssh_encoding::base64::{Base64, Encoding};
use ssh_key::public::KeyData;
use ssh_key::{Certificate, PublicKey};
use tpa_bus::text::one_line;

use crate::signers::{Signer, Signers, fingerprint, is_security_key};
use crate::sshsig::{BadCertificate, holds, key_or_certificate};

/// A line of the signers file that names this among its namespaces, word for word, is one of a
/// security key whose PIN (or finger) sshd asks for at the front door. Nothing is signed in it: it
/// says so in a way that `ssh-keygen` reads too.
pub const PIN: &str = "pin@tpa.v1";

/// A key or a certificate, as `sshd` names what somebody proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    key: KeyData,
    certificate: Option<Box<Certificate>>,
}

/// A person, and what vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Their login name.
    pub person: String,
    /// The key, as `SHA256:…`: a certificate's own, not its CA's.
    pub fingerprint: String,
    /// Whether it lives in a security key, which sshd lets in only when it was touched.
    pub security_key: bool,
    /// Whether a line says of this security key that sshd asks for its PIN: see [`PIN`].
    pub asks_pin: bool,
    /// The CA's key, where a certificate vouches, as it stands in a file of OpenSSH's.
    pub authority: Option<String>,
}

/// Why a key or a certificate lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    /// It cannot be read.
    #[error("the key cannot be read, or is a certificate without an end")]
    Unreadable,
    /// It stands on no line of the signers file.
    #[error("the key {0} is nobody's: it stands in no line of the signers file")]
    UnknownKey(String),
    /// It is listed, and is not valid.
    #[error("the key {key} lets nobody in: {why}")]
    NotValid {
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
    /// It is listed for several people, so that it does not say which of them this is.
    #[error(
        "the key {key} is that of several people ({people}), and does not say which of them you are"
    )]
    Several {
        /// The key.
        key: String,
        /// Who.
        people: String,
    },
}

impl Credential {
    /// Reads `TYPE BASE64`, as authorized keys are written (sshd(8)).
    ///
    /// # Errors
    /// [`NoLogin::Unreadable`].
    pub fn parse(text: &str) -> Result<Self, NoLogin> {
        let read = || {
            let (kind, base64) = text.split_once(' ')?;
            let bytes = Base64::decode_vec(base64).ok()?;
            let named = String::decode(&mut bytes.as_slice()).ok()?;
            let (key, certificate) = key_or_certificate(&bytes).ok()?;
            (named == kind).then_some(Self { key, certificate })
        };
        read().ok_or(NoLogin::Unreadable)
    }

    /// The key, as `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key)
    }

    /// Whose it is at a time, in seconds since 1970.
    ///
    /// # Errors
    /// [`NoLogin`], in words for whoever holds it.
    pub fn person(&self, signers: &Signers, at: i64) -> Result<Login, NoLogin> {
        let key = self.fingerprint();
        let listed = self.lines(signers);
        if listed.is_empty() {
            return Err(NoLogin::UnknownKey(key));
        }
        let vouched = self.named_by_certificate(at);
        let mut people: Vec<(&str, &Signer)> = Vec::new();
        let mut why = String::new();
        for signer in listed {
            match is_of(signer, vouched.as_ref(), at) {
                Ok(names) => people.extend(names.into_iter().map(|name| (name, signer))),
                Err(reason) if why.is_empty() => {
                    why = format!("line {}: {reason}", signer.line);
                }
                Err(_) => {}
            }
        }
        let Some(&(person, signer)) = people.first() else {
            return Err(NoLogin::NotValid { key, why });
        };
        if people.iter().any(|(other, _)| *other != person) {
            let names: Vec<_> = people.iter().take(4).map(|(name, _)| *name).collect();
            let people = one_line(&names.join(", "), 80);
            return Err(NoLogin::Several { key, people });
        }
        self.is_not_doubted(signers, vouched.as_ref(), person, &key)?;
        let security_key = is_security_key(&self.key);
        Ok(Login {
            person: person.to_owned(),
            fingerprint: key,
            security_key,
            asks_pin: security_key && people.iter().any(|(_, line)| line.is_named(PIN)),
            authority: signer.authority.then(|| text_of(&signer.key)).flatten(),
        })
    }

    /// Whether no line that cannot be read may make it somebody else's, too.
    fn is_not_doubted(
        &self,
        signers: &Signers,
        vouched: Option<&Result<BTreeSet<&str>, BadCertificate>>,
        person: &str,
        key: &str,
    ) -> Result<(), NoLogin> {
        let listed = match &self.certificate {
            Some(certificate) => certificate.signature_key(),
            None => &self.key,
        };
        let may_be_theirs = |name: &str| match vouched {
            Some(Ok(names)) => names.contains(name),
            Some(Err(_)) | None => true,
        };
        for unread in signers.unread_with_key(listed) {
            let others = unread.principals.as_ref().map(|names| {
                let mut others = names.iter().filter(|name| *name != person);
                others.any(|name| may_be_theirs(name))
            });
            if others.unwrap_or(true) {
                let line = unread.line;
                return Err(NoLogin::NotValid {
                    key: key.to_owned(),
                    why: format!(
                        "line {line} has it too and cannot be read, so whose it is is not clear"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Whom the certificate names, where it is one and holds at this time. Its signature is checked
    /// here and once, however many people the file lists.
    fn named_by_certificate(&self, at: i64) -> Option<Result<BTreeSet<&str>, BadCertificate>> {
        let certificate = self.certificate.as_ref()?;
        let names = certificate.valid_principals().iter().map(String::as_str);
        Some(holds(certificate, at).map(|()| names.collect()))
    }

    /// The lines that could vouch for it: of the key, or of the CA that signed the certificate. sshd
    /// takes a certificate for what its CA says, and not for its key.
    fn lines<'a>(&self, signers: &'a Signers) -> Vec<&'a Signer> {
        match &self.certificate {
            Some(certificate) => signers
                .with_key(certificate.signature_key())
                .filter(|line| line.authority)
                .collect(),
            None => signers
                .with_key(&self.key)
                .filter(|line| !line.authority)
                .collect(),
        }
    }
}

/// The people of a line that a key, or the certificate that `vouched` is of, is theirs by it.
fn is_of<'a>(
    signer: &'a Signer,
    vouched: Option<&Result<BTreeSet<&str>, BadCertificate>>,
    at: i64,
) -> Result<Vec<&'a str>, String> {
    if !signer.in_namespace() {
        return Err("it is for other namespaces".to_owned());
    }
    if !signer.is_valid_at(at) {
        return Err("it is not valid now".to_owned());
    }
    let listed = signer.principals.iter().map(String::as_str);
    let named: Vec<_> = match vouched {
        None => listed.collect(),
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(names)) => listed.filter(|name| names.contains(name)).collect(),
    };
    if named.is_empty() {
        return Err("the certificate names nobody of that line".to_owned());
    }
    Ok(named)
}

/// A key without its comment.
fn text_of(key: &KeyData) -> Option<String> {
    PublicKey::from(key.clone()).to_openssh().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const DAY: i64 = 1_767_225_600;

    fn whose(lines: &str) -> Result<String, String> {
        let signers = Signers::parse(lines);
        let login = Credential::parse(KEY).unwrap().person(&signers, DAY);
        login
            .map(|login| login.person)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn a_key_is_its_one_person_s_or_nobody_s() {
        assert_eq!(whose(&format!("alice {KEY}\n")), Ok("alice".to_owned()));
        let twice = format!("alice {KEY}\nalice {KEY} laptop\n");
        assert_eq!(whose(&twice), Ok("alice".to_owned()));
        for (lines, why) in [
            (String::new(), "is nobody's"),
            (format!("alice cert-authority {KEY}\n"), "is nobody's"),
            (
                format!("alice {KEY}\nbob {KEY}\n"),
                "several people (alice, bob)",
            ),
            (format!("alice,bob {KEY}\n"), "several people"),
            (
                format!("alice namespaces=\"git\" {KEY}\n"),
                "other namespaces",
            ),
            (
                format!("alice valid-before=\"20260101Z\" {KEY}\n"),
                "not valid now",
            ),
            (
                format!("alice valid-after=\"20260102Z\" {KEY}\n"),
                "not valid now",
            ),
        ] {
            let refused = whose(&lines).unwrap_err();
            assert!(refused.contains(why), "{lines}: {refused}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_keeps_out_those_alone_whose_key_it_has() {
        let other = KEY.replace("ILM+", "IAAA");
        let whose = |bad: &str| whose(&format!("alice {KEY}\n{bad}\n"));
        for bad in [
            format!("zoe valid-before=\"soon\" {other}"),
            "zoe ssh-ed25519 AAAAC3Nza".to_owned(),
            "zoe".to_owned(),
            format!("alice valid-before=\"soon\" {KEY}"),
        ] {
            assert_eq!(whose(&bad), Ok("alice".to_owned()), "{bad}");
        }
        for bad in [
            format!("zoe valid-before=\"soon\" {KEY}"),
            format!(
                "alice,zoe ssh-ed2551{}",
                KEY.trim_start_matches("ssh-ed25519")
            ),
            format!("* {KEY}"),
        ] {
            let refused = whose(&bad).unwrap_err();
            assert!(
                refused.contains("line 2 has it too and cannot be read"),
                "{bad}: {refused}"
            );
        }
    }

    #[test]
    fn a_security_key_is_listed_for_its_pin_by_the_very_word_and_another_key_is_not() {
        const SECURITY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";
        let asks = |key: &str, namespaces: &str| {
            let signers = Signers::parse(&format!("alice{namespaces} {key}\n"));
            let login = Credential::parse(key).unwrap().person(&signers, DAY);
            login.unwrap().asks_pin
        };
        let named = " namespaces=\"statement@tpa.v1,pin@tpa.v1\"";
        assert!(asks(SECURITY, named));
        for other in ["", " namespaces=\"*\"", " namespaces=\"*@tpa.v1\""] {
            assert!(!asks(SECURITY, other), "{other}");
        }
        assert!(!asks(KEY, named), "no key in a file has a PIN");
    }

    #[test]
    fn what_is_not_one_key_in_two_words_is_none() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            &format!("{KEY} comment"),
            &format!(" {KEY}"),
            &format!("restrict {KEY}"),
            &KEY.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com "),
            &format!("{KEY}\n{KEY}"),
        ] {
            assert_eq!(Credential::parse(text), Err(NoLogin::Unreadable), "{text}");
        }
    }
}
