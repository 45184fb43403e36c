//! PURE: which recordings of a grant the trail has, so that each gets there once.

use std::collections::BTreeSet;

/// What of a grant's recordings is in the trail.
#[derive(Debug, Default)]
pub struct Closed {
    /// Up to this name all are.
    through: String,
    /// These too.
    beyond: BTreeSet<String>,
}

impl Closed {
    /// Those that the trail has.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            through: String::new(),
            beyond: names.into_iter().collect(),
        }
    }

    /// Whether it is one of them.
    pub fn has(&self, name: &str) -> bool {
        name <= self.through.as_str() || self.beyond.contains(name)
    }

    /// Behind which name to look on.
    pub fn through(&self) -> &str {
        &self.through
    }

    /// One more is.
    pub fn add(&mut self, name: String) {
        self.beyond.insert(name);
    }

    /// All up to this name are.
    pub fn all_through(&mut self, name: &str) {
        name.clone_into(&mut self.through);
        self.beyond = self.beyond.split_off(name);
        self.beyond.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_closed_once_in_whatever_order_they_end() {
        let mut closed = Closed::of(["a-00/00/02".to_owned()]);
        assert!(closed.has("a-00/00/02") && !closed.has("a-00/00/01"));
        closed.add("a-00/00/01".to_owned());
        closed.all_through("a-00/00/02");
        assert!(closed.has("a-00/00/01") && closed.has("a-00/00/02"));
        assert!(!closed.has("a-00/00/03"));
        assert!(closed.beyond.is_empty());
        assert_eq!(closed.through(), "a-00/00/02");
    }
}
