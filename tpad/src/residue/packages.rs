//! PURE: packages from dpkg's status file, and who asked for them from apt's log.

use std::collections::BTreeMap;

use super::item::{By, Item, Kind};

/// dpkg's own list of what is installed.
pub const STATUS: &str = "/var/lib/dpkg/status";

/// apt's log, in which it says for whom.
pub const HISTORY: &str = "/var/log/apt/history.log";

/// Every package that is installed, by the text of [`STATUS`].
pub fn installed(status: &str) -> Vec<Item> {
    let paragraphs = status.split("\n\n").filter_map(|paragraph| {
        let field = |name: &str| {
            let mut lines = paragraph.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (name, state) = (field("Package")?, field("Status")?);
        let (arch, version) = (field("Architecture")?, field("Version").unwrap_or_default());
        (state.ends_with(" installed") || state.contains("half-")).then(|| Item {
            detail: Some(version.to_owned()),
            ..Item::new(
                Kind::Package,
                &format!("{name}:{arch}"),
                format!("{version} {state}"),
            )
        })
    });
    paragraphs.collect()
}

/// Who asked apt for which package since then, by the text of [`HISTORY`]; `since` as it writes times,
/// `2026-11-26  19:02:05`. apt takes the name from sudo.
pub fn asked_for(history: &str, since: &str) -> BTreeMap<String, By> {
    let mut asked = BTreeMap::new();
    for run in history.split("\n\n") {
        let field = |name: &str| {
            run.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let late = field("Start-Date").is_some_and(|at| at >= since);
        // `alice (1001)`
        let uid = field("Requested-By").and_then(|who| {
            let (_, uid) = who.trim().strip_suffix(')')?.rsplit_once('(')?;
            uid.parse().ok()
        });
        let Some(uid) = uid.filter(|_| late) else {
            continue;
        };
        let lists = ["Install", "Upgrade", "Downgrade", "Reinstall"];
        for list in lists.iter().filter_map(|name| field(name)) {
            for package in packages_of(list) {
                let record = "apt's log";
                asked.insert(package, By { uid, record });
            }
        }
    }
    asked
}

/// `hello:amd64 (2.10-3), libx:amd64 (1, 2)`: the commas within brackets do not count.
fn packages_of(list: &str) -> Vec<String> {
    let entries = list.split("), ");
    let names = entries.filter_map(|entry| entry.split_once(" (").map(|(name, _)| name));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_what_is_installed_of_it() {
        let status = "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.10-3\nDescription: x\n Package: evil\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n";
        let items = installed(status);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].what, "hello:amd64");
        assert_eq!(items[0].detail.as_deref(), Some("2.10-3"));
    }

    #[test]
    fn apts_log_tells_for_whom_and_what_it_does_not_tell_is_nobodys() {
        let history = "\nStart-Date: 2026-11-26  10:00:00\nCommandline: apt install old\nRequested-By: alice (1001)\nInstall: old:amd64 (1)\n\nStart-Date: 2026-11-26  12:00:00\nCommandline: apt install hello\nRequested-By: alice (1001)\nInstall: hello:amd64 (2.10-3), libx:amd64 (1, automatic), liby:all (2)\nEnd-Date: x\n\nStart-Date: 2026-11-26  13:00:00\nCommandline: /usr/bin/unattended-upgrade\nUpgrade: tzdata:all (1, 2)\n";
        let asked = asked_for(history, "2026-11-26  11:00:00");
        let names: Vec<_> = asked.keys().map(String::as_str).collect();
        assert_eq!(names, ["hello:amd64", "libx:amd64", "liby:all"]);
        assert_eq!(asked["hello:amd64"].uid, 1_001);
    }
}
