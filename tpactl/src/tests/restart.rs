//! A `tpad` that restarts while somebody waits, over a real message bus on a socket of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use futures_lite::future;
use tpa_bus::access::Request;
use tpa_bus::names::{BUS_NAME, OBJECT_PATH};
use zbus::Connection;
use zbus::connection::Builder;

use super::daemon::Daemon;
use crate::bus::Client;
use crate::clock::fixed;
use crate::context::Context;
use crate::fail::Exit;
use crate::form::Form;
use crate::goal::Goal;
use crate::sample;
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

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_decision_made_while_tpad_restarted_ends_the_wait() {
    let bus = Bus::start();
    let daemon = Daemon::default();
    let (screen, out, err) = screen(None);
    let context = Context {
        screen,
        clock: fixed(),
        connected: None,
        host: "web-01".into(),
        outside: false,
    };
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
