//! Follows the chain for one target: what is told, when, and how often it is tried.

use std::sync::Arc;
use std::time::Duration;

use zruntime::SharedRuntime;

use super::job;
use super::news::{self, Batch};
use super::pace::{self, Pace, Turn};
use super::status::Board;
use super::unit::{self, Outcome, Recipients};
use crate::clock::boottime_ms;
use crate::engine::Engine;
use crate::host::paths::Paths;
use crate::ledger::Event;
use crate::policy::notify::{Target, Way};

/// How long to wait before what could not be recorded is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Longest reason that is recorded, in characters.
const WHY_MAX: usize = 200;

/// Tells one target.
pub(super) struct Teller {
    engine: Arc<Engine>,
    runtime: SharedRuntime,
    paths: Paths,
    target: Target,
    board: Board,
}

impl Teller {
    pub(super) fn new(
        engine: &Arc<Engine>,
        runtime: &SharedRuntime,
        paths: &Paths,
        target: &Target,
        board: &Board,
    ) -> Self {
        Self {
            engine: Arc::clone(engine),
            runtime: runtime.clone(),
            paths: paths.clone(),
            target: target.clone(),
            board: board.clone(),
        }
    }

    /// Tells the target of all that is for it, from where the last run got to; for a target that is
    /// new, from behind `begin`. Never returns.
    pub(super) async fn follow(self, begin: u64) {
        let name = self.target.name.as_str();
        let kept = self.engine.told(name).unwrap_or_else(|error| {
            tracing::error!("{error:#}; {name} is told what comes from now on");
            None
        });
        // A database that was put back has an end before where the last run got to.
        let mut cursor = kept.unwrap_or(begin).min(self.engine.head());
        self.keep(cursor);
        let mut pace = Pace::new(self.target.per_minute);
        loop {
            let mut batch = news::next(&self.engine, &self.target, &mut cursor).await;
            let before = batch.first.saturating_sub(1);
            match pace.turn(boottime_ms().unwrap_or(0)) {
                Turn::One => {}
                Turn::All => batch = news::all(&self.engine, &self.target, before).await,
                Turn::Wait(wait) => {
                    self.runtime.sleep(wait).await;
                    batch = news::all(&self.engine, &self.target, before).await;
                }
            }
            // What waited may have been decided meanwhile.
            if batch.count > 0 {
                batch = self.tell(batch).await;
                pace.sent(boottime_ms().unwrap_or(0));
            }
            cursor = batch.through;
            self.keep(cursor);
        }
    }

    fn keep(&self, cursor: u64) {
        if let Err(error) = self.engine.set_told(&self.target.name, cursor) {
            tracing::error!(
                "{error:#}; {} is told again after a restart",
                self.target.name
            );
        }
    }

    /// Tells it, again and again until it was told or its time is over. Gives the batch, with what was
    /// given up on together with it.
    async fn tell(&self, mut batch: Batch) -> Batch {
        let mut tries = 0_u32;
        let mut recipients = Recipients::default();
        loop {
            let before = recipients.told.len();
            let outcome = self.once(&batch, &mut recipients).await;
            if recipients.told.len() > before {
                tries = 0;
            }
            let (why, again) = match outcome {
                Outcome::Told => {
                    self.board.reached(&self.target.name, self.now_s());
                    return batch;
                }
                Outcome::Failed { why, retry_after_s } => (why, Some(retry_after_s)),
                Outcome::Refused { why } => (why, None),
            };
            self.board.failed(&self.target.name, self.now_s(), &why);
            if tries == 0 {
                tracing::warn!(
                    "cannot tell {} of event {}: {why}",
                    self.shown(),
                    batch.first
                );
            }
            let over = batch.since.saturating_add_unsigned(self.target.retry_for_s);
            let left = u64::try_from(over.saturating_sub(self.now_s())).unwrap_or(0);
            let (Some(retry_after_s), true) = (again, left > 0) else {
                let before = self
                    .now_s()
                    .saturating_sub_unsigned(self.target.retry_for_s);
                news::as_old(&self.engine, &self.target, &mut batch, before).await;
                self.give_up(&batch, &why_of(&why, &recipients)).await;
                return batch;
            };
            let wait = pace::wait(tries, retry_after_s).min(Duration::from_secs(left));
            self.runtime.sleep(wait).await;
            tries = tries.saturating_add(1);
        }
    }

    async fn once(&self, batch: &Batch, recipients: &mut Recipients) -> Outcome {
        match job::of(&self.engine, &self.target, batch, recipients) {
            Ok(job) => unit::run(&self.runtime, &self.paths, &self.target, &job, recipients).await,
            Err(error) => Outcome::failed(format!("{error:#}")),
        }
    }

    /// Records that the target was not told. That another one was not told is no such news: two that
    /// cannot be reached would tell each other for ever.
    async fn give_up(&self, batch: &Batch, why: &str) {
        if !batch.is_news {
            return;
        }
        let event = || Event::NoticeFailed {
            target: self.target.name.clone(),
            count: batch.count,
            first: batch.first,
            last: batch.last,
            why: tpa_bus::text::one_line(why, WHY_MAX),
        };
        while let Err(error) = self.engine.notice_failed(event()) {
            tracing::error!("{}: {error:#}", self.target.name);
            self.runtime.sleep(AGAIN).await;
        }
    }

    /// How the target is called in tpad's own messages.
    fn shown(&self) -> &str {
        match &self.target.way {
            Way::Program(run) => run,
            Way::Mail { .. } | Way::Service(_) => &self.target.name,
        }
    }

    /// The time to go by. Without one nothing is too old to be told.
    fn now_s(&self) -> i64 {
        self.engine
            .with(crate::core::Core::now)
            .map_or(i64::MIN, |now| now.wall_s)
    }
}

/// Why a message was given up on, and for whom, where others have it.
fn why_of(why: &str, recipients: &Recipients) -> String {
    if recipients.told.is_empty() || recipients.tried.is_empty() {
        return why.to_owned();
    }
    let names: Vec<_> = recipients.tried.iter().map(String::as_str).collect();
    format!("{why}; not told: {}", names.join(", "))
}
