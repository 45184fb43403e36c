//! The client of `org.tpa1.Access`.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tpa_bus::access::{AccessProxy, Filter, LIST_MAX, Request};
use tpa_bus::error::Refusal;
use tpa_bus::id::{LENGTH, normalize};
use tpa_bus::names::SYSTEM_BUS_ADDRESS;
use tpa_bus::text::one_line;
use zbus::connection::Builder;
use zbus::fdo;
use zbus::proxy::CacheProperties;
use zruntime::SharedRuntime;

use crate::fail::{Exit, Fail};
use crate::socket;

/// Longest wait for one answer. D-Bus's own usual limit; `tpad` answers in milliseconds.
pub const ANSWER: Duration = Duration::from_secs(25);

/// A connection to `tpad`.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its methods, each to be awaited through [`Client::ask`].
    pub access: AccessProxy<'static>,
    way: Way,
    /// Open while this process has its connection to the bus; see [`socket::claim`].
    _claim: Option<Arc<UnixStream>>,
}

/// How `tpad` is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over the system bus, or as a test wants it.
    Bus,
    /// Over the socket of root's commands, where `tpad` can tell which person root is.
    Root,
}

impl Client {
    /// Connects to the system bus; as root, to the socket of root's commands where there is one.
    /// Both are at fixed places: the environment has no say in who answers.
    pub async fn connect() -> Result<Self, Fail> {
        if let Some(stream) = within(ANSWER, socket::connect()).await? {
            let client = Self::over(Builder::unix_stream(stream).p2p()).await?;
            return Ok(Self {
                way: Way::Root,
                ..client
            });
        }
        let client = Self::over(Builder::address(SYSTEM_BUS_ADDRESS)).await?;
        let own = client.access.inner().connection().unique_name();
        let claim = match own {
            // Without it a decision is refused, and says what to do.
            Some(name) => within(ANSWER, socket::claim(name)).await.ok().flatten(),
            None => None,
        };
        Ok(Self {
            _claim: claim.map(Arc::new),
            ..client
        })
    }

    /// The same once more, after `tpad` went away and came back: a socket closed with it.
    pub async fn again(&self) -> Result<Self, Fail> {
        match self.way {
            Way::Bus => Ok(self.clone()),
            Way::Root => Self::connect().await,
        }
    }

    /// Where signals come: the bus, which also tells when `tpad` comes and goes.
    pub async fn signals(&self) -> Result<AccessProxy<'static>, Fail> {
        match self.way {
            Way::Bus => Ok(self.access.clone()),
            Way::Root => Ok(Self::over(Builder::address(SYSTEM_BUS_ADDRESS))
                .await?
                .access),
        }
    }

    /// Connects as the builder says. Other addresses than the fixed one are for tests.
    pub(crate) async fn over(builder: Builder<'_>) -> Result<Self, Fail> {
        let access = async {
            let connection = builder.build().await?;
            // The interface has no properties, so there are none to be kept at hand.
            AccessProxy::builder(&connection)
                .cache_properties(CacheProperties::No)
                .build()
                .await
        };
        let access = within(ANSWER, access).await?;
        Ok(Self {
            access,
            way: Way::Bus,
            _claim: None,
        })
    }

    /// Awaits the answer to a call.
    pub async fn ask<T>(&self, call: impl Future<Output = zbus::Result<T>>) -> Result<T, Fail> {
        within(ANSWER, call).await
    }

    /// The same for a call that came later than others: `None` where this `tpad` does not know it. Nothing
    /// else that goes wrong is taken for that.
    pub async fn ask_if_known<T>(
        &self,
        call: impl Future<Output = zbus::Result<T>>,
    ) -> Result<Option<T>, Fail> {
        let known = async {
            match call.await {
                Err(zbus::Error::FDO(error)) if matches!(*error, fdo::Error::UnknownMethod(_)) => {
                    Ok(None)
                }
                answer => answer.map(Some),
            }
        };
        self.ask(known).await
    }

    /// All requests that fit, the newest first, however many there are: `tpad` gives them in pages.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Request>, Fail> {
        let mut filter = filter.clone();
        let (mut listed, mut known) = (Vec::new(), BTreeSet::new());
        loop {
            let page = self.ask(self.access.list_requests(&filter)).await?;
            let is_last = page.len() < usize::try_from(LIST_MAX).unwrap_or(usize::MAX);
            let oldest = page.last().map(|request| request.requested_at);
            let before = listed.len();
            let new = |request: &Request| known.insert(request.id.clone());
            listed.extend(page.into_iter().filter(new));
            let (false, Some(oldest)) = (is_last, oldest) else {
                return Ok(listed);
            };
            // Others may have been filed in the same second: it is asked for again, once.
            let again = listed.len() > before;
            filter.until = Some(oldest.saturating_add(i64::from(again)));
        }
    }

    /// The request with this id, or with this beginning of one.
    pub async fn get(&self, typed: &str) -> Result<Request, Fail> {
        let id = id_of(typed)?;
        self.ask(self.access.get_request(&id)).await
    }

    /// The whole id that was meant. An id in full is not looked up: the call it is for does that.
    pub async fn full_id(&self, typed: &str) -> Result<String, Fail> {
        let id = id_of(typed)?;
        if id.len() == LENGTH {
            return Ok(id);
        }
        Ok(self.get(&id).await?.id)
    }
}

