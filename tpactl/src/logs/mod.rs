//! The logs that `tpad`'s lines reach, read to be compared with its database.
//!
//! [`source`] reads files, rotated ones and the journal, [`bounded`] in bounded time and memory; [`line`](mod@line) tells what a line claims to be;
//! [`compare`] says which lines are missing, changed, made by others, or ahead of the database.

pub mod bounded;
pub mod compare;
pub mod line;
pub mod source;
