//! PURE: packages from dpkg's status file, what asked for them by the logs of apt and dpkg, and which
//! files are theirs.

use std::collections::BTreeMap;

use tpa_bus::text::one_line;

use super::item::{By, Item, Kind};
use crate::ledger::Change;

/// dpkg's own list of what is installed.
pub const STATUS: &str = "/var/lib/dpkg/status";

/// apt's log, in which it says for whom.
pub const HISTORY: &str = "/var/log/apt/history.log";

/// dpkg's log, which has what came without apt, too.
pub const LOG: &str = "/var/log/dpkg.log";

/// Where dpkg keeps which files are whose.
pub const LISTS: &str = "/var/lib/dpkg/info";

/// Longest command line of a log that is told, in characters.
const COMMAND_MAX: usize = 120;

/// Every package that is installed, by the text of [`STATUS`].
pub fn installed(status: &str) -> Vec<Item> {
    let paragraphs = status.split("\n\n").filter_map(|paragraph| {
        let (name, state) = (field(paragraph, "Package")?, field(paragraph, "Status")?);
        let arch = field(paragraph, "Architecture")?;
        let version = field(paragraph, "Version").unwrap_or_default();
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

fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = paragraph.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// What a log says came of a package last: this version, or nothing, and through what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// The version that it left; nothing where it removed the package.
    version: Option<String>,
    /// Who asked for it, as far as the log tells.
    by: By,
}

/// What came of which package last in runs of apt's since then, by the text of [`HISTORY`]; `since` as
/// it writes times, `2026-11-26  19:02:05`. It takes the name from whoever called it, which is sudo.
pub fn by_apt(history: &str, since: &str) -> BTreeMap<String, Came> {
    let mut came = BTreeMap::new();
    for run in history.split("\n\n") {
        if field(run, "Start-Date").is_none_or(|at| at < since) {
            continue;
        }
        // `alice (1001)`
        let uid = field(run, "Requested-By").and_then(|who| {
            let (_, uid) = who.trim().strip_suffix(')')?.rsplit_once('(')?;
            uid.parse().ok()
        });
        let command = field(run, "Commandline").map(|line| one_line(line, COMMAND_MAX));
        let command = command.unwrap_or_else(|| "a run without a command line".to_owned());
        let nobody = if uid.is_none() {
            ", for nobody that it names"
        } else {
            ""
        };
        let by = By {
            uid,
            record: format!("apt's log: {command}{nobody}"),
        };
        // Which of the versions in brackets it left.
        for (list, left) in [
            ("Install", Some(0)),
            ("Reinstall", Some(0)),
            ("Upgrade", Some(1)),
            ("Downgrade", Some(1)),
            ("Remove", None),
            ("Purge", None),
        ] {
            for (package, versions) in field(run, list).into_iter().flat_map(packages_of) {
                let version = left.map(|nth| versions.split(", ").nth(nth).unwrap_or_default());
                let version = version.map(str::to_owned);
                let by = by.clone();
                came.insert(package.to_owned(), Came { version, by });
            }
        }
    }
    came
}

/// `hello:amd64 (2.10-3), libx:amd64 (1, 2)`: the commas within brackets do not count.
fn packages_of(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let entries = list.split("), ");
    entries.filter_map(|entry| {
        let (name, versions) = entry.split_once(" (")?;
        Some((name, versions.trim_end_matches(')')))
    })
}

/// What was installed or removed since then, by the text of [`LOG`]; `since` as it writes times,
/// `2026-11-26 19:02:05`. It does not say for whom.
pub fn by_dpkg(log: &str, since: &str) -> BTreeMap<String, Came> {
    let mut came = BTreeMap::new();
    for line in log.lines().filter(|line| *line >= since) {
        // `2026-11-26 19:02:05 status installed hello:amd64 2.10-3`
        let fields: Vec<&str> = line.split(' ').collect();
        let [day, time, "status", state, package, version] = fields.as_slice() else {
            continue;
        };
        let version = match *state {
            "installed" => Some((*version).to_owned()),
            "not-installed" | "config-files" => None,
            _ => continue,
        };
        let by = By {
            uid: None,
            record: format!("dpkg's log, at {day} {time}, for nobody that it names"),
        };
        came.insert((*package).to_owned(), Came { version, by });
    }
    came
}

/// Whether dpkg was at work at that second, by the text of [`LOG`]; `at` as it writes times. A run of it goes
/// from where it says `startup` to what it says last before the next.
pub fn was_at_work(log: &str, at: &str) -> bool {
    let mut began: Option<&str> = None;
    let mut last: Option<&str> = None;
    for line in log.lines() {
        let Some(time) = line.get(..19) else { continue };
        if line
            .get(19..)
            .is_some_and(|rest| rest.starts_with(" startup "))
        {
            if is_within(began, last, at) {
                return true;
            }
            began = Some(time);
        }
        last = Some(time);
    }
    is_within(began, last, at)
}

fn is_within(began: Option<&str>, last: Option<&str>, at: &str) -> bool {
    began.is_some_and(|began| began <= at) && last.is_some_and(|last| at <= last)
}

/// What is known of the packages that are other than they were.
#[derive(Debug, Default)]
pub struct Packages {
    apt: BTreeMap<String, Came>,
    dpkg: BTreeMap<String, Came>,
    /// Packages that came or changed, with what became of them.
    changed: BTreeMap<String, (Change, Option<By>)>,
    /// Whose each of their files is, by its path.
    files: BTreeMap<String, String>,
}

impl Packages {
    /// With what the logs say.
    pub fn new(apt: BTreeMap<String, Came>, dpkg: BTreeMap<String, Came>) -> Self {
        Self {
            apt,
            dpkg,
            ..Self::default()
        }
    }

    /// Who brought a package in this version, or who removed it. A log that tells of another version
    /// tells nothing of this one.
    pub fn asked_for(&self, package: &str, version: Option<&str>) -> Option<By> {
        let apt = of_apt(&self.apt, package);
        let mut logs = [apt, self.dpkg.get(package)].into_iter().flatten();
        let came = logs.find(|came| came.version.as_deref() == version)?;
        Some(came.by.clone())
    }

    /// Adds one that came or changed, with the text of its list of files.
    pub fn add(&mut self, package: &str, change: Change, by: Option<By>, list: &str) {
        let lines = list.lines().filter(|line| line.starts_with('/'));
        self.files
            .extend(lines.map(|line| (merged(line), package.to_owned())));
        self.changed.insert(package.to_owned(), (change, by));
    }

    /// What tells of a file that is other than it was and stands in the list of a package that is, too:
    /// that package, and who asked for it. What is in the file was not compared. So it is somebody's
    /// alone where the file and the package are both new and they asked for it.
    pub fn of_file(&self, path: &str, change: Change) -> Option<By> {
        let package = self.files.get(&merged(path))?;
        let (came, by) = self.changed.get(package)?;
        let asked = by
            .as_ref()
            .map_or("no log tells who asked for it", |by| &by.record);
        let sure = change == Change::New && *came == Change::New;
        let uid = by.as_ref().and_then(|by| by.uid);
        Some(By {
            uid: uid.filter(|_| sure),
            record: format!("package {package} ({asked})"),
        })
    }
}

/// What apt's log has of a package: one for all architectures goes by the host's own there.
fn of_apt<'a>(apt: &'a BTreeMap<String, Came>, package: &str) -> Option<&'a Came> {
    let exact = apt.get(package);
    exact.or_else(|| {
        let named = package
            .strip_suffix("all")
            .filter(|name| name.ends_with(':'))?;
        let (found, came) = apt.range(named.to_owned()..).next()?;
        found.starts_with(named).then_some(came)
    })
}

