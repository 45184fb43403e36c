//! Work that takes its time, on a thread of its own: nobody at the gate waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Leaves word that the work is over, however it ends.
struct Working<T>(Arc<Slot<T>>);

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

/// Has the work done and waits for it. Whoever stops waiting does not stop it.
///
/// # Errors
/// When there is no thread to be had, or the work panicked.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let slot = Arc::new(Slot {
        state: Mutex::new(State::Running),
        over: Signal::new(),
    });
    let working = Working(Arc::clone(&slot));
    std::thread::Builder::new()
        .name("aside".to_owned())
        .spawn(move || {
            let outcome = work();
            *working.0.state() = State::Done(outcome);
        })?;
    loop {
        let over = slot.over.listen();
        match std::mem::replace(&mut *slot.state(), State::Running) {
            State::Done(outcome) => return Ok(outcome),
            State::Failed => anyhow::bail!("it failed within tpad"),
            State::Running => {}
        }
        over.await;
    }
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
