//! What loads and cannot work as it is written; drafts; names of directories.

use std::path::Path;

use super::{Config, role_with};
use crate::config::explain::all_warnings;
use crate::config::load::load_file;
use crate::config::people::fake::Host;
use crate::policy::Policy;

fn warnings(policy: &Policy) -> Vec<String> {
    let found = all_warnings(policy).into_iter();
    found.map(|finding| finding.message).collect()
}

fn of_role(line: &str) -> Vec<String> {
    let config = Config::new("", &[("x.toml", &role_with(line))]);
    warnings(&config.load().unwrap())
}

#[test]
fn roles_that_cannot_work_are_warned_of() {
    for (line, part) in [
        (
            "approve.who = ['@oncall']\napprove.needed = 5",
            "5 must approve, and this host can see 1 who may",
        ),
        (
            "approve.who = ['@empty', 'carol']",
            "nobody that this host can see is in @empty, which decides",
        ),
        (
            "approve.auto = ['bob']",
            "approved at once when asked by bob, who may not ask",
        ),
        (
            "approve.auto = ['@oncall']",
            "approved at once when asked by @oncall, who may not ask",
        ),
        (
            "gives.sudo = [{ as = 'root', run = ['/usr/bin/no-such-command x'] }]",
            "there is no such command on this host",
        ),
        (
            "gives.sudo = [{ as = 'carol', run = ['/usr/bin/env'] }]",
            "runs as carol, who decides on x",
        ),
    ] {
        let found = of_role(line);
        assert!(
            found.iter().any(|one| one.contains(part)),
            "{line}: {found:?}"
        );
    }
    for line in [
        "approve.needed = 2",
        "approve.auto = ['alice', '@engineers']",
    ] {
        assert_eq!(of_role(line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn what_may_be_meant_as_a_role_and_is_not_read_is_named() {
    for name in [
        "web.tml",
        "web.toml.bak",
        "web.toml~",
        "web.TOML",
        "web.toml.dpkg-old",
        "web",
    ] {
        let config = Config::new("", &[(name, "")]);
        let found = warnings(&config.load().unwrap());
        assert!(
            found.len() == 1 && found[0].starts_with(name),
            "{name}: {found:?}"
        );
    }
    for name in [".web.toml.swp", ".hidden", "README.md"] {
        let config = Config::new("", &[(name, "")]);
        assert_eq!(
            warnings(&config.load().unwrap()),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[test]
fn one_missing_bracket_is_one_problem() {
    let good = super::WEB_OPS;
    for broken in [
        good.replace("\"@engineers\"]", "\"@engineers\""),
        good.replace("[request]", "[request"),
        good.replace("\"carol\"]", "\"carol\""),
    ] {
        let found = Config::new("", &[("x.toml", &broken)]).complaints();
        assert_eq!(found.len(), 1, "{found:#?}");
    }
}

#[test]
fn a_file_is_checked_by_itself_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        load_file(&path, &Host)
    };
    let role = role_with("request.max = '2h'");
    for name in ["web.toml", "source", ".web.toml.Xa1"] {
        let policy = check(name, &role).unwrap();
        assert_eq!(policy.roles.len(), 1, "{name}");
    }
    assert!(check("web.toml", &role_with("request.whom = []")).is_err());
    let settings = "[gate]\nlogin = ['@engineers']\n";
    for name in ["tpad.toml", "source"] {
        let policy = check(name, settings).unwrap();
        assert_eq!(
            (policy.gate.login.len(), policy.roles.len()),
            (1, 0),
            "{name}"
        );
    }
    assert!(load_file(Path::new("/dev/zero"), &Host).is_err());
    assert!(load_file(folder.path(), &Host).is_err());
}

#[test]
fn a_gate_that_names_a_system_user_is_refused() {
    for name in ["root", "www-data", "postgres"] {
        for key in ["login", "sudo"] {
            let found = Config::new(&format!("gate.{key} = ['{name}']"), &[]).complaints();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains("the gate never concerns root and system users"),
                "{found:?}"
            );
        }
    }
    // They may be exempt, who is never asked.
    assert!(Config::new("gate.exempt = ['root']", &[]).load().is_ok());
}

#[test]
fn names_of_directories_groups_survive_in_roles_and_in_the_gates_file() {
    let settings = "[gate]\nlogin = ['@linux admins']\nexempt = ['@Linux Admins (Prod)']\n";
    let role = role_with("request.who = ['@linux admins']")
        .replace("['carol', 'dave']", "['@Linux Admins (Prod)']");
    let policy = Config::new(settings, &[("x.toml", &role)]).load().unwrap();
    let again = tpa_bus::offline::GateFile::parse(&policy.gate.render()).unwrap();
    assert_eq!(again, policy.gate);
    let groups = ["linux admins".to_owned()];
    assert!(policy.means(&policy.roles["x"].requesters, "zoe", 1009, &groups));
}
