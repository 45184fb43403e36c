//! What was recorded under a grant, as text.

use std::time::Duration;

use tpa_bus::access::Recording;

use crate::bus::Client;
use crate::fail::Fail;
use crate::player::filter::Filter;
use crate::player::recording::{self, Shown, Source};
use crate::player::text::Text;

/// Most bytes of one recording's text that a page holds, and of all of them.
const ONE_MAX: usize = 256 * 1_024;
const ALL_MAX: usize = 2 * 1_024 * 1_024;

/// Most recordings whose text a page holds.
const MOST: usize = 200;

/// A recording, with as much of its text as there is room for.
#[derive(Debug)]
pub struct Replay {
    /// Which.
    pub recording: Recording,
    /// How long it lasts.
    pub length: Duration,
    /// Its text; `Err` says why it is not here.
    pub text: Result<Vec<String>, String>,
    /// There is more than the text that is here.
    pub cut: bool,
}

/// Reads them. Each that is read is an event, as if it had been replayed. What cannot be read stands
/// on the page as that.
pub async fn read(client: &Client, id: &str) -> Result<Vec<Replay>, Fail> {
    let mut left = ALL_MAX;
    let mut replays = Vec::new();
    for recording in recording::list(client, id).await? {
        let mut replay = Replay {
            recording,
            length: Duration::ZERO,
            text: Err("there is no room for it here".to_owned()),
            cut: false,
        };
        if replays.len() < MOST && left > 0 {
            let text = replay.read(client, id, left.min(ONE_MAX)).await;
            replay.text = text.map_err(|fail| fail.lines().join("; "));
        }
        let lines = replay.text.iter().flatten();
        let used = lines.fold(0, |sum: usize, line| {
            sum.saturating_add(line.len()).saturating_add(1)
        });
        left = left.saturating_sub(used);
        replays.push(replay);
    }
    Ok(replays)
}

impl Replay {
    async fn read(&mut self, client: &Client, id: &str, max: usize) -> Result<Vec<String>, Fail> {
        let mut source = Source::open(client, id, &self.recording.name, false).await?;
        let (mut filter, mut text) = (Filter::default(), Text::new(max));
        while let Some(frame) = source.next().await? {
            self.length = self.length.saturating_add(frame.after);
            if let Shown::Bytes(bytes) = frame.shown {
                text.feed(&filter.feed(&bytes));
            }
            if text.is_cut() {
                self.cut = true;
                break;
            }
        }
        Ok(text.into_lines())
    }
}
