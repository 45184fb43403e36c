//! The other side of the gate, for what `tpad` asks a running `tpad`, itself included.

use anyhow::Context as _;
use tpa_bus::gate::GateProxy;
use tpa_bus::names;

/// Connects to the gate's socket, which works without a system bus.
///
/// # Errors
/// When no tpad listens there.
pub async fn connect() -> anyhow::Result<zbus::Connection> {
    zbus::connection::Builder::address(format!("unix:path={}", names::GATE_SOCKET).as_str())
        .p2p()
        .build()
        .await
        .with_context(|| format!("connect to tpad on {}", names::GATE_SOCKET))
}

/// The gate at the other end of such a connection.
///
/// # Errors
/// When the connection is gone.
pub async fn gate(connection: &zbus::Connection) -> zbus::Result<GateProxy<'_>> {
    GateProxy::builder(connection)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await
}
