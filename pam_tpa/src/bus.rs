//! The way to `tpad`: D-Bus peer to peer on the root-only socket, the system bus where nobody
//! answers there, one deadline for both.

use std::cell::Cell;
use std::fmt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tpa_bus::access::NewRequest;
use tpa_bus::error::Refusal;
use tpa_bus::gate::{FiledRequest, GateProxy, OfferedRole, Query, Verdict};
use tpa_bus::names;
use zbus::DynamicType;
use zbus::connection::Builder;
use zbus::export::serde::Serialize;
use zbus::proxy::{CacheProperties, MethodFlags};
use zbus::wire::DynamicDeserialize;
use zruntime::SharedRuntime;

use crate::daemon::{Daemon, NotFiled, Unanswered, Waited};
use crate::departure::Departure;
use crate::folder::Folder;
use crate::runtime::OneThread;

/// How long somebody may wait at the gate: connecting, authenticating and asking, both ways.
/// With the rest of a login it stays below two seconds.
pub const DEADLINE: Duration = Duration::from_millis(1_600);

/// How long somebody may wait whose state file lets them in. They are asked for twice in a login,
/// and with the rest of it that stays below two seconds.
const VOUCHED_DEADLINE: Duration = Duration::from_millis(700);

/// How long somebody may be held up whose way does not depend on the answer: who leaves, who is
/// exempt, and is asked for twice in a login, and who might be let ask for a grant, before the
/// account phase asks again.
const TELLING_DEADLINE: Duration = Duration::from_millis(500);

/// How long filing a request may take: the answer to one that is approved at once comes when the
/// host follows it.
const FILING_DEADLINE: Duration = Duration::from_secs(10);

/// How long telling who came by the front door may take. Without an answer nobody comes in there anyway,
/// so nothing is gained by giving up early: where many come at once, processors are scarce.
const DOOR_DEADLINE: Duration = Duration::from_secs(10);

/// Where `tpad` is to be found. Fixed for the module: in a setuid program the environment belongs
/// to the caller, so no variable is looked at.
#[derive(Debug, Clone)]
pub struct Bus {
    /// The gate's socket.
    pub gate: PathBuf,
    /// The system bus's.
    pub bus: PathBuf,
    /// Who must own the gate's folder and answer on both sockets.
    pub owner: u32,
    /// How long an answer may take.
    pub deadline: Duration,
}

/// Why one way did not lead to an answer.
#[derive(Debug)]
enum TransportError {
    /// Nobody there, or gone in mid-call.
    Gone(String),
    /// `tpad` answered, with an error.
    Refused(Refusal),
}

