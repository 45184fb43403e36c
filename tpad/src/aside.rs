//! Work that takes its time, on a thread of its own: nobody at the gate waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use zruntime::Event as Signal;

/// Where the outcome is left.
struct Slot<T> {
    state: Mutex<State<T>>,
    over: Signal,
}

enum State<T> {
    Running,
    Done(T),
    /// The work panicked.
    Failed,
}

/// Leaves the outcome, or word that there is none, however the work ends.
pub struct Working<T>(Arc<Slot<T>>);

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Working<T> {
    fn drop(&mut self) {
        let state = &mut *self.0.state();
        if matches!(state, State::Running) {
            *state = State::Failed;
        }
        self.0.over.notify(usize::MAX);
    }
}

impl<T> Working<T> {
    /// The work is done.
    pub fn done(self, outcome: T) {
        *self.0.state() = State::Done(outcome);
    }
}

/// For work on a thread of its own: what leaves its outcome, and what waits for that, `None` when the
/// work panicked.
pub fn outcome<T>() -> (Working<T>, impl Future<Output = Option<T>>) {
    let slot = Arc::new(Slot {
        state: Mutex::new(State::Running),
        over: Signal::new(),
    });
    let working = Working(Arc::clone(&slot));
    let outcome = async move {
        loop {
            let over = slot.over.listen();
            match std::mem::replace(&mut *slot.state(), State::Running) {
                State::Done(outcome) => return Some(outcome),
                State::Failed => return None,
                State::Running => {}
            }
            over.await;
        }
    };
    (working, outcome)
}

/// Has the work done and waits for it. Whoever stops waiting does not stop it.
///
/// # Errors
/// When there is no thread to be had, or the work panicked.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (working, outcome) = outcome();
    std::thread::Builder::new()
        .name("aside".to_owned())
        .spawn(move || working.done(work()))?;
    outcome.await.context("it failed within tpad")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zruntime::SharedRuntime;

    #[test]
    fn what_is_done_aside_comes_back_and_a_panic_is_told() {
        let runtime = SharedRuntime::new().unwrap();
        runtime.block_on(async {
            assert_eq!(aside(|| 7).await.unwrap(), 7);
            assert!(aside(|| panic!("oh")).await.is_err());
        });
    }
}
