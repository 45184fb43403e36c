//! `tpad tidy`: removes what appeared of one run-as account, in a process of its own that PID 1 started.
//!
//! The account may exchange files and folders of its own at any moment. So a folder is opened without
//! following links and everything is done by its descriptor, as whoever owns the folder: what the account
//! could not do itself is not done for it. A file is moved aside first, under a name that nothing reads, and
//! removed only where that is the very file that the look found; else it is moved back. Done again after a
//! crash, it comes to the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Context as _;
use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid, setgroups};
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, Stat, fchmod, flistxattr, fstat, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tpa_bus::id::Id;

use super::files::{At, CAREFUL, Files, is_file, is_folder, read, seen};
use super::homes::{is_key, what_of};
use super::item::{Kind, Salt};
use super::mounts::Mounts;
use crate::ledger::{Appeared, CameTo, Person, SeenFile, Tidied};

/// What to remove of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The grant after whose end it is.
    pub id: Id,
    /// The account.
    pub account: Person,
    /// What appeared of it and is to go.
    pub appeared: Vec<Appeared>,
}

/// Removes it, and says of each thing what became of it, one a line.
///
/// # Errors
/// When there is nobody to tell, or a right that was laid down cannot be taken up again.
pub fn run(order: &Order, out: &mut impl Write) -> anyhow::Result<()> {
    if geteuid().is_root() {
        setgroups(&[]).context("leave all groups")?;
    }
    let mounts = std::fs::read("/proc/self/mountinfo").context("read what is mounted")?;
    let mounts = Mounts::parse(&mounts);
    tidy(order, &mounts, &mut |tidied| {
        let mut line = serde_json::to_string(&tidied)?;
        line.push('\n');
        Ok(out.write_all(line.as_bytes())?)
    })
}

/// What became of each, by what was told as far as it goes; `result` is what systemd says of the process.
#[must_use]
pub fn came_to(order: &Order, text: &str, result: &str) -> Vec<Tidied> {
    let told = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    let told: Vec<Tidied> = told.collect();
    let each = order.appeared.iter().map(|one| {
        let mut told = told.iter();
        let of = told.find(|told| (&told.kind, &told.what) == (&one.kind, &one.what));
        of.cloned().unwrap_or_else(|| {
            let why = format!("what removes it was cut off before it told of this ({result})");
            one.came_to(CameTo::Stays(why))
        })
    });
    each.collect()
}

type Tell<'a> = dyn FnMut(Tidied) -> anyhow::Result<()> + 'a;

fn tidy(order: &Order, mounts: &Mounts, tell: &mut Tell<'_>) -> anyhow::Result<()> {
    let salt = Salt(String::new());
    let files = Files::new(mounts, &salt);
    // Lines of one file go at once, or each would find another file than the look did.
    let mut by_file: BTreeMap<(&str, bool), Vec<&Appeared>> = BTreeMap::new();
    for one in &order.appeared {
        let Some(file) = &one.file else {
            let why = "which file it is was not told".to_owned();
            tell(one.came_to(CameTo::Stays(why)))?;
            continue;
        };
        let key = (file.path.as_str(), one.is_line);
        by_file.entry(key).or_default().push(one);
    }
    for all in by_file.into_values() {
        let Some(file) = all.first().and_then(|first| first.file.as_ref()) else {
            continue;
        };
        let came_to = match place(&files, order, &all, file) {
            Ok(Ok(place)) => place.remove()?,
            Ok(Err(came_to)) => came_to,
            Err(why) => CameTo::Stays(why.to_string()),
        };
        for one in all {
            tell(one.came_to(came_to.clone()))?;
        }
    }
    Ok(())
}

/// Where a file is, and what is to go of it.
struct Place<'a> {
    folder: OwnedFd,
    /// Who owns the folder, and its group: as whom everything is done in it.
    whom: (u32, u32),
    name: &'a OsStr,
    file: &'a SeenFile,
    /// Names of the lines that go; nothing where the whole file does.
    lines: Vec<&'a str>,
    /// The name under which a file is put aside.
    aside: String,
}

