//! Where what starts programs and lets people in is kept: the short lists.

use std::path::Path;

use super::files::Files;
use super::item::{Item, Kind};

/// A file, or a folder with what is below it so many levels down.
const PLACES: [(Kind, &str, usize); 43] = [
    (Kind::Sudoers, "/etc/sudoers", 0),
    (Kind::Sudoers, "/etc/sudoers.d", 1),
    (Kind::Sudoers, "/etc/sudo.conf", 0),
    (Kind::Sudoers, "/etc/sudo-rs", 1),
    (Kind::Sudoers, "/etc/doas.conf", 0),
    (Kind::Cron, "/etc/crontab", 0),
    (Kind::Cron, "/etc/anacrontab", 0),
    (Kind::Cron, "/etc/cron.d", 1),
    (Kind::Cron, "/etc/cron.hourly", 1),
    (Kind::Cron, "/etc/cron.daily", 1),
    (Kind::Cron, "/etc/cron.weekly", 1),
    (Kind::Cron, "/etc/cron.monthly", 1),
    (Kind::Cron, "/etc/cron.allow", 0),
    (Kind::Cron, "/etc/cron.deny", 0),
    // Debian has people's jobs in a folder below the one in which others have them.
    (Kind::Cron, "/var/spool/cron", 1),
    (Kind::Cron, "/var/spool/cron/crontabs", 1),
    (Kind::At, "/var/spool/cron/atjobs", 1),
    (Kind::At, "/var/spool/at", 1),
    (Kind::Unit, "/etc/systemd", 4),
    (Kind::Unit, "/usr/local/lib/systemd", 4),
    (Kind::Unit, "/usr/lib/systemd/system", 2),
    (Kind::Unit, "/usr/lib/systemd/user", 2),
    (Kind::Unit, "/usr/lib/systemd/system-generators", 1),
    (Kind::Unit, "/run/systemd/system", 2),
    (Kind::Unit, "/run/systemd/transient", 2),
    (Kind::Unit, "/var/lib/systemd/linger", 1),
    (Kind::Unit, "/etc/rc.local", 0),
    (Kind::Unit, "/etc/init.d", 1),
    (Kind::Pam, "/etc/pam.d", 1),
    (Kind::Pam, "/etc/pam.conf", 0),
    (Kind::Pam, "/etc/security", 2),
    (Kind::Pam, "/etc/environment", 0),
    (Kind::Preload, "/etc/ld.so.preload", 0),
    (Kind::Preload, "/etc/ld.so.conf", 0),
    (Kind::Preload, "/etc/ld.so.conf.d", 1),
    (Kind::Sshd, "/etc/ssh", 2),
    (Kind::Nss, "/etc/nsswitch.conf", 0),
    (Kind::Nss, "/etc/sssd", 2),
    (Kind::Nss, "/etc/nslcd.conf", 0),
    (Kind::Nss, "/etc/ldap", 1),
    (Kind::Nss, "/etc/krb5.conf", 0),
    (Kind::Polkit, "/etc/polkit-1", 3),
    (Kind::Polkit, "/usr/share/polkit-1/rules.d", 1),
];

/// The kinds that are looked for in these places.
#[cfg(test)]
const KINDS: [Kind; 9] = [
    Kind::Sudoers,
    Kind::Cron,
    Kind::At,
    Kind::Unit,
    Kind::Pam,
    Kind::Preload,
    Kind::Sshd,
    Kind::Nss,
    Kind::Polkit,
];

/// All that is there of a kind.
pub fn look(files: &mut Files<'_>, kind: Kind, items: &mut Vec<Item>) {
    for (_, path, depth) in PLACES.iter().filter(|(of, _, _)| *of == kind) {
        files.things(kind, Path::new(path), *depth, items);
    }
    items.retain(|item| !is_of_the_hosts_course(&item.what) && !is_own(files, &item.what));
}

/// Whether it is a unit that tpad itself has PID 1 run: by its name and by what it starts.
fn is_own(files: &mut Files<'_>, what: &str) -> bool {
    let name = what.strip_prefix("/run/systemd/transient/tpa-");
    if !name.is_some_and(|name| OWN.iter().any(|own| name.starts_with(own))) {
        return false;
    }
    // One that has ended meanwhile was read, and is not there any more.
    let text = files.text(Path::new(what));
    text.is_none_or(|(text, _)| starts_nothing_else(&text))
}

/// Names of tpad's own units, behind `tpa-`.
const OWN: [&str; 4] = ["look-", "tidy-", "reap-", "notify-"];

