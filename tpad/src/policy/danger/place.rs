//! Places in which people other than root can put what they like.

use super::Danger;
use super::kind::Kind;
use super::seen::{Seen, SeenFile};

/// Where people can write, whatever was looked at.
const THEIRS: &[&str] = &[
    "/home/",
    "/tmp/",
    "/var/tmp/",
    "/dev/shm/",
    "/run/user/",
    "/run/lock/",
    "/var/lock/",
    "/media/",
    "/var/crash/",
    "/var/mail/",
    "/var/spool/mail/",
    "/dev/mqueue/",
    "/export/home/",
    "/Users/",
];

/// Where they may well be able to, for programs: root's own stand elsewhere.
const LOOSE: &[&str] = &["/srv/", "/mnt/"];

/// A program in such a place.
pub(super) fn of_program(path: &str, seen: &Seen, whom: &str) -> Option<Danger> {
    let place = match seen.files.get(path) {
        Some(SeenFile::Roots { .. }) => return None,
        Some(SeenFile::Loose { place }) => Some(place.as_str()),
        Some(SeenFile::Missing) | None => starts(path, THEIRS).or_else(|| starts(path, LOOSE)),
    }?;
    Some(Danger {
        kind: Kind::Place,
        message: format!("who can write this program can be {whom}, and others can write {place}"),
        instead: Kind::Place.instead(),
    })
}

/// A file in such a place, named to a program that reads, writes or runs what it is named: a link
/// put there leads anywhere.
pub(super) fn of_operand(path: &str, seen: &Seen, whom: &str) -> Option<Danger> {
    let message = if path.starts_with('/') {
        let place = match seen.files.get(path) {
            Some(SeenFile::Roots { .. }) => return None,
            Some(SeenFile::Loose { place }) => Some(place.as_str()),
            Some(SeenFile::Missing) | None => starts(path, THEIRS),
        }?;
        format!(
            "others can write {place}: what {path} is, a link to any file included, is theirs to \
             choose, and this acts on it as {whom}"
        )
    } else {
        return Some(here(path, whom));
    };
    Some(Danger {
        kind: Kind::Place,
        message,
        instead: "name a file below folders that root alone can write",
    })
}

/// A file that is named without a folder, or by the way to it from the one that the person is in.
pub(super) fn here(path: &str, whom: &str) -> Danger {
    Danger {
        kind: Kind::Place,
        message: format!(
            "{path} is what it is in the folder that the person chooses, and this acts on it as \
             {whom}"
        ),
        instead: "name a file below folders that root alone can write",
    }
}

/// A program by a path from the folder that the person chooses.
pub(super) fn of_own(path: &str, whom: &str) -> Option<Danger> {
    (path.contains('/') && !path.starts_with('/')).then(|| Danger {
        kind: Kind::Place,
        message: format!(
            "{path} is what it is in the folder that the person chooses, and it is run as {whom}"
        ),
        instead: Kind::Place.instead(),
    })
}

/// A program that is not there.
pub(super) fn missing(path: &str, seen: &Seen) -> Option<Danger> {
    (seen.files.get(path) == Some(&SeenFile::Missing)).then(|| Danger {
        kind: Kind::Host,
        message: "there is no such command on this host".to_owned(),
        instead: "correct the path (command -v NAME), or install what has it",
    })
}

/// A path without what says nothing (`//`, `/./`, a `/` at the end) and without the ways up in it:
/// one spelling for each name. Links are not followed.
pub(super) fn straight(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn starts<'p>(path: &str, places: &[&'p str]) -> Option<&'p str> {
    let path = straight(path) + "/";
    places
        .iter()
        .find(|place| path.starts_with(*place))
        .copied()
}
