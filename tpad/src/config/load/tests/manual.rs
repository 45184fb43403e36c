//! The manual pages name the keys that the loader takes, and no others. What it takes it says
//! itself: an unknown key is answered with those known in its place.

use std::collections::BTreeSet;

use super::Config;

const TPAD_CONF: &str = include_str!("../../../../../packaging/man/tpad.conf.5");
const TPA_NOTIFY: &str = include_str!("../../../../../packaging/man/tpa-notify.toml.5");
const TPA_ROLES: &str = include_str!("../../../../../packaging/man/tpa-roles.5");

/// The keys known where `stranger` stands in these settings or this role.
fn known(settings: &str, role: &str) -> BTreeSet<String> {
    let roles = [("some-role.toml", role)];
    let roles = if role.is_empty() { &[][..] } else { &roles };
    let problems = Config::new(settings, roles).load().unwrap_err();
    let next = problems
        .iter()
        .find(|problem| problem.message.contains("unknown key"))
        .and_then(|problem| problem.next.clone())
        .unwrap();
    let list = next.strip_prefix("known here: ").unwrap();
    list.split(", ").map(str::to_owned).collect()
}

/// The part of a page under a heading, without troff's escapes; the part before the first one
/// for an empty name.
fn part(page: &str, heading: &str) -> String {
    let page = page.replace('\\', "");
    let mut parts = page.split("\n.S").map(str::to_owned);
    let wanted = match heading {
        "" => parts.find(|part| part.starts_with("H DESCRIPTION")),
        heading => parts.find(|part| part.starts_with(&format!("S [{heading}]"))),
    };
    wanted.unwrap_or_else(|| panic!("no part {heading}"))
}

/// The keys that a part is about: the bold words of its items' heads.
fn items(part: &str) -> BTreeSet<String> {
    let mut lines = part.lines();
    let mut keys = BTreeSet::new();
    while let Some(line) = lines.next() {
        if line == ".TP" {
            let head = lines.next().unwrap_or_default();
            let words = head
                .split_whitespace()
                .skip(1)
                .map(|word| word.trim_matches(['"', ',']));
            keys.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    keys
}

/// The words that a part sets in bold.
fn bold(part: &str) -> BTreeSet<String> {
    let lines = part
        .lines()
        .filter(|line| line.starts_with(".B") || line.starts_with(".RB"));
    let words = lines.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    words.map(str::to_owned).collect()
}

#[test]
fn tpad_conf_names_every_key_of_the_settings_and_no_other() {
    let sections = known("stranger = 1", "");
    for section in &sections {
        let keys = known(&format!("[{section}]\nstranger = 1"), "");
        assert_eq!(items(&part(TPAD_CONF, section)), keys, "[{section}]");
    }
    let headings = TPAD_CONF
        .lines()
        .filter_map(|line| line.strip_prefix(".SS ["));
    let headings: BTreeSet<String> = headings
        .map(|one| one.trim_end_matches(']').to_owned())
        .collect();
    assert_eq!(headings, sections);
    let services = known("[gate.services]\nstranger = 1", "");
    assert!(
        services.is_subset(&bold(&part(TPAD_CONF, "gate"))),
        "{services:?}"
    );
}

#[test]
fn tpa_roles_names_every_key_of_a_role_and_no_other() {
    let top = known("", "stranger = 1");
    let described = items(&part(TPA_ROLES, ""));
    for section in top.difference(&described) {
        let mut keys = known("", &format!("[{section}]\nstranger = 1"));
        // Tables of their own, under their own heads.
        keys.remove("sudo");
        assert_eq!(items(&part(TPA_ROLES, section)), keys, "[{section}]");
    }
    assert!(described.is_subset(&top), "{described:?}");
    let sudo = known("", "[[gives.sudo]]\nstranger = 1");
    assert_eq!(items(&part(TPA_ROLES, "[gives.sudo]")), sudo);
    let ticket = known("", "[request.ticket]\nstranger = 1");
    assert!(
        ticket.is_subset(&bold(&part(TPA_ROLES, "request"))),
        "{ticket:?}"
    );
}

#[test]
fn tpa_notify_names_every_key_of_a_target_and_no_other() {
    let keys = |lines: &str| {
        let config = Config::new("", &[]);
        config.write(
            "notify.toml",
            &format!("[[target]]\nname = \"a\"\n{lines}\nstranger = 1\n"),
        );
        let problems = config.load().unwrap_err();
        let next = problems
            .iter()
            .find_map(|problem| problem.next.clone())
            .unwrap();
        let list = next.strip_prefix("known here: ").unwrap();
        list.split(", ").map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let mut all = keys("kind = \"mail\"");
    all.extend(keys("kind = \"webhook\"\nurl = \"https://a/\""));
    assert_eq!(items(&part(TPA_NOTIFY, "")), all);
}

#[test]
fn the_example_of_targets_loads_with_every_line_of_it_in_force() {
    let example = include_str!("../../../../../packaging/share/notify.toml.example");
    let lines = example.lines().map(|line| {
        line.strip_prefix('#')
            .filter(|rest| !rest.starts_with(' '))
            .unwrap_or(line)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let config = Config::new("", &[]);
    config.write("notify.toml", &text);
    assert_eq!(config.load().unwrap().notify.len(), 8);
    config.write("notify.toml", example);
    assert_eq!(config.load().unwrap().notify, []);
}