/// The folder of a file, open, where it is one in which something may be done.
fn place<'a>(
    files: &Files<'_>,
    order: &Order,
    all: &[&'a Appeared],
    file: &'a SeenFile,
) -> anyhow::Result<Result<Place<'a>, CameTo>> {
    let path = Path::new(&file.path);
    let (above, name) = path
        .parent()
        .zip(path.file_name())
        .context("it is in no folder")?;
    let stays = |why: &str| Ok(Err(CameTo::Stays(why.to_owned())));
    let (folder, stat) = match files.at(above) {
        At::Nothing => return Ok(Err(CameTo::Gone)),
        At::Closed(why) => return stays(&format!("its folder cannot be opened: {why}")),
        At::Open(folder, stat) => (folder, stat),
    };
    if !is_folder(&stat) {
        return stays("its folder is none any more");
    }
    // Keys are in the account's own folder; jobs in one of the host's.
    let of_account = all.iter().all(|one| one.kind == Kind::Key.word());
    if of_account && stat.st_uid != order.account.uid {
        let uid = stat.st_uid;
        return stays(&format!(
            "its folder belongs to uid {uid}, who may have put it there"
        ));
    }
    if stat.st_mode & 0o002 != 0 {
        return stays("everybody can write to its folder");
    }
    let is_line = all.iter().any(|one| one.is_line);
    let lines = all.iter().filter(|_| is_line);
    Ok(Ok(Place {
        folder,
        whom: (stat.st_uid, stat.st_gid),
        name,
        file,
        lines: lines.map(|one| one.what.as_str()).collect(),
        aside: format!(".tpa-{}-{}", order.id.as_str(), file.ino),
    }))
}

/// A file as it was found now.
struct Opened {
    fd: OwnedFd,
    stat: Stat,
    inside: Vec<u8>,
}