/// The normal form of an id. What cannot be one is answered like one that does not exist.
fn id_of(typed: &str) -> Result<String, Fail> {
    normalize(typed).ok_or_else(|| {
        Fail::new(
            Exit::UnknownId,
            format!(
                "\"{}\" is not an id: eight letters and digits such as 7H2KM4QX, \
                 or the beginning of them",
                one_line(typed, 40)
            ),
            "tpactl ls lists the requests you may see",
        )
    })
}

/// Awaits an answer for so long. zbus's own limit does not cover a bus that hangs.
pub async fn within<T>(
    limit: Duration,
    call: impl Future<Output = zbus::Result<T>>,
) -> Result<T, Fail> {
    let answer = runtime()?.timeout(limit, call).await;
    match answer {
        Ok(answer) => answer.map_err(|error| explain(&error)),
        Err(_) => Err(unreachable(&format!(
            "no answer within {}s",
            limit.as_secs()
        ))),
    }
}

/// The runtime that this thread runs.
pub fn runtime() -> Result<SharedRuntime, Fail> {
    SharedRuntime::current().map_err(|error: io::Error| {
        Fail::new(
            Exit::Failure,
            format!("cannot wait for events: {error}"),
            "is this process out of file descriptors? See ulimit -n",
        )
    })
}

/// What an error of a call means to a person.
pub fn explain(error: &zbus::Error) -> Fail {
    if let Some(refusal) = Refusal::from_error(error) {
        return refusal.into();
    }
    match error {
        zbus::Error::FDO(error) => match &**error {
            fdo::Error::AccessDenied(_) => Fail::new(
                Exit::NotPermitted,
                format!("the system bus does not let you call tpad: {error}"),
                "look at /usr/share/dbus-1/system.d/org.tpa1.conf",
            ),
            fdo::Error::UnknownMethod(_)
            | fdo::Error::UnknownInterface(_)
            | fdo::Error::UnknownObject(_)
            | fdo::Error::InvalidArgs(_) => Fail::new(
                Exit::Failure,
                format!("tpad does not know this call: {error}"),
                "are tpad and tpactl of the same version? Then: systemctl restart tpad",
            ),
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
                unreachable("it is not running")
            }
            error => unreachable(&error.to_string()),
        },
        zbus::Error::Connection(..) | zbus::Error::InputOutput(_) | zbus::Error::Handshake(_) => {
            unreachable(&error.to_string())
        }
        error => Fail::new(
            Exit::Failure,
            format!("tpad's answer makes no sense: {error}"),
            "are tpad and tpactl of the same version? Then: systemctl restart tpad",
        ),
    }
}

/// Nobody answers.
pub fn unreachable(why: &str) -> Fail {
    Fail::new(
        Exit::Unreachable,
        format!("tpad cannot be reached over the system bus: {why}"),
        "systemctl status tpad",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_id_is_an_unknown_id() {
        for typed in ["", "not an id", "7H2KM4QX9", "../etc", "\x1b[2J"] {
            let fail = id_of(typed).unwrap_err();
            assert_eq!(fail.exit(), Exit::UnknownId, "{typed:?}");
            assert!(!fail.lines().concat().contains('\x1b'));
        }
        assert_eq!(id_of("7h2k-m4"), Ok("7H2KM4".to_owned()));
    }

    #[test]
    fn a_missing_daemon_is_told_from_one_that_refuses() {
        let gone = zbus::Error::FDO(Box::new(fdo::Error::ServiceUnknown("no owner".into())));
        assert_eq!(explain(&gone).exit() as u8, 8);
        let policy = zbus::Error::FDO(Box::new(fdo::Error::AccessDenied("policy".into())));
        assert_eq!(explain(&policy).exit() as u8, 4);
    }

    #[test]
    fn a_bus_that_is_not_there_is_exit_8_with_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("unix:path={}/none", folder.path().display());
        let fail = zruntime::block_on(Client::over(Builder::address(address.as_str())))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(fail.exit() as u8, 8);
        assert_eq!(fail.lines()[1], "  next: systemctl status tpad");
    }
}
