//! PURE: what is other than it was, and whose doing that is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::item::{Item, Kind};
use super::note::Note;
use super::packages::Packages;
use crate::ledger::{Change, Finding, Subject, Sure};

/// What a finding is judged by beside the two looks.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Whose end it is.
    pub subject: &'a Subject,
    /// Names of accounts, by uid.
    pub names: &'a BTreeMap<u32, String>,
    /// What could not be looked at: nothing there counts as gone.
    pub blind: &'a [(PathBuf, String)],
    /// Which packages are other than they were, and who asked for them.
    pub packages: &'a Packages,
    /// The host was started again since the note: what is kept for as long as it runs went with it.
    pub restarted: bool,
}

/// All that is other of a kind. Without a note of that kind, what was changed since the grant began.
pub fn compare(kind: Kind, note: Option<&Note>, now: Vec<Item>, known: &Known<'_>) -> Vec<Finding> {
    let before = note.and_then(|note| note.things.get(&kind));
    let since = known.subject.since;
    let changed_since = |at: Option<i64>| at.is_some_and(|at| at >= since);
    let mut found = Vec::new();
    let mut gone: BTreeSet<&String> = before.into_iter().flat_map(BTreeMap::keys).collect();
    for item in now {
        gone.remove(&item.what);
        let change = match before.map(|before| before.get(&item.what)) {
            Some(None) => Some(Change::New),
            Some(Some((print, _))) if *print != item.print => Some(Change::Changed),
            // Between the beginning and the note.
            Some(Some((_, at))) if changed_since(*at) => Some(Change::Changed),
            Some(Some(_)) => None,
            None => changed_since(item.changed_at).then_some(Change::Changed),
        };
        found.extend(change.map(|change| finding(&item, change, known)));
    }
    let is_blind = |what: &str| {
        let mut blind = known.blind.iter();
        blind.any(|(path, _)| {
            let rest = what.strip_prefix(path.to_string_lossy().as_ref());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
        })
    };
    // What runs and what listens comes and goes.
    let tells_gone = !matches!(kind, Kind::Socket | Kind::Process);
    let ends_with_boot = |what: &str| known.restarted && what.starts_with("/run/");
    let gone = gone
        .into_iter()
        .filter(|what| tells_gone && !is_blind(what) && !ends_with_boot(what));
    found.extend(gone.map(|what| {
        let mut item = Item::new(kind, what, "");
        if kind == Kind::Package {
            item.by = known.packages.asked_for(what, None);
        }
        finding(&item, Change::Gone, known)
    }));
    found
}

/// One finding, and whose it is.
pub fn finding(item: &Item, change: Change, known: &Known<'_>) -> Finding {
    let (sure, by) = whose(item, change, known);
    let detail = item.detail.as_ref().map(|detail| format!(" ({detail})"));
    let what = format!("{}{}", item.what, detail.unwrap_or_default());
    Finding {
        sure,
        kind: item.kind.word().to_owned(),
        what: tpa_bus::text::one_line(&what, 400),
        change,
        by,
    }
}

