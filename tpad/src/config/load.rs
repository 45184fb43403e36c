//! Reads the configuration, whole or not at all.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tpa_statement::signers::Signers;

use super::files::{Folder, MOST_BYTES, too_long};
use super::look::look;
use super::people::People;
use super::problem::Problem;
use super::settings::{self, Settings};
use super::{login_defs, notify, role, signers};
use crate::hex::hex;
use crate::policy::danger::Seen;
use crate::policy::notify::Target;
use crate::policy::{Policy, Role};

/// Where a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Folder that the path to the configuration begins at; taken as it is.
    anchor: PathBuf,
    /// Folders from there to the configuration, none of them a link.
    below: PathBuf,
    /// Folder of login.defs(5).
    login_defs: PathBuf,
    /// Who may own the files, by uid.
    owners: Vec<u32>,
}

impl Source {
    /// The host's own: `/etc/tpa`, root's all the way down.
    #[must_use]
    pub fn installed() -> Self {
        Self {
            anchor: PathBuf::from("/"),
            below: PathBuf::from("etc/tpa"),
            login_defs: PathBuf::from("/etc"),
            owners: vec![0],
        }
    }

    /// One that is not installed, to be looked at: `tpad.toml` and `roles.d` in a folder, which
    /// may be root's or those of `owner`.
    #[must_use]
    pub fn in_folder(folder: &Path, owner: u32) -> Self {
        Self {
            anchor: folder.to_owned(),
            below: PathBuf::new(),
            login_defs: PathBuf::from("/etc"),
            owners: vec![0, owner],
        }
    }

    /// The folder's path, for people.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.anchor.join(&self.below)
    }
}

/// Reads and checks everything.
///
/// A folder or file that is not there is an empty one: without a configuration nobody is gated,
/// and there are no roles. Anything else that is not as it should be is an error.
///
/// # Errors
/// All that is wrong, not only the first.
pub fn load(source: &Source, people: &dyn People) -> Result<Policy, Vec<Problem>> {
    let files = Files::read(source)?;
    let uid_min = login_defs::uid_min(&source.login_defs, &source.owners);
    let mut problems = Vec::new();
    let uid_min = uid_min.unwrap_or_else(|problem| {
        problems.push(problem);
        login_defs::UID_MIN
    });
    let settings = read_settings(&files, source, uid_min, people, &mut problems);
    let roles = read_roles(&files, source, uid_min, people, &mut problems);
    let signers = files.signers.as_deref().map(Signers::parse);
    let targets = read_targets(&files, source, people, &mut problems);
    match settings {
        Some(settings) if problems.is_empty() => {
            let mut policy = settings.into_policy(files.revision(), roles, targets);
            policy.signers = signers;
            policy.seen = Seen {
                strays: files.strays,
                ..look(&policy, people)
            };
            Ok(policy)
        }
        _ => Err(problems),
    }
}

/// Who signs as whom, read by itself; nothing where there is no such file.
///
/// # Errors
/// What is wrong with the file as a whole.
pub fn load_signers(source: &Source) -> Result<Option<Signers>, Problem> {
    let Some(folder) = Files::folder(source)? else {
        return Ok(None);
    };
    let text = folder.read_up_to(OsStr::new(signers::NAME), signers::MOST_BYTES)?;
    Ok(text.as_deref().map(Signers::parse))
}

/// The lines of who signs as whom that are not in force because they cannot be read. `place` is the
/// configuration's folder, or the one file.
#[must_use]
pub fn left_out(place: &Path, policy: &Policy) -> Vec<Problem> {
    let file = if place.is_dir() {
        place.join(signers::NAME)
    } else {
        place.to_owned()
    };
    let signers = policy.signers.iter();
    signers
        .flat_map(|signers| signers::problems(&file, signers))
        .collect()
}

