//! PURE: of what is otherwise at an end, what is of a run-as account whose role has it removed
//! ([`crate::ledger::may_go`] says what goes): its crontab, its at jobs, its authorized keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::item::{Item, Kind};
use super::note::Note;
use crate::ledger::{Appeared, AtBeginning, Facts, Person, SeenFile, may_go};

/// Where cron keeps people's tables, each under its account's name (cron(8)).
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];

/// An account, and where its keys are.
#[derive(Debug, Clone)]
pub struct Tended {
    /// The account, as it was when the grant began.
    pub account: Person,
    /// Its line in passwd(5) is the one that was noted.
    pub is_as_noted: bool,
    /// The files with its authorized keys.
    pub keys: Vec<PathBuf>,
}

/// What a thing is judged by beside the two looks.
pub struct Known<'a> {
    /// The note of the beginning.
    pub note: Option<&'a Note>,
    /// When the grant began, in seconds since 1970.
    pub since: i64,
    /// What was not read whole now.
    pub blind: &'a [(PathBuf, String)],
    /// Whose package a new file at this path may be of, or what the package manager did at that second.
    pub by_packages: &'a dyn Fn(&str, Option<i64>) -> Option<String>,
}

/// What appeared of an account, of all that is there of a kind.
pub fn appeared(kind: Kind, items: &[Item], of: &Tended, known: &Known<'_>) -> Vec<Appeared> {
    let items = items.iter().filter(|item| is_of(kind, item, of));
    let each = items.filter_map(|item| {
        let facts = Facts {
            account: &of.account,
            account_is_as_noted: of.is_as_noted,
            at_beginning: at_beginning(kind, item, known),
            file: item.file.as_deref().filter(|file| is_whole(file, known)),
            by_packages: (known.by_packages)(path_of(item), item.changed_at),
            runs: kind == Kind::At && name_of(item).starts_with('='),
        };
        let stays = may_go(&facts)?;
        Some(Appeared {
            account: of.account.clone(),
            kind: kind.word().to_owned(),
            what: item.what.clone(),
            file: item.file.as_deref().cloned(),
            is_line: kind == Kind::Key,
            stays,
        })
    });
    let each = each.collect();
    if kind == Kind::Key {
        as_files(each, known)
    } else {
        each
    }
}

/// Keys of a file that was not there at the beginning, all of which are to go, go with it.
fn as_files(keys: Vec<Appeared>, known: &Known<'_>) -> Vec<Appeared> {
    let was_there = |path: &String| {
        let Some(note) = known.note else { return true };
        let mut keys = note.things.get(&Kind::Key).into_iter().flatten();
        let has_keys = keys.any(|(what, _)| is_in_file(what, path));
        let files = note.key_files.as_ref();
        has_keys || files.is_none_or(|files| files.contains(path))
    };
    let mut by_file: BTreeMap<String, Vec<Appeared>> = BTreeMap::new();
    let mut all = Vec::new();
    for key in keys {
        match &key.file {
            Some(file) => by_file.entry(file.path.clone()).or_default().push(key),
            None => all.push(key),
        }
    }
    for (path, mut keys) in by_file {
        // A line that stands there twice is told of once.
        keys.sort();
        keys.dedup();
        let all_go = keys.iter().all(|key| key.stays.is_none());
        match keys.first() {
            Some(first) if all_go && !was_there(&path) => all.push(Appeared {
                what: path,
                is_line: false,
                ..first.clone()
            }),
            _ => all.extend(keys),
        }
    }
    all
}

/// Whether a thing is the account's, in a place that belongs to it.
fn is_of(kind: Kind, item: &Item, of: &Tended) -> bool {
    let path = Path::new(path_of(item));
    match kind {
        Kind::Cron => {
            let tables = CRONTABS
                .iter()
                .map(|folder| Path::new(folder).join(&of.account.name));
            tables.into_iter().any(|table| table == path)
        }
        Kind::At => item.owner == Some(of.account.uid),
        Kind::Key if item.file.is_some() => of.keys.iter().any(|file| file == path),
        // Of what is no file, only the name tells where it is.
        Kind::Key => {
            let mut files = of.keys.iter();
            files.any(|file| is_in_file(&item.what, &file.to_string_lossy()))
        }
        _ => false,
    }
}

/// Whether a finding, by its name, is of something in this file.
fn is_in_file(what: &str, file: &str) -> bool {
    let rest = what.strip_prefix(file);
    rest.is_some_and(|rest| rest.starts_with(": "))
}

