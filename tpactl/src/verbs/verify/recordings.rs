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

/// Has tpad read all that the trail names; `None` where this tpad does not know how to.
pub async fn examine(client: &Client) -> Result<Option<Recorded>, Fail> {
    let first = client.ask_if_known(client.access.check_recordings(0));
    let Some(mut some) = first.await? else {
        return Ok(None);
    };
    let mut recorded = Recorded::default();
    let mut after = 0;
    loop {
        recorded.whole = recorded.whole.saturating_add(some.whole);
        recorded.removed = recorded.removed.saturating_add(some.gone);
        recorded.bad.extend(some.bad.into_iter().map(|bad| Bad {
            seq: bad.seq,
            grant: bad.grant,
            recording: bad.recording,
            problem: bad.problem,
        }));
        if some.done {
            return Ok(Some(recorded));
        }
        if some.last <= after {
            return Err(Fail::new(
                Exit::Failure,
                format!(
                    "tpad looked at no recording behind event {after}, and says that there are more"
                ),
                "systemctl restart tpad, then: tpactl verify",
            ));
        }
        after = some.last;
        some = client.ask(client.access.check_recordings(after)).await?;
    }
}
