//! All that waits: loops, timers, what is listened to. Each runs until the process ends, tells the
//! engine what it has seen, and does what follows from it.
//!
//! [`reconcile`] keeps the host as planned, [`people`] and [`names`] keep what is known of accounts,
//! [`sessions`] sees sessions end and [`commands`] the runs of approved commands (both by [`attend`]),
//! [`recordings`] closes what sudo recorded and lets it go, [`syslog`] tells syslog and [`notify`] mail,
//! chats, pagers and the administrator's program, [`residue`] has looked for what a window left behind,
//! [`tidy`] has removed what a role has removed of that, and [`watchdog`] proves to PID 1 that all of it answers.

mod attend;
pub mod commands;
pub mod names;
pub mod notify;
pub mod people;
pub mod reconcile;
pub mod recordings;
pub mod residue;
pub mod sessions;
pub mod syslog;
pub mod tidy;
pub mod watchdog;
