//! News from `tpad`: what changed, and that it went away or came back.

use futures_lite::{StreamExt, future};
use tpa_bus::access::{AccessProxy, EventRecordedStream, RequestChangedStream};
use zbus::proxy::OwnerChangedStream;

use crate::bus::{ANSWER, Client, explain, unreachable, within};
use crate::fail::Fail;

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News<T> {
    /// Something changed.
    Changed(T),
    /// `tpad` stopped.
    Stopped,
    /// `tpad` is back: signals may have been missed, so read again.
    Back,
}

/// When `tpad` comes and goes. Over a connection without a bus nobody can come and go.
struct Owner {
    changes: Option<OwnerChangedStream<'static>>,
    signals: AccessProxy<'static>,
}

impl Owner {
    async fn watch(client: &Client, signals: &AccessProxy<'static>) -> Result<Self, Fail> {
        let proxy = signals.inner();
        let changes = if proxy.connection().is_bus() {
            Some(client.ask(proxy.receive_owner_changed()).await?)
        } else {
            None
        };
        Ok(Self {
            changes,
            signals: signals.clone(),
        })
    }

    /// Has `tpad` send its signals to this connection.
    async fn subscribe(&self) -> Result<(), Fail> {
        within(ANSWER, self.signals.subscribe()).await
    }

    async fn next<T>(&mut self) -> Result<News<T>, Fail> {
        let Some(changes) = &mut self.changes else {
            return std::future::pending().await;
        };
        match changes.next().await {
            Some(Some(_)) => {
                self.subscribe().await?;
                Ok(News::Back)
            }
            Some(None) => Ok(News::Stopped),
            None => Err(unreachable("the connection was closed")),
        }
    }
}

/// Requests that change. To be made before the state is read, so that nothing falls between.
pub struct Requests {
    signals: RequestChangedStream,
    owner: Owner,
}

impl Requests {
    /// Begins to listen.
    pub async fn watch(client: &Client) -> Result<Self, Fail> {
        let signals = client.signals().await?;
        let changes = Self {
            owner: Owner::watch(client, &signals).await?,
            signals: client.ask(signals.receive_request_changed()).await?,
        };
        changes.owner.subscribe().await?;
        Ok(changes)
    }

    /// The next request to change, by its id.
    pub async fn next(&mut self) -> Result<News<String>, Fail> {
        let changed = async {
            let signal = self.signals.next().await;
            let signal = signal.ok_or_else(|| unreachable("the connection was closed"))?;
            let args = signal.args().map_err(|error| explain(&error))?;
            Ok(News::Changed(args.id().to_string()))
        };
        future::or(changed, self.owner.next()).await
    }
}

/// Events that are recorded.
pub struct Events {
    signals: EventRecordedStream,
    owner: Owner,
}

impl Events {
    /// Begins to listen.
    pub async fn watch(client: &Client) -> Result<Self, Fail> {
        let signals = client.signals().await?;
        let events = Self {
            owner: Owner::watch(client, &signals).await?,
            signals: client.ask(signals.receive_event_recorded()).await?,
        };
        events.owner.subscribe().await?;
        Ok(events)
    }

    /// The next event, by its sequence number.
    pub async fn next(&mut self) -> Result<News<u64>, Fail> {
        let recorded = async {
            let signal = self.signals.next().await;
            let signal = signal.ok_or_else(|| unreachable("the connection was closed"))?;
            let args = signal.args().map_err(|error| explain(&error))?;
            Ok(News::Changed(*args.seq()))
        };
        future::or(recorded, self.owner.next()).await
    }
}
