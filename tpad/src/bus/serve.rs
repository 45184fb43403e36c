//! Where the interfaces are served: the gate's socket first and always, the system bus as long as
//! there is one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_lite::future::or;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tpa_bus::names;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Guid, connection};
use zruntime::net::unix::UnixListener;
use zruntime::{Shared, SharedRuntime};

use super::access::Access;
use super::doors::Doors;
use super::gate::{Gate, Way};
use crate::engine::Engine;
use crate::store::Record;

/// How long a peer may take to say hello.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How long to wait before looking for the system bus again. Only while there is none.
const BUS_AGAIN: Duration = Duration::from_secs(1);

/// Opens the gate's socket, in place of one that a daemon before has left.
///
/// # Errors
/// When it cannot be opened: then there is no gate.
pub fn listen(runtime: &SharedRuntime) -> anyhow::Result<UnixListener<Shared>> {
    let path = names::GATE_SOCKET;
    // The folder is root's alone, so nobody can connect between the two calls below.
    let folder = Permissions::from_mode(0o700);
    std::fs::set_permissions(names::RUN_DIR, folder)
        .with_context(|| format!("close {} to others", names::RUN_DIR))?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove the old {path}"));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(runtime, path).with_context(|| format!("listen on {path}"))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
        .with_context(|| format!("close {path} to others"))?;
    Ok(listener)
}

/// Answers the gate, each connection beside the others, so that a slow one holds up nobody.
pub async fn gate(engine: Arc<Engine>, runtime: SharedRuntime, listener: UnixListener<Shared>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream.into_std(),
            Err(error) => {
                // Out of descriptors: those in use come back.
                tracing::error!("cannot accept on {}: {error}", names::GATE_SOCKET);
                runtime.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let gate = Gate {
            engine: Arc::clone(&engine),
            runtime: runtime.clone(),
            way: Way::Socket,
        };
        let peer = async move {
            if let Err(error) = answer(gate, stream).await {
                tracing::warn!("a peer on {}: {error:#}", names::GATE_SOCKET);
            }
        };
        runtime.spawn("gate", peer).detach();
    }
}

async fn answer(gate: Gate, stream: UnixStream) -> anyhow::Result<()> {
    let peer = getsockopt(&stream, PeerCredentials).context("ask who it is")?;
    anyhow::ensure!(peer.uid() == 0, "uid {} is not root", peer.uid());
    let runtime = gate.runtime.clone();
    let handshake = connection::Builder::unix_stream(stream)
        .server(Guid::generate())
        .p2p()
        .serve_at(names::OBJECT_PATH, gate)
        .build();
    let connection = runtime
        .timeout(HANDSHAKE, handshake)
        .await
        .map_err(|_| anyhow::anyhow!("no handshake within {}s", HANDSHAKE.as_secs()))?
        .context("handshake")?;
    connection.closed().await;
    Ok(())
}

/// Serves people on the system bus, and goes on when the bus comes back after it was gone. `tried`
/// is called when it is there for the first time, or cannot be had yet.
pub async fn people(engine: Arc<Engine>, runtime: SharedRuntime, tried: impl FnOnce() + Send) {
    let mut told = false;
    let mut tried = Some(tried);
    loop {
        let connected = connect(&engine, &runtime).await;
        if let Some(tried) = tried.take() {
            tried();
        }
        match connected {
            Ok(connection) => {
                told = false;
                tracing::info!("on the system bus as {}", names::BUS_NAME);
                announce(&engine, &runtime, &connection).await;
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

async fn connect(engine: &Arc<Engine>, runtime: &SharedRuntime) -> anyhow::Result<Connection> {
    let access = Access {
        engine: Arc::clone(engine),
        runtime: runtime.clone(),
        doors: Doors::default(),
    };
    let gate = Gate {
        engine: Arc::clone(engine),
        runtime: runtime.clone(),
        way: Way::Bus,
    };
    let building = connection::Builder::address(names::SYSTEM_BUS_ADDRESS)
        .serve_at(names::OBJECT_PATH, access)
        .serve_at(names::OBJECT_PATH, gate)
        .name(names::BUS_NAME)
        .build();
    let limit = Duration::from_secs(5);
    let built = runtime.timeout(limit, building).await;
    built
        .map_err(|_| anyhow::anyhow!("the bus does not answer"))?
        .context("connect")
}

/// Tells everybody that something happened, until the bus is gone. What it was is told to those
/// who may know, when they ask. It is told when the host follows, so that whoever waits for access
/// can use it.
async fn announce(engine: &Engine, runtime: &SharedRuntime, connection: &Connection) {
    let Ok(emitter) = SignalEmitter::new(connection, names::OBJECT_PATH) else {
        return;
    };
    let news = async {
        let mut last = engine.head();
        loop {
            let news = engine.news(&mut last).await;
            engine.settle(runtime).await;
            for record in news {
                if let Err(error) = tell(&emitter, &record).await {
                    tracing::debug!("cannot announce event {}: {error}", record.seq);
                }
            }
        }
    };
    or(news, connection.closed()).await;
}

async fn tell(emitter: &SignalEmitter<'_>, record: &Record) -> zbus::Result<()> {
    Access::event_recorded(emitter, record.seq).await?;
    let field = |name: &str| {
        record
            .body
            .fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    if let (Some(id), Some(state)) = (field("grant"), field("state")) {
        Access::request_changed(emitter, id, state).await?;
    }
    Ok(())
}
