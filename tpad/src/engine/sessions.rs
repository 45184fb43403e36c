//! Sees sessions end whose end PAM did not tell of: the process that opened one was killed, or
//! left while the daemon was not there to listen.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use zruntime::{Shared, SharedRuntime, Task};

use super::Engine;
use crate::host::process;
use crate::ledger::{Event, Request, Session};

/// Records the end of each session when the process that opened it has ended, as `logind` takes a
/// session for closed when its leader is gone.
pub async fn sessions(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut attended: BTreeMap<String, Task<(), Shared>> = BTreeMap::new();
    loop {
        let changed = engine.changed.listen();
        attend_those_open(&engine, &runtime, &mut attended);
        changed.await;
    }
}

/// Begins with those that were opened, and leaves off those that were closed.
fn attend_those_open(
    engine: &Arc<Engine>,
    runtime: &SharedRuntime,
    attended: &mut BTreeMap<String, Task<(), Shared>>,
) {
    let inner = engine.lock();
    let open = &inner.state.sessions;
    attended.retain(|key, _| open.contains_key(key));
    for (key, session) in open {
        if !attended.contains_key(key) {
            let end = attend(Arc::clone(engine), runtime.clone(), session.clone());
            attended.insert(key.clone(), runtime.spawn("session", end));
        }
    }
}

/// Waits for the end of a session's process, and until that is recorded.
async fn attend(engine: Arc<Engine>, runtime: SharedRuntime, session: Session) {
    let ended = process::ended(&runtime, Path::new("/proc"), session.pid, session.started);
    if let Err(error) = ended.await {
        let key = session.key();
        tracing::error!("the end of session {key} is only known when PAM tells of it: {error}");
        return;
    }
    loop {
        let changed = engine.changed.listen();
        match engine.has_ended(&session) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::error!("{error:#}"),
        }
        changed.await;
    }
}

impl Engine {
    /// A session is over: whether that is recorded by now. While its grant is being ended, that is
    /// for its end to tell of: it did not end by itself.
    fn has_ended(&self, session: &Session) -> anyhow::Result<bool> {
        let mut inner = self.lock();
        let now = self.tick(&mut inner)?;
        let Some(session) = inner.state.sessions.get(&session.key()).cloned() else {
            return Ok(true);
        };
        let grant = inner.state.requests.get(&session.grant);
        if grant.is_some_and(Request::is_ending) {
            return Ok(false);
        }
        self.record(&mut inner, None, vec![Event::SessionClosed(session)], &now)?;
        Ok(true)
    }
}
