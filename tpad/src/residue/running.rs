//! What runs, what listens, and what the kernel has loaded.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::item::{By, Item, Kind};
use crate::host::look::path_of;
use crate::host::paths::Paths;
use crate::host::process;
use crate::ledger::Subject;
use crate::plan::Place;

/// UDP ports from here on are the kernel's to give to whoever asks something.
const UDP_ASKING: u16 = 32_768;

/// Whose login it descends from, which the kernel keeps a record of.
fn by_login(uid: u32) -> By {
    By {
        uid: Some(uid),
        record: "the login uid".to_owned(),
    }
}

/// The modules of the kernel, by the text of `/proc/modules`.
pub fn modules(text: &str) -> Vec<Item> {
    let first = text.lines().filter_map(|line| line.split(' ').next());
    let names = first.filter(|name| !name.is_empty());
    names
        .map(|name| Item::new(Kind::Module, name, ""))
        .collect()
}

/// What listens, with the kernel's number of each.
pub fn sockets(proc: &Path) -> Vec<(Item, u64)> {
    let mut found = Vec::new();
    for (protocol, listens) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(proc.join("net").join(protocol)).unwrap_or_default();
        found.extend(
            text.lines()
                .skip(1)
                .filter_map(|line| socket(protocol, listens, line)),
        );
    }
    found
}

/// `0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1001 0 4711 …`
fn socket(protocol: &str, listens: &str, line: &str) -> Option<(Item, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state) = (fields.get(1)?, fields.get(3)?);
    let (uid, inode) = (fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let asks = protocol.starts_with("udp") && port >= UDP_ASKING;
    if *state != listens || asks {
        return None;
    }
    let what = format!("{protocol} {}:{port}", address_of(address)?);
    let item = Item {
        owner: Some(uid),
        ..Item::new(Kind::Socket, &what, "")
    };
    Some((item, inode))
}

/// The kernel writes addresses as words of the machine's own order.
fn address_of(hex: &str) -> Option<String> {
    let word = |at: usize| {
        let word = hex.get(at..at.checked_add(8)?)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    if hex.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).to_string());
    }
    let mut bytes = [0; 16];
    for (piece, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
        piece.copy_from_slice(&word(at)?);
    }
    Some(format!("[{}]", Ipv6Addr::from(bytes)))
}

/// Says of sockets which process holds each, and whose login that comes from.
pub fn name_holders(proc: &Path, sockets: &mut [(Item, u64)]) {
    let mut wanted: BTreeMap<String, &mut Item> = sockets
        .iter_mut()
        .map(|(item, inode)| (format!("socket:[{inode}]"), item))
        .collect();
    for process in process::scan(proc) {
        let Ok(open) = fs::read_dir(proc.join(format!("{}/fd", process.pid))) else {
            continue;
        };
        for entry in open.flatten() {
            let Ok(link) = fs::read_link(entry.path()) else {
                continue;
            };
            let held = link.to_str().and_then(|link| wanted.remove(link));
            if let Some(item) = held {
                item.detail = Some(format!("{} {}", process.pid, process.comm));
                item.by = process.facts(Place::default()).login.map(by_login);
            }
        }
        if wanted.is_empty() {
            return;
        }
    }
}

/// What began under the grant and still runs: what descends from the person's login and stands outside
/// of their own logins, and what runs as one of the grant's accounts and descends from nobody's.
pub fn processes(paths: &Paths, subject: &Subject, boot_id: &str) -> Vec<Item> {
    let since = if subject.boot_id == boot_id {
        subject.boottime_ms
    } else {
        0
    };
    let own = format!("user.slice/user-{}.slice", subject.user.uid);
    // By name and place: a service that starts many of a kind is told once.
    let mut found: BTreeMap<(String, String, Option<u32>, u32), Vec<i32>> = BTreeMap::new();
    for process in process::scan(&paths.proc) {
        let facts = process.facts(Place::default());
        if facts.began_ms < since {
            continue;
        }
        let [uid, ..] = facts.uids;
        let as_account = || {
            let mut accounts = subject.accounts.iter();
            accounts.any(|account| facts.uids.contains(&account.uid)) && !facts.contained
        };
        let place = path_of(paths, &process.pid.to_string()).unwrap_or_default();
        let theirs = facts.login == Some(subject.user.uid) && !place.starts_with(&own);
        if theirs || (facts.login.is_none() && as_account()) {
            let place = place.display().to_string();
            let key = (process.comm.clone(), place, facts.login, uid);
            found.entry(key).or_default().push(process.pid);
        }
    }
    let items = found.into_iter().map(|((comm, place, login, uid), pids)| {
        let count = match pids.as_slice() {
            [pid] => format!("pid {pid}"),
            [pid, ..] => format!("{} of them, pid {pid} the first", pids.len()),
            [] => String::new(),
        };
        Item {
            owner: Some(uid),
            by: login.map(by_login),
            ..Item::new(Kind::Process, &format!("{comm} in {place}, {count}"), "")
        }
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_told_with_its_address_and_what_only_asks_is_not() {
        let line = |local: &str, state: &str| {
            format!("   0: {local} 00000000:0000 {state} 0:0 00:0 0 1001 0 4711 1 0 100")
        };
        let told = |protocol: &str, listens: &str, local: &str, state: &str| {
            socket(protocol, listens, &line(local, state)).map(|(item, inode)| {
                assert_eq!((item.owner, inode), (Some(1_001), 4_711));
                item.what
            })
        };
        let tcp = told("tcp", "0A", "0100007F:1F90", "0A");
        assert_eq!(tcp.as_deref(), Some("tcp 127.0.0.1:8080"));
        assert_eq!(told("tcp", "0A", "0100007F:1F90", "01"), None);
        let six = told("tcp6", "0A", "00000000000000000000000001000000:0016", "0A");
        assert_eq!(six.as_deref(), Some("tcp6 [::1]:22"));
        assert_eq!(told("udp", "07", "00000000:9C40", "07"), None);
        assert!(told("udp", "07", "00000000:0035", "07").is_some());
    }

    #[test]
    fn a_socket_is_held_by_the_process_that_has_it_open() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let what = format!("tcp 127.0.0.1:{port}");
        let mut found = sockets(Path::new("/proc"));
        found.retain(|(item, _)| item.what == what);
        assert_eq!(found.len(), 1);
        // This process itself is not looked at, as tpad is not.
        name_holders(Path::new("/proc"), &mut found);
        assert_eq!(found[0].0.detail, None);
    }

    #[test]
    fn modules_are_told_by_their_names() {
        let items = modules("ext4 983040 1 - Live 0x0\nevil 16384 0 - Live 0x0 (OE)\n");
        let names: Vec<_> = items.iter().map(|item| item.what.as_str()).collect();
        assert_eq!(names, ["ext4", "evil"]);
    }
}
