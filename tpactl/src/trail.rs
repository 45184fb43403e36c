//! Reading the audit trail, page by page.

use tpa_bus::access::{Event, LogFilter};

use crate::bus::Client;
use crate::fail::Fail;

/// Events in one answer of `tpad`.
const PAGE: u32 = 1_000;

/// Gives each event that the filter lets through to `take`, in order, and answers with the
/// sequence number of the last one.
pub async fn read(
    client: &Client,
    filter: &LogFilter,
    mut take: impl FnMut(Event) -> Result<(), Fail>,
) -> Result<Option<u64>, Fail> {
    let mut filter = LogFilter {
        limit: Some(PAGE),
        ..filter.clone()
    };
    loop {
        let events = client.ask(client.access.log(&filter)).await?;
        let full = u32::try_from(events.len()).is_ok_and(|length| length >= PAGE);
        for event in events {
            filter.after = Some(event.seq);
            take(event)?;
        }
        if !full {
            return Ok(filter.after);
        }
    }
}

/// All of them.
pub async fn all(client: &Client, filter: &LogFilter) -> Result<Vec<Event>, Fail> {
    let mut events = Vec::new();
    read(client, filter, |event| {
        events.push(event);
        Ok(())
    })
    .await?;
    Ok(events)
}
