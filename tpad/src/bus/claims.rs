//! Which process a connection on the bus is of, where the bus does not tell.
//!
//! Before dbus 1.16 the bus tells the number of the process that connected, for ever: the process
//! may have handed the connection on and ended, and somebody else has its number. When that one
//! began says nothing either, because a connection is numbered when it is made and shows up on the
//! bus seconds later. So a process says itself which connection is its own, on a socket where the
//! kernel tells who says so, and is held for as long as it stays. Nobody else can say it: the uid
//! and the number must be those that the bus tells of that connection.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tpa_bus::names::CLAIM_MAX;
use zruntime::{AsyncIo, SharedRuntime};

use super::process::{Held, prove};
use super::seats::Seats;
use super::share::share_of;
use crate::ledger::{Namespace, Process};

/// How long a process may take to say which connection is its own.
const SAYING: Duration = Duration::from_secs(2);

/// How many people at least have room at once.
const PEOPLE: usize = 8;

/// A connection: its name on the bus, the number of its process, and its uid.
type Key = (String, i32, u32);

/// What was said.
#[derive(Debug, Clone)]
pub struct Claims {
    held: Arc<Mutex<BTreeMap<Key, Held>>>,
    /// Those with what is being said, by share ([`share_of`]).
    room: Arc<Seats>,
    /// The same for the account of the front door, which is one uid and many people: how many
    /// connections each of them has there is limited by their key.
    door: Arc<Seats>,
}

/// One that was said, until it is dropped.
struct Claim<'a> {
    claims: &'a Claims,
    key: Key,
}

impl Claims {
    /// For so many at once, and for so many who come by the front door.
    #[must_use]
    pub fn new(most: usize, door: usize) -> Self {
        Self {
            held: Arc::default(),
            room: Seats::new(most, (most / PEOPLE).max(1)),
            door: Seats::new(door, door),
        }
    }

    /// The process that has said so of this connection.
    #[must_use]
    pub fn of(&self, name: &str, pid: i32, uid: u32) -> Option<Held> {
        self.held().get(&(name.to_owned(), pid, uid)).cloned()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Key, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: Key, held: Held) -> Claim<'_> {
        self.held().insert(key.clone(), held);
        Claim { claims: self, key }
    }

    /// Hears whoever has just connected, and holds what they say for as long as they stay.
    ///
    /// # Errors
    /// When it is not said, or not proven. Anybody can bring that about.
    pub async fn hear(
        &self,
        runtime: &SharedRuntime,
        stream: UnixStream,
        is_door: impl Fn(u32) -> bool,
    ) -> anyhow::Result<()> {
        let uid = getsockopt(&stream, PeerCredentials)
            .context("ask who it is")?
            .uid();
        let room = if is_door(uid) {
            self.door.take(uid)
        } else {
            self.room.take(share_of(uid))
        };
        let _room = room.context("too many")?;
        let said = runtime.timeout(SAYING, said(runtime, stream));
        let (stream, name, held) = said.await.map_err(|_| anyhow::anyhow!("too slow"))??;
        let _claim = self.add((name, held.pid(), uid), held);
        stream.write_with(|mut stream| stream.write(b"+")).await?;
        // There is nothing more to say: this is its end.
        stream.readable().await?;
        Ok(())
    }
}

async fn said(
    runtime: &SharedRuntime,
    stream: UnixStream,
) -> anyhow::Result<(AsyncIo<UnixStream, zruntime::Shared>, String, Held)> {
    let (stream, held) = prove(runtime, stream).await?;
    let is_ours = matches!(
        held.look(Path::new("/proc")),
        Process::Held(traits) if traits.namespace == Namespace::Ours
    );
    ensure!(is_ours, "gone, or in another user namespace");
    let stream = AsyncIo::new(runtime, stream)?;
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut bytes = [0; CLAIM_MAX];
        let read = stream
            .read_with(|mut stream| stream.read(&mut bytes))
            .await?;
        line.extend(bytes.iter().take(read));
        ensure!(
            read > 0 && line.len() <= CLAIM_MAX,
            "no name of a connection"
        );
    }
    line.pop();
    Ok((stream, String::from_utf8(line)?, held))
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.held().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use tpa_bus::names::CHALLENGE_LENGTH;

    use super::*;

    fn uid() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    fn own() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    /// Says it, as `tpactl` does; gives the answer.
    fn say(mut there: &UnixStream, name: &str) -> std::io::Result<u8> {
        let mut challenge = [0; CHALLENGE_LENGTH];
        there.read_exact(&mut challenge)?;
        there.write_all(&challenge)?;
        there.write_all(name.as_bytes())?;
        let mut answer = [0];
        there.read_exact(&mut answer)?;
        Ok(answer[0])
    }

    #[test]
    fn a_process_has_the_connection_that_it_claims_until_it_hangs_up() {
        let runtime = SharedRuntime::new().unwrap();
        let claims = Claims::new(512, 512);
        let (here, there) = UnixStream::pair().unwrap();
        let claiming = {
            let claims = claims.clone();
            std::thread::spawn(move || {
                assert_eq!(say(&there, ":1.7\n").unwrap(), b'+');
                let of = |name, pid, uid| claims.of(name, pid, uid).is_some();
                assert!(of(":1.7", own(), uid()));
                assert!(!of(":1.8", own(), uid()), "another connection");
                assert!(!of(":1.7", own() + 1, uid()), "another process's");
                assert!(!of(":1.7", own(), uid() + 1), "another person's");
            })
        };
        runtime
            .block_on(claims.hear(&runtime, here, |_| false))
            .unwrap();
        claiming.join().unwrap();
        assert!(claims.of(":1.7", own(), uid()).is_none());
        assert!(claims.room.is_empty());
    }

    #[test]
    fn a_name_that_does_not_end_is_no_name() {
        let runtime = SharedRuntime::new().unwrap();
        let claims = Claims::new(512, 512);
        let (here, there) = UnixStream::pair().unwrap();
        let claiming = std::thread::spawn(move || say(&there, &"x".repeat(10_000)).is_err());
        assert!(
            runtime
                .block_on(claims.hear(&runtime, here, |_| false))
                .is_err()
        );
        assert!(claiming.join().unwrap());
        assert!(claims.held().is_empty());
    }

    #[test]
    fn nobody_takes_the_room_of_others() {
        let claims = Claims::new(512, 512);
        let rooms: Vec<_> = std::iter::from_fn(|| claims.room.take(1_002)).collect();
        assert_eq!(rooms.len(), 64);
        assert!(claims.room.take(1_003).is_some());
        drop(rooms);
        assert!(claims.room.take(1_002).is_some());
        let all: Vec<_> = (0..10_000)
            .filter_map(|uid| claims.room.take(uid))
            .collect();
        assert_eq!(all.len(), 512);
    }

    #[test]
    fn whoever_is_refused_for_want_of_room_is_not_listened_to() {
        let runtime = SharedRuntime::new().unwrap();
        let claims = Claims::new(512, 512);
        let _rooms: Vec<_> = std::iter::from_fn(|| claims.room.take(uid())).collect();
        let (here, mut there) = UnixStream::pair().unwrap();
        let refused = runtime.block_on(claims.hear(&runtime, here, |_| false));
        assert!(refused.unwrap_err().to_string().contains("too many"));
        assert_eq!(there.read(&mut [0]).unwrap(), 0);
    }
}