/// Programs that they start.
const PROGRAMS: [&str; 2] = ["/usr/sbin/tpad", "/usr/libexec/tpa/tpa-notify"];

/// Sections and keys of theirs that start or lead to other units.
const LEADS: [&str; 13] = [
    "After",
    "Alias",
    "Also",
    "Before",
    "BindsTo",
    "OnFailure",
    "OnSuccess",
    "PartOf",
    "Requires",
    "Requisite",
    "Sockets",
    "Unit",
    "Wants",
];

/// Whether a unit starts nothing but tpad's programs, and those as they are, and leads to no other
/// unit. It is read as systemd does (systemd.syntax(7)), but for what goes on in the next line, which
/// no unit of tpad's has.
fn starts_nothing_else(unit: &str) -> bool {
    let changes = |key: &str| {
        let ways = ["Environment", "Root", "Bind", "PAM", "Upholds", "Joins"];
        ways.iter().any(|way| key.starts_with(way)) || LEADS.contains(&key)
    };
    unit.lines().map(str::trim).all(|line| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim(), value.trim());
        if line.ends_with('\\') || changes(key) {
            return false;
        }
        // A program without a path is looked for by systemd.
        let program = value.find('/').and_then(|at| value.get(at..));
        let program = program.and_then(|rest| rest.split(['"', ' ']).next());
        !key.starts_with("Exec")
            || value.is_empty()
            || program.is_some_and(|program| PROGRAMS.contains(&program))
    })
}

/// What comes and goes with every login and every grant, and starts no program: a login's scope and
/// its limits, and the number of the next job of at's.
fn is_of_the_hosts_course(what: &str) -> bool {
    let run = what.strip_prefix("/run/systemd/").unwrap_or_default();
    let unit = run.split('/').nth(1).unwrap_or_default();
    let unit = unit.strip_suffix(".d").unwrap_or(unit);
    let starts_nothing = [".scope", ".slice"]
        .iter()
        .any(|kind| unit.strip_suffix(kind).is_some());
    starts_nothing || what == "/var/spool/cron/atjobs/.SEQ"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_and_every_place_a_kind() {
        for kind in KINDS {
            assert!(PLACES.iter().any(|(of, _, _)| *of == kind), "{kind:?}");
        }
        for (kind, path, _) in PLACES {
            assert!(KINDS.contains(&kind), "{path}");
        }
    }

    #[test]
    fn a_unit_that_is_called_like_tpads_own_and_starts_something_else_is_not() {
        for (unit, own) in [
            (
                "[Service]\nExecStart=\nExecStart=\"/usr/sbin/tpad\" \"look\"\n",
                true,
            ),
            (
                "[Service]\nExecStart=@/usr/sbin/tpad \"/usr/sbin/tpad\" \"reap\" \"X\"\n",
                true,
            ),
            ("[Timer]\nOnStartupSec=5\n", true),
            ("[Service]\nExecStart=/bin/sh -c /usr/sbin/tpad\n", false),
            (
                "[Service]\nExecStartPre=/bin/sh\nExecStart=/usr/sbin/tpad look\n",
                false,
            ),
            ("[Service]\n  ExecStart=/bin/sh -c x\n", false),
            ("[Service]\nExecStart = /bin/sh -c x\n", false),
            ("[Service]\nExecStart=\\\n/bin/sh -c x\n", false),
            ("[Service]\nExecStart=bash\n", false),
            ("[Timer]\nUnit=debug-shell.service\n", false),
            (
                "[Unit]\nWants=debug-shell.service\n[Service]\nExecStart=/usr/sbin/tpad look\n",
                false,
            ),
            (
                "[Service]\nEnvironment=LD_PRELOAD=/x.so\nExecStart=/usr/sbin/tpad look\n",
                false,
            ),
        ] {
            assert_eq!(starts_nothing_else(unit), own, "{unit}");
        }
    }

    #[test]
    fn a_logins_scope_is_nothing_and_a_unit_that_starts_a_program_is() {
        for (what, course) in [
            ("/run/systemd/transient/session-3.scope", true),
            ("/run/systemd/system/session-3.scope.d/60-tpa.conf", true),
            ("/run/systemd/transient/run-u3.service", false),
            ("/run/systemd/system/session-3.service", false),
            ("/run/systemd/system/evil.service.d/x.scope", false),
            ("/etc/systemd/system/x.scope", false),
        ] {
            assert_eq!(is_of_the_hosts_course(what), course, "{what}");
        }
    }
}
