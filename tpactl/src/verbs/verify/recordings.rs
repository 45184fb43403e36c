//! What was recorded, held against the digests that the trail keeps.

use serde::Serialize;

use crate::bus::Client;
use crate::fail::{Exit, Fail};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// How many recordings are what they were when they were closed.
    pub whole: u64,
    /// How many were removed, because they had been kept for as long as the configuration says.
    pub removed: u64,
    /// Those that are missing or not what they were.
    pub bad: Vec<Bad>,
}

/// One that is not what it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The event that says what it was.
    pub seq: u64,
    /// Its grant.
    pub grant: String,
    /// Its name.
    pub recording: String,
    /// What is wrong.
    pub problem: String,
}

/// Has tpad read all that the trail names; `None` where this tpad closes no recordings.
pub async fn examine(client: &Client) -> Result<Option<Recorded>, Fail> {
    let mut recorded = Recorded::default();
    let mut after = 0;
    loop {
        let some = match client.ask(client.access.check_recordings(after)).await {
            Ok(some) => some,
            // One of before it closed any.
            Err(fail) if fail.exit() == Exit::Failure && after == 0 => return Ok(None),
            Err(fail) => return Err(fail),
        };
        recorded.whole = recorded.whole.saturating_add(some.whole);
        recorded.removed = recorded.removed.saturating_add(some.gone);
        recorded.bad.extend(some.bad.into_iter().map(|bad| Bad {
            seq: bad.seq,
            grant: bad.grant,
            recording: bad.recording,
            problem: bad.problem,
        }));
        if some.done || some.last <= after {
            return Ok(Some(recorded));
        }
        after = some.last;
    }
}
