//! What people keep in their homes that lets somebody in or starts something: authorized keys
//! (sshd(8)) and units of their own (systemd.unit(5)).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tpa_statement::login::Credential;

use super::accounts::Account;
use super::files::{At, Files, seen};
use super::item::{self, Item, Kind};
use crate::hex::hex;

/// Where sshd looks unless it is told otherwise, below a home.
const KEYS: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// Where systemd looks for a person's own units, below a home.
const UNITS: [&str; 3] = [
    ".config/systemd/user",
    ".local/share/systemd/user",
    ".config/autostart",
];

/// Most keys of one file that are told apart.
const KEYS_MAX: usize = 2_000;

/// Each home once: accounts share some.
fn homes(files: &Files<'_>, accounts: &[Account]) -> Vec<PathBuf> {
    let homes = accounts.iter().map(|account| Path::new(&account.home));
    let homes = homes.filter(|home| home.is_absolute());
    let homes: BTreeSet<PathBuf> = homes.filter_map(|home| files.place(home)).collect();
    homes.into_iter().collect()
}

/// Every key that some account lets in.
pub fn keys(files: &mut Files<'_>, accounts: &[Account], items: &mut Vec<Item>) {
    for home in homes(files, accounts) {
        for name in KEYS {
            of_file(files, &home.join(name), items);
        }
    }
}

fn of_file(files: &mut Files<'_>, path: &Path, items: &mut Vec<Item>) {
    let before = files.blind.len();
    let Some((bytes, stat)) = files.bytes(path) else {
        // What cannot be read is a thing as well: whoever put a link there has done something.
        if let Some((_, why)) = files.blind.get(before) {
            let what = format!("{}: {why}", path.display());
            items.push(Item::new(Kind::Key, &what, ""));
        }
        return;
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| is_key(line)).collect::<Vec<_>>();
    let file = seen(path, &stat, &bytes);
    if lines.len() > KEYS_MAX {
        let why = format!("it has more than {KEYS_MAX} keys");
        files.blind.push((path.to_owned(), why));
        lines.truncate(KEYS_MAX);
    }
    for line in lines {
        let what = what_of(path, line);
        items.push(Item {
            owner: Some(stat.st_uid),
            changed_at: Some(stat.st_ctime),
            file: file.clone().map(Box::new),
            ..Item::new(Kind::Key, &what, files.salt().print(&[line.as_bytes()]))
        });
    }
}

/// Whether a line of authorized keys, without the blanks around it, may let somebody in.
pub fn is_key(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// What names a line of authorized keys.
pub fn what_of(path: &Path, line: &str) -> String {
    item::named(&format!("{}: {}", path.display(), named(line)))
}

/// The files with authorized keys of an account with this home.
pub fn key_files(files: &Files<'_>, home: &str) -> Vec<PathBuf> {
    let home = Some(Path::new(home)).filter(|home| home.is_absolute());
    let home = home.and_then(|home| files.place(home));
    let home = home.into_iter();
    home.flat_map(|home| KEYS.map(|name| home.join(name)))
        .collect()
}

/// Those of all accounts where something is.
pub fn all_key_files(files: &Files<'_>, accounts: &[Account]) -> BTreeSet<String> {
    let all = homes(files, accounts);
    let all = all
        .into_iter()
        .flat_map(|home| KEYS.map(|name| home.join(name)));
    let all = all.filter(|path| !matches!(files.at(path), At::Nothing));
    all.map(|path| path.to_string_lossy().into_owned())
        .collect()
}

/// A line of authorized keys by its key's fingerprint, as `ssh-keygen -l` shows it; what is no key by
/// a digest of it.
fn named(line: &str) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let mut pairs = words.windows(2).map(|pair| pair.join(" "));
    let key = pairs.find_map(|pair| Credential::parse(&pair).ok());
    if let Some(key) = key {
        return key.fingerprint();
    }
    let mut digest = hex(&Sha256::digest(line.as_bytes()));
    digest.truncate(16);
    format!("a line that is no key that is known here, {digest}")
}

/// Every unit that people keep for themselves.
pub fn units(files: &mut Files<'_>, accounts: &[Account], items: &mut Vec<Item>) {
    for home in homes(files, accounts) {
        for place in UNITS {
            files.things(Kind::UserUnit, &home.join(place), 3, items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residue::item::Salt;
    use crate::residue::mounts::Mounts;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9rvxYrhVZzvXKiMYVyFVBCfd2y3KR2CpVXQoB2dLrl";

    #[test]
    fn a_key_is_named_by_its_fingerprint_whatever_stands_around_it() {
        let plain = named(KEY);
        assert!(plain.starts_with("SHA256:"), "{plain}");
        assert_eq!(
            named(&format!("command=\"a b\",no-pty {KEY} me@there")),
            plain
        );
        assert!(named("rubbish AAAA").starts_with("a line that is no key"));
    }

    #[test]
    fn a_home_of_several_accounts_is_looked_at_once_and_one_that_is_no_path_never() {
        let account = |name: &str, home: &str| Account {
            name: name.into(),
            uid: 1,
            home: home.into(),
        };
        let accounts = [
            account("a", "/no/such/www"),
            account("b", "/no/such/www"),
            account("c", ""),
            account("d", "../etc"),
            account("sys", "/dev"),
        ];
        let mounts =
            Mounts::parse("1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / /dev rw - devtmpfs x rw\n");
        let salt = Salt("s".into());
        let files = Files::new(&mounts, &salt);
        assert_eq!(homes(&files, &accounts), [PathBuf::from("/no/such/www")]);
    }
}
