//! Who may sign as whom: `/etc/tpa/signers`.
//!
//! The format is OpenSSH's own (ssh-keygen(1), ALLOWED SIGNERS): a line has principals, options and
//! a public key. A principal is a login name; patterns are refused, because a key that signs for
//! whoever fits is a key nobody is answerable for.
//!
//! A line that cannot be read is left out and told ([`Signers::problems`]), and the others count: a slip
//! in one person's line must not keep out everybody. Lines only ever add, so that leaving one out gives
//! nobody anything, but in one case: a key that is listed for two people lets in neither
//! ([`crate::login`]), and one of them may stand on the line that is left out. So such a line goes on
//! telling whose it may be ([`Unread`]).

use std::collections::BTreeMap;

use chrono::{Local, NaiveDate, NaiveDateTime, TimeZone};
use ssh_encoding::Decode as _;
use ssh_encoding::base64::{Base64, Encoding as _};
use ssh_key::public::KeyData;
use ssh_key::{Fingerprint, HashAlg, PublicKey};
use tpa_bus::text::one_line;

use crate::NAMESPACE;

/// The lines of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers {
    lines: Vec<Signer>,
    /// Places in `lines` by the key's fingerprint: one look-up, however many people there are.
    by_key: BTreeMap<[u8; 32], Vec<usize>>,
    problems: Vec<Problem>,
    unread: Vec<Unread>,
}

/// What can be told of a line that cannot be read: it vouches for nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// Whom it names; nothing where that cannot be told.
    pub principals: Option<Vec<String>>,
    /// The keys in it.
    keys: Vec<KeyData>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// Login names.
    pub principals: Vec<String>,
    /// The key.
    pub key: KeyData,
    /// Whether the key is a CA's, whose certificates sign.
    pub authority: bool,
    /// The namespaces it may sign in; `None` when the line does not say, which is all of them.
    namespaces: Option<Vec<String>>,
    /// From when on it is valid, in seconds since 1970.
    valid_after: Option<i64>,
    /// The first second in which it is valid no more, in seconds since 1970.
    valid_before: Option<i64>,
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Problem {
    /// Where, from 1.
    pub line: usize,
    /// The line's first characters, as they stand in the file.
    pub text: String,
    /// What, in words.
    pub why: String,
}

/// Most characters of a line that cannot be read that are kept.
const TEXT_KEPT: usize = 200;

impl Signer {
    /// Whether it may sign as this person at this time, in seconds since 1970.
    #[must_use]
    pub fn vouches_for(&self, person: &str, at: i64) -> bool {
        let named = self.principals.iter().any(|name| name == person);
        named && self.in_namespace() && self.is_valid_at(at)
    }

    /// Whether it signs statements at all.
    #[must_use]
    pub fn in_namespace(&self) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|patterns| list_fits(patterns, NAMESPACE))
    }

    /// Whether this stands among its namespaces, word for word: a pattern that fits does not.
    #[must_use]
    pub fn is_named(&self, namespace: &str) -> bool {
        let mut named = self.namespaces.iter().flatten();
        named.any(|one| one == namespace)
    }

    /// From when on it is valid, in seconds since 1970; from ever where it does not say.
    #[must_use]
    pub const fn valid_after(&self) -> Option<i64> {
        self.valid_after
    }

    /// The first second in which it is valid no more, in seconds since 1970; none where it does not
    /// say.
    #[must_use]
    pub const fn valid_before(&self) -> Option<i64> {
        self.valid_before
    }

    /// Whether it is valid at this time, in seconds since 1970.
    #[must_use]
    pub fn is_valid_at(&self, at: i64) -> bool {
        self.valid_after.is_none_or(|after| after <= at)
            && self.valid_before.is_none_or(|before| at < before)
    }
}

