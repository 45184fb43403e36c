//! Showing what sudo recorded: reading it from `tpad`, taking out what could act on the terminal of
//! whoever looks, and putting it on a screen or into a file.

pub mod cast;
mod charset;
pub mod filter;
pub mod keys;
pub mod recording;
pub mod show;
pub mod text;
pub mod timing;
