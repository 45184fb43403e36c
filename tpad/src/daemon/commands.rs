//! Sees the one run of an approved command end: sudo's process for it is held, and its end is the end
//! of the grant.

use std::collections::BTreeMap;
use std::sync::Arc;

use tpa_bus::id::Id;
use zruntime::{Shared, SharedRuntime, Task};

use super::attend::{Told, attend};
use crate::core::Core;
use crate::engine::Engine;

/// Records the end of each run when sudo has ended, and with it the end of its grant.
pub async fn commands(engine: Arc<Engine>, runtime: SharedRuntime) {
    let mut attended: BTreeMap<Id, Task<(), Shared>> = BTreeMap::new();
    loop {
        let changed = engine.changed.listen();
        let running = engine.with(|core| core.commands_running());
        attended.retain(|id, _| running.iter().any(|(known, _)| known == id));
        for (id, sudo) in running {
            attended.entry(id).or_insert_with(|| {
                let otherwise =
                    format!("the end of the command of {id} is not seen, its time ends it");
                let over = move |core: &mut Core| {
                    core.command_is_over(id)?;
                    Ok(Told::Recorded)
                };
                let end = attend(Arc::clone(&engine), runtime.clone(), sudo, otherwise, over);
                runtime.spawn("command", end)
            });
        }
        changed.await;
    }
}
