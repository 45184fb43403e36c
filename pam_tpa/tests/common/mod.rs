//! A stand-in for `tpad` at the gate's socket and on the system bus.

use std::os::unix::net::UnixStream;

use tpa_bus::error::Refusal;
use tpa_bus::gate::{Query, Verdict};
use tpa_bus::names;
use zbus::connection::Builder;

/// What everybody is told.
#[derive(Debug, Clone)]
pub enum Answer {
    /// In or out, as it says.
    Verdict(Verdict),
    /// An error.
    Refusal(Refusal),
    /// Nothing, ever.
    Silence,
}

/// The one object of `tpad`.
pub struct FakeTpad(pub Answer);

impl FakeTpad {
    async fn answer(&self, method: &str, query: Query) -> Result<Verdict, Refusal> {
        println!("{method} {query:?}");
        match &self.0 {
            Answer::Verdict(verdict) => Ok(verdict.clone()),
            Answer::Refusal(refusal) => Err(refusal.clone()),
            Answer::Silence => std::future::pending().await,
        }
    }
}

#[zbus::interface(name = "org.tpa1.Gate")]
impl FakeTpad {
    async fn account(&self, query: Query) -> Result<Verdict, Refusal> {
        self.answer("Account", query).await
    }

    async fn open_session(&self, query: Query) -> Result<Verdict, Refusal> {
        self.answer("OpenSession", query).await
    }

    async fn close_session(&self, query: Query) -> Result<(), Refusal> {
        self.answer("CloseSession", query).await.map(|_| ())
    }
}

/// A verdict that lets in for so many seconds.
pub fn allowed(remaining_s: u64) -> Answer {
    Answer::Verdict(Verdict {
        allowed: true,
        text: vec![format!(
            "tpa: grant 7H2KM4QX (web-ops): {remaining_s}s left"
        )],
        grant: Some("7H2KM4QX".into()),
        remaining_s: Some(remaining_s),
        ..Verdict::default()
    })
}

/// Serves one peer until it hangs up.
pub fn serve(stream: UnixStream, answer: Answer) {
    zbus::block_on(async {
        let connection = Builder::unix_stream(stream)
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at(names::OBJECT_PATH, FakeTpad(answer))
            .build()
            .await?;
        connection.closed().await;
        zbus::Result::Ok(())
    })
    .unwrap_or_else(|error| println!("a peer went away: {error}"));
}
