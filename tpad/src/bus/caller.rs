//! Who is calling: what the bus driver and the kernel say, and nothing else.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tpa_bus::error::Refusal;
use tpa_bus::names;
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::message::Header;
use zbus::names::BusName;

use super::access::Access;
use crate::accounts::Account;
use crate::ledger::Caller;
use crate::sys;

/// How long the name service may take over who is calling.
const NAMES: Duration = Duration::from_secs(3);

/// `(uid_t) -1`: no login uid, and no uid either.
const NOBODY_AT_ALL: u32 = u32::MAX;

/// The caller of a method. Anything unclear, a caller who has left above all, is a refusal.
pub async fn identify(connection: &Connection, header: &Header<'_>) -> Result<Caller, Refusal> {
    look(connection, header).await.map_err(|error| {
        // Anybody can bring this about, as often as they like.
        tracing::debug!("cannot tell who is calling: {error:#}");
        Refusal::NotPermitted(format!(
            "cannot tell who you are: {error:#}\nnext: try again; if it stays, tell an admin"
        ))
    })
}

async fn look(connection: &Connection, header: &Header<'_>) -> anyhow::Result<Caller> {
    let sender = header.sender().context("the call has no sender")?;
    let driver = DBusProxy::new(connection).await?;
    let name = || BusName::from(sender.to_owned());
    let credentials = driver
        .get_connection_credentials(name())
        .await
        .context("the caller has left the bus")?;
    let uid = credentials
        .unix_user_id()
        .context("the bus does not tell the caller's uid")?;
    let pid = credentials
        .process_id()
        .context("the bus does not tell the caller's process")?;
    let pid = i32::try_from(pid).context("the bus tells an impossible process")?;
    let process = if let Some(descriptor) = credentials.into_process_fd() {
        OwnedFd::from(descriptor)
    } else {
        // Before dbus 1.16 there is only the pid, which may be somebody else's by now: hold on
        // to the process, then ask whether the connection still is that pid's.
        let process = sys::pidfd_open(pid).context("the caller has gone")?;
        let again = driver.get_connection_unix_process_id(name()).await;
        if i32::try_from(again.context("the caller has left the bus")?) != Ok(pid) {
            bail!("the caller's process changed");
        }
        process
    };
    let login_uid = login_uid(pid)?;
    still_there(&process)?;
    person(connection, uid, login_uid).await
}

/// The audit login uid of a process, when it has one (`pam_loginuid(8)`, proc(5)).
fn login_uid(pid: i32) -> anyhow::Result<Option<u32>> {
    let path = format!("/proc/{pid}/loginuid");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let uid: u32 = text
        .trim()
        .parse()
        .with_context(|| format!("{path} holds no uid"))?;
    Ok((uid != NOBODY_AT_ALL).then_some(uid))
}

/// The account of a uid. Where the name service does not tell in time it has no groups but those of
/// this host, which takes something away and gives nothing.
async fn account(connection: &Connection, uid: u32) -> anyhow::Result<Option<Account>> {
    let server = connection.object_server();
    let access = server.interface::<_, Access>(names::OBJECT_PATH).await?;
    let (accounts, runtime) = {
        let access = access.get().await;
        (access.engine.accounts.clone(), access.runtime.clone())
    };
    let account = accounts.by_uid(&runtime, uid, NAMES).await;
    account.map_err(|why| anyhow!("look up uid {uid}: {why}"))
}

/// What was read under a pid was this process's only if it has not ended since.
fn still_there(process: &OwnedFd) -> anyhow::Result<()> {
    let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    if poll(&mut ended, PollTimeout::ZERO).context("look at the caller's process")? != 0 {
        bail!("the caller has gone");
    }
    Ok(())
}

/// The human: the login uid's, else the uid's.
async fn person(
    connection: &Connection,
    uid: u32,
    login_uid: Option<u32>,
) -> anyhow::Result<Caller> {
    let human = login_uid.unwrap_or(uid);
    if uid == NOBODY_AT_ALL || human == NOBODY_AT_ALL {
        bail!("uid -1 is nobody");
    }
    let account = account(connection, human)
        .await?
        .with_context(|| format!("uid {human} has no account"))?;
    Ok(Caller {
        person: account.person,
        groups: account.groups,
        uid,
    })
}
