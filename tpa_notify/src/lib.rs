//! Tells one target of what happened: mail, chat, pagers and webhooks.
//!
//! tpad says on standard input whom to tell of what ([`job`]); the secret of that one target lies
//! where systemd put it for this process alone ([`secret`]). [`words`] makes sentences of events,
//! [`body`] makes of them what the target reads, so that nothing that people typed is markup, a
//! mention, a link or a header there. [`http`] and [`mail`] bring it there, once: when to try again
//! is tpad's to decide.
#![forbid(unsafe_code)]

pub mod body;
pub mod http;
pub mod job;
pub mod mail;
pub mod neutral;
pub mod secret;
pub mod words;

use job::{Job, Kind, Outcome, Step};
use secret::Secrets;

/// Tells the target, and says what came of it; of mail also each step, as it is done.
#[must_use]
pub fn tell(job: &Job, secrets: &Secrets, step: impl FnMut(Step)) -> Outcome {
    match job.kind {
        Kind::Mail => mail::send(job, mail::SENDMAIL, step),
        _ => http::send(job, secrets),
    }
}
