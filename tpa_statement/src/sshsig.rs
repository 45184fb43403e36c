//! Signatures as `ssh-keygen -Y sign` makes them (OpenSSH, PROTOCOL.sshsig).
//!
//! The cryptography is the library's (`ssh-key`, kept by the `RustCrypto` project). What it does not read is
//! a certificate in the place of the key, so the envelope is taken apart here.

use ssh_encoding::base64::{Base64, Encoding};
use ssh_encoding::{Decode, Reader};
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, HashAlg, Signature, SshSig};
use tpa_bus::text::one_line;

use crate::NAMESPACE;
use crate::signers::is_security_key;

/// Longest armoured signature, in bytes: an RSA key of 16,384 bits with its certificate is shorter.
pub const BYTES_MAX: usize = 16 * 1024;

/// Shortest RSA key that OpenSSH takes, in bits (ssh-keygen(1)).
const RSA_BITS_MIN: usize = 1_024;

/// What stands in the armour of a signature.
pub const LABEL: &str = "SSH SIGNATURE";

/// The six bytes that every signature begins with.
const MAGIC: &[u8] = b"SSHSIG";

/// Flag of a security key's signature: the user touched it (CTAP2, authenticator data, UP).
const TOUCHED: u8 = 0x01;

/// Flag of a security key's signature: the user was verified, by PIN or finger (CTAP2, UV).
const VERIFIED: u8 = 0x04;

/// What a security key's signature ends in: a byte of flags, and a counter (PROTOCOL.u2f).
const TRAILER: usize = 5;

/// A signature, taken apart. Nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The key that is said to have signed.
    pub key: KeyData,
    /// The certificate it came in, if it did.
    pub certificate: Option<Box<Certificate>>,
    hash: HashAlg,
    signature: Signature,
}

/// What a signature proves beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// That somebody or something could use the key.
    Key,
    /// That somebody touched the security key.
    Touched,
    /// That the security key knew them by PIN or finger.
    Verified,
}

/// Why a signature is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It cannot be read.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// It was made for something else.
    #[error("the signature was made for \"{0}\", not for {NAMESPACE}")]
    Namespace(String),
    /// It is not the key's over these bytes.
    #[error("the signature is not that of these bytes: they were changed, or another key signed")]
    Wrong,
    /// The key is too short to prove anything.
    #[error("an RSA key of {0} bits is too short; at least {RSA_BITS_MIN} are needed")]
    ShortKey(usize),
}

impl Envelope {
    /// Takes an armoured signature apart.
    ///
    /// # Errors
    /// [`BadSignature`], also when it was made in another namespace.
    pub fn parse(armoured: &str) -> Result<Self, BadSignature> {
        let unreadable =
            |why: &dyn std::fmt::Display| BadSignature::Unreadable(one_line(&why.to_string(), 200));
        if armoured.len() > BYTES_MAX {
            return Err(unreadable(&format!("it is longer than {BYTES_MAX} bytes")));
        }
        let blob = dearmour(LABEL, armoured).ok_or_else(|| unreadable(&"it is damaged"))?;
        let (namespace, envelope) = open(&mut blob.as_slice()).map_err(|e| unreadable(&e))?;
        if namespace != NAMESPACE {
            return Err(BadSignature::Namespace(one_line(&namespace, 60)));
        }
        Ok(envelope)
    }

    /// Checks the signature over these bytes, with the key that the envelope carries. Whose key
    /// that is, is another question.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, bytes: &[u8]) -> Result<Presence, BadSignature> {
        if let KeyData::Rsa(key) = &self.key {
            let bits = key.n.as_positive_bytes().map_or(0, |bytes| bytes.len() * 8);
            if bits < RSA_BITS_MIN {
                return Err(BadSignature::ShortKey(bits));
            }
        }
        // The library checks that the namespace is ours while it makes the bytes that were signed.
        let carried = SshSig::new(
            self.key.clone(),
            NAMESPACE,
            self.hash,
            self.signature.clone(),
        )
        .map_err(|_| BadSignature::Wrong)?;
        ssh_key::PublicKey::from(self.key.clone())
            .verify(NAMESPACE, bytes, &carried)
            .map_err(|_| BadSignature::Wrong)?;
        Ok(self.presence())
    }

    /// Only what was verified tells anything: the flags are among the bytes that were signed.
    fn presence(&self) -> Presence {
        if !is_security_key(&self.key) {
            return Presence::Key;
        }
        let bytes = self.signature.as_bytes();
        let flags = bytes
            .len()
            .checked_sub(TRAILER)
            .and_then(|at| bytes.get(at));
        match flags.copied().unwrap_or_default() {
            flags if flags & (TOUCHED | VERIFIED) == TOUCHED | VERIFIED => Presence::Verified,
            flags if flags & TOUCHED != 0 => Presence::Touched,
            _ => Presence::Key,
        }
    }
}

