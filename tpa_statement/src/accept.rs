//! Whether a host takes a statement for what its signer said. What it then comes to, and whether
//! it was seen before, is the daemon's to say.

use tpa_bus::text::one_line;

use crate::paper::Paper;
use crate::signers::{Signer, Signers, fingerprint};
use crate::sshsig::{BadCertificate, BadSignature, Envelope, Presence, vouches};
use crate::statement::{Digest, Malformed, Statement};

/// How far ahead of this host's clock a signer's may be, in seconds.
pub const AHEAD_MAX_S: i64 = 60;

/// A statement that its signer did make, for this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was said.
    pub statement: Statement,
    /// The SHA-256 of its bytes: what tells whether it was seen before.
    pub digest: Digest,
    /// How the signer proved who they are.
    pub proof: Proof,
}

/// How a person proved with a key who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The key, as `SHA256:…`. A certificate's own key, not its CA's.
    pub fingerprint: String,
    /// What kind of key that is, as OpenSSH names it: `ssh-ed25519`.
    pub kind: String,
    /// What the signature proves beside it.
    pub presence: Presence,
}

impl Proof {
    /// Whether the key lives in a security key (FIDO), which alone can tell that it was touched.
    #[must_use]
    pub fn is_security_key(&self) -> bool {
        self.kind.starts_with("sk-")
    }
}

/// Why a statement is not taken. The first check that fails is told, and nothing of a statement is
/// believed before it passed all those above.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its bytes are no statement.
    #[error("it is no statement: {0}")]
    Malformed(#[from] Malformed),
    /// Its signature is none.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The key stands on no line of the signers file.
    #[error("the key {0} is nobody's: it stands in no line of the signers file")]
    UnknownKey(String),
    /// The key is listed, but does not sign statements for this person at that time.
    #[error("the key {key} does not sign as {by}: {why}")]
    NotTheirs {
        /// The key.
        key: String,
        /// Who is said to have signed.
        by: String,
        /// What the signers file says instead.
        why: String,
    },
    /// It was made for others.
    #[error("it is for other hosts ({named}), not for this one, which is {own}")]
    OtherHost {
        /// Those.
        named: String,
        /// By which name this one goes.
        own: String,
    },
    /// Its time has not come.
    #[error(
        "it was signed {0}s in the future: the clock of whoever signed it is wrong, or this host's is"
    )]
    Future(i64),
    /// Its time is over.
    #[error("it has expired {0}s ago")]
    Expired(i64),
}

/// Takes a paper, or says why not. `host` are the names that this host goes by; `now` is in seconds
/// since 1970.
///
/// # Errors
/// [`Refused`], in words for whoever brought it.
pub fn accept(
    paper: &Paper,
    signers: &Signers,
    host: &[&str],
    now: i64,
) -> Result<Accepted, Refused> {
    let accepted = authenticate(paper, signers)?;
    let statement = &accepted.statement;
    if !statement.is_for(host) {
        let named: Vec<_> = statement.hosts.iter().map(String::as_str).collect();
        return Err(Refused::OtherHost {
            named: one_line(&named.join(", "), 80),
            own: one_line(host.first().unwrap_or(&""), 80),
        });
    }
    let ahead = statement.at.saturating_sub(now);
    if ahead > AHEAD_MAX_S {
        return Err(Refused::Future(ahead));
    }
    if statement.has_expired(now) {
        return Err(Refused::Expired(now.saturating_sub(statement.expires)));
    }
    Ok(accepted)
}

/// Whether the signer made the statement, whoever it was for and however long ago: what still
/// holds of evidence when its time is over. The key counts as it was when the statement was made.
///
/// # Errors
/// [`Refused`].
pub fn authenticate(paper: &Paper, signers: &Signers) -> Result<Accepted, Refused> {
    let statement = Statement::parse(&paper.statement)?;
    let envelope = Envelope::parse(&paper.signature)?;
    let presence = envelope.verify(&paper.statement)?;
    belongs_to(&envelope, signers, &statement.by, statement.at)?;
    Ok(Accepted {
        digest: Digest::of(&paper.statement),
        proof: Proof {
            fingerprint: fingerprint(&envelope.key),
            kind: envelope.key.algorithm().as_str().to_owned(),
            presence,
        },
        statement,
    })
}

/// Whether the key of an envelope signs as a person at a time, in seconds since 1970.
fn belongs_to(envelope: &Envelope, signers: &Signers, by: &str, at: i64) -> Result<(), Refused> {
    let key = fingerprint(&envelope.key);
    let lines = lines_of(envelope, signers);
    if lines.is_empty() {
        return Err(Refused::UnknownKey(key));
    }
    let mut why = String::new();
    for signer in lines {
        match signs_as(signer, envelope, by, at) {
            Ok(()) => return Ok(()),
            Err(reason) => why = format!("line {}: {reason}", signer.line),
        }
    }
    Err(Refused::NotTheirs {
        key,
        by: one_line(by, 60),
        why,
    })
}

/// The lines that could vouch for it: of the key, and of the CA that signed its certificate. A key
/// of a CA signs certificates, and no statements.
fn lines_of<'a>(envelope: &Envelope, signers: &'a Signers) -> Vec<&'a Signer> {
    let plain = signers
        .with_key(&envelope.key)
        .filter(|line| !line.authority);
    let certified = envelope.certificate.iter().flat_map(|certificate| {
        let authority = certificate.signature_key();
        signers.with_key(authority).filter(|line| line.authority)
    });
    plain.chain(certified).collect()
}

fn signs_as(signer: &Signer, envelope: &Envelope, by: &str, at: i64) -> Result<(), String> {
    if !signer.principals.iter().any(|name| name == by) {
        let named = one_line(&signer.principals.join(", "), 60);
        return Err(format!("it is the key of {named}"));
    }
    if !signer.in_namespace() {
        return Err("it is for other namespaces".to_owned());
    }
    if !signer.is_valid_at(at) {
        return Err("it was not valid when the statement was signed".to_owned());
    }
    match &envelope.certificate {
        Some(certificate) if signer.authority => {
            vouches(certificate, by, at).map_err(|error: BadCertificate| error.to_string())
        }
        _ => Ok(()),
    }
}
