//! Where the interfaces are served: the gate's socket first and always, the system bus as long as
//! there is one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_lite::future::{or, pending, zip};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tpa_bus::names;
use zbus::names::{BusName, OwnedUniqueName};
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{Connection, Guid, connection};
use zruntime::lock::{Semaphore, SemaphoreGuardArc};
use zruntime::net::unix::{self, UnixListener};
use zruntime::{Shared, SharedRuntime};

use super::access::{Access, Line};
use super::caller::{self, named};
use super::claims::Claims;
use super::door;
use super::gate::{Gate, Way};
use super::known_peer::KnownPeer;
use super::listeners::Listeners;
use super::process;
use super::socket::LimitedSocket;
use super::waiting::{self, Place};
use crate::descriptors::Shares;
use crate::engine::Engine;
use crate::ledger::{Caller, Event, Identity};
use crate::store::Record;

/// Most people who wait for a decision through the bus, where the gate's socket is not to be had.
const WAITING_ON_BUS: usize = 16;

/// How long a peer may take to say hello.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How long somebody may keep a place at the gate. The module waits for two seconds, or for a decision.
const GATE_LIMIT: Duration = Duration::from_secs(15);

/// How long to wait before looking for the system bus again. Only while there is none.
const BUS_AGAIN: Duration = Duration::from_secs(1);

/// The two sockets that only root can open.
#[derive(Debug)]
pub struct Sockets {
    /// For the gate.
    gate: UnixListener<Shared>,
    /// For root's commands.
    access: UnixListener<Shared>,
}

/// Opens the sockets, in place of those that a daemon before has left.
///
/// # Errors
/// When one cannot be opened: then there is no gate, or nobody can be told behind root.
pub fn listen(runtime: &SharedRuntime) -> anyhow::Result<Sockets> {
    // The folder is root's alone, so nobody can connect between the two calls in `open`.
    let folder = Permissions::from_mode(0o700);
    std::fs::set_permissions(names::RUN_DIR, folder)
        .with_context(|| format!("close {} to others", names::RUN_DIR))?;
    Ok(Sockets {
        gate: open(runtime, names::GATE_SOCKET, 0o600)?,
        access: open(runtime, names::ACCESS_SOCKET, 0o600)?,
    })
}

/// Opens one, for those whom the mode lets in.
fn open(runtime: &SharedRuntime, path: &str, mode: u32) -> anyhow::Result<UnixListener<Shared>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove the old {path}"));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(runtime, path).with_context(|| format!("listen on {path}"))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("set who may open {path}"))?;
    Ok(listener)
}

/// Answers root's sockets, each connection beside the others, so that a slow one holds up nobody.
pub async fn root(engine: Arc<Engine>, runtime: SharedRuntime, sockets: Sockets, shares: Shares) {
    let gate = {
        let (engine, runtime) = (Arc::clone(&engine), runtime.clone());
        let gate = Gate {
            engine,
            runtime: runtime.clone(),
            way: Way::Socket,
            waiting: waiting::seats(shares.waiting),
            place: None,
        };
        let answer = move |stream, place| answer_gate(gate.clone(), stream, place);
        accept(
            runtime,
            sockets.gate,
            names::GATE_SOCKET,
            shares.gate,
            answer,
        )
    };
    let access = {
        let runtime = runtime.clone();
        accept(
            runtime.clone(),
            sockets.access,
            names::ACCESS_SOCKET,
            shares.commands,
            move |stream, place| answer_root(Arc::clone(&engine), runtime.clone(), stream, place),
        )
    };
    zip(gate, access).await;
}

