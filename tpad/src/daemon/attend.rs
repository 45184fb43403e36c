//! Waits for a process that tpad did not start, and then until its end is recorded.

use std::path::Path;
use std::sync::Arc;

use zruntime::SharedRuntime;

use crate::core::Core;
use crate::engine::Engine;
use crate::host::process;
use crate::ledger::Named;

/// Whether the end of a process is in the trail.
#[must_use]
pub enum Told {
    /// It is.
    Recorded,
    /// Not before something else has changed.
    NotYet,
}

/// Waits until a process has ended, then has `record` tell of it at each change until that is recorded.
/// `otherwise` says, to whoever reads the log, what follows where the end cannot be seen.
pub async fn attend(
    engine: Arc<Engine>,
    runtime: SharedRuntime,
    Named { pid, started }: Named,
    otherwise: String,
    record: impl Fn(&mut Core) -> anyhow::Result<Told> + Send,
) {
    let ended = process::ended(&runtime, Path::new("/proc"), pid, started);
    if let Err(error) = ended.await {
        tracing::error!("{otherwise}: {error}");
        return;
    }
    loop {
        let changed = engine.changed.listen();
        match engine.with(|core| record(core)) {
            Ok(Told::Recorded) => return,
            Ok(Told::NotYet) => {}
            Err(error) => tracing::error!("{error:#}"),
        }
        changed.await;
    }
}
