//! The roles of `docs/roles.md` load, and amount to no more than the page says.

use super::{Config, load};
use crate::config::explain::all_warnings;
use crate::config::people::{Lookup, People, Person};

/// A host where everybody of the page is known.
struct Anybody;

impl People for Anybody {
    fn user_exists(&self, _name: &str) -> Lookup {
        Lookup::Found
    }

    fn group_exists(&self, _name: &str) -> Lookup {
        Lookup::Found
    }

    fn members(&self, _group: &str) -> Option<Vec<String>> {
        Some(vec!["carol".to_owned(), "erin".to_owned()])
    }

    fn person(&self, name: &str) -> Result<Option<Person>, String> {
        Ok(Some(Person {
            uid: match name {
                "root" => 0,
                "postgres" => 115,
                _ => 1_500,
            },
            groups: Vec::new(),
            gids: Vec::new(),
        }))
    }
}

const PAGE: &str = include_str!("../../../../../docs/roles.md");

/// The files of the page: name and text.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("```toml /etc/tpa/roles.d/") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            files.push((name.to_owned(), text.join("\n")));
        }
    }
    files
}

#[test]
fn every_recipe_of_the_cookbook_loads_and_amounts_to_what_the_page_says() {
    let files = files();
    assert_eq!(files.len(), 9, "{files:#?}");
    let roles: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let policy = load(&Config::new("", &roles).source(), &Anybody).unwrap();
    // Whether a command is there is the host's affair.
    let more: Vec<_> = all_warnings(&policy)
        .into_iter()
        .filter(|found| !found.message.contains("no such command"))
        .map(|found| (found.role, found.message))
        .collect();
    let said = |role: &str, message: &str| (role.to_owned(), message.to_owned());
    assert_eq!(
        more,
        [
            said("break-glass", "a shell: this amounts to being root"),
            said(
                "shop-admin",
                "has a command that starts a shell: this amounts to being postgres"
            ),
            said(
                "shop-read",
                "has a command that starts a shell: this amounts to being shopread"
            ),
        ]
    );
}
