//! A `tpad` that restarts while somebody waits, over a real message bus on a socket of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use futures_lite::future;
use tpa_bus::access::Request;
use tpa_bus::error::Refusal;
use tpa_bus::names::{BUS_NAME, OBJECT_PATH};
use zbus::Connection;
use zbus::connection::Builder;

use super::daemon::Daemon;
use crate::bus::Client;
use crate::clock::fixed;
use crate::context::Context;
use crate::fail::{Exit, Fail};
use crate::form::Form;
use crate::goal::Goal;
use crate::runner::tell;
use crate::sample;
use crate::screen::Screen;
use crate::screen::fake::screen;
use crate::waiting::Wait;

/// A message bus; it ends with the test.
struct Bus {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Bus {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("/usr/bin/dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .arg(format!("--address=unix:dir={}", folder.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is needed for this test");
        let mut address = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        Self {
            process,
            address: address.trim().to_owned(),
            _folder: folder,
        }
    }

    async fn serve(&self, daemon: &Daemon) -> Connection {
        Builder::address(self.address.as_str())
            .serve_at(OBJECT_PATH, daemon.clone())
            .name(BUS_NAME)
            .build()
            .await
            .unwrap()
    }
}

impl Bus {
    async fn client(&self) -> Result<Client, Fail> {
        Client::over(Builder::address(self.address.as_str())).await
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn context(screen: Screen) -> Context {
    Context {
        screen,
        clock: fixed(),
        connected: None,
        host: "web-01".into(),
        outside: false,
    }
}

#[test]
fn a_decision_made_while_tpad_restarted_ends_the_wait() {
    let bus = Bus::start();
    let daemon = Daemon::default();
    let (screen, out, err) = screen(None);
    let context = context(screen);
    let ended = zruntime::block_on(async {
        let first = bus.serve(&daemon).await;
        let client = Client::over(Builder::address(bus.address.as_str()));
        let client = client.await.unwrap();
        let wait = Wait::begin(&client, None).await.unwrap();
        let waiting = wait.until(
            Goal::Approved,
            sample::pending(),
            &client,
            &context,
            Form::Table,
        );
        let restart = async {
            first.close().await.unwrap();
            // Decided meanwhile, and its signal is gone with the old process.
            daemon.state().requests = vec![Request {
                state: "active".into(),
                ..sample::pending()
            }];
            bus.serve(&daemon).await
        };
        future::zip(waiting, restart).await.0
    });
    assert_eq!(ended, Ok(Exit::Done), "{}", err.text());
    assert!(err.text().contains("tpad has stopped"), "{}", err.text());
    assert!(out.text().contains("K0000001"), "{}", out.text());
}

#[test]
fn a_bus_without_tpad_is_8() {
    let bus = Bus::start();
    let fail = zruntime::block_on(async {
        let client = Client::over(Builder::address(bus.address.as_str()));
        let client = client.await.unwrap();
        client.get("7H2KM4QX").await.unwrap_err()
    });
    assert_eq!(fail.exit(), Exit::Unreachable, "{fail:?}");
}

/// What it says that a command of `7H2KM4QX` ended with 7.
fn tells(bus: &Bus, client: &Client, context: &Context) -> impl Future<Output = Result<(), Fail>> {
    tell(
        client,
        ("7H2KM4QX", 7),
        async || bus.client().await,
        context,
    )
}

#[test]
fn the_end_of_a_command_is_told_to_a_tpad_that_was_restarted_and_to_one_that_comes_later() {
    let bus = Bus::start();
    let daemon = Daemon::default();
    let (screen, _out, err) = screen(None);
    let context = context(screen);
    let ends = || std::mem::take(&mut daemon.state().command_ends);
    let told = [("7H2KM4QX".to_owned(), 7)];
    zruntime::block_on(async {
        let first = bus.serve(&daemon).await;
        let kept = bus.client().await.unwrap();
        tells(&bus, &kept, &context).await.unwrap();
        assert_eq!(ends(), told);
        // As root's socket: it closes with the tpad that it led to.
        let (here, there) = UnixStream::pair().unwrap();
        let (server, client) = future::zip(
            daemon.serve(here),
            Client::over(Builder::unix_stream(there).p2p()),
        )
        .await;
        server.close().await.unwrap();
        let closed = client.unwrap();
        let fail = closed.get("7H2KM4QX").await.unwrap_err();
        assert_eq!(fail.exit(), Exit::Unreachable, "{fail:?}");
        assert_eq!(err.text(), "");
        first.close().await.unwrap();
        let comes = async {
            while !err.text().contains("tpad is not there to be told") {
                future::yield_now().await;
            }
            bus.serve(&daemon).await
        };
        let (answer, _second) = future::zip(tells(&bus, &kept, &context), comes).await;
        answer.unwrap();
        assert_eq!(ends(), told);
    });
}

#[test]
fn what_tpad_refuses_of_a_commands_end_is_said_and_not_tried_again() {
    let bus = Bus::start();
    let daemon = Daemon::default();
    let (screen, _out, _err) = screen(None);
    let context = context(screen);
    daemon.state().refusal = Some(Refusal::NoChange("7H2KM4QX is not running here".into()));
    zruntime::block_on(async {
        let _served = bus.serve(&daemon).await;
        let client = bus.client().await.unwrap();
        let fail = tells(&bus, &client, &context).await.unwrap_err();
        let says =
            "did not confirm that the command of 7H2KM4QX ended with 7: 7H2KM4QX is not running";
        assert!(fail.error().contains(says), "{fail:?}");
        assert_eq!(daemon.state().calls, 1);
        // Once more where tpad may have forgotten whose connection it is, and no more.
        daemon.state().refusal = Some(Refusal::NotPermitted("only sudo".into()));
        tells(&bus, &client, &context).await.unwrap_err();
        assert_eq!(daemon.state().calls, 3);
    });
}
