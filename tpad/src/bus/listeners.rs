//! Who is told of what happens on the system bus: connections that asked for it, each only of what
//! its caller may see. What is sent to everybody, everybody can listen to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_lite::StreamExt as _;
use zbus::Connection;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};
use zbus::names::{OwnedUniqueName, UniqueName};

use crate::ledger::Caller;

/// Most connections of one person that are told. `tpactl` has one.
const MOST_EACH: usize = 8;

/// Most connections of all but root: everybody whom the front door lets in may wait. Each takes a rule of the bus, which gives 512 to a connection
/// (`dbus-daemon(1)`, `max_match_rules_per_connection`).
const MOST: usize = 320;

/// Most connections of root, beside those of all others.
const MOST_ROOT: usize = 32;

/// The connections that are told.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<BTreeMap<OwnedUniqueName, Caller>>);

/// Whether one more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Added {
    /// It is, from now on.
    New,
    /// It was before.
    Known,
    /// There are too many.
    TooMany,
}

impl Listeners {
    /// One more connection, and whose it is.
    pub fn add(&self, name: &UniqueName<'_>, caller: Caller) -> Added {
        let mut listeners = self.lock();
        let known = listeners.contains_key(name.as_str());
        let is_root = |caller: &Caller| caller.uid == 0;
        let (others, most) = if is_root(&caller) {
            (
                listeners.values().filter(|other| is_root(other)).count(),
                MOST_ROOT,
            )
        } else {
            let own = listeners.values().filter(|other| other.uid == caller.uid);
            if !known && own.count() >= MOST_EACH {
                return Added::TooMany;
            }
            (
                listeners.values().filter(|other| !is_root(other)).count(),
                MOST,
            )
        };
        if !known && others >= most {
            return Added::TooMany;
        }
        listeners.insert(name.to_owned().into(), caller);
        if known { Added::Known } else { Added::New }
    }

    /// A connection is gone.
    pub fn remove(&self, name: &UniqueName<'_>) {
        self.lock().remove(name.as_str());
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<(OwnedUniqueName, Caller)> {
        let listeners = self.lock();
        let all = listeners.iter();
        all.map(|(name, caller)| (name.clone(), caller.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OwnedUniqueName, Caller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the bus tells of one connection.
#[derive(Debug)]
pub struct Owner(NameOwnerChangedStream);

impl Owner {
    /// Begins to listen. To be made before it is asked whose the connection is, so that its end
    /// cannot fall between.
    ///
    /// # Errors
    /// When the bus does not let us.
    pub async fn watch(connection: &Connection, name: &UniqueName<'_>) -> zbus::Result<Self> {
        let driver = DBusProxy::new(connection).await?;
        let of_this = [(0, name.as_str())];
        Ok(Self(
            driver
                .receive_name_owner_changed_with_args(&of_this)
                .await?,
        ))
    }

    /// Waits until the connection is gone, or the bus is.
    pub async fn gone(mut self) {
        while let Some(signal) = self.0.next().await {
            if signal.args().is_ok_and(|args| args.new_owner().is_none()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Identity, Person, Proof};

    fn caller(uid: u32) -> Caller {
        let name = format!("user{uid}");
        Caller {
            uid,
            identity: Identity::of(Person { uid, name }, Vec::new()),
            login: None,
            proof: Proof::Uid,
        }
    }

    fn add(listeners: &Listeners, connection: u32, uid: u32) -> Added {
        let name = format!(":1.{connection}");
        listeners.add(&UniqueName::try_from(name).unwrap(), caller(uid))
    }

    #[test]
    fn one_person_has_no_more_than_a_share_and_asking_again_takes_nothing() {
        let listeners = Listeners::default();
        let added = (0..100).filter(|n| add(&listeners, *n, 1_001) == Added::New);
        assert_eq!(added.count(), MOST_EACH);
        assert_eq!(add(&listeners, 1, 1_001), Added::Known);
        assert_eq!(add(&listeners, 200, 1_002), Added::New);
        listeners.remove(&UniqueName::try_from(":1.1").unwrap());
        assert_eq!(add(&listeners, 300, 1_001), Added::New);
    }

    #[test]
    fn a_crowd_leaves_room_for_root() {
        let listeners = Listeners::default();
        let added = (0..1_000).filter(|n| add(&listeners, *n, 1_000 + n) == Added::New);
        assert_eq!(added.count(), MOST);
        let roots = (2_000..3_000).filter(|n| add(&listeners, *n, 0) == Added::New);
        assert_eq!(roots.count(), MOST_ROOT);
        assert_eq!(listeners.all().len(), MOST + MOST_ROOT);
    }
}