impl Signers {
    /// Reads the file's text. Times without a zone are the host's own, as ssh-keygen(1) reads them.
    /// What is wrong with it is told by [`Self::problems`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut signers = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            match read_line(line, text.trim()) {
                Ok(Some(signer)) => signers.add(signer),
                Ok(None) => {}
                Err(why) => {
                    let kept = text.trim().chars().take(TEXT_KEPT).collect();
                    signers.problems.push(Problem {
                        line,
                        text: kept,
                        why,
                    });
                    signers.unread.push(Unread::of(line, text.trim()));
                }
            }
        }
        signers
    }

    /// Every line that cannot be read, and why.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The lines with this key that cannot be read.
    pub fn unread_with_key<'a>(&'a self, key: &'a KeyData) -> impl Iterator<Item = &'a Unread> {
        self.unread.iter().filter(|line| line.keys.contains(key))
    }

    fn add(&mut self, signer: Signer) {
        let place = self.lines.len();
        let places = self.by_key.entry(digest(&signer.key)).or_default();
        places.push(place);
        self.lines.push(signer);
    }

    /// The lines with this key.
    pub fn with_key(&self, key: &KeyData) -> impl Iterator<Item = &Signer> {
        let places = self.by_key.get(&digest(key)).into_iter().flatten();
        places
            .filter_map(|place| self.lines.get(*place))
            .filter(|signer| signer.key == *key)
    }

    /// Whether a public key, as a line of OpenSSH's, signs as this person at this time, in seconds
    /// since 1970.
    #[must_use]
    pub fn knows(&self, public: &str, person: &str, at: i64) -> bool {
        PublicKey::from_openssh(public).is_ok_and(|key| {
            let mut lines = self.with_key(key.key_data()).filter(|line| !line.authority);
            lines.any(|line| line.vouches_for(person, at))
        })
    }

    /// All lines, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Signer> {
        self.lines.iter()
    }
}

impl Unread {
    fn of(line: usize, text: &str) -> Self {
        let names = word(text).ok().map(|(names, _)| names);
        let principals = names.and_then(|names| {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            let are_names = names.iter().all(|name| is_a_name(name).is_ok());
            are_names.then_some(names)
        });
        // Whatever is a key by its own bytes, wherever it stands and whatever stands before it.
        let words = text.split([' ', '\t', '"', ',']);
        let bytes = words.filter_map(|word| Base64::decode_vec(word).ok());
        let keys = bytes.filter_map(|bytes| KeyData::decode(&mut bytes.as_slice()).ok());
        Self {
            line,
            principals,
            keys: keys.collect(),
        }
    }
}

/// `SHA256:…`, as ssh-keygen(1) shows a key.
#[must_use]
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Whether a key lives in a security key (FIDO), which alone can be touched and ask for a PIN.
#[must_use]
pub const fn is_security_key(key: &KeyData) -> bool {
    matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
}

fn digest(key: &KeyData) -> [u8; 32] {
    match key.fingerprint(HashAlg::Sha256) {
        Fingerprint::Sha256(digest) => digest,
        _ => [0; 32],
    }
}

fn read_line(line: usize, text: &str) -> Result<Option<Signer>, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = word(text)?;
    let principals: Vec<String> = principals.split(',').map(str::to_owned).collect();
    for name in &principals {
        is_a_name(name)?;
    }
    let mut signer = Signer {
        line,
        principals,
        // Replaced below; there is no line without a key.
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
        authority: false,
        namespaces: None,
        valid_after: None,
        valid_before: None,
    };
    // Options come before the key, and a key's type is none of them.
    let (options, _) = word(rest)?;
    let key = if is_key_type(&options) {
        rest
    } else {
        read_options(&mut signer, rest)?
    };
    let key = PublicKey::from_openssh(key.trim())
        .map_err(|error| format!("its public key cannot be read: {error}"))?;
    signer.key = key.key_data().clone();
    can_verify(&signer.key)?;
    Ok(Some(signer))
}

fn is_a_name(name: &str) -> Result<(), String> {
    let shown = one_line(name, 60);
    if name.contains(['*', '?', '!']) {
        return Err(format!(
            "\"{shown}\" is a pattern; name each person, so that a key signs for somebody"
        ));
    }
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || tpa_bus::text::is_unsafe(c))
    {
        return Err(format!("\"{shown}\" is no login name"));
    }
    Ok(())
}

