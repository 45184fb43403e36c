//! What a hostile person does to the system bus, and how long the gate takes meanwhile. Run in a
//! host: `abuse flood SECONDS CONNECTIONS`, `flood-with MEMBER SECONDS CONNECTIONS`, `huge`, `garbage`, `many`, `hold CONNECTIONS`,
//! `gone ROUNDS`, `hand-over` as anybody, `gate CALLS` and `left CALLS PID UID` as root.

use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut, Read as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{Pid, Uid, seteuid};
use tpa_tests::clock;
use tpa_tests::wire::{Answer, Call, Value, Wire, dictionary, text};

const OURS: Call<'static> = Call {
    destination: Some("org.tpa1"),
    path: "/org/tpa1",
    interface: "org.tpa1.Access",
    member: "CreateRequest",
    signature: "a{sv}",
    body: &[],
    answer: true,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["flood", seconds, connections] => flood(seconds.parse()?, connections.parse()?),
        ["flood-with", member, seconds, connections] => {
            flood_with(member, seconds.parse()?, connections.parse()?)
        }
        ["huge"] => huge(),
        ["garbage"] => garbage(),
        ["many"] => many(),
        ["hold", connections] => hold(connections.parse()?),
        ["hand-over"] => hand_over(),
        ["connect-and-go"] => connect_and_go(),
        ["gone", rounds] => gone(rounds.parse()?),
        ["left", calls, pid, uid] => left(calls.parse()?, pid.parse()?, uid.parse()?),
        ["gate", calls] => gate(calls.parse()?),
        _ => bail!("usage: see the source"),
    }
}

fn request(reason: &str) -> Vec<u8> {
    dictionary(&[
        ("role", Value::Text("web-ops")),
        ("reason", Value::Text(reason)),
    ])
}

/// Calls of `CreateRequest` on all connections.
fn flood(seconds: u64, connections: usize) -> Result<()> {
    let body = request("nothing in particular");
    let call = Call {
        body: &body,
        answer: false,
        ..OURS
    };
    flood_by(&call, seconds, connections)
}

/// Calls of a method that answers at length, or that zbus answers by itself.
fn flood_with(member: &str, seconds: u64, connections: usize) -> Result<()> {
    let (interface, signature, body) = match member {
        "Introspect" => ("org.freedesktop.DBus.Introspectable", "", Vec::new()),
        "ListRequests" => (OURS.interface, "a{sv}", dictionary(&[])),
        "Status" => (OURS.interface, "s", text("")),
        _ => bail!("no flood of {member}"),
    };
    let call = Call {
        interface,
        member,
        signature,
        body: &body,
        ..OURS
    };
    flood_by(&call, seconds, connections)
}

/// Calls on all connections, without waiting for answers but where the bus makes it wait.
fn flood_by(call: &Call<'_>, seconds: u64, connections: usize) -> Result<()> {
    let end = clock::uptime()? + Duration::from_secs(seconds);
    let mut wires = Vec::new();
    for _ in 0..connections {
        wires.push(Wire::on_bus()?);
    }
    let mut sent = 0_u64;
    println!("flooding");
    while clock::uptime()? < end {
        for wire in &mut wires {
            if wire.is_closed()? || wire.send(call).is_err() {
                *wire = Wire::on_bus()?;
            }
            sent += 1;
        }
    }
    println!("sent {sent}");
    Ok(())
}

/// A reason, a role and a user of 1 MB each.
fn huge() -> Result<()> {
    let long = "x".repeat(1_000_000);
    for key in ["reason", "role", "user", "ticket"] {
        let mut wire = Wire::on_bus()?;
        let mut entries = BTreeMap::from([
            ("role", Value::Text("web-ops")),
            ("reason", Value::Text("nothing in particular")),
        ]);
        entries.insert(key, Value::Text(&long));
        let body = dictionary(&entries.into_iter().collect::<Vec<_>>());
        wire.send(&Call {
            body: &body,
            ..OURS
        })?;
        println!("{key}: {}", shown(wire.answer()?));
    }
    Ok(())
}

/// Bodies that are not what their signature says.
fn garbage() -> Result<()> {
    for (signature, body) in [
        ("a{sv}", &[0xff; 64][..]),
        ("a{sv}", &[]),
        ("t", &[7; 8]),
        ("s", &[9, 0, 0, 0]),
    ] {
        let mut wire = Wire::on_bus()?;
        wire.send(&Call {
            signature,
            body,
            ..OURS
        })?;
        let answer = wire.answer().map_or_else(|_| "closed".to_owned(), shown);
        println!("{signature}: {answer}");
    }
    Ok(())
}

/// One of one's own ids a hundred thousand times, in one call.
fn many() -> Result<()> {
    let mut id = String::new();
    std::io::stdin().read_to_string(&mut id)?;
    let ids = vec![id.trim(); 100_000];
    let mut revoke = dictionary(&[("ids", Value::List(&ids))]);
    revoke.resize(revoke.len().next_multiple_of(4), 0);
    revoke.extend(tpa_tests::wire::text("once is not enough"));
    let states = vec!["pending"; 100_000];
    let list = dictionary(&[("states", Value::List(&states))]);
    for (member, signature, body) in [
        ("Revoke", "a{sv}s", revoke),
        ("ListRequests", "a{sv}", list),
    ] {
        let mut wire = Wire::on_bus()?;
        wire.send(&Call {
            member,
            signature,
            body: &body,
            ..OURS
        })?;
        println!("{member}: {}", shown(wire.answer()?));
    }
    Ok(())
}

