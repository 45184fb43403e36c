//! The command line of TPA.
fn main() {}
