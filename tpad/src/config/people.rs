//! Names of people and groups, and whether there are such.

#[cfg(test)]
pub(super) mod fake;

use serde_json::Value;
use tpa_bus::text;

/// Whether there is a user or group of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Lookup {
    /// There is.
    Found,
    /// There is none.
    Missing,
    /// Nobody can tell just now, and why: a directory server that does not answer. This is not
    /// the same as none.
    Failed(String),
}

/// A person as the host knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their uid.
    pub uid: u32,
    /// Names of all groups they are in.
    pub groups: Vec<String>,
    /// The same, by number.
    pub gids: Vec<u32>,
}

/// Knows who there is on this host.
pub trait People {
    /// Whether there is such a user.
    fn user_exists(&self, name: &str) -> Lookup;
    /// Whether there is such a group.
    fn group_exists(&self, name: &str) -> Lookup;
    /// Names of those in a group, as far as this host can tell; `None` when it cannot, and where
    /// nobody needs to know.
    fn members(&self, _group: &str) -> Option<Vec<String>> {
        None
    }
    /// What cvtsudoers(1) says of sudo's configuration on this host; `None` where nobody looks.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn sudoers(&self) -> Option<Result<Value, String>> {
        None
    }
    /// Uid and groups of a user; `None` when there is no such user.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn person(&self, name: &str) -> Result<Option<Person>, String>;
}

/// Why a text is not fit to be the name of a user or group, when it is not. sudoers(5) gives some
/// names a meaning of their own, and a number may be -1.
pub(super) fn unfit_name(name: &str) -> Option<&'static str> {
    let first = name.chars().next();
    match first {
        None => Some("a name is missing"),
        Some('%') => Some("write a group as \"@name\", not in sudo's way"),
        Some('#') => Some("names are wanted, not numbers"),
        Some('!') => Some("nobody can be taken out of a list"),
        Some('-' | '+') => Some("no name begins with this sign"),
        _ if name.chars().all(|c| c.is_ascii_digit()) => Some("names are wanted, not numbers"),
        _ if name == "ALL" => Some("\"ALL\" is a word of sudo, not a name"),
        _ if name.chars().any(is_foreign) => Some("a character that no name has"),
        _ => None,
    }
}

/// Why a text is not fit to be the name of a group, when it is not. Groups of directories have
/// spaces and brackets in their names; nothing is written into sudo's rules of them.
pub(super) fn unfit_group(name: &str) -> Option<&'static str> {
    if name != name.trim() {
        return Some("a space at its beginning or end");
    }
    let plain = name.replace([' ', '(', ')', '[', ']', '{', '}', '&', '\'', ';'], "_");
    unfit_name(if name.is_empty() { name } else { &plain })
}

fn is_foreign(c: char) -> bool {
    text::is_unsafe(c) || c.is_whitespace() || "/,:=*?[]\"'();&|<>{}$`".contains(c)
}

/// Whether a name can stand as a run-as user or group in sudoers(5) as it is.
pub(super) fn is_sudoers_name(name: &str) -> bool {
    unfit_name(name).is_none()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_to_sudo_are_refused() {
        for name in [
            "",
            "%wheel",
            "#0",
            "#-1",
            "-1",
            "4294967295",
            "0",
            "ALL",
            "!root",
            "a,b",
            "a b",
            "../x",
            "a\nb",
            "+net",
            "*",
            "a\u{202e}b",
        ] {
            assert!(unfit_name(name).is_some(), "{name:?}");
            assert!(!is_sudoers_name(name), "{name:?}");
        }
    }

    #[test]
    fn odd_but_real_names_are_taken() {
        for name in [
            "alice",
            "a.b",
            "a~",
            "alice@corp.example",
            "CORP\\alice",
            "grün",
        ] {
            assert_eq!(unfit_name(name), None, "{name:?}");
        }
        assert!(is_sudoers_name("www-data"));
        assert!(!is_sudoers_name("CORP\\alice"));
    }

    #[test]
    fn groups_of_directories_have_spaces_and_brackets() {
        for name in [
            "linux admins",
            "Linux Admins (Prod)",
            "a [b] {c}",
            "R&D",
            "it's",
            "grün",
        ] {
            assert_eq!(unfit_group(name), None, "{name:?}");
        }
        for name in [
            "", " a", "a ", "%a b", "a\tb", "a, b", "ALL", "12", "a\u{a0}b", "a/b",
        ] {
            assert!(unfit_group(name).is_some(), "{name:?}");
        }
    }
}
