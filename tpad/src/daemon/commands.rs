//! Sees the one run of an approved command end: sudo's process for it is held, and its end is the end
//! of the grant.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tpa_bus::id::Id;
use zruntime::{Shared, SharedRuntime, Task};

use crate::engine::Engine;
use crate::host::process;
use crate::ledger::Named;

/// Records the end of each run when sudo has ended, and with it the end of its grant.
pub async fn commands(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut attended: BTreeMap<Id, Task<(), Shared>> = BTreeMap::new();
    loop {
        let changed = engine.changed.listen();
        let running = engine.with(|core| core.commands_running());
        attended.retain(|id, _| running.iter().any(|(known, _)| known == id));
        for (id, sudo) in running {
            attended.entry(id).or_insert_with(|| {
                let end = attend(Arc::clone(&engine), runtime.clone(), id, sudo);
                runtime.spawn("command", end)
            });
        }
        changed.await;
    }
}

/// Waits for the end of sudo's process, and until that is recorded.
async fn attend(engine: Arc<Engine>, runtime: SharedRuntime, id: Id, sudo: Named) {
    let ended = process::ended(&runtime, Path::new("/proc"), sudo.pid, sudo.started);
    if let Err(error) = ended.await {
        tracing::error!("the end of the command of {id} is not seen, its time ends it: {error}");
        return;
    }
    loop {
        let changed = engine.changed.listen();
        match engine.with(|core| core.command_is_over(id)) {
            Ok(()) => return,
            Err(error) => tracing::error!("{error:#}"),
        }
        changed.await;
    }
}