/// Reads and checks one file by itself: who signs as whom when it is named `signers`, targets when it
/// is named `notify.toml` or has their tables, settings when it is named `tpad.toml` or has theirs,
/// else a role. Where it lies and whose it is does not matter: it is a draft, which tools that
/// check before they put it in place keep where they like.
///
/// # Errors
/// All that is wrong with it.
pub fn load_file(path: &Path, people: &dyn People) -> Result<Policy, Vec<Problem>> {
    let name = path.file_name().map(OsStr::to_string_lossy);
    let name = name.as_deref().unwrap_or_default();
    let is_signers = name == signers::NAME;
    let most = if is_signers {
        signers::MOST_BYTES
    } else {
        MOST_BYTES
    };
    let text = read_draft(path, most).map_err(|problem| vec![problem])?;
    let uid_min = login_defs::uid_min(Path::new("/etc"), &[0]).unwrap_or(login_defs::UID_MIN);
    let signers = is_signers.then(|| Signers::parse(&text));
    let is_targets = name == notify::FILE || has_table(&text, &["target"]);
    let is_settings = name == SETTINGS || (!is_role(&text) && has_settings(&text));
    let role_name = match role_name(OsStr::new(name)) {
        Named::Role(name) => name,
        Named::Unfit | Named::Stray | Named::Other => "role".to_owned(),
    };
    let (settings, roles, targets) = if is_signers {
        ("", BTreeMap::new(), Vec::new())
    } else if is_targets {
        let targets = notify::read(path, &text, people)?;
        ("", BTreeMap::new(), targets)
    } else if is_settings {
        (text.as_str(), BTreeMap::new(), Vec::new())
    } else {
        let role = role::read(&role_name, path, &text, uid_min, people)?;
        ("", BTreeMap::from([(role_name, role)]), Vec::new())
    };
    let settings = settings::read(path, settings, uid_min, people)?;
    let mut hash = Sha256::new();
    hash.update(&text);
    let mut revision = hex(&hash.finalize());
    revision.truncate(12);
    let mut policy = settings.into_policy(revision, roles, targets);
    policy.signers = signers;
    policy.seen = look(&policy, people);
    Ok(policy)
}

/// Tables that only settings have, and those that only roles have.
fn has_settings(text: &str) -> bool {
    has_table(text, &["gate", "limits", "warn", "audit", "notify"])
}

fn is_role(text: &str) -> bool {
    has_table(text, &["request", "approve", "gives"])
}

fn has_table(text: &str, names: &[&str]) -> bool {
    let keys = text
        .lines()
        .map(|line| line.trim_start_matches(['[', ' ', '\t']));
    let first = keys.filter_map(|line| line.split([']', '.', ' ', '=']).next());
    first.into_iter().any(|key| names.contains(&key))
}

fn read_draft(path: &Path, most: u64) -> Result<String, Problem> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| Problem::of_file(path, format!("cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(most + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > most {
        return Err(too_long(path, most));
    }
    Ok(text)
}

const SETTINGS: &str = "tpad.toml";
const ROLES: &str = "roles.d";

fn read_settings(
    files: &Files,
    source: &Source,
    uid_min: u32,
    people: &dyn People,
    problems: &mut Vec<Problem>,
) -> Option<Settings> {
    let path = source.folder().join(SETTINGS);
    let text = files.settings.as_deref().unwrap_or_default();
    settings::read(&path, text, uid_min, people)
        .map_err(|found| problems.extend(found))
        .ok()
}

fn read_roles(
    files: &Files,
    source: &Source,
    uid_min: u32,
    people: &dyn People,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Role> {
    let folder = source.folder().join(ROLES);
    let mut roles = BTreeMap::new();
    for (name, text) in &files.roles {
        let path = folder.join(format!("{name}.toml"));
        match role::read(name, &path, text, uid_min, people) {
            Ok(role) => drop(roles.insert(name.clone(), role)),
            Err(found) => problems.extend(found),
        }
    }
    roles
}

fn read_targets(
    files: &Files,
    source: &Source,
    people: &dyn People,
    problems: &mut Vec<Problem>,
) -> Vec<Target> {
    let path = source.folder().join(notify::FILE);
    let text = files.targets.as_deref().unwrap_or_default();
    notify::read(&path, text, people).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    })
}

/// The texts of all files, read once.
#[derive(Default)]
struct Files {
    settings: Option<String>,
    signers: Option<String>,
    targets: Option<String>,
    roles: BTreeMap<String, String>,
    /// Names in `roles.d` of what may be meant as a role and is none.
    strays: Vec<String>,
}