/// A path as it is once what is in `/lib` is in `/usr/lib`, whichever of the two somebody writes.
fn merged(path: &str) -> String {
    let old = ["/bin/", "/lib/", "/sbin/"];
    if old.iter().any(|old| path.starts_with(old)) {
        return format!("/usr{path}");
    }
    path.to_owned()
}

/// Names of the files that may have a package's list: several of one name have their architecture in
/// it. None for what is no name of a package.
pub fn lists_of(package: &str) -> Vec<String> {
    let clean = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:".contains(c);
    match package.split_once(':') {
        Some((name, _)) if package.chars().all(clean) && !name.starts_with('.') => {
            vec![format!("{package}.list"), format!("{name}.list")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str = "\nStart-Date: 2026-11-26  10:00:00\nCommandline: apt install old\nRequested-By: alice (1001)\nInstall: old:amd64 (1)\n\nStart-Date: 2026-11-26  12:00:00\nCommandline: apt install hello\nRequested-By: alice (1001)\nInstall: hello:amd64 (2.10-3), libx:amd64 (1, automatic), liby:amd64 (2)\nRemove: nginx:amd64 (1.2)\nEnd-Date: x\n\nStart-Date: 2026-11-26  13:00:00\nCommandline: /usr/bin/unattended-upgrade\nUpgrade: tzdata:amd64 (1, 2), liby:amd64 (2, 3)\n";

    #[test]
    fn dpkg_is_at_work_from_where_it_starts_to_what_it_says_last() {
        let log = "2026-11-26 19:00:00 startup archives unpack\n2026-11-26 19:00:09 status installed a:all 1\n\
                   2026-11-26 19:01:00 startup packages configure\n2026-11-26 19:01:02 status installed b:all 1\n";
        for (at, expected) in [
            ("18:59:59", false),
            ("19:00:00", true),
            ("19:00:05", true),
            ("19:00:10", false),
            ("19:01:01", true),
            ("19:01:03", false),
        ] {
            assert_eq!(
                was_at_work(log, &format!("2026-11-26 {at}")),
                expected,
                "{at}"
            );
        }
        assert!(!was_at_work("", "2026-11-26 19:00:00"));
        // A log that was turned over in a run does not tell where that began.
        assert!(!was_at_work(
            "2026-11-26 19:00:09 status installed a:all 1\n",
            "2026-11-26 19:00:09"
        ));
    }

    fn apt() -> BTreeMap<String, Came> {
        by_apt(HISTORY, "2026-11-26  11:00:00")
    }

    fn known() -> Packages {
        let log = "2026-11-26 10:00:00 status installed early:all 1\n2026-11-26 12:30:00 status unpacked own:all 1\n2026-11-26 12:30:01 status installed own:all 1\n2026-11-26 12:30:02 trigproc x\n";
        Packages::new(apt(), by_dpkg(log, "2026-11-26 11:00:00"))
    }

    #[test]
    fn a_package_is_what_is_installed_of_it() {
        let status = "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.10-3\nDescription: x\n Package: evil\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n";
        let items = installed(status);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].what, "hello:amd64");
        assert_eq!(items[0].detail.as_deref(), Some("2.10-3"));
    }

    #[test]
    fn the_last_run_of_apts_that_left_this_version_tells_for_whom() {
        let known = known();
        let told = |package: &str, version| {
            let by = known.asked_for(package, version)?;
            Some((by.uid, by.record))
        };
        let alices = (Some(1_001), "apt's log: apt install hello".to_owned());
        for (package, version) in [
            ("hello:amd64", Some("2.10-3")),
            ("libx:amd64", Some("1")),
            ("nginx:amd64", None),
        ] {
            assert_eq!(told(package, version), Some(alices.clone()), "{package}");
        }
        let hosts = "apt's log: /usr/bin/unattended-upgrade, for nobody that it names";
        for package in ["tzdata:all", "liby:all"] {
            let version = if package == "liby:all" { "3" } else { "2" };
            assert_eq!(told(package, Some(version)), Some((None, hosts.to_owned())));
        }
        // Of before, of another version, and what was put in its place behind apt's back.
        for (package, version) in [
            ("old:amd64", Some("1")),
            ("hello:amd64", Some("2.10-4")),
            ("hello:amd64", None),
            ("nginx:amd64", Some("1.2")),
            ("early:all", Some("1")),
            ("hell:all", Some("2.10-3")),
        ] {
            assert_eq!(told(package, version), None, "{package}");
        }
        let dpkgs = "dpkg's log, at 2026-11-26 12:30:01, for nobody that it names".to_owned();
        assert_eq!(told("own:all", Some("1")), Some((None, dpkgs)));
    }

    #[test]
    fn a_file_is_somebodys_where_they_brought_it_with_its_package_and_else_it_is_doubtful() {
        let mut known = known();
        let by = known.asked_for("hello:amd64", Some("2.10-3"));
        let list = "/.\n/lib/systemd/system/hello.service\n/etc/pam.d/hello\n";
        known.add("hello:amd64", Change::New, by.clone(), list);
        known.add("vim:amd64", Change::Changed, by, "/usr/bin/vim\n");
        known.add("own:all", Change::New, None, "/usr/bin/own\n");
        let uid = |path: &str, change| Some(known.of_file(path, change)?.uid);
        let unit = "/usr/lib/systemd/system/hello.service";
        assert_eq!(uid(unit, Change::New), Some(Some(1_001)));
        // Somebody may have changed it since, or before.
        assert_eq!(uid("/etc/pam.d/hello", Change::Changed), Some(None));
        assert_eq!(uid("/usr/bin/vim", Change::New), Some(None));
        assert_eq!(uid("/usr/bin/own", Change::New), Some(None));
        assert_eq!(uid("/usr/bin/other", Change::New), None);
        let own = known.of_file("/bin/own", Change::New).unwrap();
        assert_eq!(
            own.record,
            "package own:all (no log tells who asked for it)"
        );
    }

    #[test]
    fn what_is_no_name_of_a_package_names_no_file() {
        assert_eq!(lists_of("hello:amd64"), ["hello:amd64.list", "hello.list"]);
        for name in ["../../etc/shadow:all", "hello", ".:all", "a/b:all"] {
            assert_eq!(lists_of(name), [""; 0], "{name}");
        }
    }
}