/// Kinds that OpenSSH still reads and this host does not verify.
fn can_verify(key: &KeyData) -> Result<(), String> {
    match key {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::Rsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        other => Err(format!(
            "keys of the type {} sign no statements",
            one_line(other.algorithm().as_str(), 60)
        )),
    }
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// The first word, as ssh-keygen(1) divides a line: quotes may hold white space.
fn word(text: &str) -> Result<(String, &str), String> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (word, rest) = text.split_at(at);
                return Ok((word.replace('"', ""), rest.trim_start()));
            }
            _ => {}
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    Err("the line ends before its public key".to_owned())
}

/// Reads `name="value",name,…` and gives what stands behind it.
fn read_options<'a>(signer: &mut Signer, text: &'a str) -> Result<&'a str, String> {
    let mut rest = text;
    loop {
        let end = rest
            .find(['=', ',', ' ', '\t'])
            .ok_or("the line ends before its public key")?;
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted
                    .split_once('"')
                    .ok_or_else(|| format!("the quote of {} is not closed", one_line(name, 40)))?;
                (Some(value), after)
            }
            None => (None, after),
        };
        set_option(signer, name, value)?;
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.starts_with([' ', '\t']) => return Ok(after.trim_start()),
            None => {
                return Err(format!(
                    "{} is followed by neither , nor a space",
                    one_line(name, 40)
                ));
            }
        }
    }
}

/// Options are named in any case (ssh-keygen(1)), each at most once.
fn set_option(signer: &mut Signer, name: &str, value: Option<&str>) -> Result<(), String> {
    let twice = |already: bool| {
        let error = || format!("{} stands twice", one_line(name, 40));
        if already { Err(error()) } else { Ok(()) }
    };
    match (name.to_ascii_lowercase().as_str(), value) {
        ("cert-authority", None) => {
            twice(signer.authority)?;
            signer.authority = true;
        }
        ("namespaces", Some(names)) => {
            twice(signer.namespaces.is_some())?;
            signer.namespaces = Some(names.split(',').map(str::to_owned).collect());
        }
        ("valid-after", Some(text)) => {
            twice(signer.valid_after.is_some())?;
            signer.valid_after = Some(moment(text)?);
        }
        ("valid-before", Some(text)) => {
            twice(signer.valid_before.is_some())?;
            signer.valid_before = Some(moment(text)?);
        }
        _ => {
            return Err(format!(
                "\"{}\" is no option of this file; it has cert-authority, namespaces=\"…\", \
                 valid-after=\"…\" and valid-before=\"…\"",
                one_line(name, 40)
            ));
        }
    }
    Ok(())
}

