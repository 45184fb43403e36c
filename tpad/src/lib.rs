//! The daemon of TPA.
//!
//! [`ledger`] says what was decided, [`plan`] says what the host should look like now, [`host`]
//! makes it so. [`policy`] is the configuration, [`store`] keeps every event, [`audit`] tells
//! syslog, [`bus`] lets people and the gate in.

pub mod clock;
pub mod host;
pub mod ledger;
pub mod plan;
pub mod policy;
pub mod sys;