fn path_of(item: &Item) -> &str {
    item.file.as_ref().map_or(&item.what, |file| &file.path)
}

fn name_of(item: &Item) -> &str {
    let path = path_of(item);
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether all of a file was looked at.
fn is_whole(file: &SeenFile, known: &Known<'_>) -> bool {
    let mut blind = known.blind.iter();
    !blind.any(|(path, _)| path == Path::new(&file.path))
}

/// What the note says of a thing. Where it says nothing, what has not been changed since the beginning was
/// there as it is.
fn at_beginning(kind: Kind, item: &Item, known: &Known<'_>) -> AtBeginning {
    let changed_since = |at: Option<i64>| at.is_none_or(|at| at >= known.since);
    let unknown = |why: &str| {
        if changed_since(item.changed_at) {
            AtBeginning::Unknown(why.to_owned())
        } else {
            AtBeginning::Same
        }
    };
    let Some(note) = known.note else {
        return unknown("there is no note of it");
    };
    let Some(before) = note.things.get(&kind) else {
        return unknown("it could not be noted");
    };
    match before.get(&item.what) {
        Some((print, _)) if *print != item.print => return AtBeginning::Other,
        Some((_, Some(at))) if *at >= known.since => return AtBeginning::Early,
        Some(_) => return AtBeginning::Same,
        None => {}
    }
    let path = Path::new(path_of(item));
    // An older version kept none.
    let Some(blind) = &note.blind else {
        return unknown("the note does not tell what it left out");
    };
    if blind.iter().any(|place| path.starts_with(place)) {
        return unknown("what was there could not be looked at");
    }
    AtBeginning::Missing
}

/// What has more things than so many of an account is told of, and not removed.
pub const APPEARED_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::residue::item::Salt;

    const SINCE: i64 = 1_000;
    const KEYS: &str = "/var/lib/shopdb/.ssh/authorized_keys";

    fn item(kind: Kind, path: &str, what: &str, owner: u32) -> Item {
        Item {
            owner: Some(owner),
            changed_at: Some(SINCE + 9),
            file: Some(Box::new(SeenFile {
                path: path.into(),
                dev: 1,
                ino: 2,
                owner,
                size: 3,
                changed: (SINCE + 9, 0),
                sha256: "x".into(),
            })),
            ..Item::new(kind, what, "print")
        }
    }

    fn of() -> Tended {
        Tended {
            account: Person {
                uid: 115,
                name: "shopdb".into(),
            },
            is_as_noted: true,
            keys: vec![PathBuf::from(KEYS)],
        }
    }

    fn note(kind: Kind, items: Vec<Item>) -> Note {
        let mut note = Note {
            at: SINCE + 1,
            boot_id: "b".into(),
            salt: Salt(String::new()),
            things: BTreeMap::new(),
            key_files: Some(BTreeSet::new()),
            blind: Some(BTreeSet::new()),
        };
        note.add(kind, items);
        note
    }

    /// What appeared and whether it goes.
    fn told(kind: Kind, items: &[Item], note: Option<&Note>) -> Vec<(String, Option<String>)> {
        let known = Known {
            note,
            since: SINCE,
            blind: &[],
            by_packages: &|_, _| None,
        };
        let all = appeared(kind, items, &of(), &known);
        all.into_iter().map(|one| (one.what, one.stays)).collect()
    }

    fn cron(path: &str) -> Item {
        item(Kind::Cron, path, path, 115)
    }

    #[test]
    fn of_cron_and_at_only_what_is_the_accounts_own_counts() {
        let own = "/var/spool/cron/crontabs/shopdb";
        let all = [
            cron("/var/spool/cron/crontabs/other"),
            cron("/etc/cron.d/shopdb"),
            cron(own),
        ];
        let none = note(Kind::Cron, Vec::new());
        assert_eq!(
            told(Kind::Cron, &all, Some(&none)),
            [(own.to_owned(), None)]
        );
        let job = "/var/spool/cron/atjobs/a0000101c5d4a0";
        let running = "/var/spool/cron/atjobs/=0000201c5d4a0";
        let jobs = [
            item(Kind::At, job, job, 115),
            item(Kind::At, running, running, 115),
            item(Kind::At, "/var/spool/cron/atjobs/x", "x", 116),
        ];
        let told = told(Kind::At, &jobs, Some(&note(Kind::At, Vec::new())));
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].1, None);
        assert!(told[1].1.is_some());
    }

    #[test]
    fn what_the_note_has_stays_and_so_does_all_where_it_has_nothing_to_say() {
        let path = "/var/spool/cron/crontabs/shopdb";
        let stays = |note: Option<&Note>| {
            let told = told(Kind::Cron, &[cron(path)], note);
            told.into_iter()
                .map(|(_, stays)| stays.unwrap_or_default())
                .collect::<Vec<_>>()
        };
        let old = Item {
            changed_at: Some(SINCE - 1),
            ..cron(path)
        };
        let unchanged = old.clone();
        let same = note(Kind::Cron, vec![old.clone()]);
        assert!(told(Kind::Cron, std::slice::from_ref(&old), Some(&same)).is_empty());
        let other = Item {
            print: "other".into(),
            ..old
        };
        assert!(stays(Some(&note(Kind::Cron, vec![other])))[0].contains("as another"));
        // Between the beginning and the note.
        let early = stays(Some(&note(Kind::Cron, vec![cron(path)])));
        assert!(early[0].contains("before the beginning was noted"));
        assert!(stays(None)[0].contains("no note"));
        // What has not been changed since was there as it is, note or not.
        let told_old = told(Kind::Cron, &[unchanged], None);
        assert!(told_old.is_empty(), "{told_old:?}");
        assert!(stays(Some(&note(Kind::At, Vec::new())))[0].contains("not be noted"));
        let mut blind = note(Kind::Cron, Vec::new());
        blind.blind = Some(BTreeSet::from(["/var/spool/cron".to_owned()]));
        assert!(stays(Some(&blind))[0].contains("could not be looked at"));
        blind.blind = None;
        assert!(stays(Some(&blind))[0].contains("left out"));
    }

    #[test]
    fn a_new_file_of_keys_goes_whole_and_of_one_that_was_there_its_new_lines() {
        let key = |name: &str| item(Kind::Key, KEYS, &format!("{KEYS}: {name}"), 115);
        let keys = [key("a"), key("b"), key("a")];
        let mut none = note(Kind::Key, Vec::new());
        assert_eq!(
            told(Kind::Key, &keys, Some(&none)),
            [(KEYS.to_owned(), None)]
        );
        let lines = [(format!("{KEYS}: a"), None), (format!("{KEYS}: b"), None)];
        none.key_files = Some(BTreeSet::from([KEYS.to_owned()]));
        assert_eq!(told(Kind::Key, &keys, Some(&none)), lines);
        // Of an older note that is not known.
        none.key_files = None;
        assert_eq!(told(Kind::Key, &keys, Some(&none)), lines);
        let a = Item {
            changed_at: Some(SINCE - 1),
            ..key("a")
        };
        let one = note(Kind::Key, vec![a.clone()]);
        let told_one = told(Kind::Key, &[a, key("b")], Some(&one));
        assert_eq!(told_one[0].0, format!("{KEYS}: b"));
    }

    #[test]
    fn a_link_is_told_and_so_is_what_belongs_to_another_or_was_not_read_whole() {
        let link = Item {
            owner: Some(115),
            ..Item::new(Kind::Cron, "/var/spool/cron/crontabs/shopdb", "link")
        };
        let none = note(Kind::Cron, Vec::new());
        let why = |item: Item| told(Kind::Cron, &[item], Some(&none))[0].1.clone();
        assert!(why(link).unwrap().contains("no file"));
        let path = "/var/spool/cron/crontabs/shopdb";
        let roots = item(Kind::Cron, path, path, 0);
        assert!(why(roots).unwrap().contains("belongs to uid 0"));
        let fifo = Item::new(Kind::Key, &format!("{KEYS}: it is no file"), "");
        let none = note(Kind::Key, Vec::new());
        let told = told(Kind::Key, &[fifo], Some(&none));
        assert!(told[0].1.is_some(), "{told:?}");
        let known = Known {
            note: Some(&none),
            since: SINCE,
            blind: &[(PathBuf::from(KEYS), "it is too long".to_owned())],
            by_packages: &|_, _| None,
        };
        let key = item(Kind::Key, KEYS, &format!("{KEYS}: a"), 115);
        let all = appeared(Kind::Key, &[key], &of(), &known);
        assert!(all[0].stays.is_some(), "{all:?}");
    }
}