async fn accept<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
    runtime: SharedRuntime,
    listener: UnixListener<Shared>,
    path: &'static str,
    most: usize,
    answer: impl Fn(UnixStream, SemaphoreGuardArc) -> F,
) {
    // Whoever comes beyond that many waits until the kernel hands them on.
    let places = Arc::new(Semaphore::new(most));
    loop {
        let place = places.acquire_arc().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream.into_std(),
            Err(error) => {
                // Out of descriptors: those in use come back.
                tracing::error!("cannot accept on {path}: {error}");
                runtime.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let answer = answer(stream, place);
        let peer = async move {
            if let Err(error) = answer.await {
                tracing::warn!("a peer on {path}: {error:#}");
            }
        };
        runtime.spawn("root", peer).detach();
    }
}

async fn answer_gate(
    gate: Gate,
    stream: UnixStream,
    place: SemaphoreGuardArc,
) -> anyhow::Result<()> {
    let peer = getsockopt(&stream, PeerCredentials).context("ask who it is")?;
    anyhow::ensure!(peer.uid() == 0, "uid {} is not root", peer.uid());
    let runtime = gate.runtime.clone();
    let place = Place::taken(place);
    let gate = Gate {
        place: Some(Arc::clone(&place)),
        ..gate
    };
    // Whoever says nothing more, stopped in the middle for instance, does not keep a place for ever.
    let served = serve(&runtime, gate, stream);
    let idle = async {
        runtime.sleep(GATE_LIMIT).await;
        place.decided().await;
        runtime.sleep(GATE_LIMIT).await;
        anyhow::bail!("not done within {}s", GATE_LIMIT.as_secs())
    };
    or(served, idle).await
}

/// Serves root's commands to a process that is known to have connected, so that the person behind
/// root's uid can be told.
async fn answer_root(
    engine: Arc<Engine>,
    runtime: SharedRuntime,
    stream: UnixStream,
    _place: SemaphoreGuardArc,
) -> anyhow::Result<()> {
    let peer = getsockopt(&stream, PeerCredentials).context("ask who it is")?;
    anyhow::ensure!(peer.uid() == 0, "uid {} is not root", peer.uid());
    let proven = runtime.timeout(HANDSHAKE, process::prove(&runtime, stream));
    let (stream, process) = proven.await.map_err(|_| too_slow())??;
    let access = Access {
        engine,
        runtime: runtime.clone(),
        line: Line::Socket(process),
        listeners: Arc::default(),
        statements: Arc::default(),
    };
    serve(&runtime, access, stream).await
}

/// Speaks D-Bus with a peer until it hangs up.
async fn serve(
    runtime: &SharedRuntime,
    interface: impl Interface,
    stream: UnixStream,
) -> anyhow::Result<()> {
    let peer = getsockopt(&stream, PeerCredentials).context("ask who it is")?;
    let socket = KnownPeer::new(runtime, stream, peer.uid()).context("watch it")?;
    let handshake = connection::Builder::socket(socket)
        .server(Guid::generate())
        .p2p()
        .serve_at(names::OBJECT_PATH, interface)
        .build();
    let connection = runtime
        .timeout(HANDSHAKE, handshake)
        .await
        .map_err(|_| too_slow())?
        .context("handshake")?;
    connection.closed().await;
    Ok(())
}

fn too_slow() -> anyhow::Error {
    anyhow::anyhow!("no handshake within {}s", HANDSHAKE.as_secs())
}

/// Serves people on the system bus, and goes on when the bus comes back after it was gone. `tried`
/// is called when it is there for the first time, or cannot be had yet.
pub async fn people(
    engine: Arc<Engine>,
    runtime: SharedRuntime,
    shares: Shares,
    tried: impl FnOnce() + Send,
) {
    let mut told = false;
    let mut tried = Some(tried);
    loop {
        // Names on a bus that is gone mean nobody.
        let listeners = Arc::default();
        let claims = Claims::new(shares.claims, shares.door);
        let connected = connect(&engine, &runtime, &listeners, &claims).await;
        if let Some(tried) = tried.take() {
            tried();
        }
        match connected {
            Ok((connection, listener)) => {
                told = false;
                tracing::info!("on the system bus as {}", names::BUS_NAME);
                or(
                    announce(&engine, &runtime, &connection, &listeners),
                    hear_claims(&engine, &runtime, listener, claims, shares),
                )
                .await;
                tracing::warn!("the system bus is gone");
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!("no system bus yet: {error:#}");
            }
            Err(_) => {}
        }
        runtime.sleep(BUS_AGAIN).await;
    }
}

/// The socket where processes say which connection on the bus is theirs, where the bus itself does not
/// tell. It is there before the name is: whoever waits for that has somewhere to say it.
async fn claims_socket(
    runtime: &SharedRuntime,
    connection: &Connection,
) -> Option<UnixListener<Shared>> {
    let needed = match caller::tells_processes(connection).await {
        Ok(tells) => !tells,
        Err(error) => {
            tracing::warn!("cannot tell whether the bus tells processes: {error:#}");
            true
        }
    };
    if !needed {
        return None;
    }
    let opened = open(runtime, names::CLAIMS_SOCKET, 0o666);
    opened
        .inspect_err(|error| tracing::error!("nobody but root can decide: {error:#}"))
        .ok()
}

/// Hears on that socket. Never comes back.
async fn hear_claims(
    engine: &Arc<Engine>,
    runtime: &SharedRuntime,
    listener: Option<UnixListener<Shared>>,
    claims: Claims,
    shares: Shares,
) {
    // Beside those that are held, some that are being heard.
    let most = 2_usize
        .saturating_mul(shares.claims)
        .saturating_add(shares.door);
    if let Some(listener) = listener {
        let path = names::CLAIMS_SOCKET;
        let hear = |stream, place: SemaphoreGuardArc| {
            let (claims, runtime) = (claims.clone(), runtime.clone());
            let engine = Arc::clone(engine);
            async move {
                let uid_min = engine.policy().gate.uid_min;
                let is_door = |uid| door::is_account(&engine.accounts.files(), uid, uid_min);
                if let Err(error) = claims.hear(&runtime, stream, is_door).await {
                    // Anybody can bring this about, as often as they like.
                    tracing::debug!("a peer on {path}: {error:#}");
                }
                drop(place);
                Ok(())
            }
        };
        accept(runtime.clone(), listener, path, most, hear).await;
    }
    pending::<()>().await;
}

async fn connect(
    engine: &Arc<Engine>,
    runtime: &SharedRuntime,
    listeners: &Arc<Listeners>,
    claims: &Claims,
) -> anyhow::Result<(Connection, Option<UnixListener<Shared>>)> {
    let access = Access {
        engine: Arc::clone(engine),
        runtime: runtime.clone(),
        line: Line::Bus(claims.clone()),
        listeners: Arc::clone(listeners),
        statements: Arc::default(),
    };
    let gate = Gate {
        engine: Arc::clone(engine),
        runtime: runtime.clone(),
        way: Way::Bus,
        waiting: waiting::seats(WAITING_ON_BUS),
        place: None,
    };
    let building = async {
        let stream = unix::UnixStream::connect(runtime, names::SYSTEM_BUS_SOCKET).await?;
        let asked = Arc::clone(engine);
        let is_door = move |uid| {
            let uid_min = asked.policy().gate.uid_min;
            door::is_account(&asked.accounts.files(), uid, uid_min)
        };
        let socket = LimitedSocket::new(runtime, stream.into_std(), is_door)?;
        let connection = connection::Builder::socket(socket)
            .serve_at(names::OBJECT_PATH, access)
            .serve_at(names::OBJECT_PATH, gate)
            .build()
            .await?;
        let listener = claims_socket(runtime, &connection).await;
        connection.request_name(names::BUS_NAME).await?;
        Ok::<_, zbus::Error>((connection, listener))
    };
    let limit = Duration::from_secs(5);
    let built = runtime.timeout(limit, building).await;
    built
        .map_err(|_| anyhow::anyhow!("the bus does not answer"))?
        .context("connect")
}

/// Tells those who listen, until the bus is gone, that something happened: each of what they may
/// see, and nobody else. It is told when the host follows, so that whoever waits for access can use
/// it.
async fn announce(
    engine: &Engine,
    runtime: &SharedRuntime,
    connection: &Connection,
    listeners: &Listeners,
) {
    let news = async {
        let mut last = engine.head();
        loop {
            let news = engine.news(&mut last).await;
            engine.settle(runtime).await;
            let listeners: Vec<_> = listeners
                .all()
                .into_iter()
                .map(|(name, caller)| (name, as_known(engine, caller)))
                .collect();
            for record in news {
                for (name, caller) in &listeners {
                    if let Err(error) = tell(connection, engine, (name, caller), &record).await {
                        tracing::debug!("cannot tell {name} of event {}: {error}", record.seq);
                    }
                }
            }
        }
    };
    or(news, connection.closed()).await;
}

/// The caller with the groups that they are known to be in by now: they may have been in others when
/// they began to listen.
fn as_known(engine: &Engine, mut caller: Caller) -> Caller {
    let files = engine.accounts.files();
    let fresh = |identity: &mut Identity| {
        if let Some(account) = engine.accounts.as_known(&identity.person) {
            identity.groups = named(account, &files).groups;
        }
    };
    fresh(&mut caller.identity);
    caller.login.as_deref_mut().map(fresh);
    caller
}

async fn tell(
    connection: &Connection,
    engine: &Engine,
    (name, caller): (&OwnedUniqueName, &Caller),
    record: &Record,
) -> zbus::Result<()> {
    let emitter = SignalEmitter::new(connection, names::OBJECT_PATH)?;
    let emitter = emitter.set_destination(BusName::from(name.as_ref()));
    if engine.with(|core| core.hears_of_events(caller)) {
        Access::event_recorded(&emitter, record.seq).await?;
    }
    let request = record.event().and_then(Event::request_id);
    if let (Some(id), Some(state)) = (request, record.field("state"))
        && engine.with(|core| core.hears_of(caller, id))
    {
        Access::request_changed(&emitter, id.as_str(), state).await?;
    }
    Ok(())
}
