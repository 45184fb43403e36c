//! Sees sessions end whose end PAM did not tell of: the process that opened one was killed, or
//! left while the daemon was not there to listen.

use std::collections::BTreeMap;
use std::sync::Arc;

use zruntime::{Shared, SharedRuntime, Task};

use super::attend::{Told, attend};
use crate::core::Core;
use crate::descriptors::Shares;
use crate::engine::Engine;
use crate::ledger::{Session, SharedMap};

/// Records the end of each session when the process that opened it has ended, as `logind` takes a
/// session for closed when its leader is gone.
///
/// Each takes a descriptor, so there are `shares` of them: of a person's many sessions some wait until
/// others have ended. Their end is known then at the latest, and their grant's does not wait for it.
pub async fn sessions(engine: Arc<Engine>, runtime: SharedRuntime, shares: Shares) {
    let mut attended: BTreeMap<String, Task<(), Shared>> = BTreeMap::new();
    loop {
        let changed = engine.changed.listen();
        for session in engine.to_attend(&mut attended, shares) {
            let key = session.key();
            let otherwise = format!("the end of session {key} is only known when PAM tells of it");
            let leader = session.leader();
            let over = move |core: &mut Core| {
                Ok(if core.has_ended(&session)? {
                    Told::Recorded
                } else {
                    Told::NotYet
                })
            };
            let end = attend(
                Arc::clone(&engine),
                runtime.clone(),
                leader,
                otherwise,
                over,
            );
            attended.insert(key, runtime.spawn("session", end));
        }
        changed.await;
    }
}

/// Of the open sessions, those that are to be attended beside those that are: as many as there is room
/// for, and of nobody more than their share.
fn next(
    open: &SharedMap<String, Session>,
    attended: impl Fn(&str) -> bool,
    shares: Shares,
) -> Vec<Session> {
    let mut each: BTreeMap<u32, usize> = BTreeMap::new();
    let mut all = 0_usize;
    for (_, session) in open.iter().filter(|(key, _)| attended(key)) {
        let own = each.entry(session.user.uid).or_default();
        *own = own.saturating_add(1);
        all = all.saturating_add(1);
    }
    let mut next = Vec::new();
    for (_, session) in open.iter().filter(|(key, _)| !attended(key)) {
        let own = each.entry(session.user.uid).or_default();
        if *own < shares.sessions_each && all < shares.sessions {
            *own = own.saturating_add(1);
            all = all.saturating_add(1);
            next.push(session.clone());
        }
    }
    next
}

impl Engine {
    /// Leaves off those that were closed, and tells which are next.
    fn to_attend(
        &self,
        attended: &mut BTreeMap<String, Task<(), Shared>>,
        shares: Shares,
    ) -> Vec<Session> {
        self.with(|core| {
            let open = core.open_sessions();
            attended.retain(|key, _| open.contains_key(key));
            next(open, |key| attended.contains_key(key), shares)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Person, properties};
    use tpa_bus::id::Id;

    fn session(uid: u32, pid: u32) -> Session {
        let name = format!("user{uid}");
        Session {
            service: "sudo".to_owned(),
            class: "sudo".to_owned(),
            ..properties::session(Id::from_random([0; 5]), Person { uid, name }, pid)
        }
    }

    fn open(sessions: impl IntoIterator<Item = Session>) -> SharedMap<String, Session> {
        let keyed = sessions.into_iter().map(|session| (session.key(), session));
        keyed.collect()
    }

    #[test]
    fn whoever_opens_many_sessions_takes_a_share_of_the_descriptors_and_leaves_others_theirs() {
        let shares = Shares::of(96);
        let many = (0..110).map(|pid| session(1_001, pid));
        let open = open(many.chain([session(1_002, 500)]));
        let first = next(&open, |_| false, shares);
        let of = |uid| first.iter().filter(|one| one.user.uid == uid).count();
        assert_eq!((of(1_001), of(1_002)), (shares.sessions_each, 1));
        let keys: Vec<_> = first.iter().map(Session::key).collect();
        let more = next(&open, |key| keys.iter().any(|known| known == key), shares);
        assert!(more.is_empty());
        let fewer = next(
            &open,
            |key| keys[1..].iter().any(|known| known == key),
            shares,
        );
        assert_eq!(fewer.len(), 1, "one that waited is next");
    }

    #[test]
    fn a_crowd_takes_no_more_than_the_share_of_all() {
        let shares = Shares::of(96);
        let open = open((0..1_000).map(|pid| session(1_000 + pid, pid)));
        assert_eq!(next(&open, |_| false, shares).len(), shares.sessions);
    }
}
