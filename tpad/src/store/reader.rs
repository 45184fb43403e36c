//! Reading the trail beside the daemon's work: on a connection that only reads, which sees the
//! database as it was at one moment (<https://www.sqlite.org/isolation.html>), and on a thread of
//! its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zruntime::lock::Semaphore;

use super::{Error, NAME, Stamp, Store, chain, schema};
use crate::aside::aside;

/// Most readings at once; others wait.
const MOST: usize = 2;

/// Reads one database.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    permits: Arc<Semaphore>,
}

impl Reader {
    /// Of this file.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            permits: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Has something read from the database as it is at the moment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> anyhow::Result<T> {
        let permit = self.permits.acquire_arc().await;
        let path = self.path.clone();
        let reading = aside(move || {
            // Kept until the reading is over, also when nobody waits for it any more.
            let _permit = permit;
            read(&Store::at_this_moment(&path)?)
        });
        Ok(reading.await??)
    }
}

impl Store {
    /// The database as it is at this moment, to be read.
    fn at_this_moment(path: &Path) -> Result<Self, Error> {
        let mut store = Self {
            connection: schema::open_to_read(path)?,
            path: path.to_owned(),
            head: chain::Head::genesis(),
            name: String::new(),
            left: Stamp::default(),
            touched: true,
        };
        store.head = store.read_head()?;
        store.name = store.fact(NAME)?.unwrap_or_default();
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use zruntime::SharedRuntime;

    use super::*;
    use crate::store::EventQuery;
    use crate::store::tests::{created, filled};
    use crate::store::{Change, Walk};

    fn walked(path: &Path, after: u64, known: chain::Head) -> Walk {
        let runtime = SharedRuntime::new().unwrap();
        let reader = Reader::new(path);
        let read = reader.read(move |store| store.walk_up_to(after, 2, &known));
        runtime.block_on(read).unwrap()
    }

    #[test]
    fn it_finds_what_the_daemons_own_connection_finds() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), 4);
        let path = folder.path().join("tpa.db");
        for after in 0..=4 {
            let walk = walked(&path, after, store.head().clone());
            assert_eq!(walk, store.walk(after, 2).unwrap());
        }
        let query = EventQuery {
            limit: 3,
            ..EventQuery::default()
        };
        let own = store.events(&query).unwrap();
        let runtime = SharedRuntime::new().unwrap();
        let reader = Reader::new(&path);
        let read = runtime.block_on(reader.read(move |store| store.events(&query)));
        assert_eq!(read.unwrap(), own);
    }

    #[test]
    fn a_tail_that_was_cut_off_behind_the_daemons_back_is_found_and_one_that_grew_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 4);
        let path = folder.path().join("tpa.db");
        let known = store.head().clone();
        store.commit(&[created(5)], &Change::default()).unwrap();
        let walk = walked(&path, 4, known);
        assert_eq!((walk.broken, walk.done), (None, true));
        store.remove_from(4);
        let walk = walked(&path, 2, store.head().clone());
        assert_eq!(walk.broken.map(|(seq, _)| seq), Some(4));
    }

    #[test]
    fn nothing_can_be_written_by_it_and_the_daemon_writes_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 2);
        let path = folder.path().join("tpa.db");
        let mut reading = Store::at_this_moment(&path).unwrap();
        store.commit(&[created(3)], &Change::default()).unwrap();
        assert_eq!(reading.read_head().unwrap().seq, 2, "as it was");
        assert!(reading.set_fact("a", "b").is_err());
        let denied = reading.connection.execute_batch("DELETE FROM events");
        assert!(denied.is_err());
        drop(reading);
        store.commit(&[created(4)], &Change::default()).unwrap();
        assert_eq!(Store::at_this_moment(&path).unwrap().head().seq, 4);
    }
}
