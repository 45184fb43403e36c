//! A throwaway Debian host, booted.
//!
//! A host is three layers of overlayfs: [`base`] (Debian's own packages, kept between runs),
//! [`installed`] (the package under test, and [`people`]), and one that goes with the host.
//! [`host::Host::boot`] starts it with systemd-nspawn in a control group and a mount namespace of
//! its own, so that what ends the rig ends the host, and nothing of it stays mounted.
//!
//! A container shares the kernel of this machine, and its clocks. [`host::Host::emulate_gated`]
//! boots the same host under Debian's own kernel on an emulated machine ([`vm`], [`disk`]).

pub mod access;
pub mod alone;
pub mod base;
pub mod bus;
pub mod calls;
pub mod chain;
pub mod clock;
pub mod container;
pub mod debian;
pub mod directory;
pub mod disk;
pub mod grant;
pub mod host;
pub mod installed;
pub mod kill;
pub mod layer;
pub mod machine;
pub mod module;
pub mod monitor;
pub mod need;
pub mod notify;
pub mod object;
pub mod output;
pub mod people;
pub mod running;
pub mod scenario;
pub mod stand_in;
pub mod store;
pub mod terminal;
pub mod tool;
pub mod vm;
pub mod way_in;
pub mod ways;
pub mod wire;
