//! Who is calling: what the bus driver and the kernel tell of it is gathered here, and
//! [`crate::ledger::caller()`] says whose call it then is.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tpa_bus::error::Refusal;
use tpa_bus::names::{self, DOOR_ACCOUNT};
use tpa_bus::subuid::{self, SUBUID};
use tpa_bus::text::one_line;
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::message::Header;
use zbus::names::BusName;

use super::access::{Access, Line};
use super::claims::Claims;
use super::door;
use super::process::{self, Held};
use crate::accounts::{Account, LocalFiles};
use crate::core::{Core, Error};
use crate::engine::Engine;
use crate::ledger::{Caller, Identity, Key, Peer, Process, Proof, Standing, at_front_door, caller};
use crate::{shadow, sys};

/// How long the name service may take over who is calling.
const NAMES: Duration = Duration::from_secs(3);

/// shadow(5)
const SHADOW: &str = "/etc/shadow";

const DAY_S: i64 = 86_400;

/// The caller of a method. Anything unclear, a caller who has left above all, is a refusal.
pub async fn identify(connection: &Connection, header: &Header<'_>) -> Result<Caller, Refusal> {
    let unclear = |error: anyhow::Error| {
        // Anybody can bring this about, as often as they like.
        tracing::debug!("cannot tell who is calling: {error:#}");
        Refusal::NotPermitted(format!(
            "cannot tell who you are: {error:#}\nnext: try again; if it stays, tell an admin"
        ))
    };
    let server = connection.object_server();
    let access = server.interface::<_, Access>(names::OBJECT_PATH).await;
    let access = access.map_err(|error| unclear(error.into()))?;
    let access = access.get().await.clone();
    let (peer, held) = match &access.line {
        Line::Bus(claims) => on_bus(connection, header, claims).await.map_err(unclear)?,
        Line::Socket(process) => {
            let peer = Peer {
                uid: 0,
                process: process.look(Path::new("/proc")),
            };
            (peer, Some(process.clone()))
        }
    };
    if door::is_account(&access.engine.accounts.files(), peer.uid, uid_min(&access)) {
        return at_door(&access, peer.uid, held.as_ref()).await;
    }
    let known = known(&access, &peer).await;
    let look_up = |uid| {
        let found = known.iter().find(|(looked_up, _)| *looked_up == uid);
        found.map_or_else(|| Ok(None), |(_, identity)| identity.clone())
    };
    caller(peer, look_up).map_err(|refused| Error::Refused(refused).into())
}

/// The process that a call comes from, where that is proven; whoever it is.
pub(super) async fn peer(
    connection: &Connection,
    header: &Header<'_>,
) -> Result<Option<Held>, Refusal> {
    let unclear = |error: anyhow::Error| Refusal::NotPermitted(format!("{error:#}"));
    let server = connection.object_server();
    let access = server.interface::<_, Access>(names::OBJECT_PATH).await;
    let access = access.map_err(|error| unclear(error.into()))?;
    let line = access.get().await.line.clone();
    match line {
        Line::Bus(claims) => {
            let found = on_bus(connection, header, &claims).await;
            Ok(found.map_err(unclear)?.1)
        }
        Line::Socket(held) => Ok(Some(held)),
    }
}

/// Whether the connection of a method on the system bus is root's, which needs no process.
pub async fn is_root(connection: &Connection, header: &Header<'_>) -> bool {
    let Some(sender) = header.sender() else {
        return false;
    };
    let Ok(driver) = DBusProxy::new(connection).await else {
        return false;
    };
    let name = BusName::from(sender.to_owned());
    driver.get_connection_unix_user(name).await.ok() == Some(0)
}

async fn on_bus(
    connection: &Connection,
    header: &Header<'_>,
    claims: &Claims,
) -> anyhow::Result<(Peer, Option<Held>)> {
    let sender = header.sender().context("the call has no sender")?;
    let driver = DBusProxy::new(connection).await?;
    let credentials = driver
        .get_connection_credentials(BusName::from(sender.to_owned()))
        .await
        .context("the caller has left the bus")?;
    let uid = credentials
        .unix_user_id()
        .context("the bus does not tell the caller's uid")?;
    let pid = credentials
        .process_id()
        .context("the bus does not tell the caller's process")?;
    let pid = i32::try_from(pid).context("the bus tells an impossible process")?;
    let proc = Path::new("/proc");
    let held = match credentials.into_process_fd() {
        Some(descriptor) => Some(Held::new(pid, OwnedFd::from(descriptor))),
        // Before dbus 1.16 there is only the number of whoever connected, and no asking the driver
        // again tells more: it remembers that number for ever.
        None => claims.of(sender, pid, uid),
    };
    let process = match &held {
        Some(held) => held.look(proc),
        None => sys::pidfd_open(pid)
            .ok()
            .and_then(|descriptor| process::look(proc, pid, &descriptor))
            .map_or(Process::Gone, Process::Numbered),
    };
    Ok((Peer { uid, process }, held))
}

/// From which uid on people's begin.
fn uid_min(access: &Access) -> u32 {
    access.engine.policy().gate.uid_min
}