impl Bus {
    /// The `tpad` of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self {
            gate: names::GATE_SOCKET.into(),
            bus: names::SYSTEM_BUS_ADDRESS
                .trim_start_matches("unix:path=")
                .into(),
            owner: 0,
            deadline: DEADLINE,
        }
    }

    fn timeout(&self, query: &Query) -> Duration {
        if query.exempt {
            TELLING_DEADLINE
        } else {
            self.deadline
        }
    }

    /// Asks, and is back within the deadline, with no connection, task, descriptor or thread left.
    fn ask<A>(&self, call: &Call<impl Body>, deadline: Duration) -> Result<A, NoAnswer>
    where
        A: for<'d> DynamicDeserialize<'d> + 'static,
    {
        isolated(|runtime| {
            let at_gate = Cell::new(true);
            let answer = self.call_with_fallback(&runtime, call, &at_gate);
            match runtime.block_on(runtime.timeout(deadline, answer)) {
                Ok(answer) => answer.map_err(NoAnswer::from),
                Err(_) if at_gate.get() => Err(NoAnswer::Un(Unanswered::Hung)),
                // Nobody was at the gate, so tpad is gone; the bus keeping silent, which any user
                // can bring about, does not change that.
                Err(_) => Err(gone(&"nobody at the gate, and the system bus is silent")),
            }
        })
    }

    /// Asks, and waits for the answer until the person leaves or the time is up.
    fn wait(&self, call: &Call<impl Body>, departure: &Departure, timeout: Duration) -> Waited {
        let waited = isolated(|runtime| {
            let at_gate = Cell::new(true);
            let answer = self.call_with_fallback::<FiledRequest>(&runtime, call, &at_gate);
            let answer = departure.unless_first(&runtime, answer);
            match runtime.block_on(runtime.timeout(timeout, answer)) {
                Ok(Some(Ok(request))) => Ok(Waited::Decided(Box::new(request))),
                Ok(Some(Err(transport_error))) => Err(transport_error.into()),
                Ok(None) => Ok(Waited::Left),
                Err(_) => Ok(Waited::Undecided),
            }
        });
        waited.unwrap_or_else(|no_answer| Waited::Lost(no_answer.to_string()))
    }

    /// The gate's socket and, where nobody is there, the system bus.
    async fn call_with_fallback<A>(
        &self,
        runtime: &SharedRuntime,
        call: &Call<impl Body>,
        at_gate: &Cell<bool>,
    ) -> Result<A, TransportError>
    where
        A: for<'d> DynamicDeserialize<'d> + 'static,
    {
        match self.at_gate(runtime, call).await {
            Err(TransportError::Gone(why)) => {
                at_gate.set(false);
                let second = self.at_bus(runtime, call).await;
                second.map_err(|transport_error| transport_error.after(&why))
            }
            answer => answer,
        }
    }

    async fn at_gate<A>(
        &self,
        runtime: &SharedRuntime,
        call: &Call<impl Body>,
    ) -> Result<A, TransportError>
    where
        A: for<'d> DynamicDeserialize<'d> + 'static,
    {
        let folder = self.gate.parent().unwrap_or(Path::new("/"));
        Folder::open(folder, self.owner).map_err(|error| transport_error(folder, &error))?;
        let stream = self.connect(runtime, &self.gate).await?;
        call.on(Builder::unix_stream(stream).p2p(), runtime)
            .await
            .map_err(|error| TransportError::from_error(&self.gate, &error))
    }

    async fn at_bus<A>(
        &self,
        runtime: &SharedRuntime,
        call: &Call<impl Body>,
    ) -> Result<A, TransportError>
    where
        A: for<'d> DynamicDeserialize<'d> + 'static,
    {
        let stream = self.connect(runtime, &self.bus).await?;
        call.on(Builder::unix_stream(stream), runtime)
            .await
            .map_err(|error| TransportError::from_error(&self.bus, &error))
    }

    /// Connects, and makes sure that the owner is at the other end (`SO_PEERCRED`, unix(7)).
    async fn connect(
        &self,
        runtime: &SharedRuntime,
        path: &Path,
    ) -> Result<UnixStream, TransportError> {
        let address =
            SocketAddr::from_pathname(path).map_err(|error| transport_error(path, &error))?;
        let stream = zruntime::net::unix::UnixStream::connect_addr(runtime, &address)
            .await
            .map_err(|error| transport_error(path, &error))?
            .into_std();
        let peer =
            getsockopt(&stream, PeerCredentials).map_err(|error| transport_error(path, &error))?;
        if peer.uid() == self.owner {
            Ok(stream)
        } else {
            Err(transport_error(
                path,
                &format!("uid {} is there", peer.uid()),
            ))
        }
    }
}

/// Runs a conversation on a runtime of its own. Whatever goes wrong in there must not keep the
/// emergency group out.
fn isolated<T>(talk: impl FnOnce(SharedRuntime) -> Result<T, NoAnswer>) -> Result<T, NoAnswer> {
    catch_unwind(AssertUnwindSafe(|| {
        talk(SharedRuntime::new().map_err(|error| gone(&error))?)
    }))
    .unwrap_or_else(|_| Err(gone(&"the question failed inside the module")))
}

/// What a call can carry.
trait Body: Serialize + DynamicType {}

impl<T: Serialize + DynamicType> Body for T {}