/// The bytes in a block of text (RFC 7468), however long its lines are: OpenSSH makes them of 70
/// characters, and whoever pastes them of any.
pub(crate) fn dearmour(label: &str, block: &str) -> Option<Vec<u8>> {
    let body = block
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = body.strip_suffix(&format!("-----END {label}-----"))?;
    let base64: String = body.split_ascii_whitespace().collect();
    Base64::decode_vec(&base64).ok()
}

/// The namespace, and the rest.
fn open(reader: &mut &[u8]) -> ssh_key::Result<(String, Envelope)> {
    let mut magic = [0; MAGIC.len()];
    reader.read(&mut magic)?;
    let version = u32::decode(reader)?;
    if magic != MAGIC || version != SshSig::VERSION {
        return Err(ssh_key::Error::FormatEncoding);
    }
    let key = Vec::<u8>::decode(reader)?;
    let (key, certificate) = key_or_certificate(&key)?;
    let namespace = String::decode(reader)?;
    if !Vec::<u8>::decode(reader)?.is_empty() {
        // For what comes one day: nobody here knows what it says.
        return Err(ssh_key::Error::FormatEncoding);
    }
    let hash = HashAlg::decode(reader)?;
    let signature = reader.read_prefixed(Signature::decode)?;
    if !reader.is_finished() {
        return Err(ssh_key::Error::FormatEncoding);
    }
    let envelope = Envelope {
        key,
        certificate,
        hash,
        signature,
    };
    Ok((namespace, envelope))
}

pub(crate) fn key_or_certificate(
    bytes: &[u8],
) -> ssh_key::Result<(KeyData, Option<Box<Certificate>>)> {
    let kind = String::decode(&mut &*bytes)?;
    if !kind.ends_with("-cert-v01@openssh.com") {
        return Ok((
            ssh_key::PublicKey::from_bytes(bytes)?.key_data().clone(),
            None,
        ));
    }
    let certificate = Certificate::from_bytes(bytes)?;
    let key = certificate.public_key().clone();
    Ok((key, Some(Box::new(certificate))))
}

/// Why a certificate vouches for nobody here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// It is a host's.
    #[error("the certificate is a host's, not a person's")]
    Host,
    /// The CA did not sign it, or it was not valid when the statement was signed.
    #[error("the certificate is not signed by its CA, or was not valid then")]
    Invalid,
    /// It is for other people, or for nobody in particular.
    #[error("the certificate is not {0}'s")]
    OtherPerson(String),
    /// It carries a condition that this host does not know.
    #[error("the certificate has the critical option \"{0}\", which statements do not know")]
    Option(String),
}

/// Whether a certificate, whose CA is trusted, vouches for a person at a time, in seconds since
/// 1970. One without principals is for anybody, which is nobody here.
///
/// # Errors
/// [`BadCertificate`].
pub fn vouches(certificate: &Certificate, person: &str, at: i64) -> Result<(), BadCertificate> {
    let mut principals = certificate.valid_principals().iter();
    if !principals.any(|principal| principal == person) {
        return Err(BadCertificate::OtherPerson(person.to_owned()));
    }
    holds(certificate, at)
}

/// Whether a certificate, whose CA is trusted, vouches at a time for those whom it names. This
/// checks a signature.
pub(crate) fn holds(certificate: &Certificate, at: i64) -> Result<(), BadCertificate> {
    if certificate.cert_type() != CertType::User {
        return Err(BadCertificate::Host);
    }
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    u64::try_from(at)
        .ok()
        .and_then(|at| certificate.validate_at(at, [&authority]).ok())
        .ok_or(BadCertificate::Invalid)?;
    match certificate.critical_options().iter().next() {
        Some((name, _)) => Err(BadCertificate::Option(one_line(name, 60))),
        None => Ok(()),
    }
}
