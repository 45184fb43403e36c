//! Tells syslog of every event, in order, at least once.
//!
//! [`fields`] gathers what an auditor needs to know of an event when it is recorded; [`line`]
//! makes the text of it; [`unusual`] marks what someone on call should look at; [`emit`] sends the texts to `/dev/log` and keeps the place it has got to
//! in the database.

mod ecs;
pub mod emit;
pub mod fields;
pub mod line;
pub mod unusual;