/// `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`; with `Z` in UTC, without in the host's own zone. Of an
/// hour that comes twice the earlier is meant.
fn moment(text: &str) -> Result<i64, String> {
    let (digits, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let wrong = || {
        format!(
            "\"{}\" is no time like 20261125Z or 202611251630Z",
            one_line(text, 40)
        )
    };
    let local = match digits.len() {
        8 => NaiveDate::parse_from_str(digits, "%Y%m%d")
            .ok()
            .and_then(|day| day.and_hms_opt(0, 0, 0)),
        12 => NaiveDateTime::parse_from_str(&format!("{digits}00"), "%Y%m%d%H%M%S").ok(),
        14 => NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok(),
        _ => None,
    };
    let local = local.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let local = local.ok_or_else(wrong)?;
    if utc {
        return Ok(local.and_utc().timestamp());
    }
    let moment = Local
        .from_local_datetime(&local)
        .earliest()
        .ok_or_else(wrong)?;
    Ok(moment.timestamp())
}

/// Whether a list of patterns fits (`ssh_config(5)`, PATTERNS): one that is negated with `!` and fits
/// rules out the rest.
fn list_fits(patterns: &[String], text: &str) -> bool {
    let negated = |pattern: &String| {
        let pattern = pattern.strip_prefix('!');
        pattern.is_some_and(|pattern| pattern_fits(pattern, text))
    };
    !patterns.iter().any(negated) && patterns.iter().any(|pattern| pattern_fits(pattern, text))
}

/// Whether a pattern of a list fits (`ssh_config(5)`, PATTERNS): `*` stands for anything, `?` for one
/// character.
fn pattern_fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let behind = rest.as_str();
            (0..=text.len())
                .filter_map(|at| text.get(at..))
                .any(|tail| pattern_fits(behind, tail))
        }
        Some(c) => {
            let mut chars = text.chars();
            let first = chars.next();
            first.is_some_and(|first| c == '?' || c == first)
                && pattern_fits(rest.as_str(), chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti alice@laptop";

    fn one(start: &str) -> Signer {
        let signers = Signers::parse(&format!("{start} {KEY}\n"));
        assert_eq!(signers.problems(), []);
        signers.iter().next().unwrap().clone()
    }

    fn why(line: &str) -> String {
        Signers::parse(line).problems()[0].to_string()
    }

    #[test]
    fn a_line_names_people_and_what_limits_their_key() {
        let signer = one(
            "alice,al namespaces=\"git,statement@*\",valid-after=\"20260101Z\",VALID-BEFORE=\"202601020304Z\"",
        );
        let day = 1_767_225_600;
        assert!(signer.vouches_for("alice", day) && signer.vouches_for("al", day));
        assert!(!signer.vouches_for("carol", day));
        assert!(!signer.vouches_for("alice", day - 1));
        let end = day + 86_400 + 3 * 3_600 + 4 * 60;
        assert!(signer.vouches_for("alice", end - 1) && !signer.vouches_for("alice", end));
        assert!(!one("alice namespaces=\"git,file\"").vouches_for("alice", day));
        assert!(!one("alice namespaces=\"!statement@*,*\"").vouches_for("alice", day));
        assert!(one("alice cert-authority").authority);
        assert!(one("alice").in_namespace());
    }

    #[test]
    fn a_key_is_found_without_reading_the_others() {
        let text = format!("# people\n\nalice {KEY}\nbob {KEY}\n");
        let signers = Signers::parse(&text);
        let key = one("x").key;
        let lines: Vec<_> = signers.with_key(&key).map(|signer| signer.line).collect();
        assert_eq!(lines, [3, 4]);
        let other = KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([7; 32]));
        assert_eq!(signers.with_key(&other).count(), 0);
        assert!(fingerprint(&key).starts_with("SHA256:"));
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_left_out_and_the_others_count() {
        let text = format!("alice {KEY}\n*@example.com {KEY}\nbob\nzoe,al ssh-ed2551 {KEY}\n");
        let signers = Signers::parse(&text);
        let told: Vec<_> = signers.problems().iter().map(|one| one.line).collect();
        assert_eq!(told, [2, 3, 4]);
        let taken: Vec<_> = signers.iter().map(|signer| signer.line).collect();
        assert_eq!(taken, [1]);
        let key = one("x").key;
        let doubtful: Vec<_> = signers.unread_with_key(&key).collect();
        let people: Vec<_> = doubtful
            .iter()
            .map(|unread| (unread.line, unread.principals.clone()))
            .collect();
        let named = Some(vec!["zoe".to_owned(), "al".to_owned()]);
        assert_eq!(people, [(2, None), (4, named)]);
        for (line, says) in [
            (format!("alice, {KEY}"), "is no login name"),
            (format!("alice no-touch-required {KEY}"), "is no option"),
            (
                format!("alice valid-after=\"tomorrow\" {KEY}"),
                "is no time",
            ),
            (
                format!("alice valid-after=\"+9990101\" {KEY}"),
                "is no time",
            ),
            (
                format!("alice cert-authority,cert-authority {KEY}"),
                "stands twice",
            ),
            (format!("alice namespaces=\"git {KEY}"), "not closed"),
            ("alice ssh-ed25519 AAAA".to_owned(), "cannot be read"),
            ("alice\u{3164} ssh-ed25519 AAAA".to_owned(), "no login name"),
        ] {
            assert!(why(&line).contains(says), "{line}: {}", why(&line));
        }
    }
}
