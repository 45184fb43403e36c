//! `tpad look`: the look itself, in a process of its own that PID 1 started.
//!
//! What to look at comes on standard input, and what was found goes to standard output a part at a time,
//! so that what is cut off by a limit has told of all that came before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::TimeZone as _;
use serde::{Deserialize, Serialize};

use super::accounts::{self, Account};
use super::appeared::{self, APPEARED_MAX, Tended};
use super::compare::{Known, compare, finding};
use super::files::Files;
use super::item::{Item, Kind, Salt};
use super::mounts::Mounts;
use super::note::{FOLDER, Note};
use super::packages::Packages;
use super::{homes, packages, places, running, walk};
use crate::clock::Now;
use crate::hex::hex;
use crate::host::folder::Folder;
use crate::host::paths::Paths;
use crate::ledger::{
    Appeared, BeginningNote, Change, Depth, FINDINGS_MAX, Finding, Person, Residue, Subject,
};

/// Most of one kind of "not looked at" that are told one by one.
const BLIND_MAX: usize = 20;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Note what is there.
    Note,
    /// Look for what a window left behind.
    End(Box<Subject>),
}

/// What is told of a look, a part at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The note was taken.
    Noted(BeginningNote),
    /// The note of the beginning is the one that was taken, and from when it is.
    Begun(i64),
    /// This was looked for.
    Looked(String),
    /// This was not, and why.
    NotLooked(String),
    /// This was found.
    Found(Finding),
    /// This is of an account of which what appeared is to be removed.
    Appeared(Appeared),
    /// So much more was found.
    More(u64),
    /// That was all.
    Done,
}

/// What the parts come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The note that was taken.
    pub note: Option<BeginningNote>,
    begun: Option<i64>,
    looked: Vec<String>,
    not_looked: Vec<String>,
    findings: Vec<Finding>,
    appeared: Vec<Appeared>,
    more: u64,
    done: bool,
}

impl Answer {
    /// Reads what was told, as far as it goes.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut answer = Self::default();
        for part in text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok())
        {
            match part {
                Part::Noted(note) => answer.note = Some(note),
                Part::Begun(at) => answer.begun = Some(at),
                Part::Looked(what) => answer.looked.push(what),
                Part::NotLooked(what) => answer.not_looked.push(what),
                Part::Found(finding) => answer.findings.push(finding),
                Part::Appeared(one) => answer.appeared.push(one),
                Part::More(more) => answer.more = answer.more.saturating_add(more),
                Part::Done => answer.done = true,
            }
        }
        answer
    }

    /// What it came to; `result` is what systemd says of the process.
    #[must_use]
    pub fn residue(self, subject: &Subject, result: &str, now_s: i64) -> Residue {
        let mut not_looked = self.not_looked;
        if !self.done {
            not_looked.push(format!("the rest: the look was cut off ({result})"));
        }
        let mut findings = self.findings;
        findings.sort();
        let over = findings.len().saturating_sub(FINDINGS_MAX) as u64;
        findings.truncate(FINDINGS_MAX);
        Residue {
            depth: subject.depth,
            looked: self.looked,
            complete: self.done && not_looked.is_empty(),
            not_looked,
            noted_at: self.begun,
            looked_at: now_s,
            findings,
            more: self.more.saturating_add(over),
            appeared: self.appeared,
        }
    }
}

/// Does it.
///
/// # Errors
/// When there is nothing to look with, or nobody to tell.
pub fn run(order: &Order, now: &Now, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = Folder::open(Path::new(FOLDER))?;
    let mounts = std::fs::read("/proc/self/mountinfo").context("read what is mounted")?;
    let look = Look {
        folder,
        mounts: Mounts::parse(&mounts),
        paths: Paths::default(),
        now: now.clone(),
    };
    let mut tell = |part: Part| {
        let mut line = serde_json::to_string(&part)?;
        line.push('\n');
        Ok(out.write_all(line.as_bytes())?)
    };
    match order {
        Order::Note => look.note(&mut tell),
        Order::End(subject) => look.end(subject, &mut tell),
    }
}

