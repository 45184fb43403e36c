//! Every key that the loader takes in a role stands in the example, and those of `KEYS` are told by
//! `tpad check`, in words and in JSON: a new key that is forgotten in one of them fails here. Which keys there are
//! the loader says itself: an unknown one is answered with those known in its place.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::config::people::fake::Host;

const EXAMPLE: &str = include_str!("../../../../packaging/share/web-ops.toml.example");

/// A place in a role file, a key there, and two values that mean different things.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("", "description", "\"One\"", "\"Other\""),
    ("[request]", "who", "[\"alice\"]", "[\"bob\"]"),
    ("[request]", "default", "\"1h\"", "\"30m\""),
    ("[request]", "max", "\"4h\"", "\"2h\""),
    ("[request]", "reason_min", "1", "10"),
    ("[request]", "lapse", "\"1h\"", "\"2h\""),
    ("[request.ticket]", "required", "false", "true"),
    (
        "[request.ticket]",
        "pattern",
        "\"A-[0-9]+\"",
        "\"B-[0-9]+\"",
    ),
    (
        "[approve]",
        "who",
        "[\"carol\", \"dave\"]",
        "[\"carol\", \"eve\"]",
    ),
    ("[approve]", "needed", "1", "2"),
    ("[approve]", "auto", "[]", "[\"dave\"]"),
    ("[approve]", "use_within", "\"8h\"", "\"7h\""),
    ("[gives]", "login", "true", "false"),
    ("[gives]", "record", "false", "true"),
    ("[gives]", "on_end", "\"kill\"", "\"keep\""),
    ("[[gives.sudo]]", "as", "\"www-data\"", "\"postgres\""),
    (
        "[[gives.sudo]]",
        "run",
        "[\"/usr/bin/id\"]",
        "[\"/usr/bin/uptime\"]",
    ),
    (
        "[[gives.sudo]]",
        "edit",
        "[\"/etc/motd\"]",
        "[\"/etc/issue\"]",
    ),
    ("[[gives.sudo]]", "password", "true", "false"),
    ("[[gives.sudo]]", "tidy", "false", "true"),
];

/// Keys that change what else may stand in the file, or that need another file beside it. That they
/// stand in the example is looked at here; whether they are told is not.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("[approve]", "proof"),
    ("[gives]", "break_glass"),
    ("[gives]", "exact"),
    ("[gives]", "as"),
    ("[gives]", "programs"),
];

/// A role file of all keys with their first values, one place aside, which has its second.
fn text(changed: Option<usize>, stranger: Option<&str>) -> String {
    let mut text = String::new();
    let mut place = "";
    for (index, (at, key, first, second)) in KEYS.iter().enumerate() {
        if *at != place {
            let _ = writeln!(text, "{at}");
            place = at;
        }
        if stranger == Some(*at) && !text.contains("stranger") {
            text.push_str("stranger = 1\n");
        }
        let value = if changed == Some(index) {
            second
        } else {
            first
        };
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

fn loaded(role: &str) -> Result<Policy, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("roles.d")).unwrap();
    fs::write(folder.path().join("tpad.toml"), "").unwrap();
    fs::write(folder.path().join("roles.d/some-role.toml"), role).unwrap();
    let source = Source::in_folder(folder.path(), geteuid().as_raw());
    load(&source, &Host)
}

/// What is told of a role, in words and in JSON, without the configuration's revision.
fn told(role: &str) -> (String, String) {
    let mut policy = loaded(role).unwrap();
    policy.revision = "0123456789ab".into();
    let words = summary(Path::new("/etc/tpa"), &policy, None);
    (words, explain_json::good(&policy, None))
}

#[test]
fn every_key_of_a_role_is_told_in_words_and_in_json() {
    let before = told(&text(None, None));
    for (index, (place, key, ..)) in KEYS.iter().enumerate() {
        let after = told(&text(Some(index), None));
        assert_ne!(before.0, after.0, "not told in words: {place} {key}");
        assert_ne!(before.1, after.1, "not told in JSON: {place} {key}");
    }
}

#[test]
fn every_key_that_the_loader_takes_in_a_role_is_tried_here_and_stands_in_the_example() {
    let places: BTreeSet<&str> = KEYS.iter().map(|(place, ..)| *place).collect();
    for place in places {
        let problems = loaded(&text(None, Some(place))).unwrap_err();
        let known = problems
            .iter()
            .filter(|problem| problem.message.contains("unknown key"))
            .find_map(|problem| problem.next.as_deref()?.strip_prefix("known here: "))
            .unwrap_or_else(|| panic!("{place}: {problems:?}"))
            .to_owned();
        for key in known.split(", ") {
            let is_table = ["request", "approve", "gives", "sudo", "ticket"].contains(&key);
            let tried = KEYS.iter().any(|one| (one.0, one.1) == (place, key));
            let not_compared = NOT_COMPARED.contains(&(place, key));
            assert!(
                is_table || tried || not_compared,
                "not tried: {place} {key}"
            );
            assert!(
                EXAMPLE.contains(&format!("{key} = ")) || is_table,
                "no example: {place} {key}"
            );
        }
    }
}
