//! The folders in which sudo keeps recordings: `ID/alice-00/00/01/timing` and so on.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tpa_bus::access::{Piece, RECORDINGS_MAX, Recording};
use tpa_bus::id::Id;

use super::digest::Digest;
use super::header::Header;
use crate::host::folder::{Folder, Found};

/// The files that are read.
const PARTS: [&str; 4] = ["timing", "ttyout", "stdout", "stderr"];

/// What stands before the id in the name of what is to be removed.
const ASIDE: &str = ".removed-";

/// Most bytes of a piece.
const PIECE: u64 = 64 * 1_024;

/// Most descriptors of a process that are looked at: sudo has a dozen.
const DESCRIPTORS: usize = 256;

/// Where they are.
#[derive(Debug, Clone)]
pub struct Shelf {
    root: PathBuf,
    proc: PathBuf,
}

impl Shelf {
    /// Below this folder, written by processes that are found in `proc`.
    pub fn new(root: PathBuf, proc: PathBuf) -> Self {
        Self { root, proc }
    }

    /// The next of a grant's, by name, behind this name.
    pub fn list(&self, id: Id, after: &str, pids: &[u32]) -> anyhow::Result<Vec<Recording>> {
        let Some(grant) = self.grant(id)? else {
            return Ok(Vec::new());
        };
        let live = self.live(id, pids);
        let mut listed = Vec::new();
        for first in names_from(&grant, after.split('/').next())? {
            let Some((user, number)) = first.rsplit_once('-') else {
                continue;
            };
            if user.is_empty() || !is_number(number) {
                continue;
            }
            let Ok(Some(one)) = grant.sub(&first) else {
                continue;
            };
            for second in one.names()?.into_iter().filter(|name| is_number(name)) {
                let Ok(Some(two)) = one.sub(&second) else {
                    continue;
                };
                for third in two.names()?.into_iter().filter(|name| is_number(name)) {
                    let name = format!("{first}/{second}/{third}");
                    if name.as_str() <= after {
                        continue;
                    }
                    let Ok(Some(three)) = two.sub(&third) else {
                        continue;
                    };
                    listed.push(recording(&three, name, &live)?);
                    if listed.len() == RECORDINGS_MAX {
                        return Ok(listed);
                    }
                }
            }
        }
        Ok(listed)
    }

    /// The one of this name.
    pub fn find(&self, id: Id, name: &str, pids: &[u32]) -> anyhow::Result<Option<Recording>> {
        let live = self.live(id, pids);
        let Some(folder) = self.folder(id, name)? else {
            return Ok(None);
        };
        recording(&folder, name.to_owned(), &live).map(Some)
    }

    /// A piece of one of its files. Whether it is still being written is looked at before it is read:
    /// at the end of one that is not, there is nothing more to come.
    pub fn piece(
        &self,
        id: Id,
        name: &str,
        (part, offset): (&str, u64),
        pids: &[u32],
    ) -> anyhow::Result<Option<Piece>> {
        if !PARTS.contains(&part) {
            return Ok(None);
        }
        let live = self.live(id, pids).iter().any(|live| live == name);
        let Some(folder) = self.folder(id, name)? else {
            return Ok(None);
        };
        let mut data = Vec::new();
        // A stream that nothing was written to may have no file.
        if let Some(mut file) = folder.file(part)? {
            file.seek(SeekFrom::Start(offset))?;
            file.take(PIECE).read_to_end(&mut data)?;
        }
        Ok(Some(Piece { data, live }))
    }

    /// What a recording is; `None` where there is none of this name.
    pub fn digest(&self, id: Id, name: &str) -> anyhow::Result<Option<Digest>> {
        let folder = self.folder(id, name)?;
        folder.map(|folder| Digest::of(&folder)).transpose()
    }

    /// The grants that something is recorded of, and those of which it is set aside.
    pub fn grants(&self) -> anyhow::Result<(Vec<Id>, Vec<Id>)> {
        if std::fs::symlink_metadata(&self.root).is_err() {
            return Ok((Vec::new(), Vec::new()));
        }
        let names = Folder::open(&self.root)?.names()?;
        // Others may record there too: sudo's own folders have other names.
        let id = |name: &str| Id::parse(name).ok().filter(|id| id.as_str() == name);
        let there = names.iter().filter_map(|name| id(name));
        let aside = names
            .iter()
            .filter_map(|name| id(name.strip_prefix(ASIDE)?));
        Ok((there.collect(), aside.collect()))
    }

    /// Sets aside what was recorded under a grant, all at once.
    pub fn set_aside(&self, id: Id) -> anyhow::Result<()> {
        // That it is root's alone to write, and no link.
        if self.grant(id)?.is_some() {
            std::fs::rename(self.root.join(id.as_str()), self.aside(id))?;
        }
        Ok(())
    }