/// Whose doing it is. A file tells whose it is; that a file is root's tells nothing of who wrote it, but
/// for the package that it came with.
fn whose(item: &Item, change: Change, known: &Known<'_>) -> (Sure, Option<String>) {
    let person = known.subject.user.uid;
    let name = |uid: u32| match known.names.get(&uid) {
        Some(name) => name.clone(),
        None => format!("uid {uid}"),
    };
    let roots = matches!(item.owner, None | Some(0));
    let of_package = || {
        let by = known.packages.of_file(&item.what, change);
        by.filter(|_| roots)
    };
    if let Some(by) = item.by.clone().or_else(of_package) {
        let Some(uid) = by.uid else {
            return (Sure::Doubtful, Some(by.record));
        };
        let sure = if uid == person {
            Sure::Certain
        } else {
            Sure::Doubtful
        };
        return (sure, Some(format!("{}, by {}", name(uid), by.record)));
    }
    match item.owner {
        None | Some(0) => (Sure::Doubtful, None),
        Some(owner) if owner == person => {
            (Sure::Certain, Some(format!("{}, whose it is", name(owner))))
        }
        Some(owner) => {
            let accounts = known.subject.accounts.iter();
            let as_one = accounts.map(|account| account.uid).any(|uid| uid == owner);
            let also = if as_one {
                ", whom the grant ran commands as"
            } else {
                ""
            };
            (
                Sure::Doubtful,
                Some(format!("{}, whose it is{also}", name(owner))),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Depth, Person};
    use crate::residue::item::{By, Salt};
    use tpa_bus::id::Id;

    const SINCE: i64 = 1_000;

    fn person(uid: u32, name: &str) -> Person {
        Person {
            uid,
            name: name.into(),
        }
    }

    fn subject() -> Subject {
        Subject {
            id: Id::from_random([0; 5]),
            depth: Depth::Short,
            user: person(1_001, "alice"),
            accounts: vec![person(115, "postgres")],
            tidy: Vec::new(),
            since: SINCE,
            boottime_ms: 0,
            boot_id: "b".into(),
            note: None,
        }
    }

    fn names() -> BTreeMap<u32, String> {
        [(1_001, "alice"), (1_002, "bob"), (115, "postgres")]
            .map(|(uid, name)| (uid, name.to_owned()))
            .into()
    }

    fn note(items: Vec<Item>) -> Note {
        let mut note = Note {
            at: SINCE + 1,
            boot_id: "b".into(),
            salt: Salt(String::new()),
            things: BTreeMap::new(),
            key_files: None,
            blind: None,
        };
        note.add(Kind::Cron, items);
        note
    }

    fn cron(what: &str, print: &str, owner: u32) -> Item {
        Item {
            owner: Some(owner),
            changed_at: Some(SINCE - 100),
            ..Item::new(Kind::Cron, what, print)
        }
    }

    fn found(note: Option<&Note>, now: Vec<Item>, blind: &[(PathBuf, String)]) -> Vec<String> {
        let (subject, names) = (subject(), names());
        let known = Known {
            subject: &subject,
            names: &names,
            blind,
            packages: &Packages::default(),
            restarted: false,
        };
        told(compare(Kind::Cron, note, now, &known))
    }

    fn told(found: Vec<Finding>) -> Vec<String> {
        let told = found.into_iter().map(|one| {
            let by = one.by.unwrap_or_default();
            format!(
                "{} {} {} {by}",
                one.sure.word(),
                one.change.word(),
                one.what
            )
        });
        told.collect()
    }

    #[test]
    fn what_is_as_it_was_is_not_told_and_what_is_new_changed_or_gone_is() {
        let note = note(vec![
            cron("/a", "1", 0),
            cron("/b", "1", 0),
            cron("/c", "1", 0),
        ]);
        let now = vec![cron("/a", "1", 0), cron("/b", "2", 0), cron("/d", "1", 0)];
        assert_eq!(
            found(Some(&note), now, &[]),
            [
                "doubtful changed /b ",
                "doubtful new /d ",
                "doubtful gone /c "
            ]
        );
    }

    #[test]
    fn whose_it_is_goes_by_records_of_others_and_by_whose_file_it_is() {
        let note = note(Vec::new());
        let recorded = |uid: Option<u32>| Item {
            by: Some(By {
                uid,
                record: "the login uid".to_owned(),
            }),
            ..cron("/x", "1", 0)
        };
        for (item, expected) in [
            (cron("/x", "1", 1_001), "certain new /x alice, whose it is"),
            (cron("/x", "1", 1_002), "doubtful new /x bob, whose it is"),
            (
                cron("/x", "1", 115),
                "doubtful new /x postgres, whose it is, whom the grant ran commands as",
            ),
            (cron("/x", "1", 9), "doubtful new /x uid 9, whose it is"),
            (
                recorded(Some(1_001)),
                "certain new /x alice, by the login uid",
            ),
            (
                recorded(Some(1_002)),
                "doubtful new /x bob, by the login uid",
            ),
            (recorded(None), "doubtful new /x the login uid"),
        ] {
            assert_eq!(found(Some(&note), vec![item], &[]), [expected]);
        }
    }

    #[test]
    fn what_was_changed_before_the_note_was_taken_is_told_all_the_same() {
        let early = Item {
            changed_at: Some(SINCE),
            ..cron("/x", "1", 0)
        };
        let note = note(vec![early.clone()]);
        assert_eq!(
            found(Some(&note), vec![early], &[]),
            ["doubtful changed /x "]
        );
    }

    #[test]
    fn without_a_note_what_was_changed_since_is_told_and_nothing_counts_as_new_or_gone() {
        let late = Item {
            changed_at: Some(SINCE + 5),
            ..cron("/x", "1", 1_001)
        };
        let now = vec![late, cron("/y", "1", 0)];
        assert_eq!(
            found(None, now, &[]),
            ["certain changed /x alice, whose it is"]
        );
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_gone() {
        let note = note(vec![cron("/home/a/x", "1", 0), cron("/home/ab", "1", 0)]);
        let blind = [(PathBuf::from("/home/a"), "it is on nfs4".to_owned())];
        assert_eq!(
            found(Some(&note), Vec::new(), &blind),
            ["doubtful gone /home/ab "]
        );
    }

    #[test]
    fn after_a_restart_what_the_boot_before_kept_is_not_gone_and_the_rest_is() {
        let note = note(vec![
            cron("/run/systemd/transient/a.service", "1", 0),
            cron("/etc/b.service", "1", 0),
        ]);
        let (subject, names) = (subject(), names());
        let known = Known {
            subject: &subject,
            names: &names,
            blind: &[],
            packages: &Packages::default(),
            restarted: true,
        };
        let found = compare(Kind::Cron, Some(&note), Vec::new(), &known);
        assert_eq!(told(found), ["doubtful gone /etc/b.service "]);
    }

    #[test]
    fn a_file_of_roots_is_told_with_its_package_and_one_of_somebody_elses_is_theirs() {
        let by = By {
            uid: Some(1_001),
            record: "apt's log: apt install hello".to_owned(),
        };
        let mut packages = Packages::default();
        packages.add("hello:all", Change::New, Some(by), "/a\n/b\n");
        let (subject, names) = (subject(), names());
        let known = Known {
            subject: &subject,
            names: &names,
            blind: &[],
            packages: &packages,
            restarted: false,
        };
        let now = vec![cron("/a", "1", 0), cron("/b", "1", 115), cron("/c", "1", 0)];
        assert_eq!(
            told(compare(Kind::Cron, Some(&note(Vec::new())), now, &known)),
            [
                "certain new /a alice, by package hello:all (apt's log: apt install hello)",
                "doubtful new /b postgres, whose it is, whom the grant ran commands as",
                "doubtful new /c ",
            ]
        );
    }
}
