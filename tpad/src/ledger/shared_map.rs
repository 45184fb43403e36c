//! A map whose copies share what none of them has changed.
//!
//! A decision is tried on a copy of the state, which takes its place once it is recorded. With a thousand
//! live grants such a copy must not cost a thousand grants, but those that the decision is about.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A [`BTreeMap`] with values that copies of it share until one of them changes its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedMap<K, V>(BTreeMap<K, Arc<V>>);

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(Arc::as_ref)
    }

    /// Whether there is a value of a key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Takes a value in place of what the key had.
    pub fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, Arc::new(value));
    }

    /// Forgets the value of a key.
    pub fn remove(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(Arc::as_ref)
    }

    /// All keys with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// Keeps what `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|key, value| keep(key, value));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V: Clone> SharedMap<K, V> {
    /// The value of a key, to be changed: from here on it is this map's alone.
    #[must_use]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(Arc::make_mut)
    }

    /// Changes those that `which` says yes to, and leaves the others shared.
    pub fn change_each(&mut self, which: impl Fn(&V) -> bool, mut change: impl FnMut(&mut V)) {
        for value in self.0.values_mut().filter(|value| which(value)) {
            change(Arc::make_mut(value));
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self(
            all.into_iter()
                .map(|(key, value)| (key, Arc::new(value)))
                .collect(),
        )
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SharedMap<K, V> {
    fn from(all: [(K, V); N]) -> Self {
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Index;

    use super::*;

    impl<K: Ord, V> Index<&K> for SharedMap<K, V> {
        type Output = V;

        fn index(&self, key: &K) -> &V {
            &self.0[key]
        }
    }

    #[test]
    fn a_copy_shares_all_but_what_was_changed_since() {
        let before: SharedMap<u32, String> = (0..3).map(|n| (n, n.to_string())).collect();
        let mut after = before.clone();
        after.get_mut(&1).unwrap().push('!');
        after.remove(&2);
        let shared = |key| std::ptr::eq(&raw const before[&key], &raw const after[&key]);
        assert!(shared(0) && !shared(1));
        let values: Vec<_> = after.values().map(String::as_str).collect();
        assert_eq!(values, ["0", "1!"]);
        let values: Vec<_> = before.values().map(String::as_str).collect();
        assert_eq!(values, ["0", "1", "2"]);
    }

    #[test]
    fn what_is_left_alone_is_shared_where_all_are_looked_through() {
        let before: SharedMap<u32, u32> = (0..3).map(|n| (n, n)).collect();
        let mut after = before.clone();
        after.retain(|_, value| *value > 0);
        after.change_each(|value| *value > 1, |value| *value += 1);
        assert_eq!(after.values().collect::<Vec<_>>(), [&1, &3]);
        assert!(std::ptr::eq(&raw const before[&1], &raw const after[&1]));
    }
}
