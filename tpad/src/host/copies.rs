//! What an editor under sudoedit leaves when the end of a grant kills it: sudo edits a copy that
//! belongs to the person, and takes it away itself only when it lives (sudoedit(8)).
//!
//! So the copy goes with the grant, with what was not written back. What somebody copied elsewhere
//! while they might read it is not found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::host::process;

/// Where sudo makes its copies, the first that it can write in: as PID 1 sees them, since `tpad` has
/// a /tmp of its own.
const FOLDERS: [&str; 2] = ["1/root/var/tmp", "1/root/tmp"];

/// Most names that are looked at in a folder. Everybody may make files there.
const MOST: usize = 100_000;

/// How many characters sudo puts into the name of a copy.
const DRAWN: usize = 8;

/// The files that people are editing, by uid: their names without their folders.
#[derive(Debug, Default)]
pub struct Edited(BTreeMap<u32, BTreeSet<String>>);

impl Edited {
    /// Adds what this process edits for a person, if it does.
    pub fn add(&mut self, uid: u32, proc: &Path, pid: i32) {
        if let Ok(pid) = u32::try_from(pid) {
            let names = edited(&process::first_words(proc, pid));
            self.0.entry(uid).or_default().extend(names);
        }
    }

    /// Removes what is left of their copies; which they were.
    pub fn remove_copies(&self, proc: &Path) -> Vec<PathBuf> {
        let people = self.0.iter();
        let removed = people.flat_map(|(uid, names)| remove(proc, names, *uid));
        removed.collect()
    }
}

/// Whether a process of this name may be sudo.
#[must_use]
pub fn edits(comm: &str) -> bool {
    matches!(comm, "sudo" | "sudoedit")
}

/// The names of the files that a command line of sudo's edits, without their folders.
fn edited(line: &[String]) -> Vec<String> {
    let mut words = line.iter();
    let last = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = words.next().map(last).unwrap_or_default();
    let is_edit = |word: &&String| {
        let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        word.starts_with("--e") || short.is_some_and(|rest| rest.contains('e'))
    };
    if program == "sudoedit" || (program == "sudo" && words.clone().any(|word| is_edit(&word))) {
        words.map(last).filter(|name| !name.is_empty()).collect()
    } else {
        Vec::new()
    }
}

/// Removes what is left of these files of a person's; which they were.
fn remove(proc: &Path, names: &BTreeSet<String>, uid: u32) -> Vec<PathBuf> {
    if names.is_empty() || matches!(uid, 0 | u32::MAX) {
        return Vec::new();
    }
    let folders = FOLDERS.iter().map(|folder| proc.join(folder));
    folders
        .flat_map(|folder| match remove_in(&folder, names, uid) {
            Ok(removed) => removed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!("copies that sudoedit left in {}: {error}", folder.display());
                Vec::new()
            }
        })
        .collect()
}

fn remove_in(folder: &Path, names: &BTreeSet<String>, uid: u32) -> io::Result<Vec<PathBuf>> {
    let opened = File::open(folder)?;
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder)?.take(MOST) {
        let Ok(found) = entry?.file_name().into_string() else {
            continue;
        };
        if !names.iter().any(|name| is_copy(&found, name)) {
            continue;
        }
        let name = found.as_str();
        let theirs = match fstatat(&opened, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => continue,
            found => found?,
        };
        let is_file = SFlag::from_bits_truncate(theirs.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        if is_file && theirs.st_uid == uid {
            unlinkat(&opened, name, UnlinkatFlags::NoRemoveDir)?;
            removed.push(folder.join(found));
        }
    }
    Ok(removed)
}

/// Whether a file is sudo's copy of one of this name, or an editor's of that: `motd.XXXXXXXX` for
/// `motd`, `nginxXXXXXXXX.conf` for `nginx.conf`, `.nginxXXXXXXXX.conf.swp`.
fn is_copy(found: &str, name: &str) -> bool {
    let (stem, ending) = match name.rfind('.') {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let rest_of = |found: &str| {
        let rest = found.strip_prefix(stem)?;
        let rest = if ending.is_empty() {
            rest.strip_prefix('.')?
        } else {
            rest
        };
        let (drawn, rest) = rest.split_at_checked(DRAWN)?;
        let all = drawn.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (all && rest.starts_with(ending)).then_some(())
    };
    rest_of(found).is_some()
        || found
            .strip_prefix(['.', '#'])
            .is_some_and(|rest| rest_of(rest).is_some())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_edited_stands_in_the_command_line() {
        for text in [
            "sudoedit -n /etc/motd",
            "/usr/bin/sudo -e /etc/motd",
            "sudo --edit /etc/motd",
        ] {
            assert!(edited(&line(text)).contains(&"motd".to_owned()), "{text}");
        }
        for text in ["sudo -n /usr/bin/id", "vim -e /etc/motd", ""] {
            assert!(edited(&line(text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_copy_is_known_by_its_name() {
        for (found, name, is) in [
            ("motd.Ab3dEf7h", "motd", true),
            ("secretAb3dEf7h.conf", "secret.conf", true),
            (".secretAb3dEf7h.conf.swp", "secret.conf", true),
            ("secretAb3dEf7h.conf~", "secret.conf", true),
            ("secret.conf", "secret.conf", false),
            ("secretAb3dEf7.conf", "secret.conf", false),
            ("secretAb3dEf-h.conf", "secret.conf", false),
            ("motdAb3dEf7h", "motd", false),
            ("other.Ab3dEf7h", "motd", false),
            ("motd.ééééé", "motd", false),
        ] {
            assert_eq!(is_copy(found, name), is, "{found}");
        }
    }

    #[test]
    fn only_files_of_the_person_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDERS[0]);
        fs::create_dir_all(&folder).unwrap();
        for name in ["motd.Ab3dEf7h", "note", "motd"] {
            fs::write(folder.join(name), "secret").unwrap();
        }
        symlink(folder.join("note"), folder.join("motd.Cb3dEf7h")).unwrap();
        fs::create_dir(folder.join("motd.Db3dEf7h")).unwrap();
        let names = BTreeSet::from(["motd".to_owned()]);
        let own = 3_999_999_998;
        let remove_of = |uid| remove_in(&folder, &names, uid).unwrap();
        assert!(remove_of(own).is_empty());
        let uid = fs::metadata(&folder).unwrap().uid();
        assert_eq!(remove_of(uid), [folder.join("motd.Ab3dEf7h")]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
        assert!(
            remove(dir.path(), &names, 0).is_empty(),
            "nothing is root's"
        );
    }
}