    /// Removes what was set aside of a grant.
    pub fn remove(&self, id: Id) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.aside(id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn aside(&self, id: Id) -> PathBuf {
        self.root.join(format!("{ASIDE}{}", id.as_str()))
    }

    /// The file of a recording, to be watched.
    pub fn file(&self, id: Id, name: &str, part: &str) -> PathBuf {
        self.root.join(id.as_str()).join(name).join(part)
    }

    fn grant(&self, id: Id) -> anyhow::Result<Option<Folder>> {
        if std::fs::symlink_metadata(&self.root).is_err() {
            return Ok(None);
        }
        Folder::open(&self.root)?.sub(id.as_str())
    }

    fn folder(&self, id: Id, name: &str) -> anyhow::Result<Option<Folder>> {
        let Some(mut folder) = self.grant(id)? else {
            return Ok(None);
        };
        if !is_name(name) {
            return Ok(None);
        }
        for part in name.split('/') {
            let Some(next) = folder.sub(part)? else {
                return Ok(None);
            };
            folder = next;
        }
        Ok(Some(folder))
    }

    /// The recordings of a grant that one of these processes has open. Only where a descriptor leads
    /// is read: what it is open on may be a file system that answers when somebody likes.
    fn live(&self, id: Id, pids: &[u32]) -> Vec<String> {
        let folder = self.root.join(id.as_str());
        let open_by = |pid: &u32| {
            let descriptors = std::fs::read_dir(self.proc.join(pid.to_string()).join("fd"));
            let descriptors = descriptors
                .into_iter()
                .flatten()
                .flatten()
                .take(DESCRIPTORS);
            descriptors.filter_map(|one| std::fs::read_link(one.path()).ok())
        };
        pids.iter()
            .flat_map(open_by)
            .filter_map(|path| name_of(&folder, &path))
            .collect()
    }
}

/// The name of the recording that a path is the timing of.
fn name_of(folder: &Path, path: &Path) -> Option<String> {
    let name = path.strip_prefix(folder).ok()?.to_str()?;
    Some(name.strip_suffix("/timing")?.to_owned())
}

fn recording(folder: &Folder, name: String, live: &[String]) -> anyhow::Result<Recording> {
    let header = match folder.read("log.json")? {
        Some(Found::File { text, .. }) => Header::parse(&text),
        Some(Found::Other) | None => Header::default(),
    };
    let mut bytes = 0_u64;
    for part in PARTS.iter().skip(1) {
        if let Some(file) = folder.file(part)? {
            bytes = bytes.saturating_add(file.metadata()?.len());
        }
    }
    let (rows, columns) = header.size();
    Ok(Recording {
        live: live.contains(&name),
        name,
        command: header.command(),
        target: header.target(),
        tty: header.tty(),
        started_at: header.started_at(),
        rows,
        columns,
        bytes,
    })
}

/// The names in a folder that a name's first part may be, from this one on.
fn names_from(folder: &Folder, first: Option<&str>) -> anyhow::Result<Vec<String>> {
    let first = first.unwrap_or_default();
    let names = folder.names()?;
    Ok(names
        .into_iter()
        .filter(|name| name.as_str() >= first)
        .collect())
}

/// Whether it is a name that sudo gives (`%{user}-%{seq}`).
fn is_name(name: &str) -> bool {
    let parts: Vec<_> = name.split('/').collect();
    let [first, second, third] = parts.as_slice() else {
        return false;
    };
    let first = first.rsplit_once('-');
    first.is_some_and(|(user, number)| !user.is_empty() && is_number(number))
        && is_number(second)
        && is_number(third)
}

/// Two digits to the base of 36.
fn is_number(text: &str) -> bool {
    let digit = |c: u8| c.is_ascii_digit() || c.is_ascii_uppercase();
    text.len() == 2 && text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn id() -> Id {
        Id::from_random([0; 5])
    }

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("io"), dir.path().join("proc"));
        std::fs::create_dir_all(shelf.root.join(id().as_str())).unwrap();
        (dir, shelf)
    }

    fn add(shelf: &Shelf, name: &str, text: &str) {
        let folder = shelf.root.join(id().as_str()).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write(
            "log.json",
            r#"{"command": "/usr/bin/id", "runargv": ["id", "-u"]}"#,
        );
        write("timing", "4 0.1 2\n");
        write("ttyout", text);
    }

    fn piece(shelf: &Shelf, name: &str, at: (&str, u64)) -> Option<Vec<u8>> {
        shelf
            .piece(id(), name, at, &[])
            .unwrap()
            .map(|piece| piece.data)
    }

    #[test]
    fn recordings_are_listed_in_pages_and_read_in_pieces() {
        let (_dir, shelf) = shelf();
        let name = |n: usize| format!("alice-00/0{}/{:02}", n / 100, n % 100);
        for n in 0..150 {
            add(&shelf, &name(n), "hi");
        }
        std::fs::create_dir(shelf.root.join(id().as_str()).join("seq-file")).unwrap();
        let first = shelf.list(id(), "", &[]).unwrap();
        assert_eq!(first.len(), RECORDINGS_MAX);
        assert_eq!(first[0].command, "/usr/bin/id -u");
        assert_eq!(first[0].bytes, 2);
        let last = &first[RECORDINGS_MAX - 1].name;
        let second = shelf.list(id(), last, &[]).unwrap();
        assert_eq!((second.len(), second[0].name.clone()), (50, name(100)));
        assert!(shelf.list(id(), &name(149), &[]).unwrap().is_empty());
        assert_eq!(piece(&shelf, &name(1), ("ttyout", 1)), Some(b"i".to_vec()));
        assert_eq!(piece(&shelf, &name(1), ("ttyout", 9)), Some(Vec::new()));
        assert_eq!(piece(&shelf, &name(1), ("stderr", 0)), Some(Vec::new()));
        assert_eq!(piece(&shelf, &name(1), ("log.json", 0)), None);
        let another = Id::from_random([1; 5]);
        assert!(shelf.list(another, "", &[]).unwrap().is_empty());
    }

    #[test]
    fn what_was_recorded_under_a_grant_goes_as_a_whole_and_nothing_else() {
        let (dir, shelf) = shelf();
        add(&shelf, "alice-00/00/01", "hi");
        let outside = dir.path().join("outside");
        std::fs::write(&outside, "stays").unwrap();
        let grant = shelf.root.join(id().as_str());
        symlink(dir.path(), grant.join("alice-00/link")).unwrap();
        std::fs::create_dir(shelf.root.join("00")).unwrap();
        assert_eq!(shelf.grants().unwrap(), (vec![id()], vec![]));
        assert!(shelf.digest(id(), "alice-00/00/01").unwrap().is_some());
        assert_eq!(shelf.digest(id(), "alice-00/00/02").unwrap(), None);
        shelf.set_aside(id()).unwrap();
        assert_eq!(shelf.grants().unwrap(), (vec![], vec![id()]));
        shelf.remove(id()).unwrap();
        assert!(!grant.exists() && outside.exists() && shelf.root.join("00").exists());
        assert_eq!(shelf.grants().unwrap(), (vec![], vec![]));
        shelf.set_aside(id()).unwrap();
        shelf.remove(id()).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_grants_folder() {
        let (_dir, shelf) = shelf();
        add(&shelf, "alice-00/00/01", "hi");
        for name in [
            "",
            "..",
            "../..",
            "alice-00",
            "alice-00/00",
            "alice-00/00/..",
            "alice-00/00/01/x",
            "/etc",
            "-00/00/01",
            "alice-00/../00",
            "alice-00//01",
            "alice-00/00/0\0",
        ] {
            assert_eq!(piece(&shelf, name, ("timing", 0)), None, "{name:?}");
        }
    }

    #[test]
    fn links_and_folders_of_others_are_not_followed() {
        let (dir, shelf) = shelf();
        add(&shelf, "alice-00/00/01", "hi");
        let grant = shelf.root.join(id().as_str());
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        let out = grant.join("alice-00/00/01/stdout");
        symlink(dir.path().join("secret"), out).unwrap();
        assert_eq!(
            piece(&shelf, "alice-00/00/01", ("stdout", 0)),
            Some(Vec::new())
        );
        symlink(grant.join("alice-00/00/01"), grant.join("alice-00/00/02")).unwrap();
        assert!(shelf.find(id(), "alice-00/00/02", &[]).is_err());
        let wide = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(grant.join("alice-00"), wide).unwrap();
        assert!(shelf.find(id(), "alice-00/00/01", &[]).is_err());
    }

    #[test]
    fn a_recording_is_live_while_a_command_of_the_grant_has_it_open() {
        let (_dir, shelf) = shelf();
        add(&shelf, "alice-00/00/01", "hi");
        add(&shelf, "alice-00/00/02", "hi");
        let fd = shelf.proc.join("7/fd");
        std::fs::create_dir_all(&fd).unwrap();
        symlink(shelf.file(id(), "alice-00/00/02", "timing"), fd.join("10")).unwrap();
        symlink("/dev/null", fd.join("0")).unwrap();
        let live = |pids: &[u32]| {
            let listed = shelf.list(id(), "", pids).unwrap();
            listed.iter().map(|one| one.live).collect::<Vec<_>>()
        };
        assert_eq!(live(&[7, 8]), [false, true]);
        assert_eq!(live(&[8]), [false, false]);
    }
}
