//! The daemon of TPA.
//!
//! [`ledger`] says what was decided, [`plan`] says what the host should look like now, [`host`]
//! makes it so. [`policy`] is who may do what, [`config`] reads it from files, [`store`] keeps every event, [`audit`] tells
//! syslog of it, [`recordings`] reads what sudo recorded, [`bus`] lets people and the gate in, and in
//! [`engine`] they meet. [`daemon`] is all that waits.

pub mod accounts;
pub mod aside;
pub mod audit;
pub mod authorized_key;
pub mod bus;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod descriptors;
pub mod engine;
pub mod gated;
pub mod hex;
pub mod host;
pub mod ledger;
pub mod own_names;
pub mod plan;
pub mod policy;
pub mod recordings;
pub mod residue;
pub mod shadow;
pub mod single;
pub mod store;
pub mod sys;
pub mod watch;