/// Who came in through the front door. Their uid is that of its account, which is nobody: believed
/// is only what sshd has told of the process that it started for them.
async fn at_door(access: &Access, account: u32, held: Option<&Held>) -> Result<Caller, Refusal> {
    let engine = &access.engine;
    let nobody = |why: &str| {
        Refusal::NotPermitted(format!(
            "{why}\nnext: come in again: ssh {DOOR_ACCOUNT}@{}",
            engine.with(|core| core.host())
        ))
    };
    let proc = Path::new("/proc");
    let visit = held
        .filter(|held| door::is_program(proc, held, account))
        .and_then(|held| engine.door.visitor(proc, held, account));
    let visit = visit.ok_or_else(|| {
        nobody(&format!(
            "the account {DOOR_ACCOUNT} is nobody, and no login of ssh is known that this comes from"
        ))
    })?;
    let now = engine.with(Core::now).map_err(Error::from)?;
    let policy = engine.policy();
    let signers = policy.signers.as_ref();
    let signers = signers.ok_or_else(|| nobody("this host has no list of whose keys are whose"))?;
    let login = visit
        .credential
        .person(signers, now.wall_s)
        .map_err(|why| nobody(&why.to_string()))?;
    let shown = one_line(&login.person, 64);
    let found = engine
        .accounts
        .by_name(&access.runtime, &login.person, NAMES);
    let found = found
        .await
        .map_err(|why| nobody(&format!("cannot look up {shown}: {why}")))?
        .ok_or_else(|| nobody(&format!("the key is {shown}'s, who has no account here")))?;
    let files = engine.accounts.files();
    if door::is_account(&files, found.person.uid, policy.gate.uid_min) {
        return Err(nobody(&format!("{shown} is the front door, and nobody")));
    }
    let identity = of(found, &files, now.wall_s / DAY_S);
    let key = Key {
        fingerprint: login.fingerprint,
        // sshd lets nobody in with a security key that was not touched; nor one without its PIN
        // that is listed for it, when they came as now.
        touched: login.security_key,
        verified: login.asks_pin && visit.asked_pin,
    };
    at_front_door(identity, key).map_err(|refused| Error::Refused(refused).into())
}

/// Whether this bus tells which process a connection is of, by a descriptor: dbus from 1.16 on.
///
/// # Errors
/// When the bus does not answer.
pub async fn tells_processes(connection: &Connection) -> anyhow::Result<bool> {
    let name = connection.unique_name().context("a bus without names")?;
    let driver = DBusProxy::new(connection).await?;
    let own = driver
        .get_connection_credentials(BusName::from(name.to_owned()))
        .await?;
    Ok(own.into_process_fd().is_some())
}

type Known = Vec<(u32, Result<Option<Identity>, String>)>;

/// What is known of everybody who may be behind the call.
async fn known(access: &Access, peer: &Peer) -> Known {
    let login = match peer.process {
        Process::Held(traits) | Process::Numbered(traits) => traits.login,
        Process::Gone => None,
    };
    let engine = &access.engine;
    let uid_min = uid_min(access);
    let today = engine.with(Core::now).map_or(i64::MAX, |now| now.wall_s) / DAY_S;
    let files = engine.accounts.files();
    let mut known = Known::new();
    for uid in [Some(peer.uid), login].into_iter().flatten() {
        if known.iter().all(|(done, _)| *done != uid) {
            // The front door is nobody, whose login uid ever it is.
            let account = if door::is_account(&files, uid, uid_min) {
                Ok(None)
            } else {
                account(engine, access, uid).await
            };
            let identity = account.map(|found| found.map(|found| of(found, &files, today)));
            known.push((uid, identity.map_err(|why| format!("{why:#}"))));
        }
    }
    known
}

/// The account of a uid. Where the name service does not tell in time it has no groups but those of
/// this host, which takes something away and gives nothing.
async fn account(engine: &Engine, access: &Access, uid: u32) -> anyhow::Result<Option<Account>> {
    let account = engine.accounts.by_uid(&access.runtime, uid, NAMES).await;
    account.map_err(|why| anyhow!("{why}"))
}

/// The person of an account, who has proven by a key that it is them. There is no process and no
/// login behind it: what takes away is the account itself, as ever.
pub(super) fn by_key(engine: &Engine, account: Account, proof: Proof) -> Caller {
    let now = engine.with(Core::now);
    let today = now.map_or(i64::MAX, |now| now.wall_s) / DAY_S;
    let identity = of(account, &engine.accounts.files(), today);
    Caller {
        uid: identity.person.uid,
        identity,
        login: None,
        proof,
    }
}

/// The person of an account: with all names of this host that are theirs, too.
fn of(account: Account, files: &LocalFiles, today: i64) -> Identity {
    let untold = account.untold.clone().filter(|untold| untold.account);
    let mut identity = named(account, files);
    identity.standing = shadow::standing(Path::new(SHADOW), &identity.names, today);
    if identity.standing == Standing::Good {
        identity.standing = lent(&identity);
    }
    if let (Standing::Good, Some(untold)) = (&identity.standing, untold) {
        identity.standing = Standing::Untold(untold.why);
    }
    identity
}

/// Whether somebody else may have this person's uid in a user namespace: then a file of that uid
/// is made there, and whatever it starts outside has the uid, too.
fn lent(identity: &Identity) -> Standing {
    match fs::read_to_string(SUBUID) {
        Ok(text) => {
            let lent = subuid::lent(&text, identity.person.uid, &identity.names);
            lent.map_or(Standing::Good, |owner| Standing::Lent(one_line(owner, 32)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Standing::Good,
        Err(error) => Standing::Unknown(format!("{SUBUID}: {error}")),
    }
}

/// The person of an account: with all names of this host that are theirs, and the groups of each.
pub(super) fn named(account: Account, files: &LocalFiles) -> Identity {
    let mut identity = Identity::of(account.person, account.groups);
    identity.untold = account.untold.map(|untold| untold.why);
    identity.entry = Some(files.entry(&identity.person));
    for other in files.all_of(identity.person.uid) {
        if !identity.names.contains(&other.person.name) {
            identity.names.push(other.person.name);
            identity.groups.extend(other.groups);
        }
    }
    identity
}