impl Place<'_> {
    /// Removes it; the errors are those of laying down and taking up rights.
    fn remove(&self) -> anyhow::Result<CameTo> {
        let done = match self.finish()? {
            Ok(done) => done,
            Err(error) => return Ok(CameTo::Stays(format!("what was put aside: {error}"))),
        };
        let opened = match self.open(self.name) {
            Ok(Some(opened)) => opened,
            Ok(None) if done => return Ok(CameTo::Removed),
            Ok(None) => return Ok(CameTo::Gone),
            Err(why) => return Ok(CameTo::Stays(why)),
        };
        if !self.is_as_found(&opened) {
            // A file that has none of its lines any more is as it is to be.
            let kept = self.without(&opened.inside);
            let is_without =
                !self.lines.is_empty() && kept.is_some_and(|kept| kept.as_bytes() == opened.inside);
            return Ok(match (is_without, done) {
                (true, true) => CameTo::Removed,
                (true, false) => CameTo::Gone,
                (false, _) => CameTo::Stays("it is another by now than was found".to_owned()),
            });
        }
        let removed = if self.lines.is_empty() {
            self.as_owner(|| self.unlink(&opened))?
        } else {
            self.take_out(&opened)?
        };
        Ok(removed.unwrap_or_else(CameTo::Stays))
    }

    /// Opens a file of the folder and reads it; nothing where there is none.
    fn open(&self, name: impl rustix::path::Arg) -> Result<Option<Opened>, String> {
        let fd = match openat(&self.folder, name, CAREFUL | OFlags::RDONLY, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err("a link stands there by now".to_owned()),
            Err(error) => return Err(format!("it cannot be opened: {error}")),
        };
        let stat = fstat(&fd).map_err(|error| error.to_string())?;
        if !is_file(&stat) {
            return Err("it is no file any more".to_owned());
        }
        let again = fd.try_clone().map_err(|error| error.to_string())?;
        let inside = read(again).map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(Some(Opened { fd, stat, inside }))
    }

    /// Whether it is the file that the look found, and nothing of it has changed since.
    fn is_as_found(&self, opened: &Opened) -> bool {
        let now = seen(Path::new(&self.file.path), &opened.stat, &opened.inside);
        now.as_ref() == Some(self.file)
    }

    /// Whether it is that file, though its name has changed, and with that its time.
    fn is_it(&self, opened: &Opened) -> bool {
        let now = seen(Path::new(&self.file.path), &opened.stat, &opened.inside);
        now.is_some_and(|now| {
            let changed = self.file.changed;
            SeenFile { changed, ..now } == *self.file
        })
    }

    /// Finishes what a run that was cut off had put aside. Whether that was the file that is to go.
    fn finish(&self) -> anyhow::Result<Result<bool, Errno>> {
        let is_it = match self.open(self.aside.as_str()) {
            Ok(None) => return Ok(Ok(false)),
            Ok(Some(opened)) => self.is_it(&opened),
            Err(_) => false,
        };
        self.as_owner(|| {
            // A whole file that was taken for it, and is another, belongs where it was.
            if !is_it && self.lines.is_empty() {
                return self.put_back().map(|()| false);
            }
            unlinkat(&self.folder, self.aside.as_str(), AtFlags::empty()).map(|()| is_it)
        })
    }

    /// Gives what was put aside its name back.
    fn put_back(&self) -> Result<(), Errno> {
        self.rename(self.aside.as_ref(), self.name, RenameFlags::NOREPLACE)
    }

    fn rename(&self, from: &OsStr, to: &OsStr, flags: RenameFlags) -> Result<(), Errno> {
        renameat_with(&self.folder, from, &self.folder, to, flags)
    }

    /// Removes the whole file.
    fn unlink(&self, opened: &Opened) -> Result<CameTo, String> {
        let aside = self.aside.as_str();
        let told = |error: Errno| format!("it cannot be removed: {error}");
        match self.rename(self.name, aside.as_ref(), RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(CameTo::Gone),
            Err(error) => return Err(told(error)),
        }
        let stat = statat(&self.folder, aside, AtFlags::SYMLINK_NOFOLLOW).map_err(told)?;
        if !same(&stat, &opened.stat) {
            self.put_back().map_err(told)?;
            return Err("it was exchanged meanwhile".to_owned());
        }
        unlinkat(&self.folder, aside, AtFlags::empty()).map_err(told)?;
        // What is not on the disk yet is done again.
        let _ = rustix::fs::fsync(&self.folder);
        Ok(CameTo::Removed)
    }

    /// The text without the lines that go; nothing where it is none.
    fn without(&self, inside: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(inside).ok()?;
        let path = Path::new(&self.file.path);
        let goes = |line: &&str| {
            let line = line.trim();
            is_key(line) && self.lines.contains(&what_of(path, line).as_str())
        };
        Some(
            text.split_inclusive('\n')
                .filter(|line| !goes(line))
                .collect(),
        )
    }

    /// Takes lines out of the file: what is left is written beside it, and exchanged with it.
    fn take_out(&self, opened: &Opened) -> anyhow::Result<Result<CameTo, String>> {
        let Some(kept) = self.without(&opened.inside) else {
            return Ok(Err("it is no text".to_owned()));
        };
        let mut none = [0_u8; 0];
        if flistxattr(&opened.fd, &mut none) != Ok(0) {
            let why = "it has an access list or other attributes, which a new file would not";
            return Ok(Err(why.to_owned()));
        }
        self.as_owner(|| self.exchange(opened, &kept))
    }

    fn exchange(&self, opened: &Opened, kept: &str) -> Result<CameTo, String> {
        let aside = self.aside.as_str();
        let written = self.write_aside(&opened.stat, kept);
        let exchanged = written.and_then(|()| self.swap().map_err(|error| error.to_string()));
        if let Err(why) = exchanged {
            let _ = unlinkat(&self.folder, aside, AtFlags::empty());
            return Err(format!("it cannot be written anew: {why}"));
        }
        let is_it = statat(&self.folder, aside, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| same(&stat, &opened.stat));
        let back = if is_it { Ok(()) } else { self.swap() };
        let gone = unlinkat(&self.folder, aside, AtFlags::empty());
        let _ = rustix::fs::fsync(&self.folder);
        match (is_it, back.and(gone)) {
            (true, Ok(())) => Ok(CameTo::Removed),
            (false, Ok(())) => Err("it was exchanged meanwhile".to_owned()),
            (_, Err(error)) => Err(format!("what is put aside stays there: {error}")),
        }
    }

    fn swap(&self) -> Result<(), Errno> {
        self.rename(self.aside.as_ref(), self.name, RenameFlags::EXCHANGE)
    }

    /// Writes what is kept, as a file that is as the old one was in all but its lines.
    fn write_aside(&self, old: &Stat, kept: &str) -> Result<(), String> {
        let flags = CAREFUL | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let fd = openat(
            &self.folder,
            self.aside.as_str(),
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(|error| error.to_string())?;
        let stat = fstat(&fd).map_err(|error| error.to_string())?;
        if (stat.st_uid, stat.st_gid) != (old.st_uid, old.st_gid) {
            return Err("a new file would belong to another group".to_owned());
        }
        let mut file = File::from(fd);
        file.write_all(kept.as_bytes())
            .map_err(|error| error.to_string())?;
        let mode = Mode::from_raw_mode(old.st_mode & 0o777);
        fchmod(&file, mode).map_err(|error| error.to_string())?;
        file.sync_all().map_err(|error| error.to_string())
    }

    /// Does it as the one who owns the folder, whom the kernel lets do no more than they could. The real uid
    /// stays, so that nobody of that uid can stop this process or look into it.
    fn as_owner<T>(&self, act: impl FnOnce() -> T) -> anyhow::Result<T> {
        let (me, my_group) = (geteuid(), getegid());
        let (uid, gid) = (Uid::from_raw(self.whom.0), Gid::from_raw(self.whom.1));
        if me == uid {
            return Ok(act());
        }
        setegid(gid).context("act for the folder's group")?;
        seteuid(uid).context("act for the folder's owner")?;
        let done = act();
        seteuid(me).context("take up the own rights")?;
        setegid(my_group).context("take up the own group")?;
        Ok(done)
    }
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9rvxYrhVZzvXKiMYVyFVBCfd2y3KR2CpVXQoB2dLrl";

    /// A folder in which things appear.
    struct Home {
        folder: tempfile::TempDir,
        place: PathBuf,
    }

    impl Home {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("place");
            fs::create_dir(&place).unwrap();
            Self { folder, place }
        }

        fn mounts(&self) -> Mounts {
            let at = self.folder.path().display();
            Mounts::parse(format!("1 0 8:1 / {at} rw - ext4 x rw\n"))
        }

        fn write(&self, text: &str) -> PathBuf {
            let path = self.place.join("thing");
            fs::write(&path, text).unwrap();
            path
        }

        /// A thing as the look finds it: the whole file, or these lines of it.
        fn found(&self, lines: &[&str]) -> Order {
            let path = self.place.join("thing");
            let (mounts, salt) = (self.mounts(), Salt(String::new()));
            let (inside, stat) = Files::new(&mounts, &salt).bytes(&path).unwrap();
            let account = Person {
                uid: geteuid().as_raw(),
                name: "shopdb".into(),
            };
            let one = |what: String, is_line: bool| Appeared {
                account: account.clone(),
                kind: Kind::Key.word().into(),
                what,
                file: seen(&path, &stat, &inside),
                is_line,
                stays: None,
            };
            let whole = one(path.display().to_string(), false);
            let lines = lines.iter().map(|line| one(what_of(&path, line), true));
            let mut appeared: Vec<_> = lines.collect();
            if appeared.is_empty() {
                appeared.push(whole);
            }
            Order {
                id: Id::from_random([0; 5]),
                account: account.clone(),
                appeared,
            }
        }

        fn tidy(&self, order: &Order) -> Vec<CameTo> {
            let mut told = Vec::new();
            tidy(order, &self.mounts(), &mut |one| {
                told.push(one.came_to);
                Ok(())
            })
            .unwrap();
            told
        }

        fn aside(&self, order: &Order) -> PathBuf {
            let ino = order.appeared[0].file.as_ref().unwrap().ino;
            self.place.join(format!(".tpa-{}-{ino}", order.id.as_str()))
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.place).unwrap();
            let names = names.map(|one| one.unwrap().file_name().to_string_lossy().into_owned());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        }
    }

    fn stays(came_to: &[CameTo]) -> &str {
        match came_to {
            [CameTo::Stays(why)] => why,
            _ => panic!("{came_to:?}"),
        }
    }

    #[test]
    fn what_is_as_it_was_found_goes_alone_and_a_second_time_it_is_gone() {
        let home = Home::new();
        home.write("x");
        fs::write(home.place.join("other"), "x").unwrap();
        let order = home.found(&[]);
        assert_eq!(home.tidy(&order), [CameTo::Removed]);
        assert_eq!(home.names(), ["other"]);
        assert_eq!(home.tidy(&order), [CameTo::Gone]);
    }

    #[test]
    fn what_is_another_than_was_found_stays_whatever_was_put_there() {
        let home = Home::new();
        let path = home.write("x");
        let order = home.found(&[]);
        fs::write(&path, "y").unwrap();
        assert!(stays(&home.tidy(&order)).contains("another"));
        fs::remove_file(&path).unwrap();
        home.write("x");
        assert!(stays(&home.tidy(&order)).contains("another"));
        fs::remove_file(&path).unwrap();
        let precious = home.folder.path().join("precious");
        fs::write(&precious, "x").unwrap();
        symlink(&precious, &path).unwrap();
        assert!(stays(&home.tidy(&order)).contains("link"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(stays(&home.tidy(&order)).contains("no file"));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "x");
        assert_eq!(home.names(), ["thing"]);
    }

    #[test]
    fn a_folder_that_was_exchanged_for_a_link_is_not_entered() {
        let home = Home::new();
        home.write("x");
        let order = home.found(&[]);
        let moved = home.folder.path().join("moved");
        fs::rename(&home.place, &moved).unwrap();
        symlink(&moved, &home.place).unwrap();
        assert!(stays(&home.tidy(&order)).contains("a link leads there"));
        assert!(moved.join("thing").exists());
    }

    #[test]
    fn keys_in_a_folder_that_is_not_the_accounts_stay() {
        let home = Home::new();
        home.write("x");
        let mut order = home.found(&[]);
        order.account.uid += 1;
        assert!(stays(&home.tidy(&order)).contains("its folder belongs to"));
        let order = home.found(&[]);
        fs::set_permissions(&home.place, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(stays(&home.tidy(&order)).contains("everybody"));
    }

    #[test]
    fn new_lines_go_and_all_else_of_the_file_stays_as_it_is() {
        let home = Home::new();
        let text = format!("# mine\n\nnone of us\n{KEY} a@b\n  rubbish  \nlast");
        let path = home.write(&text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let order = home.found(&[KEY, "rubbish"]);
        assert_eq!(home.tidy(&order), [CameTo::Removed, CameTo::Removed]);
        let left = fs::read_to_string(&path).unwrap();
        assert_eq!(left, "# mine\n\nnone of us\nlast");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(home.names(), ["thing"]);
        assert_eq!(home.tidy(&order), [CameTo::Gone, CameTo::Gone]);
    }

    #[test]
    fn a_run_that_was_cut_off_is_finished_by_the_next() {
        let home = Home::new();
        // Put aside, and not removed.
        let path = home.write("x");
        let order = home.found(&[]);
        fs::rename(&path, home.aside(&order)).unwrap();
        assert_eq!(home.tidy(&order), [CameTo::Removed]);
        assert!(home.names().is_empty());
        // Another was put aside, and not moved back.
        home.write("x");
        let order = home.found(&[]);
        fs::remove_file(&path).unwrap();
        fs::write(home.aside(&order), "precious").unwrap();
        stays(&home.tidy(&order));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        // Written beside, and not exchanged.
        let text = format!("{KEY}\n");
        fs::write(&path, &text).unwrap();
        let order = home.found(&[KEY]);
        fs::write(home.aside(&order), "half").unwrap();
        assert_eq!(home.tidy(&order), [CameTo::Removed]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        // Exchanged, and the old one not removed.
        fs::write(&path, &text).unwrap();
        let order = home.found(&[KEY]);
        fs::rename(&path, home.aside(&order)).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(home.tidy(&order), [CameTo::Removed]);
        assert_eq!(home.names(), ["thing"]);
    }

    #[test]
    fn a_second_name_of_what_goes_is_not_taken_for_it_being_gone() {
        let home = Home::new();
        let path = home.write(&format!("{KEY}\n"));
        let order = home.found(&[KEY]);
        fs::hard_link(&path, home.aside(&order)).unwrap();
        stays(&home.tidy(&order));
        assert!(fs::read_to_string(&path).unwrap().contains(KEY));
    }
}
