//! The picker against a `tpad` of the tests, with a terminal that types by itself.

use std::os::unix::net::UnixStream;

use futures_lite::future;
use zbus::connection::Builder;

use super::*;
use crate::clock::fixed;
use crate::sample;
use crate::screen::fake::screen;
use crate::tests::daemon::Daemon;

/// Types what it is given, one read at a time, and keeps what was drawn.
struct Typist {
    reads: Vec<&'static str>,
    frames: Vec<String>,
}

impl Terminal for Typist {
    fn size(&self) -> (usize, usize) {
        (80, 24)
    }

    fn draw(&mut self, rows: &[String]) -> Result<(), Fail> {
        let frame = rows.join("\n");
        self.frames
            .push(anstream::adapter::strip_str(&frame).to_string());
        Ok(())
    }

    fn keys(&mut self) -> Result<Vec<Key>, Fail> {
        let read = self.reads.remove(0);
        Ok(keys::parse(read.as_bytes()))
    }
}

fn pick(daemon: &Daemon, reads: &[&'static str]) -> (Vec<Request>, Typist) {
    let mut typist = Typist {
        reads: reads.to_vec(),
        frames: Vec::new(),
    };
    let decided = zruntime::block_on(async {
        let (here, there) = UnixStream::pair().unwrap();
        let client = Client::over(Builder::unix_stream(here).p2p());
        let (client, _server) = future::zip(client, daemon.serve(there)).await;
        let client = client.unwrap();
        let context = Context {
            screen: screen(Some("")).0,
            clock: fixed(),
            connected: Some(client.clone()),
            host: "web-01".into(),
            outside: false,
        };
        let waiting = waiting(&client).await.unwrap();
        decide(waiting, &mut typist, &client, &context).await
    });
    (decided.unwrap(), typist)
}

#[test]
fn a_denial_reaches_tpad_with_its_reason_and_the_picker_goes_on() {
    let daemon = Daemon::default();
    daemon.state().requests = vec![sample::pending(), sample::active()];
    let (decided, typist) = pick(&daemon, &["d", "not today", "\r", "q"]);
    assert_eq!(daemon.request("K0000001").state, "denied");
    assert_eq!(daemon.state().said.as_deref(), Some("not today"));
    assert_eq!(decided.len(), 1);
    assert!(typist.frames[2].contains("Deny, because: not today_"));
    assert!(
        typist.frames[3].contains("K0000001 was denied"),
        "{}",
        typist.frames[3]
    );
}

#[test]
fn a_refusal_is_shown_and_nothing_counts_as_decided() {
    let daemon = Daemon::default();
    let mut gone = sample::pending();
    gone.id = "00000000".into();
    daemon.state().requests = vec![gone];
    daemon.state().refuses_decisions = Some(tpa_bus::error::Refusal::NoChange(
        "00000000 is denied already".into(),
    ));
    let (decided, typist) = pick(&daemon, &["a", "y", "\x1b"]);
    assert!(decided.is_empty());
    assert!(
        typist.frames[2].contains("error: 00000000 is denied already"),
        "{}",
        typist.frames[2]
    );
}
