//! Lets people and the gate in.
//!
//! [`serve`] puts the two interfaces where they belong: [`access`] on the system bus for
//! everyone, [`gate`] on a socket that only root can open and, as a second way, on the bus for
//! root. [`caller`] tells who is calling; no interface asks the caller.

pub mod access;
pub mod caller;
pub mod gate;
pub mod serve;
mod view;
mod words;

use tpa_bus::error::Refusal;

use crate::engine::Error;
use crate::ledger::Kind;

/// A refusal, as it crosses the bus.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refused) => {
                let text = refused.to_string();
                match refused.kind {
                    Kind::Invalid => Self::Invalid(text),
                    Kind::NotPermitted => Self::NotPermitted(text),
                    Kind::UnknownId => Self::UnknownId(text),
                    Kind::NoChange => Self::NoChange(text),
                    Kind::Limit => Self::Failed(text),
                }
            }
            Error::Failed(error) => {
                tracing::error!("{error:#}");
                Self::Failed(format!(
                    "{error:#}\nnext: see what tpad says: journalctl -u tpad"
                ))
            }
        }
    }
}