/// A method of `org.tpa1.Gate` and its arguments.
struct Call<B>(&'static str, B);

impl<B: Body> Call<B> {
    /// Makes the call on a connection of its own, which is closed again.
    async fn on<A>(&self, builder: Builder<'_>, runtime: &SharedRuntime) -> zbus::Result<A>
    where
        A: for<'d> DynamicDeserialize<'d> + 'static,
    {
        let connection = builder.runtime(OneThread(runtime.clone())).build().await?;
        let gate = GateProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        // Never start tpad from the bus: a start that fails costs every login its deadline.
        let Self(method, body) = self;
        let answer = gate
            .inner()
            .call_with_flags(*method, MethodFlags::NO_AUTO_START, body)
            .await;
        drop(gate);
        let _ = connection.close().await;
        answer?.ok_or_else(|| zbus::Error::Failure("no reply".into()))
    }
}

/// Why there is no answer of the kind asked for.
enum NoAnswer {
    Un(Unanswered),
    Refused(Refusal),
}

impl From<TransportError> for NoAnswer {
    fn from(transport_error: TransportError) -> Self {
        match transport_error {
            TransportError::Gone(why) => Self::Un(Unanswered::Gone(why)),
            TransportError::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<NoAnswer> for NotFiled {
    fn from(no_answer: NoAnswer) -> Self {
        match no_answer {
            NoAnswer::Un(unanswered) => Self::Unanswered(unanswered),
            NoAnswer::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Un(unanswered) => unanswered.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

fn gone(why: &dyn ToString) -> NoAnswer {
    NoAnswer::Un(Unanswered::Gone(why.to_string()))
}

fn transport_error(path: &Path, why: &dyn std::fmt::Display) -> TransportError {
    TransportError::Gone(format!("{}: {why}", path.display()))
}

impl TransportError {
    fn from_error(path: &Path, error: &zbus::Error) -> Self {
        Refusal::from_error(error).map_or_else(|| transport_error(path, error), Self::Refused)
    }

    /// With what was tried before.
    fn after(self, first: &str) -> Self {
        match self {
            Self::Gone(why) => Self::Gone(format!("{first}; {why}")),
            refused @ Self::Refused(_) => refused,
        }
    }
}

/// A refusal of the call itself is a refusal of the person, with its words.
fn verdict(answer: Result<Verdict, NoAnswer>) -> Result<Verdict, Unanswered> {
    match answer {
        Ok(verdict) => Ok(verdict),
        Err(NoAnswer::Un(unanswered)) => Err(unanswered),
        Err(NoAnswer::Refused(refusal)) => Ok(Verdict {
            text: refusal
                .to_string()
                .lines()
                .map(|line| format!("tpa: {line}"))
                .collect(),
            ..Verdict::default()
        }),
    }
}

impl Daemon for Bus {
    fn vouched_for(&mut self) {
        self.deadline = self.deadline.min(VOUCHED_DEADLINE);
    }

    fn account(&mut self, query: &Query) -> Result<Verdict, Unanswered> {
        verdict(self.ask(&Call("Account", (query,)), self.timeout(query)))
    }

    fn open_session(&mut self, query: &Query) -> Result<Verdict, Unanswered> {
        verdict(self.ask(&Call("OpenSession", (query,)), self.timeout(query)))
    }

    fn open_door(&mut self, query: &Query, methods: &str) -> Result<Verdict, Unanswered> {
        verdict(self.ask(&Call("OpenDoor", (query, methods)), DOOR_DEADLINE))
    }

    fn close_session(&mut self, query: &Query) {
        let _ = self.ask::<()>(&Call("CloseSession", (query,)), TELLING_DEADLINE);
    }

    fn preview(&mut self, query: &Query) -> Result<Verdict, Unanswered> {
        verdict(self.ask(&Call("Preview", (query,)), TELLING_DEADLINE))
    }

    fn roles(&mut self, query: &Query) -> Result<Vec<OfferedRole>, NotFiled> {
        Ok(self.ask(&Call("Roles", (query,)), self.deadline)?)
    }

    fn file(&mut self, query: &Query, request: &NewRequest) -> Result<FiledRequest, NotFiled> {
        Ok(self.ask(&Call("Ask", (query, request)), FILING_DEADLINE)?)
    }

    fn await_decision(&mut self, id: &str, rhost: Option<&str>, timeout: Duration) -> Waited {
        match Departure::watch(rhost) {
            Ok(departure) => self.wait(&Call("AwaitDecision", (id,)), &departure, timeout),
            Err(error) => Waited::Lost(format!("cannot watch for the end of the login: {error}")),
        }
    }
}