/// Holds connections, as many as there may be, until its standard input ends.
fn hold(connections: usize) -> Result<()> {
    let mut wires = Vec::new();
    while wires.len() < connections {
        match Wire::on_bus() {
            Ok(wire) => wires.push(wire),
            Err(_) => break,
        }
    }
    println!("holding {}", wires.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Calls and is gone before it can be asked who it was.
fn gone(rounds: usize) -> Result<()> {
    let body = request("gone before the answer");
    for _ in 0..rounds {
        Wire::on_bus()?.send(&Call {
            body: &body,
            ..OURS
        })?;
    }
    println!("gone {rounds} times");
    Ok(())
}

/// Has a child connect, hand the connection over and end. Prints the child's pid, waits for a line,
/// which is an id, and approves it over that connection.
fn hand_over() -> Result<()> {
    let (here, there) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("connect-and-go")
        .stdin(OwnedFd::from(there))
        .spawn()?;
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(here.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let handed = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    child.wait()?;
    println!("{}", child.id());
    let mut id = String::new();
    std::io::stdin().read_line(&mut id)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    let stream = unsafe { UnixStream::from_raw_fd(handed.context("nothing was handed over")?) };
    let mut wire = Wire::from_stream(stream);
    let mut body = text(id.trim());
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(0_u32.to_le_bytes());
    body.resize(body.len().next_multiple_of(8), 0);
    wire.send(&Call {
        member: "Approve",
        signature: "sa{sv}",
        body: &body,
        ..OURS
    })?;
    println!("{}", shown(wire.answer()?));
    Ok(())
}

/// Connects to the bus, hands the connection to whoever is at the other end of standard input, and
/// ends.
fn connect_and_go() -> Result<()> {
    let stream = Wire::on_bus()?.into_stream();
    let descriptors = [stream.as_raw_fd()];
    sendmsg::<()>(
        0,
        &[IoSlice::new(b"!")],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::empty(),
        None,
    )?;
    Ok(())
}

/// As this user, calls and has left before `tpad` reads the call: `tpad`, of this pid, is stopped
/// meanwhile. Each batch is within what `tpad` answers at once, so each call is looked into. The
/// same call of one who stays comes last.
fn left(calls: usize, pid: i32, uid: u32) -> Result<()> {
    const BATCH: usize = 100;
    let tpad = Pid::from_raw(pid);
    // The real uid stays root's, which is enough to stop a process of root's (kill(2)).
    seteuid(Uid::from_raw(uid))?;
    let body = request("left before the answer");
    let mut there = Wire::on_bus()?;
    for _ in 0..calls / BATCH {
        kill(tpad, Signal::SIGSTOP)?;
        while !is_stopped(tpad)? {}
        for _ in 0..BATCH {
            let mut wire = Wire::on_bus()?;
            wire.send(&Call {
                body: &body,
                ..OURS
            })?;
            wire.is_passed_on()?;
        }
        kill(tpad, Signal::SIGCONT)?;
        // Whoever is there is answered, after all of these.
        there.send(&Call {
            member: "Roles",
            signature: "",
            ..OURS
        })?;
        if let Some(error) = there.answer()? {
            bail!("{error}");
        }
    }
    println!("left {} calls", calls / BATCH * BATCH);
    there.send(&Call {
        body: &body,
        ..OURS
    })?;
    println!("stayed: {}", shown(there.answer()?));
    Ok(())
}

/// The state of a process stands behind its name (proc(5)).
fn is_stopped(pid: Pid) -> Result<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.contains(") T "))
}

/// Asks the gate as its module does: a connection a call. Prints median and maximum in
/// microseconds.
fn gate(calls: usize) -> Result<()> {
    let body = dictionary(&[
        ("service", Value::Text("sshd")),
        ("class", Value::Text("login")),
        ("user", Value::Text("nobody-there")),
        ("uid", Value::Number(54_321)),
        ("pid", Value::Number(std::process::id())),
        ("exempt", Value::Truth(false)),
    ]);
    let mut took = Vec::new();
    for _ in 0..calls {
        let begin = clock::uptime()?;
        let mut wire = Wire::open(Path::new("/run/tpa/gate.sock"))?;
        wire.send(&Call {
            destination: None,
            interface: "org.tpa1.Gate",
            member: "Account",
            body: &body,
            ..OURS
        })?;
        if let Some(error) = wire.answer()? {
            bail!("the gate says {error}");
        }
        took.push(clock::uptime()?.saturating_sub(begin).as_micros());
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).context("no calls")?;
    println!("{median} {}", took.last().context("no calls")?);
    Ok(())
}

fn shown(answer: Answer) -> String {
    answer.unwrap_or_else(|| "done".to_owned())
}
