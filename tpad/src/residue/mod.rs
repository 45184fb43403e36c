//! What a window leaves behind: looking for it, beside everything else.
//!
//! PID 1 starts `tpad look` for it, at idle priority and within limits ([`crate::daemon::residue`]):
//! once when a grant begins, which writes a note of what is there ([`note`]), and once when it has
//! ended, which looks again ([`look`]) and holds the two against each other ([`compare`], PURE). It
//! reads and never changes anything. What is found is an administrator's to judge, but for what a role
//! has removed: that is done by itself, in a process of its own again, `tpad tidy` ([`tidy`]).
//!
//! Homes are people's to fill: nothing is opened there that is a link, or stands on a file system
//! that another machine or a process answers for ([`mounts`]), and everything is bounded.

mod accounts;
mod appeared;
mod compare;
mod files;
mod homes;
mod item;
mod look;
mod mounts;
mod note;
mod packages;
mod places;
mod running;
mod tidy;
mod walk;

pub use item::Kind;
pub use look::{Answer, Order, Part, run};
pub use note::FOLDER;
pub use tidy::{Order as TidyOrder, came_to, run as tidy};
