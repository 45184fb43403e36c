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
    /// What became of it on behalf of another program.
    lent: Vec<&'static str>,
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

    fn lend(&mut self) -> Result<(), Fail> {
        self.lent.push("lent");
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), Fail> {
        self.lent.push("back");
        Ok(())
    }
}

fn pick(daemon: &Daemon, reads: &[&'static str]) -> (Vec<Request>, Typist) {
    pick_from(daemon, reads, None, false)
}

fn pick_from(
    daemon: &Daemon,
    reads: &[&'static str],
    key: Option<&str>,
    outside: bool,
) -> (Vec<Request>, Typist) {
    let mut typist = Typist {
        reads: reads.to_vec(),
        frames: Vec::new(),
        lent: Vec::new(),
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
            outside,
        };
        let waiting = waiting(&client).await.unwrap();
        let key = export::Key {
            key: key.map(Into::into),
        };
        decide(waiting, &mut typist, &key, &client, &context).await
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

#[test]
fn what_a_role_wants_signed_is_signed_and_said_by_nobody_without() {
    let daemon = Daemon::default();
    let mut asked = sample::pending();
    asked.proof = Some("touch".into());
    asked.digest = Some("0".repeat(64));
    daemon.state().requests = vec![asked];
    // There is no such key.
    let key = Some("/nowhere/key");
    let (decided, typist) = pick_from(&daemon, &["a", "y", "q"], key, false);
    assert!(decided.is_empty());
    assert_eq!(daemon.request("K0000001").state, "pending");
    assert_eq!(typist.lent, ["lent", "back"]);
    assert!(typist.frames[2].contains("error: "), "{}", typist.frames[2]);
    // Through the front door it is the key that was come with.
    let (decided, typist) = pick_from(&daemon, &["a", "y", "q"], None, true);
    assert_eq!(decided.len(), 1);
    assert!(typist.lent.is_empty());
}
