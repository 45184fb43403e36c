//! Tells the targets of the configuration what happens: mail, chat, pagers, webhooks, and the
//! administrator's program.
//!
//! Each target follows the chain of events by a cursor of its own, which is kept in the database: what
//! it was not told yet is told after a restart. A message goes out through a service that PID 1 runs
//! without rights ([`unit`]), so nothing here speaks over a network, reads a secret, forks or changes a
//! uid. A target that does not answer is tried again for a while; then that it was not told is an
//! event itself. Whatever a target does, or does not, harms nothing else.

mod job;
mod news;
mod pace;
mod status;
mod teller;
mod unit;

use std::collections::BTreeMap;
use std::sync::Arc;

use zruntime::SharedRuntime;

use crate::engine::Engine;
use crate::host::paths::Paths;
use crate::policy::notify::Target;

use status::Board;
use teller::Teller;
pub use unit::Outcome;

/// Keeps one task for each target of the configuration in force. Never returns.
pub async fn notify(engine: Arc<Engine>, runtime: SharedRuntime, paths: Paths) {
    let board = Board::new(&paths);
    let mut tellers = BTreeMap::new();
    // Where a new target begins: what came before somebody configured it is no news to it.
    let mut seen = engine.head();
    loop {
        let change = engine.next_change();
        let policy = engine.policy();
        tellers.retain(|_, (target, _)| policy.notify.contains(target));
        for target in &policy.notify {
            if tellers.contains_key(&target.name) {
                continue;
            }
            let teller = Teller::new(&engine, &runtime, &paths, target, &board);
            let task = runtime.spawn("teller", teller.follow(seen));
            tellers.insert(target.name.clone(), (target.clone(), task));
        }
        board.keep_only(&policy.notify);
        seen = engine.head();
        change.await;
    }
}

/// Sends a message that says that it is a test, and says what came of it.
pub async fn test(
    engine: &Engine,
    runtime: &SharedRuntime,
    paths: &Paths,
    target: &Target,
) -> Outcome {
    match job::test(engine, target) {
        Ok(job) => {
            let mut recipients = unit::Recipients::default();
            unit::run(runtime, paths, target, &job, &mut recipients).await
        }
        Err(error) => Outcome::failed(format!("{error:#}")),
    }
}