impl Files {
    /// The folder of the configuration; nothing where there is none.
    fn folder(source: &Source) -> Result<Option<Folder<'_>>, Problem> {
        let mut folder = Folder::anchor(&source.anchor, &source.owners)?;
        for part in &source.below {
            match folder.folder(part)? {
                Some(next) => folder = next,
                None => return Ok(None),
            }
        }
        Ok(Some(folder))
    }

    fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        let found = Self::folder(source).map_err(|problem| vec![problem])?;
        let Some(folder) = found else {
            return Ok(Self::default());
        };
        let mut files = Self::default();
        let mut problems = Vec::new();
        match folder.read(OsStr::new(SETTINGS)) {
            Ok(text) => files.settings = text,
            Err(problem) => problems.push(problem),
        }
        match folder.read_up_to(OsStr::new(signers::NAME), signers::MOST_BYTES) {
            Ok(text) => files.signers = text,
            Err(problem) => problems.push(problem),
        }
        // Addresses may stand in it that are as good as a password. A copy that is only looked at is
        // as its owner keeps it.
        let targets = if *source == Source::installed() {
            folder.read_private(OsStr::new(notify::FILE))
        } else {
            folder.read(OsStr::new(notify::FILE))
        };
        match targets {
            Ok(text) => files.targets = text,
            Err(problem) => problems.push(problem),
        }
        match folder.folder(OsStr::new(ROLES)) {
            Ok(None) => {}
            Ok(Some(folder)) => files.read_roles(&folder, &mut problems),
            Err(problem) => problems.push(problem),
        }
        if problems.is_empty() {
            Ok(files)
        } else {
            Err(problems)
        }
    }

    fn read_roles(&mut self, folder: &Folder<'_>, problems: &mut Vec<Problem>) {
        let names = folder.names().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        for file in names {
            match role_name(&file) {
                Named::Stray => self.strays.push(file.to_string_lossy().into_owned()),
                Named::Other => {}
                Named::Role(name) => match folder.read(&file) {
                    Ok(text) => drop(self.roles.insert(name, text.unwrap_or_default())),
                    Err(problem) => problems.push(problem),
                },
                Named::Unfit => problems.push(
                    Problem::of_file(&folder.path().join(&file), "is not named as a role can be")
                        .next("use up to 32 of a-z, 0-9 and -, not beginning with -, then .toml"),
                ),
            }
        }
    }

    /// See [`Policy::revision`]. Lengths stand between the parts, so that no two configurations
    /// read alike.
    fn revision(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |name: &str, text: &str| {
            for part in [name, text] {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        };
        for (name, text) in &self.roles {
            add(&format!("{ROLES}/{name}.toml"), text);
        }
        if let Some(text) = &self.signers {
            add(signers::NAME, text);
        }
        if let Some(text) = &self.settings {
            add(SETTINGS, text);
        }
        if let Some(text) = &self.targets {
            add(notify::FILE, text);
        }
        let mut revision = hex(&hash.finalize());
        revision.truncate(12);
        revision
    }
}

/// What a file's name in `roles.d` makes it.
enum Named {
    /// A role of this name.
    Role(String),
    /// Meant as a role, but not fit to name one.
    Unfit,
    /// Nearly named as one: misspelt, or a copy.
    Stray,
    /// Something else: hidden, or what editors and package managers leave behind.
    Other,
}

fn role_name(file: &OsStr) -> Named {
    let lossy = file.to_string_lossy();
    let Some(name) = lossy
        .strip_suffix(".toml")
        .filter(|_| !lossy.starts_with('.'))
    else {
        return if is_stray(&lossy) {
            Named::Stray
        } else {
            Named::Other
        };
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&name.len()) && !name.starts_with('-') && name.chars().all(fits) {
        Named::Role(name.to_owned())
    } else {
        Named::Unfit
    }
}

/// Whether a name that does not end in `.toml` looks as if it should have, or once did. Names that
/// begin with a dot are put there by programs that know why.
fn is_stray(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase());
    let near = |ending: &str| {
        matches!(
            ending,
            "tml"
                | "tom"
                | "tomml"
                | "toml~"
                | "tolm"
                | "otml"
                | "tmol"
                | "conf"
                | "yaml"
                | "yml"
                | "json"
                | "ini"
        ) || ending.starts_with("toml")
    };
    !name.starts_with('.') && (name.contains(".toml") || ending.is_none_or(|ending| near(&ending)))
}

#[cfg(test)]
mod tests;
