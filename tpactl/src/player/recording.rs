//! A recording as `tpad` gives it: its moments, one after the other, and what was written in each.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use tpa_bus::access::{RECORDINGS_MAX, Recording};

use super::timing::{self, Stream, What};
use crate::bus::Client;
use crate::fail::{Exit, Fail};

/// Longest line of a timing file. sudo's have some thirty bytes.
const LINE_MAX: usize = 256;

/// What was shown, how long after what was shown before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How long after.
    pub after: Duration,
    /// What.
    pub shown: Shown,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// These bytes were written.
    Bytes(Vec<u8>),
    /// The terminal has so many rows and columns from here on.
    Size(u32, u32),
}

/// All recordings of a grant, by name.
pub async fn list(client: &Client, id: &str) -> Result<Vec<Recording>, Fail> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or("", |last: &Recording| last.name.as_str());
        let page = client.ask(client.access.recordings(id, after)).await?;
        let is_last = page.len() < RECORDINGS_MAX;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// One that is being read.
pub struct Source<'c> {
    client: &'c Client,
    number: u64,
    /// Whether to wait for more of one that is still being recorded.
    follows: bool,
    timing: File,
    streams: BTreeMap<Stream, File>,
    /// What is left to read of the moment that was begun.
    rest: Option<(Stream, u64, Duration)>,
    /// The moments are over: what was written after the last of them is left.
    is_over: bool,
}

/// One of its files, as far as it was read.
#[derive(Default)]
struct File {
    offset: u64,
    ahead: VecDeque<u8>,
}

impl<'c> Source<'c> {
    /// Begins to read it, which is an event.
    pub async fn open(
        client: &'c Client,
        id: &str,
        name: &str,
        follows: bool,
    ) -> Result<Self, Fail> {
        let number = client.ask(client.access.open_recording(id, name)).await?;
        let streams = [Stream::Terminal, Stream::Out, Stream::Error];
        Ok(Self {
            client,
            number,
            follows,
            timing: File::default(),
            streams: streams.map(|stream| (stream, File::default())).into(),
            rest: None,
            is_over: false,
        })
    }

    /// The next that was shown; `None` at the end. Whoever stops waiting for it loses nothing.
    pub async fn next(&mut self) -> Result<Option<Frame>, Fail> {
        loop {
            if let Some(frame) = self.of_rest().await? {
                return Ok(Some(frame));
            }
            if self.is_over {
                return self.behind_the_last().await;
            }
            if let Some(line) = self.timing.line()? {
                let Some(moment) = timing::parse(&line) else {
                    return Err(unreadable("a line of its timing makes no sense"));
                };
                match moment.what {
                    What::Output(stream, bytes) => {
                        self.rest = Some((stream, bytes, moment.after));
                    }
                    What::Resize(rows, columns) => {
                        let shown = Shown::Size(rows, columns);
                        let after = moment.after;
                        return Ok(Some(Frame { after, shown }));
                    }
                    What::Nothing => {
                        let (after, shown) = (moment.after, Shown::Bytes(Vec::new()));
                        return Ok(Some(Frame { after, shown }));
                    }
                }
                continue;
            }
            let offset = self.timing.offset;
            let read =
                self.client
                    .access
                    .read_recording(self.number, "timing", offset, self.follows);
            let piece = self.client.ask(read).await?;
            self.is_over = piece.data.is_empty() && !(self.follows && piece.live);
            self.timing.add(piece.data);
        }
    }

    /// A part of the moment that was begun.
    async fn of_rest(&mut self) -> Result<Option<Frame>, Fail> {
        let Some((stream, bytes, after)) = self.rest else {
            return Ok(None);
        };
        let data = self.read(stream, bytes).await?;
        let read = u64::try_from(data.len()).unwrap_or(bytes);
        let left = bytes.saturating_sub(read);
        // Less than the timing tells of: it was cut off there.
        self.rest = (left > 0 && read > 0).then_some((stream, left, Duration::ZERO));
        let shown = Shown::Bytes(data);
        Ok(Some(Frame { after, shown }))
    }

    /// What was written while sudo was killed: its bytes are there, its timing is not.
    async fn behind_the_last(&mut self) -> Result<Option<Frame>, Fail> {
        for stream in [Stream::Terminal, Stream::Out, Stream::Error] {
            let data = self.read(stream, u64::MAX).await?;
            if !data.is_empty() {
                let (after, shown) = (Duration::ZERO, Shown::Bytes(data));
                return Ok(Some(Frame { after, shown }));
            }
        }
        Ok(None)
    }

    /// At most so many bytes of a stream, as many as come at once.
    async fn read(&mut self, stream: Stream, most: u64) -> Result<Vec<u8>, Fail> {
        let file = self.streams.entry(stream).or_default();
        if file.ahead.is_empty() && most > 0 {
            let (number, offset) = (self.number, file.offset);
            let access = &self.client.access;
            let read = access.read_recording(number, stream.part(), offset, false);
            let piece = self.client.ask(read).await?;
            file.add(piece.data);
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let length = most.min(file.ahead.len());
        Ok(file.ahead.drain(..length).collect())
    }
}

impl File {
    fn add(&mut self, data: Vec<u8>) {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(length);
        self.ahead.extend(data);
    }

    /// The next line, when it is there as a whole.
    fn line(&mut self) -> Result<Option<String>, Fail> {
        let end = self.ahead.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(self.ahead.len()) > LINE_MAX {
            return Err(unreadable("a line of its timing is too long"));
        }
        let Some(end) = end else { return Ok(None) };
        let line: Vec<u8> = self.ahead.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

fn unreadable(why: &str) -> Fail {
    Fail::new(
        Exit::Failure,
        format!("the recording cannot be read: {why}"),
        "as root, look at its files below /var/log/sudo-io",
    )
}