type Tell<'a> = dyn FnMut(Part) -> anyhow::Result<()> + 'a;

struct Look {
    folder: Folder,
    mounts: Mounts,
    paths: Paths,
    now: Now,
}

/// The kinds, in the order in which they are looked for: what people can hold up comes last.
const KINDS: [Kind; 16] = [
    Kind::Account,
    Kind::Group,
    Kind::Password,
    Kind::Sudoers,
    Kind::Cron,
    Kind::At,
    Kind::Pam,
    Kind::Preload,
    Kind::Sshd,
    Kind::Nss,
    Kind::Polkit,
    Kind::Module,
    Kind::Package,
    Kind::Unit,
    Kind::Key,
    Kind::UserUnit,
];

impl Look {
    fn note(&self, tell: &mut Tell<'_>) -> anyhow::Result<()> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let mut note = Note {
            at: self.now.wall_s,
            boot_id: self.now.boot_id.clone(),
            salt: Salt(hex(&salt)),
            things: BTreeMap::new(),
            key_files: None,
            blind: None,
        };
        let salt = note.salt.clone();
        let mut files = Files::new(&self.mounts, &salt);
        let accounts = accounts_of(&mut files);
        let mut not_noted = Vec::new();
        for kind in KINDS {
            match self.things(kind, &mut files, &accounts) {
                Ok(items) => note.add(kind, items),
                Err(why) => not_noted.push(format!("{}: {why}", kind.plural())),
            }
        }
        let sockets = running::sockets(&self.paths.proc).into_iter();
        note.add(Kind::Socket, sockets.map(|(item, _)| item).collect());
        note.key_files = Some(homes::all_key_files(&files, &accounts));
        let blind = files.blind.iter();
        let blind = blind.map(|(path, _)| path.to_string_lossy().into_owned());
        note.blind = Some(blind.collect());
        not_noted.extend(told(&files.blind));
        let sha256 = Some(note.write(&self.folder)?);
        tell(Part::Noted(BeginningNote {
            sha256,
            at: note.at,
            not_noted,
        }))?;
        tell(Part::Done)
    }

    fn end(&self, subject: &Subject, tell: &mut Tell<'_>) -> anyhow::Result<()> {
        let note = match self.begun(subject) {
            Ok(note) => {
                tell(Part::Begun(note.at))?;
                Some(note)
            }
            Err(why) => {
                let why = format!("what was there before: there is no note of it: {why}");
                tell(Part::NotLooked(why))?;
                None
            }
        };
        if let Some(late) = note
            .as_ref()
            .map(|note| note.at.saturating_sub(subject.since))
            && late > 10
        {
            let why = format!("the first {late}s, before the note was taken, but by files' times");
            tell(Part::NotLooked(why))?;
        }
        let salt = note
            .as_ref()
            .map_or(Salt(String::new()), |note| note.salt.clone());
        let mut files = Files::new(&self.mounts, &salt);
        let accounts = accounts_of(&mut files);
        let names: BTreeMap<u32, String> = accounts
            .iter()
            .rev()
            .map(|account| (account.uid, account.name.clone()))
            .collect();
        let packages = changed_packages(note.as_ref(), subject.since);
        let tended = self.tended(subject, note.as_ref(), &mut files, &accounts);
        let mut appeared = Vec::new();
        let mut left = FINDINGS_MAX;
        let mut told_blind = 0;
        let known = Known {
            subject,
            names: &names,
            blind: &[],
            packages: &packages,
            restarted: note
                .as_ref()
                .is_some_and(|note| note.boot_id != self.now.boot_id),
        };
        self.sockets(note.as_ref(), &known, &mut left, tell)?;
        let running = running::processes(&self.paths, subject, &self.now.boot_id);
        let found = running
            .into_iter()
            .map(|item| finding(&item, Change::Runs, &known));
        tell_all(found.collect(), &mut left, tell)?;
        tell(Part::Looked(Kind::Process.plural().to_owned()))?;
        for kind in KINDS {
            let items = self.things(kind, &mut files, &accounts);
            let known = Known {
                blind: &files.blind,
                ..known
            };
            let note = note.as_ref().filter(|note| self.counts(kind, note));
            match items {
                Ok(_) if note.is_none() && kind.is_of_one_boot() => {
                    let why = format!("which {} are new: {AFTER_A_BOOT}", kind.plural());
                    tell(Part::NotLooked(why))?;
                }
                Ok(mut items) => {
                    if kind == Kind::Package {
                        for item in &mut items {
                            item.by = packages.asked_for(&item.what, item.detail.as_deref());
                        }
                    }
                    appeared.extend(of_tended(kind, &tended, note, &items, &known));
                    let found = compare(kind, note, items, &known);
                    tell_all(found, &mut left, tell)?;
                    tell(Part::Looked(kind.plural().to_owned()))?;
                }
                Err(why) => tell(Part::NotLooked(format!("{}: {why}", kind.plural())))?,
            }
            for why in told(files.blind.get(told_blind..).unwrap_or_default()) {
                tell(Part::NotLooked(why))?;
            }
            told_blind = files.blind.len();
        }
        tell_appeared(appeared, tell)?;
        if subject.depth == Depth::Deep {
            self.walk(subject.since, &known, &mut left, tell)?;
        }
        tell(Part::Done)
    }

    /// The accounts of which what appeared is to be removed, with where their keys are.
    fn tended(
        &self,
        subject: &Subject,
        note: Option<&Note>,
        files: &mut Files<'_>,
        accounts: &[Account],
    ) -> Vec<Tended> {
        let lines = self.things(Kind::Account, files, accounts);
        let lines = lines.unwrap_or_default();
        let before = note.and_then(|note| note.things.get(&Kind::Account));
        let is_as_noted = |name: &str| {
            let mut lines = lines.iter();
            let now = lines.find(|item| item.what == name);
            let before = before.and_then(|before| before.get(name));
            now.zip(before)
                .is_some_and(|(now, (print, _))| now.print == *print)
        };
        let tended = subject.tidy.iter().map(|account| {
            let of_name = |one: &&Account| one.name == account.name;
            let found = accounts.iter().find(of_name);
            let is_same = found.is_some_and(|found| found.uid == account.uid);
            Tended {
                account: account.clone(),
                is_as_noted: is_same && is_as_noted(&account.name),
                keys: found.map_or_else(Vec::new, |found| homes::key_files(files, &found.home)),
            }
        });
        tended.collect()
    }

    /// Files that give rights, on every file system that the kernel answers for.
    fn walk(
        &self,
        since: i64,
        known: &Known<'_>,
        left: &mut usize,
        tell: &mut Tell<'_>,
    ) -> anyhow::Result<()> {
        let (walked, far) = walk::to_walk(&self.mounts);
        for why in far {
            tell(Part::NotLooked(why))?;
        }
        for mount in walked {
            let at = mount.at.display();
            let found = walk::walk(mount, since, |item, change| {
                tell_all(vec![finding(&item, change, known)], left, tell)
            });
            match found {
                Ok(walked) => {
                    let all = format!("{} on {at} ({} files)", Kind::Setuid.plural(), walked.files);
                    tell(Part::Looked(all))?;
                    if walked.unread > 0 {
                        let why =
                            format!("{} folders on {at}, which cannot be read", walked.unread);
                        tell(Part::NotLooked(why))?;
                    }
                }
                Err(error) => tell(Part::NotLooked(format!("files on {at}: {error:#}")))?,
            }
        }
        Ok(())
    }

    /// The note of the beginning.
    fn begun(&self, subject: &Subject) -> anyhow::Result<Note> {
        let note = subject.note.as_ref().context("none was taken")?;
        let sha256 = note.sha256.as_ref();
        let sha256 = sha256.with_context(|| note.not_noted.join("; "))?;
        Note::read(&self.folder, sha256)
    }

    /// Whether what is noted of a kind can be held against what is there now.
    fn counts(&self, kind: Kind, note: &Note) -> bool {
        !kind.is_of_one_boot() || note.boot_id == self.now.boot_id
    }

    /// What listens now and did not. Where that is not known, what one of the person's logins keeps
    /// listening: that is told whenever it began.
    fn sockets(
        &self,
        note: Option<&Note>,
        known: &Known<'_>,
        left: &mut usize,
        tell: &mut Tell<'_>,
    ) -> anyhow::Result<()> {
        let note = note.filter(|note| self.counts(Kind::Socket, note));
        let before = note.and_then(|note| note.things.get(&Kind::Socket));
        let mut all = running::sockets(&self.paths.proc);
        all.retain(|(item, _)| before.is_none_or(|before| !before.contains_key(&item.what)));
        running::name_holders(&self.paths.proc, &mut all);
        let sockets = Kind::Socket.plural();
        let (change, looked) = if before.is_some() {
            (Change::New, Part::Looked(sockets.to_owned()))
        } else {
            let Person { uid, name } = &known.subject.user;
            all.retain(|(item, _)| item.by.as_ref().is_some_and(|by| by.uid == Some(*uid)));
            let why = format!(
                "which {sockets} are new, but for those of {name}'s logins: {AFTER_A_BOOT}"
            );
            (Change::Runs, Part::NotLooked(why))
        };
        let found = all
            .into_iter()
            .map(|(item, _)| finding(&item, change, known));
        tell_all(found.collect(), left, tell)?;
        tell(looked)
    }

    /// All that is there of a kind.
    fn things(
        &self,
        kind: Kind,
        files: &mut Files<'_>,
        accounts: &[Account],
    ) -> Result<Vec<Item>, String> {
        let mut items = Vec::new();
        match kind {
            Kind::Account => of_file(files, "/etc/passwd", kind, accounts::of_passwd, &mut items)?,
            Kind::Group => of_file(files, "/etc/group", kind, accounts::of_group, &mut items)?,
            Kind::Password => of_file(files, "/etc/shadow", kind, accounts::of_shadow, &mut items)?,
            Kind::Module => {
                match std::fs::read_to_string(self.paths.proc.join("modules")) {
                    Ok(text) => items = running::modules(&text),
                    // A kernel that loads none (proc(5)).
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            Kind::Package => {
                let status = std::fs::read_to_string(packages::STATUS);
                let status = status.map_err(|error| format!("{}: {error}", packages::STATUS))?;
                items = packages::installed(&status);
            }
            Kind::Key => homes::keys(files, accounts, &mut items),
            Kind::UserUnit => homes::units(files, accounts, &mut items),
            Kind::Socket | Kind::Process | Kind::Setuid => {}
            Kind::Unit
            | Kind::Sudoers
            | Kind::Cron
            | Kind::At
            | Kind::Pam
            | Kind::Preload
            | Kind::Sshd
            | Kind::Nss
            | Kind::Polkit => places::look(files, kind, &mut items),
        }
        Ok(items)
    }
}

/// What appeared of those accounts, of all that is there of a kind.
fn of_tended(
    kind: Kind,
    tended: &[Tended],
    note: Option<&Note>,
    items: &[Item],
    known: &Known<'_>,
) -> Vec<Appeared> {
    if tended.is_empty() || !matches!(kind, Kind::Cron | Kind::At | Kind::Key) {
        return Vec::new();
    }
    let dpkg = log(packages::LOG);
    let by_packages = |path: &str, at: Option<i64>| {
        let by = known.packages.of_file(path, Change::New);
        let at = at.map(|at| local(at, "%Y-%m-%d %H:%M:%S"));
        let busy = at.filter(|at| packages::was_at_work(&dpkg, at));
        by.map(|by| by.record)
            .or_else(|| busy.map(|at| format!("dpkg was at work at {at}")))
    };
    let known = appeared::Known {
        note,
        since: known.subject.since,
        blind: known.blind,
        by_packages: &by_packages,
    };
    let each = tended.iter();
    each.flat_map(|of| appeared::appeared(kind, items, of, &known))
        .collect()
}

/// Tells what appeared, as much as is ever removed at one end.
fn tell_appeared(mut all: Vec<Appeared>, tell: &mut Tell<'_>) -> anyhow::Result<()> {
    let more = all.len().saturating_sub(APPEARED_MAX);
    all.truncate(APPEARED_MAX);
    for one in all {
        tell(Part::Appeared(one))?;
    }
    if more > 0 {
        let why =
            format!("what is to be removed: {more} things more than {APPEARED_MAX}, which stay");
        tell(Part::NotLooked(why))?;
    }
    Ok(())
}

/// The packages that came or changed since, who asked for them, and which files are theirs.
fn changed_packages(note: Option<&Note>, since: i64) -> Packages {
    let apt = packages::by_apt(&log(packages::HISTORY), &local(since, "%Y-%m-%d  %H:%M:%S"));
    let dpkg = packages::by_dpkg(&log(packages::LOG), &local(since, "%Y-%m-%d %H:%M:%S"));
    let mut known = Packages::new(apt, dpkg);
    let before = note.and_then(|note| note.things.get(&Kind::Package));
    let mut room = LISTS_MAX;
    for item in packages::installed(&log(packages::STATUS)) {
        let by = known.asked_for(&item.what, item.detail.as_deref());
        let change = match before.map(|before| before.get(&item.what)) {
            Some(None) => Change::New,
            Some(Some((print, _))) if *print != item.print => Change::Changed,
            None if by.is_some() => Change::Changed,
            Some(Some(_)) | None => continue,
        };
        let folder = Path::new(packages::LISTS);
        let mut lists = packages::lists_of(&item.what).into_iter();
        let list = lists.find_map(|name| std::fs::read_to_string(folder.join(name)).ok());
        let list = list.unwrap_or_default();
        let Some(left) = room.checked_sub(list.len()) else {
            break;
        };
        room = left;
        known.add(&item.what, change, by, &list);
    }
    known
}

/// Longest log of root's that is read, in bytes: nobody is named by a longer one.
const LOG_MAX: u64 = 32 << 20;

/// Most bytes of packages' lists of files that are kept: the files of further packages are nobody's.
const LISTS_MAX: usize = 16 << 20;

/// The text of a log of root's; nothing where there is none that can be read whole.
fn log(path: &str) -> String {
    let read = || {
        let file = File::open(path).ok()?;
        let mut text = Vec::new();
        file.take(LOG_MAX).read_to_end(&mut text).ok()?;
        let whole = (text.len() as u64) < LOG_MAX;
        whole.then(|| String::from_utf8_lossy(&text).into_owned())
    };
    read().unwrap_or_default()
}

/// Why what lasts as long as a boot is not held against what was noted.
const AFTER_A_BOOT: &str = "there is no note of this boot";

/// A moment as logs write it: on the host's own clock. Where that is not known, a later one than any.
fn local(at: i64, how: &str) -> String {
    let time = chrono::Local.timestamp_opt(at, 0).earliest();
    time.map_or_else(|| "~".to_owned(), |time| time.format(how).to_string())
}

fn accounts_of(files: &mut Files<'_>) -> Vec<Account> {
    let passwd = files.text(Path::new("/etc/passwd"));
    passwd.map_or_else(Vec::new, |(text, _)| accounts::accounts(&text))
}

/// The lines of a file, and the file itself, by whose time is told that it was written before it was
/// noted.
fn of_file(
    files: &mut Files<'_>,
    path: &str,
    kind: Kind,
    of: impl Fn(&str, &Salt) -> Vec<Item>,
    items: &mut Vec<Item>,
) -> Result<(), String> {
    let read = files.text(Path::new(path));
    let (text, stat) = read.ok_or_else(|| format!("{path} cannot be read"))?;
    items.extend(of(&text, files.salt()));
    items.push(Item {
        changed_at: Some(stat.st_ctime),
        ..Item::new(kind, path, "")
    });
    Ok(())
}

fn tell_all(found: Vec<Finding>, left: &mut usize, tell: &mut Tell<'_>) -> anyhow::Result<()> {
    let (all, most) = (found.len(), *left);
    for finding in found.into_iter().take(most) {
        tell(Part::Found(finding))?;
        *left = left.saturating_sub(1);
    }
    match all.saturating_sub(most) {
        0 => Ok(()),
        more => tell(Part::More(more as u64)),
    }
}

/// What could not be looked at, one by one as far as that is read by anybody.
fn told(blind: &[(PathBuf, String)]) -> Vec<String> {
    let each = blind
        .iter()
        .take(BLIND_MAX)
        .map(|(path, why)| tpa_bus::text::one_line(&format!("{}: {why}", path.display()), 200));
    let more = blind.len().saturating_sub(BLIND_MAX);
    let more = (more > 0).then(|| format!("{more} places more"));
    each.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Depth, Sure};
    use tpa_bus::id::Id;

    fn subject() -> Subject {
        Subject {
            id: Id::from_random([0; 5]),
            depth: Depth::Short,
            user: Person::root(),
            accounts: Vec::new(),
            tidy: Vec::new(),
            since: 0,
            boottime_ms: 0,
            boot_id: String::new(),
            note: None,
        }
    }

    fn found(sure: Sure, what: &str) -> Finding {
        Finding {
            sure,
            kind: "cron".into(),
            what: what.into(),
            change: Change::New,
            by: None,
        }
    }

    fn line(part: &Part) -> String {
        format!("{}\n", serde_json::to_string(part).unwrap())
    }

    #[test]
    fn what_is_cut_off_has_told_of_what_came_before_and_says_that_it_is_not_whole() {
        let mut text = line(&Part::Begun(7));
        text += &line(&Part::Looked("cron jobs".into()));
        text += &line(&Part::Found(found(Sure::Doubtful, "/a")));
        text += &line(&Part::Found(found(Sure::Certain, "/b")));
        let cut = Answer::read(&format!("{text}{{\"loo")).residue(&subject(), "timeout", 9);
        assert!(!cut.complete);
        assert_eq!(cut.not_looked, ["the rest: the look was cut off (timeout)"]);
        // The certain first.
        assert_eq!(cut.findings[0].what, "/b");
        assert_eq!((cut.noted_at, cut.looked_at), (Some(7), 9));
        let whole = Answer::read(&(text + &line(&Part::Done))).residue(&subject(), "done", 9);
        assert!(whole.complete, "{whole:?}");
    }

    #[test]
    fn a_look_that_left_something_out_is_not_complete_however_it_ended() {
        let text = line(&Part::NotLooked("x".into())) + &line(&Part::Done);
        assert!(!Answer::read(&text).residue(&subject(), "done", 9).complete);
        assert!(!Answer::read("").residue(&subject(), "failed", 9).complete);
    }

    #[test]
    fn more_than_fits_is_counted_and_nothing_is_told_twice() {
        let many: Vec<_> = (0..FINDINGS_MAX + 7)
            .map(|n| found(Sure::Doubtful, &n.to_string()))
            .collect();
        let mut text = String::new();
        let mut left = FINDINGS_MAX;
        let mut tell = |part: Part| {
            text += &line(&part);
            Ok(())
        };
        tell_all(many, &mut left, &mut tell).unwrap();
        tell_all(vec![found(Sure::Certain, "late")], &mut left, &mut tell).unwrap();
        let residue = Answer::read(&text).residue(&subject(), "done", 9);
        assert_eq!((residue.findings.len(), residue.more), (FINDINGS_MAX, 8));
    }
}
